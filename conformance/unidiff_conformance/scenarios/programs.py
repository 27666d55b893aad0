"""Whole programs: several arguments, unused ones, control flow, loops and compositions that trip up an implementation."""

from collections.abc import Iterator
from functools import partial
from math import inf, nan
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, REDUCTION, TRANSCENDENTAL, Rule, Scenario, cplx, real, scenario


def _branch(xp: Any, x: Any) -> Any:
    return xp.sin(x) if bool(xp.sum(x) > 0) else x * x


def _newton(xp: Any, x: Any) -> Any:
    """Return sqrt(x) by as many iterations as the value of `x` takes, and one more, which squares the error that is left."""
    root = x
    for _ in range(50):
        step = (root - x / root) / 2
        root = root - step
        if bool(xp.max(xp.abs(step)) < 1e-5):
            break
    return (root + x / root) / 2


def _recurrence(xp: Any, x: Any, w: Any) -> Any:
    state = x
    for _ in range(5):
        state = xp.tanh(w @ state + x)
    return state


def _mlp(xp: Any, x: Any, w1: Any, b1: Any, w2: Any) -> Any:
    return xp.mean((xp.tanh(x @ w1 + b1) @ w2) ** 2)


def _logistic(xp: Any, w: Any, x: Any) -> Any:
    return xp.mean(xp.log1p(xp.exp(-(x @ w))))


def _rosenbrock(xp: Any, x: Any) -> Any:
    return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def _logsumexp(xp: Any, x: Any) -> Any:
    top = xp.max(x, axis=-1, keepdims=True)
    return xp.squeeze(top, axis=-1) + xp.log(xp.sum(xp.exp(x - top), axis=-1))


def _programs() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=TRANSCENDENTAL)
    yield make("program.identity.itself", lambda xp, x: x, real(3), accuracy=EXACT)
    yield make("program.identity.twice", lambda xp, x: (x, x), real(2), accuracy=EXACT)
    yield make("program.constant.output", lambda xp, x: xp.ones(2, dtype=x.dtype), real(3), accuracy=EXACT, rule=Rule.CONSTANT)
    yield make("program.unused.argument", lambda xp, x, y: 2 * x, real(3), real(2), accuracy=EXACT, rule=Rule.CONSTANT)
    yield make("program.several.outputs", lambda xp, x, y: (x * y, xp.sum(x), y), real(2), real(2), accuracy=ARITHMETIC)
    yield make("program.several.one-constant", lambda xp, x: (x * x, xp.zeros(2, dtype=x.dtype)), real(2), accuracy=ARITHMETIC)
    yield make("program.reuse.sum", lambda xp, x: x + x + x * x, real(3), accuracy=ARITHMETIC)
    yield make("program.reuse.diamond", lambda xp, x: xp.sin(x) * xp.sin(x) + xp.cos(x) * x, real(3))
    yield make("program.branch.positive", _branch, real(3, low=0.1), requires=["control_flow"])
    yield make("program.branch.negative", _branch, real(3, high=-0.1), requires=["control_flow"])
    # The reference stops later than any dtype would; at the root, further steps change neither value nor derivative.
    newton = lambda xp, x: xp.sqrt(x)
    yield make(
        "program.loop.newton", _newton, real(2, low=0.5, high=4), reference=newton, requires=["control_flow"], max_order=1
    )
    yield make("program.loop.recurrence", _recurrence, real(2), real(2, 2), accuracy=REDUCTION)
    yield make("program.model.mlp", _mlp, real(2, 2), real(2, 3), real(3), real(3), accuracy=REDUCTION)
    yield make("program.model.logistic", _logistic, real(2), real(3, 2), accuracy=REDUCTION)
    yield make("program.model.rosenbrock", _rosenbrock, real(4), accuracy=REDUCTION)
    yield make("program.model.logsumexp", _logsumexp, real(2, 3), accuracy=REDUCTION)
    yield make(
        "program.model.surface", lambda xp, x: xp.sin(x[0]) * xp.cos(x[1]) + xp.sin(x[0] / 2) * xp.cos(x[1] / 2), real(2)
    )
    squared = lambda xp, z: xp.sum(xp.real(z * xp.conj(z)))
    yield make("program.complex.squared-modulus", squared, cplx(3), accuracy=ARITHMETIC)
    yield make("program.complex.holomorphic", lambda xp, z: xp.exp(z) * z + 1 / (z + 4), cplx(3))
    yield make("program.complex.conjugate-product", lambda xp, z, w: xp.conj(z) * w, cplx(2), cplx(2), accuracy=ARITHMETIC)
    yield make("program.complex.real-through", lambda xp, x: xp.real((x + 1j) * (x - 2j) * 1j), real(3), accuracy=ARITHMETIC)
    yield make("program.complex.imaginary-constant", lambda xp, x: 1j * x, real(3), accuracy=EXACT)
    yield make("program.complex.argument", lambda xp, z: xp.atan2(xp.imag(z), xp.real(z)), cplx(3))
    comparison = lambda xp, x: x * xp.astype(x > 0, x.dtype)
    yield make("program.mask.comparison", comparison, real(4), accuracy=EXACT)


def _rules() -> Iterator[Scenario]:
    """Yield programs that the general rules are about."""
    make = partial(scenario, accuracy=ARITHMETIC)
    relu = lambda xp, x: xp.sum(xp.maximum(x, 0.0))
    yield make("program.kink.relu", relu, [0.0, 1.5, -1.0], like=lambda xp, x: x[0] / 2 + x[1])
    yield make("program.kink.l1-norm", lambda xp, x: xp.sum(xp.abs(x)), [0.0, 1.5, -1.0], like=lambda xp, x: x[1] - x[2])
    distance = lambda xp, x, y: xp.linalg.vector_norm(x - y)
    yield make("program.kink.distance", distance, [1.5, 2.0], [1.5, 2.0], like=lambda xp, x, y: 0 * (x[0] + y[0]))
    hinge = lambda xp, x: xp.max(xp.concat([x, xp.zeros_like(x)]))
    yield make("program.kink.hinge", hinge, [0.0, 0.0], like=lambda xp, x: (x[0] + x[1]) / 4)
    kept = lambda xp, x: xp.where(x > 0, xp.log(x), 0 * x)
    above = lambda xp, x: xp.where(x > 0, xp.log(xp.maximum(x, 1.0)), 0 * x)
    outside = partial(make, reference=above, accuracy=TRANSCENDENTAL)
    yield outside("program.domain.where-log", kept, [-1.0, 2.0], jacobian=[[0.0, 0.0], [0.0, 0.5]])
    one_sided = lambda xp, x: x**0.5
    yield make("program.domain.one-sided", one_sided, [0.0, 4.0], jacobian=[[inf, 0.0], [0.0, 0.25]])
    yield make("program.nan.linear", lambda xp, x: 2 * x + 1, [nan, 1.0], jacobian=[[2.0, 0.0], [0.0, 2.0]])
    yield make("program.nan.product", lambda xp, x: x * x, [nan, 1.0], jacobian=[[nan, 0.0], [0.0, 2.0]])
    product = lambda xp, x, y: xp.maximum(x, y) + xp.hypot(x, y) + xp.clip(x, 0.0, y)
    yield make("program.adjoint.kinks", product, [0.0], [0.0], like=lambda xp, x, y: (x + y) / 2 + (x + y) / 3)
    yield make("program.chain.abs-squared", lambda xp, x: xp.abs(x) ** 2, [0.0], like=lambda xp, x: 0 * x, max_order=2)
    numbers = lambda xp, x: (2 * x + 0.5 - x / 3) * 1 - xp.maximum(x, -5) * 0.25
    yield make("program.dtype.python-numbers", numbers, real(3))
    mixed = lambda xp, x: xp.astype(xp.sum(x), x.dtype) * xp.mean(x) + xp.linalg.vector_norm(x) + xp.std(x) + xp.prod(x)
    yield make("program.dtype.reductions", mixed, real(3), accuracy=REDUCTION)
    yield make("program.shape.0-d", lambda xp, x: x * x + xp.sum(x) * xp.reshape(x, ()), real())
    yield make("program.shape.size-1", lambda xp, x: xp.reshape(x, (1,)) * x, real(1, 1))
    empty = lambda xp, x: (xp.sum(x * x), xp.mean(xp.concat([x, xp.ones(1, dtype=x.dtype)])), x[..., None])
    yield make("program.shape.empty", empty, real(0))


SCENARIOS = (*_programs(), *_rules())
