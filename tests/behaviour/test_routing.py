"""Which service a request reaches: prefixes, hosts, fields, methods, and stock Resources beside the services."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from klein import Klein
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.static import Data, File

from apigateway.testing.wire import Message
from tests.behaviour.caller import chunked
from tests.behaviour.combinations import Combination, lacks, needs, only, over_all_combinations
from tests.behaviour.stage import Options, Stage, problem


def named(test: TestCase, via: Combination, services: Mapping[str, Options], **more: Any) -> Stage:
    """A stage on which each service answers with its name."""
    stage = Stage(test, via, services, **more)
    for name, service in stage.services.items():
        service.answers(200, name.encode())
    return stage


@over_all_combinations
class PrefixTests(TestCase):
    async def test_the_longest_prefix_wins(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}, "two": {"prefix": "/api/v2"}, "three": {"prefix": "/a"}})
        wanted = {
            "/api": b"one",
            "/api/v1": b"one",
            "/api/v2": b"two",
            "/api/v2/orders?page=2": b"two",
            "/api/v2x": b"one",
            "/a/api/v2": b"three",
        }
        found = {path: (await stage.get(path)).body for path in wanted}
        self.assertEqual(found, wanted)

    async def test_a_prefix_ends_at_a_segment_border(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        statuses = [(await stage.get(path)).status for path in ("/api", "/api/", "/api?x", "/apix", "/ap", "/x/api")]
        self.assertEqual(statuses, [200, 200, 200, 404, 404, 404])

    async def test_a_path_between_two_prefixes_belongs_to_the_shorter_one(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/a"}, "two": {"prefix": "/a/b/c"}})
        self.assertEqual((await stage.get("/a/b")).body, b"one")
        self.assertEqual((await stage.get("/a/b/x")).body, b"one")
        self.assertEqual((await stage.get("/a/b/c/x")).body, b"two")

    async def test_the_prefix_slash_takes_everything_else(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/"}, "two": {"prefix": "/api"}})
        self.assertEqual((await stage.get("/")).body, b"one")
        self.assertEqual((await stage.get("/any/where")).body, b"one")
        self.assertEqual((await stage.get("/api/x")).body, b"two")
        self.assertEqual((await stage.get("/health/live")).get(b"content-type"), b"application/json")

    async def test_the_path_is_forwarded_whole(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        await stage.get("/api/a%20b//c;v=1/?x=1&x=%2F&empty=")
        self.assertEqual((await stage.request()).target, "/api/a%20b//c;v=1/?x=1&x=%2F&empty=")

    async def test_an_empty_query_stays_one(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        await stage.get("/api/x?")
        self.assertEqual((await stage.request()).target, "/api/x?")

    async def test_strip_prefix_cuts_the_prefix(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api", "strip_prefix": True}})
        wanted = {"/api/x?q=/api": "/x?q=/api", "/api": "/", "/api/": "/", "/api?q": "/?q", "/%61pi/%61": "/%61"}
        for path in wanted:
            await stage.get(path)
        self.assertEqual([request.target for request in stage.one.requests], list(wanted.values()))

    @needs("paths decoded before routing")
    async def test_strip_prefix_cuts_folded_slashes_with_the_prefix(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api/v1", "strip_prefix": True}})
        await stage.get("//api//v1/x//y")
        self.assertEqual((await stage.request()).target, "/x//y")

    @needs("paths decoded before routing")
    async def test_no_spelling_of_a_path_reaches_another_route(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/"}, "two": {"prefix": "/api"}})
        for path in ("/%61pi", "//api", "/a%70i/x", "///api//x"):
            self.assertEqual((await stage.get(path)).body, b"two", path)

    @lacks("paths decoded before routing")
    async def test_a_stock_site_takes_empty_segments_literally(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        self.assertEqual((await stage.get("/%61pi")).body, b"one")
        self.assertEqual((await stage.get("//api")).status, 404)

    @needs("problems where no route is")
    async def test_what_no_route_takes_gets_a_problem(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        problem(self, await stage.get("/elsewhere"), 404, "no-route")

    @lacks("problems where no route is")
    async def test_a_stock_site_says_not_found_in_its_own_words(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        answer = await stage.get("/elsewhere")
        self.assertEqual((answer.status, answer.get(b"content-type")), (404, b"text/html; charset=utf-8"))


@over_all_combinations
class MatchTests(TestCase):
    async def test_a_host_chooses_among_routes_of_one_path(self, via: Combination) -> None:
        services = {
            "any": {"prefix": "/api"},
            "shop": {"prefix": "/api", "host": "shop.example.com"},
            "wild": {"prefix": "/api", "host": "*.example.com"},
        }
        stage = named(self, via, services)
        wanted = {
            "shop.example.com": b"shop",
            "SHOP.example.com:8000": b"shop",
            "x.y.example.com": b"wild",
            "example.com": b"any",
            "example.org": b"any",
        }
        caller = await stage.call()
        found = {}
        for host in wanted:
            caller.send(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            found[host] = (await caller.answer()).body
        self.assertEqual(found, wanted)

    async def test_fields_choose_among_routes_of_one_path(self, via: Combination) -> None:
        services: dict[str, Options] = {
            "old": {"prefix": "/api"},
            "new": {"routes": [{"path": "/api", "match_headers": {"X-Version": "2"}}]},
        }
        stage = named(self, via, services)
        self.assertEqual((await stage.get("/api", "x-version: 2")).body, b"new")
        self.assertEqual((await stage.get("/api", "X-Version: 22")).body, b"old")
        self.assertEqual((await stage.get("/api")).body, b"old")

    async def test_what_a_longer_prefix_does_not_match_goes_back_to_the_shorter_one(self, via: Combination) -> None:
        services = {"one": {"prefix": "/api"}, "two": {"prefix": "/api/v2", "host": "new.example.com"}}
        stage = named(self, via, services)
        self.assertEqual((await stage.get("/api/v2/x")).body, b"one")

    async def test_a_method_chooses_among_routes_of_one_path(self, via: Combination) -> None:
        stage = named(
            self, via, {"read": {"prefix": "/api", "methods": ["GET"]}, "rest": {"prefix": "/api", "methods": ["POST"]}}
        )
        self.assertEqual((await stage.get("/api")).body, b"read")
        self.assertEqual((await stage.ask("POST", "/api")).body, b"rest")

    async def test_a_method_that_no_route_takes_is_told_which_ones_do(self, via: Combination) -> None:
        stage = named(
            self, via, {"read": {"prefix": "/api", "methods": ["GET"]}, "rest": {"prefix": "/api", "methods": ["POST"]}}
        )
        answer = await stage.ask("DELETE", "/api")
        problem(self, answer, 405, "method-not-allowed")
        self.assertEqual(answer.get(b"allow"), b"GET, HEAD, POST")

    async def test_services_without_methods_take_all(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}})
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"):
            self.assertEqual((await stage.ask(method, "/api")).status, 200, method)
        self.assertEqual(
            [request.method for request in stage.one.requests],
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"],
        )


def klein_app() -> Resource:
    """An application of klein with a page and a form."""
    app: Any = Klein()

    @app.route("/hello/<name>")  # type: ignore[untyped-decorator]  # klein has no types
    def hello(request: Any, name: str) -> str:
        return f"hello {name}"

    @app.route("/sum", methods=["POST"])  # type: ignore[untyped-decorator]  # klein has no types
    def total(request: Any) -> str:
        return str(sum(map(int, request.content.read().split())))

    resource: Resource = app.resource()
    return resource


@over_all_combinations
class MountTests(TestCase):
    async def test_a_folder_of_files_stands_beside_the_services(self, via: Combination) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "page.txt").write_bytes(b"0123456789")
        stage = Stage(self, via, mounts={b"/files": File(str(folder))})
        page = await stage.get("/files/page.txt")
        self.assertEqual((page.status, page.body, page.get(b"content-type")), (200, b"0123456789", b"text/plain"))
        part = await stage.get("/files/page.txt", "Range: bytes=2-4")
        self.assertEqual((part.status, part.body), (206, b"234"))
        self.assertEqual((await stage.get("/files/none")).status, 404)
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_klein_application_stands_beside_the_services(self, via: Combination) -> None:
        stage = Stage(self, via, mounts={b"/klein": klein_app()})
        self.assertEqual((await stage.get("/klein/hello/you")).body, b"hello you")
        self.assertEqual((await stage.ask("POST", "/klein/sum", body=b"1 2 3")).body, b"6")
        self.assertEqual((await stage.get("/klein/nothing")).status, 404)
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_resource_below_the_prefix_of_a_service_is_the_longer_prefix(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}}, mounts={b"/api/doc": Data(b"read me", "text/plain")})
        self.assertEqual((await stage.get("/api/doc")).body, b"read me")
        self.assertEqual((await stage.get("/api/docs")).body, b"one")

    async def test_a_resource_shares_the_connection_with_the_services(self, via: Combination) -> None:
        stage = named(self, via, {"one": {"prefix": "/api"}}, mounts={b"/doc": Data(b"read me", "text/plain")})
        caller = await stage.call()
        bodies = [(await caller.get(path)).body for path in ("/doc", "/api", "/doc", "/api")]
        self.assertEqual(bodies, [b"read me", b"one", b"read me", b"one"])

    async def test_a_large_file_arrives_whole(self, via: Combination) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "large").write_bytes(bytes(range(256)) * 4096)
        stage = Stage(self, via, mounts={b"/files": File(str(folder))})
        page = await stage.get("/files/large")
        self.assertEqual(page.body, bytes(range(256)) * 4096)

    @only("channel")
    async def test_a_resource_gets_bodies_of_up_to_10_mib(self, via: Combination) -> None:
        stage = Stage(self, via, mounts={b"/klein": klein_app()})
        most = b"1" + b" " * (10 * 1024 * 1024 - 1)
        self.assertEqual((await stage.ask("POST", "/klein/sum", body=most)).body, b"1")
        caller = await stage.call()
        caller.ask("POST", "/klein/sum", "Content-Length: 10485761", "Expect: 100-continue")
        problem(self, await caller.answer(), 413, "body-too-large")
        caller = await stage.call()
        caller.ask("POST", "/klein/sum", "Transfer-Encoding: chunked", body=chunked(most, b" "))
        problem(self, await caller.answer(), 413, "body-too-large")


@over_all_combinations
class AmbiguousPathTests(TestCase):
    AMBIGUOUS = (
        "/api/../secret", "/api/./x", "/api/%2e%2e/secret", "/api/.%2e/x", "/api/x/..", "/api/..;/x",
        "/api/a%2fb", "/api/a%2Fb", "/api/a%5cb", "/api/..%5csecret",
    )  # fmt: skip
    NEVER = ("/api/%00", "/api/a%0d%0ab", "/api/%7f", "/api/%zz", "/api/%")

    async def test_paths_that_two_parsers_could_read_differently_are_refused(self, via: Combination) -> None:
        stage = Stage(self, via)
        for path in (*self.AMBIGUOUS, *self.NEVER):
            problem(self, await stage.get(path), 400, "ambiguous-path")
        self.assertEqual(stage.one.requests, [])

    async def test_a_route_may_let_some_of_them_through_as_they_came(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "allow_paths": ["encoded-slash"]}})
        self.assertEqual((await stage.get("/api/a%2fb")).status, 200)
        self.assertEqual((await stage.request()).target, "/api/a%2fb")
        problem(self, await stage.get("/api/../x"), 400, "ambiguous-path")

    async def test_control_bytes_are_never_let_through(self, via: Combination) -> None:
        every = ["dot-segments", "encoded-slash", "backslash"]
        stage = Stage(self, via, {"one": {"prefix": "/api", "allow_paths": every}})
        for path in self.AMBIGUOUS:
            self.assertEqual((await stage.get(path)).status, 200, path)
        for path in self.NEVER:
            problem(self, await stage.get(path), 400, "ambiguous-path")

    @needs("paths decoded before routing")
    async def test_the_prefix_itself_cannot_be_hidden(self, via: Combination) -> None:
        stage = Stage(self, via)
        for path in ("/%2e%2e/api", "/api%2fx", "/x/../api", "/api%5cx", "/..%2fapi"):
            answer: Message = await stage.get(path)
            problem(self, answer, 400, "ambiguous-path")
