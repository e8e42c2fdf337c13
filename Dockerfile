# The gateway and its demo services. Everything is made in the first stage, so that nothing of the making stays in the image.
# Debian's slim variant and not Alpine's: zope.interface has no wheel for Alpine, and is slower without its C part.
FROM python:3.13-slim AS build
RUN python -m venv /opt/apigateway
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY apigateway apigateway
COPY twisted twisted
RUN /opt/apigateway/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --no-create-home --uid 10001 gateway
COPY --from=build /opt/apigateway /opt/apigateway
# twistd keeps a cache of the plugins it found; the user that serves could not write it
RUN /opt/apigateway/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
ENV PATH=/opt/apigateway/bin:$PATH
ENV APIGATEWAY_HEALTH_URL=http://127.0.0.1:8000/health/live
WORKDIR /srv
USER gateway
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['APIGATEWAY_HEALTH_URL'], timeout=2)"]
CMD ["twistd", "-n", "--pidfile=", "apigateway"]
