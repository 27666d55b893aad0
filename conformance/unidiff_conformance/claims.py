"""Claims of a backend, tested in both directions: what is claimed has to work, and what is not has to be refused."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.trial import MismatchError

FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
THREADS = 4
_EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


def _claim(truth: bool, claimed: bool, what: str) -> None:
    if claimed and not truth:
        raise MismatchError("behaviour", f"the backend claims {what}, which it has not")
    if truth and not claimed:
        raise MismatchError("behaviour", f"the backend has {what}, which it does not claim")


def native_modes(backend: Any) -> frozenset[str]:
    """Return the modes that the backend has of its own."""
    operations = {"jvp": "forward", "vjp": "reverse"}
    return frozenset(mode for operation, mode in operations.items() if operation in backend.native)


def assigns(backend: Any, dtype: str) -> bool:
    """Say whether an array can be assigned to inside a differentiated function; a wrong derivative is a mismatch."""

    def assigned(x: Any) -> tuple[Any, ...]:
        y = x * 1.0
        y[0] = x[1] * x[1]
        return (y,)

    x = backend.asarray([2.0, 3.0], dtype=dtype)
    try:
        _, pullback = backend.vjp(assigned, (x,))
        (found,) = pullback((backend.asarray([1.0, 1.0], dtype=dtype),))
    except Exception:  # noqa: BLE001 - however it is refused
        return False
    wanted = [0.0, 7.0]
    if backend.info.capabilities.exact and not np.array_equal(backend.to_numpy(found), wanted):
        raise MismatchError("accuracy", f"the derivative of an assignment is {backend.to_numpy(found)}, wanted {wanted}")
    return True


def branches(backend: Any, dtype: str) -> bool:
    """Say whether Python may branch on a value while a derivative is taken."""
    x = backend.asarray(2.0, dtype=dtype)
    try:
        backend.vjp(lambda x: (x * x if x > 1 else -x,), (x,))
    except Exception:  # noqa: BLE001 - however it is refused
        return False
    return True


def differentiates(backend: Any, dtype: str) -> bool:
    """Say whether arrays of a dtype can be differentiated."""
    try:
        x = backend.asarray(1.5, dtype=dtype)
        square = lambda x: x * x  # noqa: E731 - used once
        _, pullback = (
            ud.vjp(square, x, backend=backend.name) if backend.name in ud.backends() else _flat_vjp(backend, square, x)
        )
        (found,) = pullback(x)
    except (ud.errors.DTypeError, TypeError):
        return False
    if str(found.dtype).rpartition(".")[2] != dtype:
        raise MismatchError("dtype", f"the derivative of {dtype} has dtype {found.dtype}")
    return True


def _flat_vjp(backend: Any, f: Callable[[Any], Any], x: Any) -> tuple[Any, Callable[[Any], Any]]:
    outs, pullback = backend.vjp(lambda x: (f(x),), (x,))
    return outs, lambda cotangent: pullback((cotangent,))


def nests(backend: Any, dtype: str, order: int) -> bool:
    """Say whether derivatives of an order can be taken by nesting."""
    one = backend.asarray(1.0, dtype=dtype)

    def derivative(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: backend.jvp(lambda y: (f(y),), (x,), (one,))[1][0]

    f: Callable[[Any], Any] = lambda x: x * x * x * x * x  # noqa: E731 - nested below
    for _ in range(order):
        f = derivative(f)
    try:
        f(one)
    except ud.errors.UnsupportedOperationError:
        return False
    return True


def _modes(backend: Any, _dtype: str) -> None:
    """The modes that are claimed as native are those that the backend has of its own."""
    for mode in ("forward", "reverse"):
        _claim(mode in native_modes(backend), mode in backend.info.capabilities.modes, f"{mode} mode of its own")


def _native(operation: str) -> Callable[[Any, str], None]:
    def check(backend: Any, _dtype: str) -> None:
        """The operation is claimed if the backend has it of its own, rather than derived."""
        _claim(operation in backend.native, getattr(backend.info.capabilities, operation), f"{operation} of its own")

    return check


def _mutation(backend: Any, dtype: str) -> None:
    """Assignment to an array is differentiated if it is claimed, and refused if it is not."""
    _claim(assigns(backend, dtype), backend.info.capabilities.mutation, "assignment to arrays")


def _control_flow(backend: Any, dtype: str) -> None:
    """Python may branch on values if that is claimed, and is refused if it is not."""
    _claim(branches(backend, dtype), backend.info.capabilities.control_flow, "control flow on values")


def _dtypes(backend: Any, _dtype: str) -> None:
    """A dtype that is claimed can be differentiated, and one that is not is refused."""
    for name in FLOATING:
        _claim(differentiates(backend, name), name in backend.info.capabilities.dtypes, f"derivatives in {name}")


def _max_order(backend: Any, dtype: str) -> None:
    """Derivatives of the highest order that is claimed work, and one more is refused."""
    highest = backend.info.capabilities.max_order
    _claim(nests(backend, dtype, highest or 4), True, f"derivatives of order {highest or 4}")
    if highest is not None:
        _claim(nests(backend, dtype, highest + 1), False, f"derivatives of order {highest + 1}")


def _devices(backend: Any, _dtype: str) -> None:
    """A derivative stays on the device of its primal, on every device of this machine."""
    for device in backend.devices():
        x = backend.asarray([1.0, 2.0], dtype="float32", device=device)
        (pulled,) = backend.vjp(lambda x: (x * x,), (x,))[1]((x,))
        (pushed,) = backend.jvp(lambda x: (x * x,), (x,), (x,))[1]
        for what, array in (("a cotangent", pulled), ("a tangent", pushed)):
            if backend.device(array) != backend.device(x):
                raise MismatchError("device", f"{what} is on {backend.device(array)}, wanted {device}")


def _threads(backend: Any, dtype: str) -> None:
    """Nested derivatives taken by several threads at once are those of one."""
    if backend.info.capabilities.threads:
        agree_in_threads(backend, dtype)


def agree_in_threads(backend: Any, dtype: str) -> None:
    """Raise `MismatchError` if nested derivatives that several threads take at once are not those of one."""
    one = backend.asarray(1.0, dtype=dtype)

    def curvature(_: int) -> float:
        slope: Callable[[Any], Any] = lambda x: backend.jvp(lambda y: (y * y * y,), (x,), (one,))[1][0]  # noqa: E731 - used below
        return float(backend.to_numpy(backend.vjp(lambda x: (slope(x),), (one,))[1]((one,))[0]))

    wanted = curvature(0)
    with ThreadPoolExecutor(THREADS) as pool:
        found = set(pool.map(curvature, range(8 * THREADS)))
    if found != {wanted}:
        raise MismatchError("behaviour", f"the second derivative of x^3 at 1 is {sorted(found)} in threads, else {wanted}")


def _accuracy(backend: Any, dtype: str) -> None:
    """The digits that a first derivative has are those that are claimed: no digit less, and none at all if none is claimed."""
    claim, eps = backend.info.capabilities.accuracy, _EPS.get(dtype, 2.0**-52)
    found, error = derivative_of_sine(backend, dtype)
    if claim == 0:
        _claim(bool(np.all(found == 0)), True, "derivatives that are zero")
    elif error > 1024 * eps**claim:
        raise MismatchError("accuracy", f"the derivative of sin is off by {error:.3g}, more than accuracy={claim:.3g} allows")
    elif claim < 1 and error == 0:
        raise MismatchError("behaviour", f"derivatives are exact, but only accuracy={claim:.3g} is claimed")


def derivative_of_sine(backend: Any, dtype: str) -> tuple[Any, float]:
    """Return the derivative of the sine at some points, and its largest error."""
    x = backend.asarray([0.25 * (k + 1) for k in range(8)], dtype=dtype)
    one = backend.asarray(np.ones(8), dtype=dtype)
    _, (found,) = backend.jvp(lambda x: (backend.namespace(x).sin(x),), (x,), (one,))
    host = backend.to_numpy(found)
    return host, float(np.max(np.abs(host - np.cos(backend.to_numpy(x)))))


def observed_accuracy(backend: Any) -> float:
    """Return the accuracy that a backend claims if the check of it passes, else one that is measured."""
    claim, eps = float(backend.info.capabilities.accuracy), _EPS["float64"]
    try:
        _accuracy(backend, "float64")
    except MismatchError:
        found, error = derivative_of_sine(backend, "float64")
        if np.all(found == 0):
            return 0.0
        return 1.0 if error <= 1024 * eps else round(float(np.log(error) / np.log(eps)), 2)
    return claim


@cache
def _imported_by_listing(names: tuple[str, ...]) -> tuple[str, ...]:
    code = f"import sys, unidiff; unidiff.backends(); print(*(n for n in {names!r} if n in sys.modules))"
    # The arguments are this interpreter and a literal.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return tuple(done.stdout.split())


def _light(backend: Any, _dtype: str) -> None:
    """The library is not imported before the backend is used."""
    found = _imported_by_listing(tuple(backend.info.arrays))
    if found:
        raise MismatchError("behaviour", f"listing the backends imports {', '.join(found)}")


def claims() -> Iterable[tuple[str, Callable[[Any, str], None]]]:
    """Return each claim with its check."""
    return (
        ("modes", _modes),
        ("vmap", _native("vmap")),
        ("jit", _native("jit")),
        ("mutation", _mutation),
        ("control_flow", _control_flow),
        ("dtypes", _dtypes),
        ("max_order", _max_order),
        ("devices", _devices),
        ("threads", _threads),
        ("accuracy", _accuracy),
        ("light", _light),
    )
