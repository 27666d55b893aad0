"""HIPS autograd: ``autograd.numpy`` and autograd's transforms."""

from collections.abc import Callable
from typing import Any

import autograd
import autograd.builtins
import autograd.numpy as anp
import numpy as np

from unidiff_conformance.native.adapter import Arrays, Function, Native


class Autograd(Native):
    """autograd's own derivatives."""

    name = distribution = "autograd"
    conjugates = True

    def namespace(self, *_arrays: Any) -> Any:
        """Return ``autograd.numpy``, which has the names of NumPy 2."""
        return anp

    def asarray(self, obj: Any, *, dtype: str) -> Any:
        """Return a NumPy array."""
        return np.asarray(obj, dtype=dtype)

    def to_numpy(self, x: Any) -> Any:
        """Return an array as it is."""
        return np.asarray(x)

    def device(self, _x: Any) -> Any:
        """Return the only device."""
        return "cpu"

    def vjp(self, f: Function, primals: Arrays) -> tuple[tuple[Any, ...], Callable[[Arrays], tuple[Any, ...]]]:
        """Return what ``autograd.make_vjp`` does of a function from a tuple to a tuple."""
        pullback, outs = autograd.make_vjp(_on_tuples(f))(tuple(primals))
        return tuple(outs), lambda cotangents: tuple(pullback(tuple(cotangents)))

    def jvp(self, f: Function, primals: Arrays, tangents: Arrays) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return what ``autograd.make_jvp`` does of a function from a tuple to a tuple."""
        outs, pushed = autograd.make_jvp(_on_tuples(f))(tuple(primals))(tuple(tangents))
        return tuple(outs), tuple(pushed)


def _on_tuples(f: Function) -> Callable[[Any], Any]:
    return lambda arrays: autograd.builtins.tuple(f(*arrays))
