"""What a backend has to do besides returning the right numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from unidiff_conformance.scenario import Clause
from unidiff_conformance.trial import MismatchError


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule that is no matter of accuracy.

    Parameters
    ----------
    id : str
        Permanent name.
    clause : Clause
        The clause of the derivative standard.
    check : callable
        ``check(backend, dtype)``; raises `MismatchError`.
    """

    id: str
    clause: Clause
    check: Callable[[Any, str], None]

    @property
    def category(self) -> str:
        """The first part of the id."""
        return self.id.split(".")[0]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Names of the dtypes it is run in."""
        return ("float64", "float32")


class InterruptionError(Exception):
    """What a function under test raises."""


def _expect(found: Any, wanted: Any, what: str) -> None:
    if not np.array_equal(found, wanted):
        raise MismatchError("behaviour", f"{what} is {found}, wanted {wanted}")


def _one(backend: Any, dtype: str) -> Any:
    return backend.asarray(1.0, dtype=dtype)


def _derivative(backend: Any, mode: str, f: Callable[[Any], Any], x: Any, one: Any) -> Any:
    """Return f'(x) of a scalar function by one mode."""
    if mode == "forward":
        return backend.jvp(lambda y: (f(y),), (x,), (one,))[1][0]
    return backend.vjp(lambda y: (f(y),), (x,))[1]((one,))[0]


def _perturbation_confusion(outer: str, inner: str) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """d/dx x d/dy (x + y) is 1; an implementation that mixes up the two perturbations says 2."""
        one = _one(backend, dtype)
        slope = lambda x: x * _derivative(backend, inner, lambda y: x + y, one, one)  # noqa: E731 - two nested functions
        _expect(backend.to_numpy(_derivative(backend, outer, slope, one, one)), 1.0, "d/dx x d/dy (x + y)")

    return check


def _third_order(modes: tuple[str, str, str]) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """The third derivative of x^4 at 1 is 24."""
        one = _one(backend, dtype)
        f: Callable[[Any], Any] = lambda x: x * x * x * x  # noqa: E731 - nested below
        for mode in modes:
            f = lambda x, g=f, mode=mode: _derivative(backend, mode, g, x, one)  # type: ignore[misc]  # noqa: E731 - the defaults bind the loop's names
        _expect(backend.to_numpy(f(one)), 24.0, "the third derivative of x^4")

    return check


def _exceptions(mode: str) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """An exception of the function passes through as it is, and the next derivative is right."""
        one, interruption = _one(backend, dtype), InterruptionError("raised by the function")

        def broken(x: Any) -> Any:
            _derivative(backend, mode, lambda y: y * x, x, one)
            raise interruption

        try:
            _derivative(backend, mode, broken, one, one)
        except Exception as error:
            if error is not interruption:
                raise MismatchError("exception", f"the function's exception became a {type(error).__name__}") from error
        else:
            raise MismatchError("exception", "the function's exception was swallowed")
        _expect(backend.to_numpy(_derivative(backend, mode, lambda x: x * x, one, one)), 2.0, "the next derivative of x^2")

    return check


def _one_call(mode: str) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """One derivative calls the function once."""
        one, calls = _one(backend, dtype), []

        def count(x: Any) -> Any:
            calls.append(1)
            return x * x

        _derivative(backend, mode, count, one, one)
        _expect(len(calls), 1, "the number of calls")

    return check


def _own_memory(backend: Any, dtype: str) -> None:
    """What comes back from the identity can be changed without changing what went in."""
    if not backend.info.capabilities.mutation:
        return
    x, u, v = (backend.asarray(np.full(3, value), dtype=dtype) for value in (1.0, 2.0, 3.0))
    outs, pullback = backend.vjp(lambda x: (x, x), (x,))
    pushed = backend.jvp(lambda x: (x, x), (x,), (v,))
    (cotangent,) = backend.vjp(lambda x: (x,), (x,))[1]((u,))
    for result in (*outs, *pushed[0], *pushed[1], cotangent, *pullback((u, u))):
        result[0] = 7.0
    for name, array, value in (("the primal", x, 1.0), ("the cotangent", u, 2.0), ("the tangent", v, 3.0)):
        _expect(backend.to_numpy(array), np.full(3, value), f"{name}, after a result was changed,")
    _expect(backend.to_numpy(outs[1])[1:], [1.0, 1.0], "the second output, after the first was changed,")


def _all() -> tuple[Behaviour, ...]:
    modes = ("forward", "reverse")
    pairs = [(outer, inner) for outer in modes for inner in modes]
    triples = [(a, b, c) for a in modes for b in modes for c in modes]
    return (
        *(
            Behaviour(
                f"behaviour.perturbation-confusion.{outer}-over-{inner}", Clause.NESTING, _perturbation_confusion(outer, inner)
            )
            for outer, inner in pairs
        ),
        *(Behaviour(f"behaviour.third-order.{'-'.join(t)}", Clause.NESTING, _third_order(t)) for t in triples),
        *(Behaviour(f"behaviour.exception.{mode}", Clause.ERRORS, _exceptions(mode)) for mode in modes),
        *(Behaviour(f"behaviour.one-call.{mode}", Clause.RESULTS, _one_call(mode)) for mode in modes),
        Behaviour("behaviour.own-memory.results", Clause.RESULTS, _own_memory),
    )


BEHAVIOURS = MappingProxyType({behaviour.id: behaviour for behaviour in _all()})
