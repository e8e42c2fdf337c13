"""The clients' side: listeners, the site, the HTTP/1 channel, and the ways to and from stock twisted.web requests.

Knows neither routes, services, policies nor configuration: it makes exchanges and hands them to the site's entrance.
"""
