"""The configuration as frozen values: every key, its type, its unit and its default.

Knows nothing of YAML, the environment or the runtime: `read` makes these values, `assembly` uses them.
All durations are seconds, all sizes bytes. What may hold a secret, as values of fields do, is in no `repr`.
"""

from apigateway.config.model.balance import Balance, Outliers, Sticky
from apigateway.config.model.discovery import Discovery
from apigateway.config.model.files import GivenFile
from apigateway.config.model.listener import Listener, Redirect
from apigateway.config.model.process import AccessLog, Admin, Configuration, EventLog, Limits, Stop
from apigateway.config.model.retries import Hedging, Retries, RouteRetries, RouteTimeouts, Timeouts
from apigateway.config.model.route import (
    PATH_AMBIGUITIES,
    Cors,
    Extension,
    Headers,
    Policies,
    RateLimit,
    Route,
)
from apigateway.config.model.service import (
    CircuitBreaker,
    Fallback,
    HealthCheck,
    Pool,
    Service,
    Target,
)
from apigateway.config.model.tls import Certificate, ClientCertificates, Tls
from apigateway.config.model.traffic import Mirror, SplitRule
from apigateway.config.model.upgrades import Upgrades
from apigateway.config.model.upstream_tls import UpstreamTls

__all__ = [
    "PATH_AMBIGUITIES", "AccessLog", "Admin", "Balance", "Certificate", "CircuitBreaker", "ClientCertificates",
    "Configuration", "Cors", "Discovery", "EventLog", "Extension", "Fallback", "GivenFile", "Headers", "HealthCheck",
    "Hedging", "Limits", "Listener", "Mirror", "Outliers", "Policies", "Pool", "RateLimit", "Redirect", "Retries",
    "Route", "RouteRetries", "RouteTimeouts", "Service", "SplitRule", "Sticky", "Stop", "Target", "Timeouts", "Tls",
    "Upgrades", "UpstreamTls",
]  # fmt: skip
