"""Where policies of others are found: modules in folders `apigateway/plugins/` on the path that have no `__init__.py`.

See `IPolicyPlugin`, and docs/policies.md for an example. Holds nothing of ours.
"""

from __future__ import annotations

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
