"""Two small real services to try the gateway with: auth (log-in, tokens) and product (a list, and odd behaviour).

They are stock twisted.web sites, know nothing of the gateway, and keep a bounded amount of memory.
"""
