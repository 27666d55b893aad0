"""The backend of finite differences: derivatives of anything that can be called, whatever it does inside.

It is chosen by name and differentiates arrays of any library: ``ud.grad(f, backend="finite")``. The function gets plain arrays,
so it may leave the library, call compiled code or round-trip through Python numbers. It is called several times for each
tangent, and for a gradient several times for each element of the primals.
"""

from functools import partial
from typing import Any

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.backend import BackendInfo
from unidiff.differences import complex_step, difference, stencil
from unidiff_backends.hosted import Hosted
from unidiff_backends.plugins.finite import describe


class FiniteBackend:
    """Finite differences over any backend.

    Parameters
    ----------
    method : {"central", "forward", "backward", "complex"}
        Where the function is evaluated; "complex" is the complex step, for real primals and holomorphic functions.
    accuracy : int
        The power of the step in the error of the quotient.
    step : float, optional
        The step; by default one that suits the dtype, the accuracy and the size of the primals.
    name : str
        The name of the backend, for `unidiff.register_backend`.
    """

    def __init__(self, method: str = "central", accuracy: int = 4, step: float | None = None, name: str = "finite") -> None:
        self.method, self.step = method, step
        self.scheme = None if method == "complex" else stencil(method, 1, accuracy)
        power = 1.0 if self.scheme is None else self.scheme.accuracy
        self.info: BackendInfo = describe(name, 1.0 if self.scheme is None else power / (1 + power))

    def over(self, host: Any) -> Any:
        """Return the backend for the arrays of a host."""
        return _Finite(self, host)

    def push(self, host: Any, f: FlatFunction, primals: Arrays, tangents: Arrays) -> tuple[Array, ...]:
        """Return the derivative along the tangents."""
        if self.scheme is None:
            return complex_step(host, f, primals, tangents)
        return difference(host, f, primals, tangents, self.scheme, self.step)


class _Finite(Hosted):
    def __init__(self, unbound: FiniteBackend, host: Any) -> None:
        super().__init__(unbound.info, host)
        self._unbound = unbound

    def over(self, host: Any) -> Any:
        """Return the backend for the arrays of another host."""
        return self._unbound.over(host)

    def jvp(self, f: FlatFunction, primals: Arrays, tangents: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``; the last call of the function is at the primals."""
        pushed = self._push(f, tuple(primals), has_aux, tangents)
        outs, aux = self.split(f(*primals), has_aux)
        return outs, pushed, *aux

    def linearize(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, f_jvp)`` or ``(outs, f_jvp, aux)``; ``f_jvp`` calls the function for each tangent."""
        outs, aux = self.split(f(*primals), has_aux)
        return outs, partial(self._push, f, tuple(map(self.host.copy, primals)), has_aux), *aux

    def _push(self, f: FlatFunction, primals: Arrays, has_aux: bool, tangents: Arrays) -> tuple[Array, ...]:
        def outputs(*points: Array) -> Arrays:
            result = f(*points)
            outs: Arrays = result[0] if has_aux else result
            return outs

        return self._unbound.push(self.host, outputs, primals, tangents)
