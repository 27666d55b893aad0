"""The zero backend: every derivative is exactly zero, for tests of what surrounds derivatives.

A program that runs with ``backend="zero"`` passes the right shapes, dtypes, devices and pytrees around at the cost of the
function alone.
"""

from functools import partial
from typing import Any

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.backend import BackendInfo
from unidiff_backends.hosted import Hosted
from unidiff_backends.plugins.zero import unidiff_register_backends


class ZeroBackend:
    """Zero as the derivative of everything, over any backend."""

    info: BackendInfo = next(iter(unidiff_register_backends()))

    def over(self, host: Any) -> Any:
        """Return the backend for the arrays of a host."""
        return _Zero(host)


class _Zero(Hosted):
    def __init__(self, host: Any) -> None:
        super().__init__(ZeroBackend.info, host)

    over = ZeroBackend.over

    def _zeros(self, arrays: Arrays) -> tuple[Array, ...]:
        return tuple(map(self.host.zeros_like, arrays))

    def vjp(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return the outputs and a pullback to zeros."""
        outs, aux = self.split(f(*primals), has_aux)
        return outs, partial(self._pull, tuple(primals)), *aux

    def _pull(self, primals: Arrays, _cotangents: Arrays) -> tuple[Array, ...]:
        return self._zeros(primals)

    def jvp(self, f: FlatFunction, primals: Arrays, _tangents: Arrays, *, has_aux: bool = False) -> Any:
        """Return the outputs and zeros."""
        outs, aux = self.split(f(*primals), has_aux)
        return outs, self._zeros(outs), *aux
