"""Two small real services to try the gateway with: auth (log-in, tokens) and product (a list, odd behaviour, an event
stream, a WebSocket, and a page that tries them; its targets share the list).

They are stock twisted.web sites, know nothing of the gateway, and keep a bounded amount of memory, but for the messages
of WebSockets, which are gathered before they go back.
"""
