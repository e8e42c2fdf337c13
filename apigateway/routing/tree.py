"""The resource tree as the path router: the longest prefix wins, at segment borders.

A node is a stock Resource, which owns everything below it; a `ProxyResource`, which holds the routes of its prefix; or
a `Branch`, which only leads on. What matches nothing goes back to the nearest `ProxyResource` above.
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource, Resource

from apigateway.http.heads import RequestHead
from apigateway.http.paths import without_parameters
from apigateway.routing.proxy_resource import ProxyResource, Rest, same_route


class Branch(Resource):
    """A segment that only leads on to others. In a stock `Site` it hands back to the proxy above."""

    def __init__(self, above: ProxyResource | None) -> None:
        super().__init__()
        self.above = above

    def getChild(self, path: bytes, request: Any) -> Any:
        """What no child matches is for the proxy above, where there is one."""
        if self.above is None:
            return super().getChild(path, request)
        return self if not path and request.postpath else Rest(self.above, self, (path, *request.postpath))

    def render(self, request: Any) -> Any:
        """As `getChild`."""
        return (super().getChild(b"", request) if self.above is None else self.above).render(request)


def locate(root: IResource, path: bytes) -> tuple[IResource | None, ProxyResource | None]:
    """The stock Resource that owns a path, and the deepest proxy on the way to it (either may be None).

    `path` is decoded once and has no empty segments, see `http.paths`.
    """
    node: Any = root
    proxy: ProxyResource | None = None
    for segment in path.split(b"/")[1:]:
        if isinstance(node, ProxyResource):
            proxy = node
        elif not isinstance(node, Branch):
            return node, proxy
        child = node.children.get(segment)
        if child is None:
            return None, proxy
        node = child
    if isinstance(node, ProxyResource):
        return None, node
    return (None if isinstance(node, Branch) else node), proxy


def parameters_matter(
    root: IResource, path: bytes, head: RequestHead, stock: IResource | None, proxy: ProxyResource | None
) -> bool:
    """Whether a path, located at these two, would be another route's to a service that drops path parameters."""
    other_stock, other_proxy = locate(root, without_parameters(path))
    if stock is not other_stock:
        return True
    return proxy is not None and (other_proxy is None or not same_route(proxy, other_proxy, head))


def mount(root: Resource, path: bytes, resource: Resource) -> None:
    """Put a Resource at a path, growing branches on the way; what stands below a replaced branch moves along."""
    *way, last = path.strip(b"/").split(b"/")
    node: Any = root
    proxy = root if isinstance(root, ProxyResource) else None
    for segment in way:
        child = node.children.get(segment)
        if child is None:
            child = Branch(proxy)
            node.putChild(segment, child)
        if isinstance(child, ProxyResource):
            proxy = child
        node = child
    if isinstance(resource, ProxyResource):
        resource.above = proxy
    below = node.children.get(last)
    if isinstance(below, Branch):
        _adopt(below, resource)
    node.putChild(last, resource)


def _adopt(branch: Branch, resource: Resource) -> None:
    """Hang the children of a branch below the Resource that takes its place."""
    for segment, child in branch.children.items():
        resource.putChild(segment, child)
        if isinstance(resource, ProxyResource):
            _tell_above(child, branch.above, resource)


def _tell_above(node: Any, old: ProxyResource | None, new: ProxyResource) -> None:
    if isinstance(node, (Branch, ProxyResource)) and node.above is old:
        node.above = new
        if isinstance(node, Branch):
            for child in node.children.values():
                _tell_above(child, old, new)
