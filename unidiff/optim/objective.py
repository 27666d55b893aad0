"""The function of a solver, as one of vectors: with its derivatives, counted."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.compiled import compiled
from unidiff.optim.differentiable import refuse_traced
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
        Whether to compile the derivatives.
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
        self.jit = jit
        self._value_and_grad = self._derivative(ud.value_and_grad)

    def _derivative(self, make: Callable[..., Any]) -> Callable[..., Any]:
        if self.jit:
            return compiled(make, self.fun, self.layout.backend, has_aux=self.has_aux)
        made: Callable[..., Any] = make(self.fun, has_aux=self.has_aux)
        return made

    @cached_property
    def _product(self) -> Callable[..., Any]:
        return self._derivative(_product)

    @cached_property
    def _hessian(self) -> Callable[..., Any]:
        return self._derivative(_hessian)

    def scalar(self, x: Tree, *args: Any) -> Array:
        """Return the value alone."""
        return self.fun(x, *args)[0] if self.has_aux else self.fun(x, *args)

    def __call__(self, z: Array, direction: Array | None = None) -> Point:
        """Return the point with its value, gradient and slope along a direction; one transfer to the host."""
        out, gradient = self._value_and_grad(self.layout.unpack(z), *self.args)
        self.nfev, self.njev = self.nfev + 1, self.njev + 1
        value, aux = out if self.has_aux else (out, None)
        if self.nfev == 1 and not self.recorded:
            refuse_traced(value)  # at once, since iterations may go wrong with it
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
            return self.layout.pack(self._product(x, self.layout.unpack(v), *self.args), "product with the Hessian")

        return product

    def hessian(self, z: Array) -> Array:
        """Return the Hessian."""
        self.nhev += 1
        matrix: Array = self._hessian(self.layout.unpack(z), *self.args)
        return matrix


def _scalar(fun: Callable[..., Any], has_aux: bool) -> Callable[..., Array]:
    return (lambda *args: fun(*args)[0]) if has_aux else fun


def _product(fun: Callable[..., Any], *, has_aux: bool) -> Callable[..., Tree]:
    """Return the product of the Hessian at x with v, as a function of x, v and the arguments."""
    scalar = _scalar(fun, has_aux)
    return lambda x, v, *args: ud.hvp(lambda y: scalar(y, *args), (x,), (v,))


def _hessian(fun: Callable[..., Any], *, has_aux: bool) -> Callable[..., Array]:
    """Return the Hessian as a matrix, as a function of x and the arguments."""
    scalar = _scalar(fun, has_aux)

    def matrix(x: Tree, *args: Any) -> Array:
        layout = Layout(x)
        return ud.hessian(lambda y: scalar(layout.unpack(y), *args))(layout.pack(x, "x"))

    return matrix
