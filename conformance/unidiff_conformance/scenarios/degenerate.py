"""Linear algebra at degenerate points: repeated and vanishing eigenvalues and singular values, ties, dependent columns."""

from collections.abc import Iterator
from functools import partial
from math import inf, nan
from typing import Any

from unidiff_conformance.scenario import LINALG, Function, Rule, Scenario, real, scenario

TWICE = [[2.0, 0.0], [0.0, 2.0]]
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]


def _entries(weights: Any) -> Function:
    """Return the linear function of a matrix with these coefficients: what a function is like at a point, in closed form."""
    terms = [(i, j, w) for i, row in enumerate(weights) for j, w in enumerate(row) if w]
    return lambda xp, a: sum(
        (w * a[i, j] for i, j, w in terms[1:]), terms[0][2] * a[terms[0][0], terms[0][1]] if terms else 0 * a[0, 0]
    )


def _at(value: float) -> Function:
    return lambda xp, a: 0 * a[0, 0] + value


def _values() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG, rule=Rule.KINK)
    half = [[0.5, 0.0], [0.0, 0.5]]
    for name, index in (("lower", 0), ("upper", 1)):
        pick = lambda xp, a, k=index: xp.linalg.eigh(a).eigenvalues[k]
        yield make(f"linalg.eigh.repeated-values-{name}", pick, TWICE, like=_entries(half), reference=_at(2.0))
        pick = lambda xp, a, k=index: xp.linalg.eigvalsh(a)[k]
        yield make(f"linalg.eigvalsh.repeated-{name}-of-2", pick, TWICE, like=_entries(half), reference=_at(2.0))
    three = [[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]
    pair = [[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]]
    yield make(
        "linalg.eigvalsh.repeated-2-of-3",
        lambda xp, a: xp.linalg.eigvalsh(a)[1],
        three,
        like=_entries(pair),
        reference=_at(3.0),
    )
    total = lambda xp, a: xp.sum(xp.linalg.eigvalsh(a))
    yield make("linalg.eigvalsh.repeated-sum", total, TWICE, like=_entries([[1.0, 0.0], [0.0, 1.0]]), reference=_at(4.0))
    triangle = lambda xp, a: xp.sum(xp.linalg.eigvalsh(a) * xp.asarray([1.0, 2.0], dtype=a.dtype))
    symmetric = lambda xp, a: (3 * a[0, 0] + 3 * a[1, 1] + a[0, 1] + a[1, 0]) / 2
    yield scenario("linalg.eigvalsh.both-triangles", triangle, [[2.0, 1.0], [1.0, 2.0]], like=symmetric, reference=_at(7.0),
                   accuracy=LINALG, rule=Rule.SMOOTH)  # fmt: skip
    root = lambda xp, a: xp.linalg.cholesky(a)[1, 0]
    yield scenario("linalg.cholesky.both-triangles", root, [[4.0, 2.0], [2.0, 5.0]],
                   like=lambda xp, a: (a[0, 1] + a[1, 0]) / 4 - a[0, 0] / 8, reference=_at(1.0), accuracy=LINALG,
                   rule=Rule.SMOOTH)  # fmt: skip
    for name, index in (("upper", 0), ("lower", 1)):
        pick = lambda xp, a, k=index: xp.linalg.svdvals(a)[k]
        yield make(f"linalg.svdvals.repeated-{name}", pick, TWICE, like=_entries(half), reference=_at(2.0))
    smallest = lambda xp, a: xp.linalg.svdvals(a)[1]
    yield make("linalg.svdvals.zero-smallest", smallest, [[3.0, 0.0], [0.0, 0.0]], like=_entries([]), reference=_at(0.0))
    yield make("linalg.svdvals.zero-matrix", smallest, [[0.0, 0.0], [0.0, 0.0]], like=_entries([]), reference=_at(0.0))


def _vectors() -> Iterator[Scenario]:
    """Vectors of repeated values have no derivative; functions of the others have."""
    make = partial(scenario, accuracy=LINALG)
    weighted = lambda xp, a: xp.sum(xp.abs(xp.linalg.eigh(a).eigenvectors[:, 0]) * xp.asarray([1.0, 2.0], dtype=a.dtype))
    value = lambda xp, a: 0 * a[0, 0] + 1
    yield make("linalg.eigh.repeated-vectors", weighted, TWICE, jacobian=[[nan] * 4], reference=value)
    left = lambda xp, a: xp.sum(xp.abs(xp.linalg.svd(a, full_matrices=False).U[:, 0]) * xp.asarray([1.0, 2.0], dtype=a.dtype))
    yield make("linalg.svd.repeated-vectors", left, TWICE, jacobian=[[nan] * 4], reference=value)
    wide = lambda xp, a: _projection(xp, a[:2, :])
    yield make("linalg.svd.full-wide", wide, real(3, 3), reference=lambda xp, a: _row_space(xp, a[:2, :]))


def _projection(xp: Any, a: Any) -> Any:
    """Return the projection on the null space of a wide matrix, by the vectors that fill up a full basis."""
    rest = xp.linalg.svd(a, full_matrices=True).Vh[a.shape[0] :, :]
    return xp.matrix_transpose(rest) @ rest


def _row_space(xp: Any, a: Any) -> Any:
    return xp.eye(a.shape[1], dtype=a.dtype) - xp.matrix_transpose(a) @ xp.linalg.solve(a @ xp.matrix_transpose(a), a)


def _norm(order: Any) -> Function:
    return lambda xp, a: xp.linalg.matrix_norm(a, ord=order)


def _norms() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG, rule=Rule.KINK)
    dense, sparse = [[1.0, 3.0], [2.0, 0.0]], [[1.0, 2.0], [3.0, 0.0]]
    # columns (1, 2) and (3, 0) have the sum 3; their gradients have squared lengths 2 and 1, hence the weights 1/3 and 2/3
    yield make("linalg.matrix_norm.tied-1", _norm(1), dense, like=_entries([[1 / 3, 2 / 3], [1 / 3, 0.0]]), reference=_at(3.0))
    yield make(
        "linalg.matrix_norm.tied-minus-1", _norm(-1), dense, like=_entries([[1 / 3, 2 / 3], [1 / 3, 0.0]]), reference=_at(3.0)
    )
    yield make(
        "linalg.matrix_norm.tied-inf", _norm(inf), sparse, like=_entries([[1 / 3, 1 / 3], [2 / 3, 0.0]]), reference=_at(3.0)
    )
    yield make(
        "linalg.matrix_norm.tied-minus-inf",
        _norm(-inf),
        sparse,
        like=_entries([[1 / 3, 1 / 3], [2 / 3, 0.0]]),
        reference=_at(3.0),
    )
    vanishing = [[0.0, 1.0], [0.0, 2.0]]
    yield make("linalg.matrix_norm.tied-vanishing-column", _norm(-1), vanishing, like=_entries([]), reference=_at(0.0))
    yield make(
        "linalg.matrix_norm.nuc-singular",
        _norm("nuc"),
        [[3.0, 0.0], [0.0, 0.0]],
        like=_entries([[1.0, 0.0], [0.0, 0.0]]),
        reference=_at(3.0),
    )
    yield make(
        "linalg.matrix_norm.repeated-minus-2", _norm(-2), TWICE, like=_entries([[0.5, 0.0], [0.0, 0.5]]), reference=_at(2.0)
    )
    for order in (3, 4):
        power = lambda xp, x, p=order: xp.linalg.vector_norm(x, ord=p)
        yield make(f"linalg.vector_norm.ord{order}-at-0", power, [0.0, 0.0], like=lambda xp, x: 0 * x[0])
        yield make(f"linalg.vector_norm.one-entry-0-ord{order}", power, [0.0, 2.0], like=lambda xp, x: x[1])
    rows = lambda xp, x: xp.linalg.vector_norm(x, axis=1)
    yield make("linalg.vector_norm.rows-at-0", rows, [[0.0, 0.0], [3.0, 4.0]],
               like=lambda xp, x: xp.stack([0 * x[0, 0], (3 * x[1, 0] + 4 * x[1, 1]) / 5]))  # fmt: skip
    yield make("linalg.vector_norm.tied-minus-inf", lambda xp, x: xp.linalg.vector_norm(x, ord=-inf), [3.0, -1.0, 1.0],
               like=lambda xp, x: (x[2] - x[1]) / 2)  # fmt: skip
    count = lambda xp, x: xp.linalg.vector_norm(x, ord=0)
    yield make("linalg.vector_norm.ord0", count, [0.0, 1.5, -2.0], like=lambda xp, x: 0 * x[0], rule=Rule.CONSTANT)


def _factorizations() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    log = lambda xp, a: xp.linalg.slogdet(a).logabsdet
    yield make("linalg.slogdet.singular-log", log, SINGULAR, jacobian=[[nan] * 4], reference=_at(-inf))
    sign = lambda xp, a: xp.linalg.slogdet(a).sign
    yield make("linalg.slogdet.singular-sign", sign, SINGULAR, like=_entries([]), reference=_at(0.0), rule=Rule.CONSTANT)
    # pinv of c v v^T with v = (1, 2): v v^T / (c |v|^4); the formula of constant rank, along tangents projected to rank 1
    pseudo = lambda xp, a: xp.linalg.pinv(a)[0, 0]
    yield make("linalg.pinv.rank-1", pseudo, SINGULAR, reference=_at(1 / 25), rule=Rule.SMOOTH, max_order=1,
               like=_entries([[7 / 625, 4 / 625], [4 / 625, -12 / 625]]))  # fmt: skip
    corner = lambda xp, a: xp.abs(xp.linalg.qr(a).Q[1, 1])
    yield make("linalg.qr.dependent-columns", corner, [[1.0, 0.0], [0.0, 0.0]], jacobian=[[nan] * 4], reference=_at(1.0))


SCENARIOS = (*_values(), *_vectors(), *_norms(), *_factorizations())
