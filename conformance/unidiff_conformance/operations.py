"""Every operation that a backend may bring of its own, by functions of one number whose derivatives are known exactly."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.trial import MismatchError

AT = 2.0
"""Where the derivatives are taken."""
BOTH = ("forward", "reverse")


@dataclass(frozen=True, slots=True)
class Program:
    """A function that is made of one operation.

    Parameters
    ----------
    operation : str
        The operation.
    function : callable
        ``function(backend, x)`` of a 0-d array, returning one.
    derivatives : tuple of float
        Value, first and second derivative at `AT`: small integers, so that every dtype has them exactly.
    modes : tuple of str
        The modes in which it has a derivative.
    """

    operation: str
    function: Callable[[Any, Any], Any]
    derivatives: tuple[float, float, float]
    modes: tuple[str, ...] = BOTH


def _cond(b: Any, x: Any) -> Any:
    """x^3 where the predicate holds, and 5x where it does not."""
    (above,) = b.cond(x > 1, lambda y: (y * x * x,), lambda y: (-y,), (x,))
    (below,) = b.cond(x > 3, lambda y: (-y,), lambda y: (5 * y,), (x,))
    return above + below


def _while_loop(b: Any, x: Any) -> Any:
    """x^4: the loop ends when the value does."""
    return b.while_loop(lambda y: y < 10, lambda y: (y * x,), (x,))[0]


def _scan(b: Any, x: Any) -> Any:
    """x^4 + x^3 + 2 x^2 + 3 x, and the sum of x, 2x and 3x that it went over, from the last to the first."""
    xs = b.namespace(x).stack([3 * x, 2 * x, x])
    (carry,), (seen,) = b.scan(lambda c, s: ((c[0] * x + s[0],), (s[0],)), (x,), (xs,), 3, True)
    return carry + b.namespace(seen).sum(seen)


def _checkpoint(b: Any, x: Any) -> Any:
    """x^3, of an argument and of a variable of the surroundings."""
    return b.checkpoint(lambda y: (y * y * x,))(x)[0]


def _custom_jvp(b: Any, x: Any) -> Any:
    """x^2, with a rule that says 3x."""
    return b.custom_jvp(lambda y: (y * y,), lambda p, t: ((p[0] * p[0],), (3 * p[0] * t[0],)))(x)[0]


def _custom_vjp(b: Any, x: Any) -> Any:
    """x^2, with a rule that says 5x."""
    return b.custom_vjp(lambda y: (y * y,), lambda y: ((y * y,), (y,)), lambda kept, c: (5 * kept[0] * c[0],))(x)[0]


def _with_rules(b: Any, x: Any) -> Any:
    """x^2, with a pair of rules that say 7x."""
    rule = lambda given, primals, _outs: (7 * primals[0] * given[0],)  # noqa: E731 - used twice
    return b.with_rules(lambda y: (y * y,), rule, rule)(x)[0]


def _linear_solve(b: Any, x: Any) -> Any:
    """8 / x, as the solution of x y = 8."""
    xp = b.namespace(x)
    solve = lambda apply, rhs: rhs / apply(xp.ones_like(rhs))  # noqa: E731 - used once
    return xp.sum(b.linear_solve(lambda constants, y: constants[0] * y, (x,), xp.reshape(0 * x + 8, (1,)), solve))


def _stop_gradient(b: Any, x: Any) -> Any:
    """x^2 times x taken for a constant."""
    return x * x * b.stop_gradient(x)


PROGRAMS = (
    Program("cond", _cond, (18.0, 17.0, 12.0)),
    Program("while_loop", _while_loop, (16.0, 32.0, 48.0), ("forward",)),
    Program("scan", _scan, (50.0, 61.0, 64.0)),
    Program("checkpoint", _checkpoint, (8.0, 12.0, 12.0)),
    Program("custom_jvp", _custom_jvp, (4.0, 6.0, 3.0)),
    Program("custom_vjp", _custom_vjp, (4.0, 10.0, 5.0)),
    Program("with_rules", _with_rules, (4.0, 14.0, 7.0)),
    Program("linear_solve", _linear_solve, (4.0, -2.0, 2.0)),
    Program("stop_gradient", _stop_gradient, (8.0, 8.0, 4.0)),
)


def _expect(backend: Any, found: Any, wanted: Any, what: str) -> None:
    numbers = backend.to_numpy(found)
    if not np.array_equal(numbers, wanted):
        raise MismatchError("behaviour", f"{what} is {numbers}, wanted {wanted}")


def _derivative(backend: Any, mode: str, f: Callable[[Any], Any], x: Any, one: Any) -> Any:
    if mode == "forward":
        return backend.jvp(lambda y: (f(y),), (x,), (one,))[1][0]
    return backend.vjp(lambda y: (f(y),), (x,))[1]((one,))[0]


def _is_refused(backend: Any, operation: str, call: Callable[[], Any]) -> bool:
    """Say whether the backend has not got the operation; one that it brings may not be refused."""
    try:
        call()
    except ud.errors.UnsupportedOperationError as error:
        if operation in backend.native:
            raise MismatchError("behaviour", f"{operation} of its own is refused: {error}") from error
        return True
    return False


def _program(program: Program) -> Callable[[Any, str], None]:
    def check(backend: Any, dtype: str) -> None:
        x, one = (backend.asarray(value, dtype=dtype) for value in (AT, 1.0))
        f: Callable[[Any], Any] = lambda y: program.function(backend, y)  # noqa: E731 - differentiated below
        if _is_refused(backend, program.operation, lambda: f(x)):
            return
        value, first, second = program.derivatives
        _expect(backend, f(x), value, f"a value of {program.operation}")
        for mode in program.modes:
            found = _derivative(backend, mode, f, x, one)
            _expect(backend, found, first, f"the derivative of {program.operation} in {mode} mode")
            slope = lambda y, mode=mode: _derivative(backend, mode, f, y, one)  # noqa: E731 - differentiated below
            for outer in program.modes:
                found = _derivative(backend, outer, slope, x, one)
                _expect(backend, found, second, f"the second derivative of {program.operation}, {outer} over {mode},")

    check.__doc__ = f"{program.operation} and its derivatives to the second order: {program.function.__doc__}"
    return check


def _linearize(backend: Any, dtype: str) -> None:
    """A function is linearized once, and the linear map may be applied to several tangents."""
    x, one = (backend.asarray(value, dtype=dtype) for value in (AT, 1.0))
    (value,), linear = backend.linearize(lambda y: (y * y * y,), (x,))
    _expect(backend, value, 8.0, "the value of x^3")
    for factor in (1.0, 3.0):
        _expect(backend, linear((factor * one,))[0], 12.0 * factor, "the linear map of x^3")


def _taylor(backend: Any, dtype: str) -> None:
    """The coefficients of (2 + t)^3 are 8, 12, 6, 1 and 0."""
    x, one = (backend.asarray(value, dtype=dtype) for value in (AT, 1.0))
    call: Callable[[], Any] = lambda: backend.taylor(lambda y: (y * y * y,), (x,), (one,), 4)  # noqa: E731 - called twice
    if not _is_refused(backend, "taylor", call):
        for k, ((found,), wanted) in enumerate(zip(call(), (8.0, 12.0, 6.0, 1.0, 0.0), strict=True)):
            _expect(backend, found, wanted, f"coefficient {k} of (2 + t)^3")


def _dependence(backend: Any, dtype: str) -> None:
    """What an output depends on is found, whatever the values are: also where its derivative is zero."""
    x = backend.asarray([0.0, 1.0, 2.0], dtype=dtype)
    call: Callable[[], Any] = lambda: backend.dependence(lambda x: (x[:2] * x[1:],), (x,))  # noqa: E731 - called twice
    if not _is_refused(backend, "dependence", call):
        (found,) = (backend.to_numpy(a) for a in call())
        wanted = [[True, False], [True, True], [False, True]]
        if found.shape != (3, 2) or np.any((found > 0) < wanted):
            raise MismatchError(
                "behaviour", f"the products of neighbours of three depend by {found.tolist()}, at least {wanted}"
            )


def _host_callback(backend: Any, dtype: str) -> None:
    """A function of plain arrays is called with the values."""
    x = backend.asarray([1.0, 2.0], dtype=dtype)
    call: Callable[[], Any] = lambda: backend.host_callback(lambda y: (2 * y,), lambda: (x,), (x,))  # noqa: E731 - called twice
    if not _is_refused(backend, "host_callback", call):
        _expect(backend, call()[0], [2.0, 4.0], "what a callback returns")


def _optimizer_step(backend: Any, dtype: str) -> None:
    """A step of an optimizer is that of its kernel, to rounding, and changes nothing that was given."""
    if "optimizer_step" not in backend.native:
        return
    point, slope = [1.0, -2.0, 0.5], [0.5, 0.25, -3.0]
    for method in (ud.optim.SGD(learning_rate=0.5, momentum=0.5), ud.optim.Adam(learning_rate=0.5)):
        p, g = (backend.asarray(values, dtype=dtype) for values in (point, slope))
        slots = {name: backend.zeros_like(p) for name in method.slots()}
        scalars, _ = method.scalars(1, 0.5, {})
        given = {name: [array] for name, array in slots.items()}
        stepped = backend.optimizer_step(method, [p], [g], given, scalars, donate=False)
        if stepped is NotImplemented:
            continue
        change, held = method.kernel(backend.namespace(g), g, p, slots, scalars)
        pairs = {"parameter": (stepped[0][0], p + change), **{n: (stepped[1][n][0], held[n]) for n in held}}
        for name, (found, wanted) in pairs.items():
            numbers, exact = backend.to_numpy(found), backend.to_numpy(wanted)
            if numbers.dtype != exact.dtype or not np.allclose(numbers, exact, rtol=16 * np.finfo(exact.dtype).eps, atol=0):
                raise MismatchError(
                    "behaviour", f"the {name} after a step of {type(method).__name__} is {numbers}, wanted {exact}"
                )
        _expect(backend, p, point, "the parameter that was given")
        _expect(backend, g, slope, "the gradient that was given")


CHECKED_BY_MODES = frozenset({"value_and_grad", "jacfwd", "jacrev", "vmap", "jit"})
"""The other operations, which the modes of scenarios check."""


def operations() -> Iterable[tuple[str, Callable[[Any, str], None]]]:
    """Return each operation with its check."""
    return (
        *((program.operation, _program(program)) for program in PROGRAMS),
        ("linearize", _linearize),
        ("taylor", _taylor),
        ("dependence", _dependence),
        ("host_callback", _host_callback),
        ("optimizer_step", _optimizer_step),
    )
