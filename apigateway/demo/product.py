"""The demo's product service: a list of products with create, read, update and delete, beside the odd pages."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.web import resource
from twisted.web.server import Request

from apigateway.demo.bodies import DemoSite
from apigateway.demo.catalogue import Catalogue, CatalogueFull, checked
from apigateway.demo.echo import echo_page
from apigateway.demo.events import Events
from apigateway.demo.odd import Slow, download, fail, shown, upload
from apigateway.demo.pages import NOT_FOUND, Folder, Page, answer, health, read_object

PAGE = Path(__file__).with_name("page.html").read_bytes()

WANTED = {"error": 'send {"name": …, "price": …}'}


class Products(resource.Resource):
    """`/api/products`, and `/api/products/NUMBER` below it."""

    def __init__(self, catalogue: Catalogue) -> None:
        resource.Resource.__init__(self)
        self._catalogue = catalogue
        self._page = Page(GET=self._list, POST=self._add)

    def getChild(self, path: bytes, request: Request) -> resource.Resource:
        """Called by twisted.web for what follows `/api/products/`."""
        if not path.isdigit() or len(path) > 9 or self._catalogue.get(int(path)) is None:
            return NOT_FOUND
        number = int(path)
        return Page(
            GET=partial(self._show, number), PUT=partial(self._change, number), DELETE=partial(self._remove, number)
        )

    def render(self, request: Request) -> bytes | int:
        """Called by twisted.web for the list itself."""
        return self._page.render(request)

    def _list(self, request: Request) -> bytes:
        return answer(request, 200, {"items": self._catalogue.all()})

    def _add(self, request: Request) -> bytes:
        product = checked(read_object(request))
        if product is None:
            return answer(request, 400, WANTED)
        try:
            added = self._catalogue.add(product)
        except CatalogueFull:
            return answer(request, 507, {"error": "the catalogue is full"})
        request.setHeader(b"Location", f"/api/products/{added['id']}".encode())
        return answer(request, 201, added)

    def _show(self, number: int, request: Request) -> bytes:
        return answer(request, 200, self._catalogue.get(number))

    def _change(self, number: int, request: Request) -> bytes:
        product = checked(read_object(request))
        if product is None:
            return answer(request, 400, WANTED)
        return answer(request, 200, self._catalogue.put(number, product))

    def _remove(self, number: int, request: Request) -> bytes:
        self._catalogue.remove(number)
        request.setResponseCode(204)
        return b""


def product_site(clock: IReactorTime, name: str = "product", catalogue: Catalogue | None = None) -> DemoSite:
    """The product service; `clock` times its pages, `name` is this target's, and `catalogue` may be others' as well."""
    pages = Folder(
        Page(GET=partial(_index, name)),
        products=Products(catalogue or Catalogue()),
        slow=Page(GET=Slow(clock).render),
        fail=Page(GET=fail, POST=fail),
        download=Page(GET=download),
        upload=Page(POST=upload, PUT=upload),
        headers=Page(GET=shown),
        events=Page(GET=Events(clock, name).render),
        echo=echo_page(),
    )
    return DemoSite(Folder(api=pages, health=Page(GET=health)), name)


def _index(name: str, request: Request) -> bytes:
    """`GET /api/`: a page that tries the others."""
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    return PAGE.replace(b"SERVED_BY", name.encode())
