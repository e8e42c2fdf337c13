"""The resource tree as the path router: the longest prefix wins at segment borders, in whatever order it grew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.test.requesthelper import DummyRequest

from apigateway.routing.proxy_resource import ProxyResource, Rest
from apigateway.routing.tree import Branch, locate, mount, parameters_matter
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.memory import MemoryNetwork
from tests.routing.scripted import Page, proxy, proxy_at, route

Way = tuple[bytes, ...]

segments = st.sampled_from((b"a", b"b", b"ab", b"a b"))
ways = st.lists(segments, min_size=1, max_size=4).map(tuple)


def path_of(way: Way) -> bytes:
    return b"/" + b"/".join(way)


def begins_with(way: Way, prefix: Way) -> bool:
    return way[: len(prefix)] == prefix


def prefix_of(node: object) -> str | None:
    return node.routes[0].name if isinstance(node, ProxyResource) else None


def owner_of(node: object) -> object:
    """The proxy that answers for what the tree has no node for, else the node itself."""
    return node.proxy if isinstance(node, Rest) else node


def grown(at_root: bool, *mounts: tuple[bytes, Resource]) -> Resource:
    root: Resource = proxy_at(b"/") if at_root else Branch(None)
    for path, resource in mounts:
        mount(root, path, resource)
    return root


class LocatingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.api, self.v2, self.files, self.home = proxy_at(b"/api"), proxy_at(b"/api/v2"), Page(b"f"), Page(b"h")
        self.root = grown(
            False, (b"/api/v2", self.v2), (b"/api", self.api), (b"/static/files", self.files), (b"/", self.home)
        )

    def test_the_longest_prefix_wins(self) -> None:
        for path, expected in (
            (b"/api", self.api),
            (b"/api/v1", self.api),
            (b"/api/v2", self.v2),
            (b"/api/v2/x/y", self.v2),
        ):
            self.assertEqual(locate(self.root, path), (None, expected), path)

    def test_a_prefix_ends_where_a_segment_ends(self) -> None:
        for path in (b"/apix", b"/ap", b"/API", b"/api.json"):
            self.assertEqual(locate(self.root, path), (None, None), path)
        self.assertEqual(locate(self.root, b"/api/v2x"), (None, self.api))

    def test_a_slash_at_the_end_is_below_the_prefix(self) -> None:
        self.assertEqual(locate(self.root, b"/api/"), (None, self.api))
        self.assertEqual(locate(self.root, b"/static/files/"), (self.files, None))

    def test_a_stock_resource_owns_everything_below_it(self) -> None:
        for path in (b"/static/files", b"/static/files/a/b"):
            self.assertEqual(locate(self.root, path), (self.files, None), path)
        self.assertEqual(locate(self.root, b"/static"), (None, None))

    def test_the_root_page_is_for_the_root_only(self) -> None:
        self.assertEqual(locate(self.root, b"/"), (self.home, None))
        self.assertEqual(locate(self.root, b"/other"), (None, None))

    def test_a_proxy_at_the_root_takes_what_nothing_else_does(self) -> None:
        root = grown(True, (b"/static", self.files), (b"/deep/er/api", self.api))
        for path in (b"/", b"/x", b"/deep", b"/deep/er/x", b"*"):
            self.assertEqual(locate(root, path), (None, root), path)
        self.assertEqual(locate(root, b"/static/a"), (self.files, root))

    def test_without_a_path_there_is_nothing_but_the_root(self) -> None:
        self.assertEqual(locate(self.root, b"*"), (None, None))


class ParameterTests(SynchronousTestCase):
    """Paths that a service which drops `;…` would take for others."""

    def matters(self, root: Resource, path: bytes, host: bytes = b"h") -> bool:
        return parameters_matter(root, path, exchange_for("GET", "/", [(b"Host", host)]).head, *locate(root, path))

    def test_they_matter_where_they_hide_the_prefix_of_another(self) -> None:
        root = grown(
            True, (b"/api", proxy_at(b"/api")), (b"/api/admin", proxy_at(b"/api/admin")), (b"/own", Page(b"p"))
        )
        for path in (
            b"/api/admin;x",
            b"/api/admin;x/y",
            b"/api/;x/admin",
            b"/api;x",
            b"/;/api",
            b"/own;x",
            b"/;x/own/y",
        ):
            self.assertTrue(self.matters(root, path), path)
        for path in (b"/api/v1;x", b"/api/admin/x;y", b"/api/administrator;x", b"/x;y/api", b"/own/x;y", b"/a;b"):
            self.assertFalse(self.matters(root, path), path)

    def test_they_do_not_where_the_same_route_takes_both(self) -> None:
        root = grown(
            False, (b"/api", proxy_at(b"/api")), (b"/api/new", proxy(route("/api/new", b"/api/new", host=b"new")))
        )
        self.assertFalse(self.matters(root, b"/api/new;x", b"old"))
        self.assertTrue(self.matters(root, b"/api/new;x", b"new"))

    def test_nor_where_nobody_takes_the_path_as_it_came(self) -> None:
        self.assertFalse(self.matters(grown(False, (b"/api", proxy_at(b"/api"))), b"/api;x"))


class ModelTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(st.lists(ways, max_size=8, unique=True), st.booleans(), ways, st.data())
    def test_the_deepest_proxy_on_the_way_is_found_whatever_the_order(
        self, prefixes: list[Way], at_root: bool, way: Way, data: st.DataObject
    ) -> None:
        root = grown(at_root, *[(path_of(prefix), proxy_at(path_of(prefix))) for prefix in prefixes])
        known = [*prefixes, ()] if at_root else prefixes
        expected = max((prefix for prefix in known if begins_with(way, prefix)), key=len, default=None)
        stock, found = locate(root, path_of(way))
        self.assertEqual((stock, prefix_of(found)), (None, None if expected is None else path_of(expected).decode()))

    @settings(deadline=None, max_examples=300)
    @given(st.lists(ways, min_size=1, max_size=8, unique=True), st.booleans())
    def test_each_proxy_hands_back_to_the_next_shorter_prefix_whatever_the_order(
        self, prefixes: list[Way], at_root: bool
    ) -> None:
        nodes = {prefix: proxy_at(path_of(prefix)) for prefix in prefixes}
        grown(at_root, *[(path_of(prefix), node) for prefix, node in nodes.items()])
        known = [*prefixes, ()] if at_root else prefixes
        for prefix, node in nodes.items():
            shorter = [other for other in known if len(other) < len(prefix) and begins_with(prefix, other)]
            expected = path_of(max(shorter, key=len)).decode() if shorter else None
            self.assertEqual(prefix_of(node.above), expected)

    @settings(deadline=None, max_examples=300)
    @given(st.dictionaries(ways, st.booleans(), max_size=8), st.booleans(), ways)
    def test_the_nearest_stock_resource_on_the_way_owns_it_and_the_proxies_above_it_are_known(
        self, kinds: dict[Way, bool], at_root: bool, way: Way
    ) -> None:
        nodes = {
            prefix: Page(path_of(prefix)) if stock else proxy_at(path_of(prefix)) for prefix, stock in kinds.items()
        }
        root = grown(at_root, *[(path_of(prefix), node) for prefix, node in nodes.items()])
        on_the_way = sorted((prefix for prefix in nodes if begins_with(way, prefix)), key=len)
        owner = next((prefix for prefix in on_the_way if kinds[prefix]), None)
        above = [prefix for prefix in on_the_way if not kinds[prefix] and (owner is None or len(prefix) < len(owner))]
        proxy = nodes[above[-1]] if above else root if at_root else None
        self.assertEqual(locate(root, path_of(way)), (None if owner is None else nodes[owner], proxy))


class StockSiteTests(SynchronousTestCase):
    """The same tree, walked by an unmodified Site."""

    def found(self, root: Resource, path: bytes) -> object:
        request = DummyRequest([])
        request.prepath, request.postpath = [], path[1:].split(b"/")
        return Site(root, reactor=MemoryNetwork().reactor).getResourceFor(request)

    def test_it_comes_to_the_same_nodes(self) -> None:
        api, v2, files = proxy_at(b"/api"), proxy_at(b"/api/deep/v2"), Page(b"f")
        root = grown(False, (b"/api/deep/v2", v2), (b"/api", api), (b"/files", files))
        for path, expected in ((b"/api", api), (b"/api/x/y", api), (b"/api/deep/v2/z", v2), (b"/files/a", files)):
            self.assertIs(owner_of(self.found(root, path)), expected, path)

    def test_what_follows_a_segment_that_nobody_has_is_no_ones_child(self) -> None:
        api, admin, files = proxy_at(b"/"), proxy_at(b"/api/admin"), Page(b"files")
        root = grown(False, (b"/api", api), (b"/api/admin", admin), (b"/api/static/files", files))
        for path in (b"/api/x/admin", b"/api/x/static/files", b"/api/static/x/admin", b"/api/static/x/files"):
            self.assertIs(owner_of(self.found(root, path)), api, path)

    def test_runs_of_slashes_below_a_proxy_are_one(self) -> None:
        api, deep = proxy_at(b"/api"), proxy_at(b"/api/some/where")
        root = grown(False, (b"/api", api), (b"/api/some/where", deep))
        for path, expected in (
            (b"/api//some//where", deep),
            (b"/api/some/where//x", deep),
            (b"/api//x", api),
            (b"/api/", api),
            (b"/api//some/", api),
        ):
            self.assertIs(owner_of(self.found(root, path)), expected, path)

    def test_what_only_leads_on_is_for_the_proxy_above(self) -> None:
        api, deep = proxy_at(b"/api"), proxy_at(b"/api/some/where")
        root = grown(False, (b"/api", api), (b"/api/some/where", deep))
        self.assertIs(owner_of(self.found(root, b"/api/some/thing")), api)
        branch = self.found(root, b"/api/some")
        assert isinstance(branch, Branch)
        self.assertIs(branch.above, api)

    def test_without_one_there_is_nothing(self) -> None:
        root = grown(False, (b"/some/where", Page(b"p")))
        for path in (b"/some", b"/some/thing", b"/else"):
            request = DummyRequest([])
            found = self.found(root, path)
            assert isinstance(found, Resource)
            found.render(request)
            self.assertEqual(request.responseCode, 404, path)
