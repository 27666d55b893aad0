"""The modes in which every scenario is run, each a check of one way to take a derivative."""

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from unidiff_conformance.oracles import pack
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.transform_checks import check_batched, check_compiled, check_derived, is_static
from unidiff_conformance.trial import Expected, MismatchError, Trial
from unidiff_conformance.vectors import oracle


def check_value(t: Trial) -> None:
    """The function itself has the value of the reference."""
    t.check(t.function(*t.primals), t.oracle.value, t.value, "outputs")


def check_jvp(t: Trial) -> None:
    """Forward mode gives the Jacobian times the tangents, and the value."""
    outs, tangents = t.backend.jvp(t.function, t.primals, t.tangents)
    t.check(outs, t.oracle.value, t.value, "outputs of jvp")
    t.check(tangents, t.oracle.value, t.pushed, "output tangents")


def check_vjp(t: Trial) -> None:
    """Reverse mode gives the adjoint Jacobian times the cotangents, and the value; a pullback works twice."""
    outs, pullback = t.backend.vjp(t.function, t.primals)
    t.check(outs, t.oracle.value, t.value, "outputs of vjp")
    for attempt in ("input cotangents", "input cotangents of a second call"):
        t.check(pullback(t.cotangents), t.inputs, t.pulled, attempt)


def check_adjoint(t: Trial) -> None:
    """<u, J v> equals <J* u, v>, measured against |u| |J| |v|, with no oracle for the numbers."""
    _, tangents = t.backend.jvp(t.function, t.primals, t.tangents)
    _, pullback = t.backend.vjp(t.function, t.primals)
    pushed, pulled = (pack([t.backend.to_numpy(a) for a in arrays]) for arrays in (tangents, pullback(t.cotangents)))
    with np.errstate(all="ignore"):
        scale = np.abs(t.u) @ np.abs(t.oracle.jacobian.value) @ np.abs(t.v)
        left, right = np.reshape(t.u @ pushed, (1,)), np.reshape(pulled @ t.v, (1,))
        # The factor 8 pays for two long sums; for exact functions it pays for nothing.
        wanted = t.expected(right, scale, np.zeros(1), factor=8.0)
    if np.isfinite(scale):
        t.compare(left, wanted, "<u, J v> against <J* u, v>")


def check_jacfwd(t: Trial) -> None:
    """The Jacobian by forward mode, block by block."""
    _check_jacobian(t, t.backend.jacfwd)


def check_jacrev(t: Trial) -> None:
    """The Jacobian by reverse mode, block by block."""
    _check_jacobian(t, t.backend.jacrev)


def _check_jacobian(t: Trial, transform: Callable[..., Any]) -> None:
    outs, jacobian = transform(t.function, t.primals)
    t.check(outs, t.oracle.value, t.value, "outputs")
    rows, columns = t.oracle.jacobian.value.shape
    value, tolerance = (np.reshape(a, (rows, columns)) for a in (t.jacobian.value, t.jacobian.tolerance))
    top = 0
    for i, out in enumerate(t.oracle.value):
        left = 0
        for j, x in enumerate(t.inputs):
            block = np.s_[top : top + out.size, left : left + x.size]
            wanted = Expected(value[block].ravel(), tolerance[block].ravel())
            t.check([jacobian[i][j]], [np.zeros(out.shape + x.shape)], wanted, f"Jacobian block [{i}][{j}]")
            left += x.size
        top += out.size


def _gradient(t: Trial) -> Callable[..., Any]:
    return lambda *arrays: tuple(t.backend.value_and_grad(t.weighted, arrays)[1])


def _slope(t: Trial) -> Callable[..., Any]:
    return lambda *arrays: tuple(t.backend.jvp(t.weighted, arrays, t.tangents)[1])


def check_forward_over_reverse(t: Trial) -> None:
    """The Hessian times a vector as JVP of the gradient."""
    _, product = t.backend.jvp(_gradient(t), t.primals, t.tangents)
    t.check(product, t.inputs, t.curved, "Hessian-vector product")


def check_reverse_over_forward(t: Trial) -> None:
    """The Hessian times a vector as gradient of the JVP."""
    _, product = t.backend.value_and_grad(_slope(t), t.primals)
    t.check(product, t.inputs, t.curved, "Hessian-vector product")


def check_reverse_over_reverse(t: Trial) -> None:
    """The Hessian times a vector as gradient of <grad, v>."""
    gradient = _gradient(t)
    _, product = t.backend.value_and_grad(lambda *arrays: (t.inner(t.tangents, gradient(*arrays)),), t.primals)
    t.check(product, t.inputs, t.curved, "Hessian-vector product")


def check_forward_over_forward(t: Trial) -> None:
    """The second derivative along two directions as JVP of the JVP."""
    _, second = t.backend.jvp(_slope(t), t.primals, t.others)
    t.check(second, [np.zeros(())], t.curvature, "second directional derivative")


CHECKS: Mapping[str, Callable[[Trial], None]] = MappingProxyType(
    {
        "value": check_value,
        "jvp": check_jvp,
        "vjp": check_vjp,
        "adjoint": check_adjoint,
        "jacfwd": check_jacfwd,
        "jacrev": check_jacrev,
        "fwd-over-rev": check_forward_over_reverse,
        "rev-over-fwd": check_reverse_over_forward,
        "rev-over-rev": check_reverse_over_reverse,
        "fwd-over-fwd": check_forward_over_forward,
        "vmap": check_batched,
        "jit": check_compiled,
        "derived": check_derived,
    }
)
FIRST_ORDER = frozenset({"value", "jvp", "vjp", "adjoint", "jacfwd", "jacrev"})
TRANSFORMS = frozenset({"vmap", "jit", "derived"})
SINGLE_PRECISION = frozenset({"jvp", "vjp", "adjoint"})
"""What is run in single precision: the formulas are those of double precision, the dtypes may not be."""


REPRESENTATIVE = frozenset({"jvp", "vjp", "fwd-over-rev"})
"""What a quick run does with one scenario of each clause: values are compared by all modes, two that are right are adjoint."""
SPECIAL_POINT: Mapping[str, frozenset[str]] = {"double": REPRESENTATIVE | {"jacfwd"}, "single": frozenset({"vjp"})}
"""What it does at points that were chosen by hand: each partial derivative by itself, too."""
QUICK = frozenset({"jvp", "vjp"})
"""What it does with scenarios that represent no clause: both modes in double precision, against the same oracle."""


def modes_of(scenario: Scenario, dtype: str) -> tuple[str, ...]:
    """Return the modes that a scenario is run in with this dtype.

    Jacobians are asked for where all arrays are real; and where the Jacobian is not finite, only by the mode that never
    multiplies an infinity by a zero of a unit vector.
    """
    chosen = set(CHECKS)
    if scenario.max_order < 2:
        chosen &= FIRST_ORDER
    if dtype in ("float32", "complex64"):
        chosen &= SINGLE_PRECISION
    if scenario.is_complex or any(np.iscomplexobj(out) for out in oracle(scenario).value):
        chosen -= {"jacfwd", "jacrev"}
    if scenario.max_order < 2 or scenario.requires or not is_static(scenario):
        chosen -= TRANSFORMS
    wanted = oracle(scenario).jacobian.value
    if not np.all(np.isfinite(wanted)):
        rows, columns = wanted.shape
        chosen -= {mode for mode, size in (("jacfwd", columns), ("jacrev", rows)) if size > 1}
    return tuple(mode for mode in CHECKS if mode in chosen)


def run_check(t: Trial, mode: str) -> float:
    """Run one check and return the worst error in units of the tolerance.

    Raises
    ------
    MismatchError
        If the backend is wrong, or raises.
    """
    t.worst = 0.0
    try:
        with warnings.catch_warnings():
            if t.scenario.jacobian is not None:
                for category in (RuntimeWarning, UserWarning):  # libraries warn of such points, each in its way
                    warnings.simplefilter("ignore", category)
            CHECKS[mode](t)
    except MismatchError:
        raise
    except Exception as error:
        raise MismatchError("exception", f"{type(error).__name__}: {error}") from error
    t.check_unchanged()
    return t.worst
