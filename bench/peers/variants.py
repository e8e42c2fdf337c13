"""What some workloads change in the peers' configurations, by peer: TLS, three targets, WebSocket behind.

Each is the least that does it, so that everything else stays as in the other workloads.
"""

from __future__ import annotations

from collections.abc import Mapping

Variant = Mapping[str, Mapping[str, str]]
"""Settings by the name of a peer; who is not there cannot."""

TLS: Variant = {
    "apigateway": {
        "listener": '{endpoint: "$listen", tls: {certificates: [{certificate: $shared/server.pem, '
        "key: $shared/server.key}]}}"
    },
    "nginx": {
        "secure": "ssl",
        # Its default knows no TLS 1.3 yet.
        "server": "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate $shared/server.pem; "
        "ssl_certificate_key $shared/server.key;",
    },
    "haproxy": {"secure": "ssl crt $shared/server-and-key.pem alpn http/1.1", "scheme": "https"},
    "envoy": {
        "secure": "transport_socket: {name: tls, typed_config: "
        '{"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, '
        'common_tls_context: {alpn_protocols: ["http/1.1"], tls_params: {tls_maximum_protocol_version: TLSv1_3}, '
        "tls_certificates: [{certificate_chain: {filename: $shared/server.pem}, "
        "private_key: {filename: $shared/server.key}}]}}}"
    },
    "caddy": {
        # A client that asks by address sends no name.
        "top": "default_sni 127.0.0.1",
        "scheme": "https",
        "site": "tls $shared/server.pem $shared/server.key",
    },
}
"""TLS for clients, with one certificate of 256 bits on the curve that all prefer."""

THREE_TARGETS: Variant = {
    "apigateway": {"targets": ', "http://127.0.0.2:$upstream", "http://127.0.0.3:$upstream"'},
    "nginx": {"servers": "server 127.0.0.2:$upstream; server 127.0.0.3:$upstream;"},
    "haproxy": {
        "servers": "balance roundrobin\n    server two 127.0.0.2:$upstream pool-max-conn -1\n"
        "    server three 127.0.0.3:$upstream pool-max-conn -1"
    },
    "envoy": {
        "targets": "".join(
            "\n              - endpoint: {address: {socket_address: "
            f"{{address: 127.0.0.{number}, port_value: $upstream}}}}}}"
            for number in (2, 3)
        )
    },
    "caddy": {"targets": "127.0.0.2:$upstream 127.0.0.3:$upstream"},
}
"""The same service by three addresses; each balances as it does by default."""

WEBSOCKET: Variant = {
    "apigateway": {"host": "$sockets"},
    "nginx": {
        "host": "$sockets",
        "routes": "location /api/socket { proxy_pass http://service; proxy_http_version 1.1; "
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; '
        "proxy_set_header Host $http_host; proxy_read_timeout 1h; }",
    },
    "haproxy": {"host": "$sockets", "timeouts": "timeout tunnel 1h"},
    "envoy": {"host": "$sockets", "upgrades": "upgrade_configs: [{upgrade_type: websocket}]"},
    "caddy": {"host": "$sockets"},
}
"""Behind it the service that speaks WebSocket, `bench.peers.echo_service`."""
