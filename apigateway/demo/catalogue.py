"""The demo's products: a small list in memory, bounded. Knows nothing of HTTP."""

from __future__ import annotations

MOST_PRODUCTS = 1000
LONGEST_NAME = 100

Product = dict[str, object]


class CatalogueFull(Exception):
    """There are already `MOST_PRODUCTS`."""


def checked(fields: dict[str, object]) -> Product | None:
    """The name and the price among the fields; None where one is missing or makes no sense."""
    name, price = fields.get("name"), fields.get("price")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return None
    if not isinstance(price, int | float) or isinstance(price, bool) or not 0 <= price < 1e9:
        return None
    return {"name": name, "price": price}


class Catalogue:
    """Products by number. Numbers are not used twice."""

    def __init__(self) -> None:
        self._products: dict[int, Product] = {}
        self._last = 0
        for name, price in (("Teapot", 24.5), ("Kettle", 39), ("Cup", 6)):
            self.add({"name": name, "price": price})

    def all(self) -> list[Product]:
        """Every product, in order of its number."""
        return list(self._products.values())

    def get(self, number: int) -> Product | None:
        """One product; None where there is none of this number."""
        return self._products.get(number)

    def add(self, product: Product) -> Product:
        """Keep a new product and number it. Raises CatalogueFull."""
        if len(self._products) >= MOST_PRODUCTS:
            raise CatalogueFull
        self._last += 1
        return self.put(self._last, product)

    def put(self, number: int, product: Product) -> Product:
        """Keep a product under a number that is taken or was just given."""
        kept = self._products[number] = {"id": number, **product}
        return kept

    def remove(self, number: int) -> None:
        """Forget a product."""
        self._products.pop(number, None)
