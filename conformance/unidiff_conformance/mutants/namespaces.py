"""Backends with a namespace in which a function has another derivative than the standard says."""

from collections.abc import Callable
from typing import Any

from unidiff_conformance.mutants.base import Mutant


class OwnNamespace(Mutant):
    """The NumPy backend with some functions of its namespace replaced; not itself wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.namespace = lambda *arrays: _Patched(self.good.namespace(*arrays), self.replaced())

    def replaced(self) -> dict[str, Callable[..., Any]]:
        """Return what replaces functions of the namespace, each called with the namespace."""
        return {}


class _Patched:
    def __init__(self, xp: Any, replaced: dict[str, Callable[..., Any]]) -> None:
        self._xp, self._replaced = xp, replaced

    def __getattr__(self, name: str) -> Any:
        function = self._replaced.get(name)
        return getattr(self._xp, name) if function is None else lambda *args, **keywords: function(self._xp, *args, **keywords)


class FirstOfTies(OwnNamespace):
    """Of two equal numbers the first has the whole derivative of the maximum."""

    def replaced(self) -> dict[str, Callable[..., Any]]:
        return {"maximum": lambda xp, x, y: xp.where(x >= y, x + 0 * y, y + 0 * x)}


class DividedProduct(OwnNamespace):
    """The derivative of a product is the product over each factor, and 0 where that is 0."""

    def replaced(self) -> dict[str, Callable[..., Any]]:
        def prod(xp: Any, x: Any, **keywords: Any) -> Any:
            value = self.good.stop_gradient(xp.prod(x, **keywords))
            whole = xp.prod(x, **{**keywords, "keepdims": True})
            slopes = self.good.stop_gradient(xp.where(x == 0, 0 * x, whole / xp.where(x == 0, 0 * x + 1, x)))
            return value + xp.sum(slopes * (x - self.good.stop_gradient(x)), **keywords)

        return {"prod": prod}


class LeakOfDtype(OwnNamespace):
    """A table of constants in double precision makes single precision double."""

    def replaced(self) -> dict[str, Callable[..., Any]]:
        return {"sin": lambda xp, x: xp.sin(x) * xp.asarray(1.0, dtype=xp.float64)}
