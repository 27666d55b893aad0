"""The linear algebra extension: well-conditioned matrices, functions that do not depend on a gauge, and degenerate points."""

from collections.abc import Iterator
from functools import partial
from math import inf
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, LINALG, Function, Input, Scenario, cplx, real, scenario


def adjoint(xp: Any, a: Any) -> Any:
    """Return the conjugate transpose of each matrix."""
    return xp.conj(xp.matrix_transpose(a))


def shifted(xp: Any, a: Any) -> Any:
    """Return a well-conditioned matrix with well-separated eigenvalues, linear in `a`."""
    n = a.shape[-1]
    return a / 4 + xp.asarray([[2.0 * (i + 1) if i == j else 0.0 for j in range(n)] for i in range(n)], dtype=a.dtype)


def hermitian(xp: Any, a: Any) -> Any:
    """Return a Hermitian positive definite matrix with well-separated eigenvalues."""
    b = shifted(xp, a)
    return (b + adjoint(xp, b)) / 2


_MATRIX: Input = real(3, 3)
_STACK: Input = real(2, 2, 2)
_COMPLEX: Input = cplx(2, 2)

# name: (function of a well-conditioned square matrix, of a Hermitian one)
_SQUARE: dict[str, Function] = {
    "det": lambda xp, a: xp.linalg.det(shifted(xp, a)),
    "inv": lambda xp, a: xp.linalg.inv(shifted(xp, a)),
    "slogdet": lambda xp, a: xp.linalg.slogdet(shifted(xp, a)).logabsdet,
    "cholesky": lambda xp, a: xp.linalg.cholesky(hermitian(xp, a)),
    "eigvalsh": lambda xp, a: xp.linalg.eigvalsh(hermitian(xp, a)),
    "eigh": lambda xp, a: _function_of_matrix(xp, hermitian(xp, a)),
    "qr": lambda xp, a: _qr(xp, shifted(xp, a)),
    "svdvals": lambda xp, a: xp.linalg.svdvals(shifted(xp, a)),
    "svd": lambda xp, a: _svd(xp, shifted(xp, a)),
    "pinv": lambda xp, a: xp.linalg.pinv(shifted(xp, a)),
}


def _function_of_matrix(xp: Any, a: Any) -> Any:
    """Return sqrt(a) by its eigendecomposition: whatever phases the eigenvectors have, they cancel."""
    found = xp.linalg.eigh(a)
    v = found.eigenvectors
    return (v * xp.sqrt(found.eigenvalues)[..., None, :]) @ adjoint(xp, v)


def _qr(xp: Any, a: Any) -> Any:
    """Return the projection on the first columns and |R|: free of the phases of the columns of Q."""
    q, r = xp.linalg.qr(a)[:2] if isinstance(xp.linalg.qr(a), tuple) else (xp.linalg.qr(a).Q, xp.linalg.qr(a).R)
    return q[..., :1] @ adjoint(xp, q[..., :1]), xp.abs(r[..., 0, :])


def _svd(xp: Any, a: Any) -> Any:
    """Return the matrix with the square roots of its singular values, and those values."""
    found = xp.linalg.svd(a, full_matrices=False)
    return (found.U * xp.sqrt(found.S)[..., None, :]) @ found.Vh, found.S


def _square() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    for name, function in _SQUARE.items():
        yield make(f"linalg.{name}.matrix", function, _MATRIX)
        yield make(f"linalg.{name}.stack", function, _STACK)
        yield make(f"linalg.{name}.complex", function, _COMPLEX)
    yield make("linalg.cholesky.upper", lambda xp, a: xp.linalg.cholesky(hermitian(xp, a), upper=True), _MATRIX)
    yield make("linalg.eigvals.matrix", lambda xp, a: _sorted(xp, xp.linalg.eigvals(shifted(xp, a))), _MATRIX)
    yield make("linalg.eig.matrix", lambda xp, a: _eig(xp, shifted(xp, a)), real(2, 2))
    yield make("linalg.qr.tall", lambda xp, a: _qr(xp, a[:, :2] + 2 * xp.eye(3, 2, dtype=a.dtype)), _MATRIX)
    yield make("linalg.svd.tall", lambda xp, a: _svd(xp, shifted(xp, a)[:, :2]), _MATRIX)
    yield make("linalg.svd.wide", lambda xp, a: _svd(xp, shifted(xp, a)[:2, :]), _MATRIX)
    yield make("linalg.pinv.tall", lambda xp, a: xp.linalg.pinv(shifted(xp, a)[:, :2]), _MATRIX)
    yield make("linalg.pinv.wide", lambda xp, a: xp.linalg.pinv(shifted(xp, a)[:2, :]), _MATRIX)
    for power in (-2, 0, 1, 3):
        raised = lambda xp, a, n=power: xp.linalg.matrix_power(shifted(xp, a), n)
        yield make(f"linalg.matrix_power.{power}", raised, _MATRIX)


def _sorted(xp: Any, values: Any) -> Any:
    """Return symmetric functions of the eigenvalues, since their order is free."""
    return xp.stack([xp.sum(xp.sin(xp.real(values))), xp.sum(xp.real(values * values * values))])


def _eig(xp: Any, a: Any) -> Any:
    """Return exp(a) by its eigendecomposition: free of the order and the lengths of the eigenvectors."""
    values, vectors = xp.linalg.eig(a).eigenvalues, xp.linalg.eig(a).eigenvectors
    return xp.real((vectors * xp.exp(values / 4)[None, :]) @ xp.linalg.inv(vectors))


def _solving() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    solve = lambda xp, a, b: xp.linalg.solve(shifted(xp, a), b)
    yield make("linalg.solve.vector", solve, _MATRIX, real(3))
    yield make("linalg.solve.matrix", solve, _MATRIX, real(3, 2))
    yield make("linalg.solve.stack", solve, _STACK, real(2, 2, 1))
    yield make("linalg.solve.broadcast", solve, _STACK, real(2, 1))
    yield make("linalg.solve.complex", solve, _COMPLEX, cplx(2))
    for name in ("det", "inv"):
        function = lambda xp, a, name=name: getattr(xp.linalg, name)(a)
        yield make(f"linalg.{name}.1-by-1", function, [[2.0]])
    det = lambda xp, a: xp.linalg.det(a)
    yield make("linalg.det.singular", det, [[1.0, 2.0], [2.0, 4.0]])
    yield make("linalg.det.rank-2-of-3", det, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]])
    yield make("linalg.det.rank-1-of-3", det, [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]])
    yield make("linalg.det.zero", det, [[0.0, 0.0], [0.0, 0.0]])
    yield make("linalg.det.singular-complex", det, [[1.0 + 1j, 2j], [1.0 + 1j, 2j]])


def _products() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    yield make("linalg.cross.vectors", lambda xp, x, y: xp.linalg.cross(x, y), real(3), real(3))
    yield make("linalg.cross.broadcast", lambda xp, x, y: xp.linalg.cross(x, y), real(2, 3), real(3))
    yield make("linalg.cross.axis", lambda xp, x, y: xp.linalg.cross(x, y, axis=-2), real(3, 2), real(3, 2))
    yield make("linalg.outer.vectors", lambda xp, x, y: xp.linalg.outer(x, y), real(2), real(3))
    yield make("linalg.outer.complex", lambda xp, x, y: xp.linalg.outer(x, y), cplx(2), cplx(2))
    for name in ("trace", "diagonal"):
        for offset in (-1, 0, 1):
            function = lambda xp, a, name=name, k=offset: getattr(xp.linalg, name)(a, offset=k)
            yield make(f"linalg.{name}.offset-{offset}", function, real(2, 3), accuracy=EXACT)
        stacked = lambda xp, a, name=name: getattr(xp.linalg, name)(a)
        yield make(f"linalg.{name}.stack", stacked, real(2, 2, 2), accuracy=EXACT)
        yield make(f"linalg.{name}.complex", stacked, cplx(2, 2), accuracy=EXACT)


def _norms() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=LINALG)
    for order in (1, 2, 3, 0.5, -1, -2, inf, -inf):
        norm = lambda xp, x, order=order: xp.linalg.vector_norm(x, ord=order)
        yield make(f"linalg.vector_norm.ord{order}", norm, [1.25, -0.75, 1.75])
        along = lambda xp, x, order=order: xp.linalg.vector_norm(x, axis=-1, keepdims=True, ord=order)
        yield make(f"linalg.vector_norm.ord{order}-axis", along, [[1.25, -0.75], [0.5, 2.0]])
        if order in (1, 2, inf):
            yield make(f"linalg.vector_norm.ord{order}-at-0", norm, [0.0, 0.0], like=lambda xp, x: 0 * x[0])
    norm2 = lambda xp, x: xp.linalg.vector_norm(x)
    yield make("linalg.vector_norm.matrix", norm2, real(2, 2))
    yield make("linalg.vector_norm.axes", lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 2)), real(2, 1, 2))
    yield make("linalg.vector_norm.complex", norm2, cplx(2))
    yield make("linalg.vector_norm.complex-at-0", norm2, [0j, 0j], like=lambda xp, x: xp.real(0 * x[0]))
    yield make("linalg.vector_norm.one-entry-0", lambda xp, x: xp.linalg.vector_norm(x, ord=1), [0.0, 1.5],
               like=lambda xp, x: x[1])  # fmt: skip
    yield make("linalg.vector_norm.tied-inf", lambda xp, x: xp.linalg.vector_norm(x, ord=inf), [3.0, -3.0, 1.0],
               like=lambda xp, x: (x[0] - x[1]) / 2)  # fmt: skip
    for name in ("fro", "nuc", 1, -1, 2, -2, inf, -inf):
        norm = lambda xp, a, name=name: xp.linalg.matrix_norm(shifted(xp, a), ord=name)
        yield make(f"linalg.matrix_norm.{name}", norm, real(2, 2))
        if name in ("fro", "nuc", 1, 2, inf):
            bare = lambda xp, a, name=name: xp.linalg.matrix_norm(a, ord=name)
            zero = scenario(
                f"linalg.matrix_norm.{name}-at-0", bare, [[0.0, 0.0], [0.0, 0.0]], like=lambda xp, a: 0 * a[0, 0],
                reference=lambda xp, a: 0 * a[0, 0], accuracy=LINALG,
            )  # fmt: skip
            yield zero
    yield make("linalg.matrix_norm.keepdims", lambda xp, a: xp.linalg.matrix_norm(a, keepdims=True), _STACK)
    yield make("linalg.matrix_norm.complex", lambda xp, a: xp.linalg.matrix_norm(a), _COMPLEX)


def _repeated() -> Iterator[Scenario]:
    """Share the derivative of a value that is repeated k times: the projection on its space over k."""
    make = partial(scenario, accuracy=LINALG)
    twice = [[2.0, 0.0], [0.0, 2.0]]
    half = lambda xp, a: (a[0, 0] + a[1, 1]) / 2
    largest = lambda xp, a: xp.linalg.eigvalsh((a + xp.matrix_transpose(a)) / 2)[-1]
    smallest = lambda xp, a: xp.linalg.eigvalsh((a + xp.matrix_transpose(a)) / 2)[0]
    yield make("linalg.eigvalsh.repeated-largest", largest, twice, like=half, reference=half)
    yield make("linalg.eigvalsh.repeated-smallest", smallest, twice, like=half, reference=half)
    yield make("linalg.svdvals.repeated-largest", lambda xp, a: xp.linalg.svdvals(a)[0], twice, like=half, reference=half)
    yield make("linalg.matrix_norm.repeated-2", lambda xp, a: xp.linalg.matrix_norm(a, ord=2), twice, like=half, reference=half)


SCENARIOS = (*_square(), *_solving(), *_products(), *_norms(), *_repeated())
