"""The ``linalg`` extension except decompositions and norms.

Sources: M. B. Giles, "An extended collection of matrix derivative results for forward and reverse mode automatic
differentiation" (2008), for inverses, determinants and products; G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10 (1973),
for the pseudoinverse at constant rank; A. H. Al-Mohy and N. J. Higham, SIAM J. Matrix Anal. Appl. 30 (2009), for the
exponential.
"""

from __future__ import annotations

import math
from typing import Any

from unidiff.engine.extend import BATCHERS, Array, Namespace, composite, device_of, is_complex, rule, transposed, zero
from unidiff.rules.linear_algebra import adjoint, batch_negative_axis, conjugate

zero("linalg.matrix_rank")
zero("_constant", implementation=lambda xp, x: x)  # the value, cut off from every derivative
BATCHERS["_constant"] = lambda xp, call, flags, x: call(x)


def identity(xp: Namespace, x: Array) -> Array:
    """Return the identity matrix that fits square matrices ``x``."""
    return xp.eye(x.shape[-1], dtype=x.dtype, device=device_of(x))


def per_matrix(xp: Namespace, x: Array) -> Array:
    """Return one number per matrix of a stack in the form that broadcasts against the matrices."""
    return xp.reshape(x, (*x.shape, 1, 1))


def inverse(xp: Namespace, x: Array, singular: Array) -> Array:
    """Return the inverse of those matrices that have one, and NaN where ``singular`` says so."""
    singular = per_matrix(xp, singular)
    return xp.where(singular, math.nan, xp.linalg.inv(xp.where(singular, identity(xp, x), x)))


# --- parts and products


def _diagonal(xp: Namespace, x: Array, /, *, offset: int = 0) -> Array:
    """Return the diagonal as a strided slice of the rows laid end to end, whose cotangent is added in place."""
    rows, columns = x.shape[-2:]
    first = offset if offset >= 0 else -offset * columns
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    flat = xp.reshape(x, (*x.shape[:-2], rows * columns))
    return flat[..., first : first + (count - 1) * (columns + 1) + 1 : columns + 1] if count else flat[..., :0]


def _trace(xp: Namespace, x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def _matrix_power(xp: Namespace, x: Array, n: int, /) -> Array:
    if n < 0:
        x, n = xp.linalg.inv(x), -n
    result = None
    while n:
        if n & 1:
            result = x if result is None else xp.matmul(result, x)
        n >>= 1
        if n:
            x = xp.matmul(x, x)
    return xp.broadcast_to(identity(xp, x), x.shape) if result is None else result


composite("linalg.diagonal", _diagonal)
composite("linalg.trace", _trace)
composite("linalg.matrix_power", _matrix_power)
composite("linalg.outer", lambda xp, x1, x2, /: xp.expand_dims(x1, axis=-1) * xp.expand_dims(x2, axis=-2))

rule(
    "linalg.cross",
    jvp=(
        lambda xp, t, ans, x1, x2, /, *, axis=-1: xp.linalg.cross(t, xp.broadcast_to(x2, ans.shape), axis=axis),
        lambda xp, t, ans, x1, x2, /, *, axis=-1: xp.linalg.cross(xp.broadcast_to(x1, ans.shape), t, axis=axis),
    ),
    vjp=(
        lambda xp, g, ans, x1, x2, /, *, axis=-1: xp.linalg.cross(conjugate(xp, xp.broadcast_to(x2, g.shape)), g, axis=axis),
        lambda xp, g, ans, x1, x2, /, *, axis=-1: xp.linalg.cross(g, conjugate(xp, xp.broadcast_to(x1, g.shape)), axis=axis),
    ),
    keep=(0, 1),
)
BATCHERS["linalg.cross"] = batch_negative_axis

# --- inverses and linear systems

rule(
    "linalg.inv",
    jvp=lambda xp, t, ans, x: -xp.matmul(xp.matmul(ans, t), ans),
    vjp=lambda xp, g, ans, x: -xp.matmul(xp.matmul(adjoint(xp, ans), g), adjoint(xp, ans)),
    keep=(-1,),
)


def _solve_left_push(xp: Namespace, t: Array, ans: Array, x1: Array, x2: Array) -> Array:
    if x2.ndim == 1:
        return -_solve_columns(xp, x1, xp.matmul(t, xp.expand_dims(ans, axis=-1)), 1)
    return -xp.linalg.solve(x1, xp.matmul(t, ans))


def _solve_columns(xp: Namespace, x1: Array, x2: Array, ndim: int) -> Array:
    """Solve for a stack of matrices, which are columns where the right-hand side of the original system was a vector."""
    solution = xp.linalg.solve(x1, x2)
    return xp.squeeze(solution, axis=-1) if ndim == 1 else solution


def _solve_right_pull(xp: Namespace, g: Array, ans: Array, x1: Array, x2: Any) -> Array:
    g = xp.expand_dims(g, axis=-1) if x2.ndim == 1 else g
    return _solve_columns(xp, adjoint(xp, x1), g, x2.ndim)


def _solve_left_pull(xp: Namespace, g: Array, ans: Array, x1: Array, x2: Any) -> Array:
    if x2.ndim == 1:
        g, ans = xp.expand_dims(g, axis=-1), xp.expand_dims(ans, axis=-1)
    return -xp.matmul(xp.linalg.solve(adjoint(xp, x1), g), adjoint(xp, ans))


rule(
    "linalg.solve",
    jvp=(_solve_left_push, lambda xp, t, ans, x1, x2: xp.linalg.solve(x1, t)),
    vjp=(_solve_left_pull, _solve_right_pull),
    keep=(-1, 0),
)


def _pinv_push(xp: Namespace, t: Array, ans: Array, x: Array, /, **options: Any) -> Array:
    ans_h, t_h = adjoint(xp, ans), adjoint(xp, t)
    left = t_h - xp.matmul(xp.matmul(t_h, x), ans)
    right = t_h - xp.matmul(ans, xp.matmul(x, t_h))
    return (
        xp.matmul(xp.matmul(ans, ans_h), left)
        + xp.matmul(right, xp.matmul(ans_h, ans))
        - xp.matmul(xp.matmul(ans, t), ans)
    )  # fmt: skip


def _pinv_pull(xp: Namespace, g: Array, ans: Array, x: Array, /, **options: Any) -> Array:
    ans_h, g_h = adjoint(xp, ans), adjoint(xp, g)
    left = g_h - xp.matmul(x, xp.matmul(ans, g_h))
    right = g_h - xp.matmul(xp.matmul(g_h, ans), x)
    return (
        xp.matmul(left, xp.matmul(ans, ans_h))
        + xp.matmul(xp.matmul(ans_h, ans), right)
        - xp.matmul(xp.matmul(ans_h, g), ans_h)
    )  # fmt: skip


rule("linalg.pinv", jvp=_pinv_push, vjp=_pinv_pull, keep=(-1, 0))  # constant rank: the derivative along matrices of that rank

# --- determinants


def _nullity(xp: Namespace, x: Array, det: Array, inv: Array) -> int:
    """Return how many singular values of the worst matrix are too small to divide by; 0 where ``inv`` can be trusted."""
    squared = xp.sum(xp.abs(x) ** 2, axis=(-2, -1)) * xp.sum(xp.abs(inv) ** 2, axis=(-2, -1))
    if not bool(xp.any((det == 0) | (squared * xp.finfo(x.dtype).eps > 1))):
        return 0
    return int(xp.max(xp.sum(xp.astype(_small(xp, xp.linalg.svdvals(x)), xp.int64), axis=-1)))


def _small(xp: Namespace, s: Array) -> Array:
    """Return which singular values are too small to divide by in derivatives of every order."""
    return s <= math.sqrt(xp.finfo(s.dtype).eps) * s[..., :1]


zero("linalg._nullity", implementation=_nullity)
BATCHERS["linalg._nullity"] = lambda xp, call, flags, *args: call(*args)  # a Python number, one for the whole batch


def _polynomial_adjugate(xp: Namespace, x: Array, unit: Array, size: Array, largest: int) -> tuple[Array, Array]:
    """Return the adjugate and determinant of blocks without division by their elements (Faddeev and LeVerrier).

    ``unit`` is the identity of each block, whose number of rows is ``size``, at most ``largest``; outside of it ``x`` is 0.
    """
    adjugate, det = xp.zeros_like(x), xp.astype(size == 0, x.dtype)
    power, sign = unit, 1
    for k in range(1, largest + 1):
        product = xp.matmul(x, power)
        coefficient = xp.linalg.trace(product) / -k
        adjugate = xp.where(per_matrix(xp, size == k), sign * power, adjugate)
        det = xp.where(size == k, -sign * coefficient, det)
        power, sign = product + per_matrix(xp, coefficient) * unit, -sign
    return adjugate, det


def _adjugate(xp: Namespace, det: Array, x: Array) -> Array:
    """Return the adjugate, which is the transposed gradient of the determinant, in a form that differentiates to any order.

    That is ``det(x) inv(x)`` unless a matrix is close to singular. Then, in the bases of singular vectors, held constant,
    the block of the small singular values is separated by its Schur complement, whose own determinant and adjugate are
    polynomials: nothing is divided by a small number.
    """
    n = x.shape[-1]
    if n <= 1:
        return xp.ones_like(x)
    if n == 2:
        return transposed(xp.flip(x, axis=(-2, -1))) * (2 * identity(xp, x) - 1)
    inv = xp.linalg.inv(xp.where(per_matrix(xp, det == 0), identity(xp, x), x))
    nullity = xp.linalg._nullity(x, det, inv)
    if nullity == 0:
        return per_matrix(xp, det) * inv
    u, s, vh = xp.linalg.svd(xp._constant(x), full_matrices=False)
    small = _small(xp, s)
    row, column = small[..., :, None], small[..., None, :]
    large_block, small_block = xp.logical_not(row | column), row & column
    unit = identity(xp, x)
    block = xp.matmul(xp.matmul(adjoint(xp, u), x), adjoint(xp, vh))
    large = xp.where(large_block, block, unit)
    inv = xp.where(large_block, xp.linalg.inv(large), 0.0)
    schur = xp.where(small_block, block - xp.matmul(xp.matmul(block, inv), block), 0.0)
    size = xp.sum(xp.astype(small, xp.int64), axis=-1)
    adjugate, small_det = _polynomial_adjugate(xp, schur, xp.where(small_block, unit, 0.0), size, nullity)
    left, right = unit - xp.matmul(inv, block), unit - xp.matmul(block, inv)
    adjugate = per_matrix(xp, small_det) * inv + xp.matmul(xp.matmul(left, adjugate), right)
    scale = xp.linalg.det(large) * xp.linalg.det(u) * xp.linalg.det(vh)
    return per_matrix(xp, scale) * xp.matmul(xp.matmul(adjoint(xp, vh), adjugate), adjoint(xp, u))


rule(
    "linalg.det",
    jvp=lambda xp, t, ans, x: xp.sum(transposed(_adjugate(xp, ans, x)) * t, axis=(-2, -1)),
    vjp=lambda xp, g, ans, x: per_matrix(xp, g) * adjoint(xp, _adjugate(xp, ans, x)),
    keep=(-1, 0),
)


def _slogdet_push(xp: Namespace, t: Array, ans: Any, x: Array) -> tuple[Array | None, Array]:
    rate = xp.linalg.trace(xp.matmul(inverse(xp, x, ans[0] == 0), t))  # singular: NaN, the one-sided limits differ in sign
    if not is_complex(xp, x):
        return None, rate
    turn = xp.where(ans[0] == 0, 0.0, ans[0] * (1j * xp.astype(xp.imag(rate), x.dtype)))
    return turn, xp.real(rate)


def _slogdet_pull(xp: Namespace, g: Any, ans: Any, x: Array) -> Array:
    g_sign, g_log = g
    rate = xp.zeros_like(ans[0]) if g_log is None else xp.astype(g_log, x.dtype)
    if g_sign is not None and is_complex(xp, x):
        rate = rate + 1j * xp.astype(xp.imag(xp.conj(ans[0]) * g_sign), x.dtype)
    pulled = per_matrix(xp, rate) * adjoint(xp, inverse(xp, x, ans[0] == 0))
    unused = per_matrix(xp, xp.logical_and(rate == 0, ans[0] == 0))
    return xp.where(unused, 0.0, pulled)


rule("linalg.slogdet", jvp=_slogdet_push, vjp=_slogdet_pull, keep=(-1, 0), outputs=2)

# --- the matrix exponential

_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0,
    670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
"""Coefficients of the diagonal Pade approximant of degree 13 of exp."""
_PADE_RADIUS = 5.371920351148152
"""The 1-norm up to which that approximant is exact to double precision (N. J. Higham 2005)."""


def _expm(xp: Namespace, x: Array, /) -> Array:
    """Return the matrix exponential of square matrices by scaling and squaring."""
    if x.size == 0:
        return x + 0.0
    norm = float(xp.max(xp.linalg.matrix_norm(x, ord=1)))
    squarings = math.ceil(math.log2(norm / _PADE_RADIUS)) if _PADE_RADIUS < norm < math.inf else 0
    x = x / 2.0**squarings
    unit, b = identity(xp, x), _PADE
    x2 = xp.matmul(x, x)
    x4 = xp.matmul(x2, x2)
    x6 = xp.matmul(x4, x2)
    odd = xp.matmul(x6, b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * unit
    even = xp.matmul(x6, b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * unit
    odd = xp.matmul(x, odd)
    result = xp.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        result = xp.matmul(result, result)
    return result


def _frechet(xp: Namespace, x: Array, direction: Array) -> Array:
    """Return the derivative of the exponential in a direction: a block of the exponential of [[x, direction], [0, x]]."""
    n = x.shape[-1]
    rows = [xp.concat([x, direction], axis=-1), xp.concat([xp.zeros_like(x), x], axis=-1)]
    return xp.linalg.expm(xp.concat(rows, axis=-2))[..., :n, n:]


rule(
    "linalg.expm",
    jvp=lambda xp, t, ans, x: _frechet(xp, x, t),
    vjp=lambda xp, g, ans, x: _frechet(xp, adjoint(xp, x), g),
    keep=(0,),
    implementation=_expm,
)
BATCHERS["linalg.expm"] = lambda xp, call, flags, x: call(x)
