"""What a backend has to do besides returning the right numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.claims import claims
from unidiff_conformance.operations import operations
from unidiff_conformance.refusals import refusals
from unidiff_conformance.scenario import Rule
from unidiff_conformance.trial import MismatchError


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule that is no matter of accuracy.

    Parameters
    ----------
    id : str
        Permanent name.
    rule : Rule
        The general rule of the derivative standard.
    check : callable
        ``check(backend, dtype)``; raises `MismatchError`.
    requires : tuple of str
        Capabilities that a backend must claim, such as "exact" where numbers are compared digit by digit.
    dtypes : tuple of str
        Names of the dtypes it is run in.
    """

    id: str
    rule: Rule
    check: Callable[[Any, str], None]
    requires: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float64", "float32")

    @property
    def category(self) -> str:
        """The first part of the id."""
        return self.id.split(".")[0]


EXACT = ("exact",)


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


def _closure(outer: str, inner: str) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        """d/dx d/dy x y^2 is 2y, although x comes to the inner function from its surroundings; cut off there, it is 0."""
        one = _one(backend, dtype)
        slope = lambda x: _derivative(backend, inner, lambda y: x * y * y, one, one)  # noqa: E731 - two nested functions
        _expect(backend.to_numpy(_derivative(backend, outer, slope, one, one)), 2.0, "d/dx d/dy x y^2")

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


def _jacobian_shapes(backend: Any, dtype: str) -> None:
    """A block of a Jacobian has the shape of the output followed by that of the primal, and its dtype, 0-d and empty too."""
    for shape in ((), (0,), (2, 0), (1, 1)):
        x = backend.asarray(np.ones(shape), dtype=dtype)
        for transform in (ud.jacfwd, ud.jacrev, ud.jacobian):
            with backend.uncompiled():
                pair = transform(lambda x: (x * x, ud.array_namespace(x).sum(x)))(x)
            for block, out in zip(pair, (shape, ()), strict=True):
                _expect(tuple(block.shape), out + shape, f"the shape of a block of {transform.__name__}")
                _expect(backend.to_numpy(block).dtype.name, dtype, f"the dtype of a block of {transform.__name__}")


def _complex_blocks(backend: Any, dtype: str) -> None:
    """A Jacobian by a complex primal is the pair of derivatives by its parts, in the precision of the primal."""
    single = dtype == "float32"
    z = backend.asarray(1.0 + 2.0j, dtype="complex64" if single else "complex128")
    for transform in (ud.jacfwd, ud.jacrev):
        by_real, by_imag = transform(lambda z: ud.array_namespace(z).conj(z) * z * z)(z)
        # f = conj(z) z^2: df/dx = z^2 + 2 z conj(z), df/dy = -i z^2 + 2i z conj(z)
        for block, wanted in ((by_real, 7.0 + 4.0j), (by_imag, 4.0 + 13.0j)):
            found = backend.to_numpy(block)
            _expect(found.dtype.name, "complex64" if single else "complex128", "the dtype of a block")
            _expect(np.allclose(found, wanted, rtol=1e-6), True, f"whether {found} is {wanted}")


_TWO = (
    "add subtract multiply divide pow maximum minimum atan2 hypot copysign logaddexp remainder floor_divide nextafter".split()
)


def _python_numbers(backend: Any, dtype: str) -> None:
    """A Python number on either side of an array widens neither the value nor a derivative."""
    x, one = backend.asarray([1.5, 0.5], dtype=dtype), backend.asarray([1.0, 1.0], dtype=dtype)
    xp = backend.namespace(x)
    calls = {f"{name} {side}": _beside(name, side) for name in _TWO for side in ("left", "right")}
    calls["clip"] = lambda xp, x: xp.clip(x, 1.0, 2)
    calls["where"] = lambda xp, x: xp.where(x > 1, x, 0.5)
    calls["operators"] = lambda _, x: (2 * x + 0.5 - x / 3) ** 2 - 1 / x
    for what, call in calls.items():
        with backend.uncompiled():
            outs, tangents = backend.jvp(lambda x, call=call: (call(backend.namespace(x), x),), (x,), (one,))
            _, pullback = backend.vjp(lambda x, call=call: (call(backend.namespace(x), x),), (x,))
            results = (call(xp, x), *outs, *tangents, *pullback((one,)))
        for array in results:
            _expect(backend.to_numpy(array).dtype.name, dtype, f"the dtype of {what}")


def _beside(name: str, side: str) -> Callable[[Any, Any], Any]:
    if side == "left":
        return lambda xp, x: getattr(xp, name)(2.0, x)
    return lambda xp, x: getattr(xp, name)(x, 2)


def _all() -> tuple[Behaviour, ...]:
    modes = ("forward", "reverse")
    pairs = [(outer, inner) for outer in modes for inner in modes]
    triples = [(a, b, c) for a in modes for b in modes for c in modes]
    return (
        *(
            Behaviour(
                f"behaviour.perturbation-confusion.{outer}-over-{inner}",
                Rule.NESTING,
                _perturbation_confusion(outer, inner),
                EXACT,
            )
            for outer, inner in pairs
        ),
        *(Behaviour(f"behaviour.third-order.{'-'.join(t)}", Rule.NESTING, _third_order(t), EXACT) for t in triples),
        *(Behaviour(f"behaviour.exception.{mode}", Rule.ERRORS, _exceptions(mode), EXACT) for mode in modes),
        *(Behaviour(f"behaviour.one-call.{mode}", Rule.RESULTS, _one_call(mode), EXACT) for mode in modes),
        *(
            Behaviour(f"behaviour.closure.{outer}-over-{inner}", Rule.NESTING, _closure(outer, inner), EXACT)
            for outer, inner in pairs
        ),
        *(Behaviour(f"behaviour.operation.{name}", Rule.NESTING, check, EXACT, ("float64",)) for name, check in operations()),
        Behaviour("behaviour.own-memory.results", Rule.RESULTS, _own_memory),
        Behaviour("behaviour.shape.jacobian", Rule.SHAPE, _jacobian_shapes),
        Behaviour("behaviour.dtype.python-numbers", Rule.DTYPE, _python_numbers, dtypes=("float32",)),
        Behaviour("behaviour.dtype.complex-jacobian", Rule.DTYPE, _complex_blocks, EXACT),
        *(Behaviour(f"behaviour.claim.{name}", Rule.ERRORS, check) for name, check in claims()),
        # What hands plain arrays to the function, as differences do, has nothing to refuse when they are exported.
        *(
            Behaviour(f"behaviour.refusal.{name}", Rule.ERRORS, check, EXACT if name == "from_dlpack" else ())
            for name, check in refusals()
        ),
    )


BEHAVIOURS = MappingProxyType({behaviour.id: behaviour for behaviour in _all()})
