"""Tells twistd of the gateway."""

from twisted.application.service import ServiceMaker

apigateway = ServiceMaker(
    "API gateway", "apigateway.tap", "An API gateway in front of many HTTP services.", "apigateway"
)
