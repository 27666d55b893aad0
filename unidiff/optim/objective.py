"""The function of a solver, as one of vectors: with its derivatives, counted."""

from collections.abc import Callable, Sequence
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.result import Point
from unidiff.optim.vector import Layout, read

__all__ = ["Objective"]


class Objective:
    """An objective on vectors.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns one real array of shape (), and with `has_aux` a pair of it and anything.
    layout : Layout
    args : tuple
    has_aux : bool
    jit : bool
        Whether to compile objective and gradient.
    recorded : bool
        Whether the iterations themselves are to be differentiated.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        layout: Layout,
        args: Sequence[Any],
        has_aux: bool = False,
        *,
        jit: bool = False,
        recorded: bool = False,
    ) -> None:
        if not callable(fun):
            raise ArgumentError(f"fun must be a function of x and the arguments, but it is {fun!r:.200}.")
        self.layout, self.args, self.has_aux = layout, tuple(args), has_aux
        self.fun, self.recorded = fun, recorded
        self.nfev = self.njev = self.nhev = 0
        value_and_grad = ud.value_and_grad(fun, has_aux=has_aux)
        self._value_and_grad = ud.jit(value_and_grad) if jit else value_and_grad

    def scalar(self, x: Tree, *args: Any) -> Array:
        """Return the value alone."""
        return self.fun(x, *args)[0] if self.has_aux else self.fun(x, *args)

    def __call__(self, z: Array, direction: Array | None = None) -> Point:
        """Return the point with its value, gradient and slope along a direction; one transfer to the host."""
        out, gradient = self._value_and_grad(self.layout.unpack(z), *self.args)
        self.nfev, self.njev = self.nfev + 1, self.njev + 1
        value, aux = out if self.has_aux else (out, None)
        g = self.layout.pack(gradient, "gradient")
        xp = self.layout.backend.namespace(g)
        if value.dtype != g.dtype:
            value = ud.array_namespace(value).astype(value, g.dtype)
        size = xp.max(xp.abs(g)) if g.shape[0] else xp.sum(g)
        f, size, slope = read(value, size, size if direction is None else g @ direction)
        return Point(z, value, g, f, size, slope, aux)

    def value(self, z: Array) -> float:
        """Return the value on the host, without a gradient."""
        self.nfev += 1
        return read(self.scalar(self.layout.unpack(z), *self.args))[0]

    def hvp(self, z: Array) -> Callable[[Array], Array]:
        """Return the product with the Hessian."""
        x = self.layout.unpack(z)

        def product(v: Array) -> Array:
            self.nhev += 1
            u = ud.hvp(lambda y: self.scalar(y, *self.args), (x,), (self.layout.unpack(v),))
            return self.layout.pack(u, "product with the Hessian")

        return product

    def hessian(self, z: Array) -> Array:
        """Return the Hessian."""
        self.nhev += 1
        return ud.hessian(lambda y: self.scalar(self.layout.unpack(y), *self.args))(z)
