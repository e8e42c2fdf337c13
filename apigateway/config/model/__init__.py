"""The configuration as frozen values: every key, its type, its unit and its default.

Knows nothing of YAML, the environment or the runtime: `read` makes these values, `assembly` uses them.
All durations are seconds, all sizes bytes. What may hold a secret, as values of fields do, is in no `repr`.
"""

from apigateway.config.model.process import AccessLog, Admin, Configuration, EventLog, Limits, Stop
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
    Retries,
    Service,
    Target,
    Timeouts,
)

__all__ = [
    "PATH_AMBIGUITIES", "AccessLog", "Admin", "CircuitBreaker", "Configuration", "Cors", "EventLog", "Extension",
    "Fallback", "Headers", "HealthCheck", "Limits", "Policies", "Pool", "RateLimit", "Retries", "Route", "Service",
    "Stop", "Target", "Timeouts",
]  # fmt: skip
