"""Stacks, wide and tall matrices, odd lengths, keyword arguments: the same clauses in other shapes."""

from collections.abc import Iterator
from functools import partial
from math import inf
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, FFT, LINALG, REDUCTION, Scenario, cplx, real, scenario
from unidiff_conformance.scenarios.linalg import adjoint, hermitian, shifted


def _identity(xp: Any, a: Any) -> Any:
    return xp.eye(a.shape[-1], dtype=a.dtype)


def _complement(xp: Any, a: Any) -> Any:
    """Return the projection off the columns of a tall matrix, in closed form."""
    b = adjoint(xp, a)
    return _identity(xp, b) - a @ xp.linalg.solve(b @ a, b)


def _decompositions() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    complete = lambda xp, a: _outer_product(xp, xp.linalg.qr(_tall(xp, a), mode="complete").Q[:, 2:])
    yield make("linalg.qr.complete", complete, real(3, 3), reference=lambda xp, a: _complement(xp, _tall(xp, a)))
    wide = lambda xp, a: xp.abs(xp.linalg.qr(shifted(xp, a)[:2, :]).R)
    yield make("linalg.qr.wide", wide, real(3, 3), reference=lambda xp, a: xp.abs(_wide_r(xp, shifted(xp, a)[:2, :])))
    full = lambda xp, a: _outer_product(xp, xp.linalg.svd(_tall(xp, a), full_matrices=True).U[:, 2:])
    yield make("linalg.svd.full-tall-complex", full, cplx(3, 2), reference=lambda xp, a: _complement(xp, _tall(xp, a)))
    yield make("linalg.svdvals.complex-wide", lambda xp, a: xp.linalg.svdvals(shifted(xp, a)[:1, :]), cplx(2, 2))
    yield make("linalg.svdvals.stack-tall", lambda xp, a: xp.linalg.svdvals(shifted(xp, a)[..., :, :1]), real(2, 2, 2))
    yield make("linalg.cholesky.complex-upper", lambda xp, a: xp.linalg.cholesky(hermitian(xp, a), upper=True), cplx(2, 2))
    yield make("linalg.slogdet.complex-sign", lambda xp, a: xp.linalg.slogdet(shifted(xp, a)).sign, cplx(2, 2))
    yield make(
        "linalg.slogdet.negative", lambda xp, a: xp.linalg.slogdet(-shifted(xp, a)), real(3, 3), reference=_log_of_negative
    )
    yield make(
        "linalg.pinv.stack-wide", lambda xp, a: xp.linalg.pinv(shifted(xp, a)[..., :1, :]), real(2, 2, 2), reference=_row_pinv
    )
    yield make("linalg.matrix_power.stack", lambda xp, a: xp.linalg.matrix_power(a, 2), real(2, 2, 2))
    yield make("linalg.matrix_power.complex-inverse", lambda xp, a: xp.linalg.matrix_power(shifted(xp, a), -1), cplx(2, 2))
    yield make("linalg.eigvalsh.stack-sum-of-powers", lambda xp, a: xp.sum(xp.linalg.eigvalsh(a + xp.matrix_transpose(a)) ** 3),
               real(2, 2, 2), reference=_cubes)  # fmt: skip
    values = lambda xp, a: xp.real(xp.sum(xp.linalg.eigvals(shifted(xp, a)) ** 2))
    yield make(
        "linalg.eigvals.stack", values, real(2, 2, 2), reference=lambda xp, a: xp.sum(_squared_trace(xp, shifted(xp, a)))
    )


def _tall(xp: Any, a: Any) -> Any:
    return a[:, :2] / 4 + 2 * xp.eye(3, 2, dtype=a.dtype)


def _outer_product(xp: Any, q: Any) -> Any:
    return q @ adjoint(xp, q)


def _wide_r(xp: Any, a: Any) -> Any:
    first = xp.linalg.qr(a[:, :2])
    return xp.matrix_transpose(first.Q) @ a


def _log_of_negative(xp: Any, a: Any) -> Any:
    return 0 * a[0, 0] - 1, xp.log(xp.linalg.det(shifted(xp, a)))


def _row_pinv(xp: Any, a: Any) -> Any:
    row = shifted(xp, a)[..., :1, :]
    return xp.matrix_transpose(row) / xp.sum(row * row, axis=-1, keepdims=True)


def _cubes(xp: Any, a: Any) -> Any:
    b = a + xp.matrix_transpose(a)
    return xp.sum(xp.linalg.trace(b @ b @ b))


def _squared_trace(xp: Any, a: Any) -> Any:
    return xp.linalg.trace(a @ a)


def _singular() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG, max_order=1)  # to second order: smaller ones, among those of linalg
    det = lambda xp, a: xp.linalg.det(a)
    stack = [[[1.0, 2.0], [2.0, 4.0]], [[2.0, 1.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]]
    yield make("linalg.det.singular-in-stack", det, stack)
    large = [[2.0, 0.0, 0.0, 1.0], [0.0, 3.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], [2.0, 3.0, 1.0, 3.0]]
    yield make("linalg.det.rank-3-of-4", det, large)
    yield make("linalg.det.rank-0-of-3", det, [[0.0] * 3] * 3)


def _norms() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    for order in (1, -1, inf, -inf, "nuc", 2):
        norm = lambda xp, a, order=order: xp.linalg.matrix_norm(shifted(xp, a)[..., :1], ord=order, keepdims=True)
        yield make(f"linalg.matrix_norm.{order}-stack-tall", norm, real(2, 2, 2))
        wide = lambda xp, a, order=order: xp.linalg.matrix_norm(shifted(xp, a), ord=order)
        if order in (1, inf):
            yield make(f"linalg.matrix_norm.{order}-complex", wide, cplx(2, 2))
    for order in (1, inf, -inf, 3):
        norm = lambda xp, x, order=order: xp.linalg.vector_norm(x, axis=(0, 2), ord=order, keepdims=True)
        yield make(f"linalg.vector_norm.ord{order}-axes", norm, real(2, 2, 2))
        along = lambda xp, x, order=order: xp.linalg.vector_norm(x, ord=order)
        yield make(f"linalg.vector_norm.ord{order}-complex", along, cplx(3))
    yield make("linalg.vector_norm.empty-other-axis", lambda xp, x: xp.linalg.vector_norm(x, axis=1), real(0, 3))
    yield make("linalg.cross.complex", lambda xp, x, y: xp.linalg.cross(x, y), cplx(3), cplx(3), accuracy=ARITHMETIC)
    dot = lambda xp, x, y: xp.vecdot(x, y, axis=-2)
    yield make("linear_algebra.vecdot.complex-axis", dot, cplx(2, 3), cplx(2, 1), accuracy=ARITHMETIC)


def _transforms() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=FFT)
    for name, size, kind in (("irfft", 3, cplx), ("hfft", 3, cplx), ("rfft", 5, real), ("ihfft", 5, real)):
        options = {"n": 5} if name in ("irfft", "hfft") else {}
        call = lambda xp, x, name=name, options=options: getattr(xp.fft, name)(x, **options)
        yield make(f"fft.{name}.odd", call, kind(size))
        short = lambda xp, x, name=name: getattr(xp.fft, name)(x, n=2, norm="forward")
        yield make(f"fft.{name}.short", short, kind(size))
    for name, kind in (("fftn", cplx), ("irfftn", cplx), ("rfftn", real)):
        reverse = lambda xp, x, name=name: getattr(xp.fft, name)(x, axes=(-1, 0), norm="ortho")
        yield make(f"fft.{name}.axes-reversed", reverse, kind(2, 1, 3))


def _reductions() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=REDUCTION)
    yield make("statistical.sum.to-complex", lambda xp, x: xp.sum(x * (1 + 0j) * 1j, axis=0), real(2, 2))
    for name in ("sum", "prod"):
        wider = lambda xp, x, name=name: xp.astype(getattr(xp, name)(x, dtype=xp.float64), x.dtype)
        yield make(f"statistical.{name}.wider-dtype", wider, real(3))
    initial = lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True)
    yield make("statistical.cumulative_prod.initial-zeros", initial, [[1.5, 0.0], [0.0, 2.0], [0.0, -1.0]], max_order=1)
    order = lambda xp, x: xp.sort(x, axis=0, descending=True)
    down = lambda xp, x: xp.stack([xp.stack([x[0, 0], x[1, 1]]), xp.stack([x[1, 0], x[0, 1]])])
    yield make("sorting.sort.tie-descending-axis", order, [[1.0, 0.0], [1.0, 2.0]], like=down, accuracy=EXACT)
    nothing = lambda xp, x: (
        xp.sort(x, axis=1),
        xp.cumulative_sum(x, axis=1),
        xp.flip(x),
        xp.concat([x, x], axis=1),
        xp.tril(x),
    )
    yield make("program.shape.empty-matrix", nothing, real(2, 0), accuracy=EXACT)
    bounds = lambda xp, x, low: xp.clip(x, low, 1.0)
    yield make("elementwise.clip.array-and-scalar", bounds, real(2, 3), real(3, high=-0.6), accuracy=EXACT)


SCENARIOS = (*_decompositions(), *_singular(), *_norms(), *_transforms(), *_reductions())
