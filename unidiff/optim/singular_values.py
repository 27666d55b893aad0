"""Soft thresholding of singular values, with its own derivative: that of singular vectors need not exist."""

from typing import Any

import unidiff as ud
from unidiff._typing import Array

__all__ = ["soft_threshold"]


@ud.custom_jvp
def soft_threshold(a: Array, scale: Array) -> Array:
    """Return matrices whose singular values are less by a number, down to 0.

    Parameters
    ----------
    a : array
        Of shape (..., m, n).
    scale : array
        Of a shape that broadcasts to that of the singular values.

    Returns
    -------
    array
    """
    xp = ud.array_namespace(a)
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    return (u * xp.astype(xp.clip(s - scale, 0.0, None), a.dtype, copy=False)[..., None, :]) @ vh


@soft_threshold.defjvp
def _rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    """Return value and derivative, which exists where singular values coincide, as singular vectors' own does not.

    By divided differences of the function of singular values: A. Lewis and H. Sendov, SIAM J. Matrix Anal. Appl. 23 (2001).
    """
    (a, scale), (da, dscale) = primals, tangents
    xp = ud.array_namespace(a, scale)
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    real = s.dtype
    f = xp.clip(s - scale, 0.0, None)
    slope = xp.astype(s > scale, real) + 0.5 * xp.astype(s == scale, real)
    inner = xp.conj(u.mT) @ da @ xp.conj(vh.mT)
    even, odd = 0.5 * (inner + xp.conj(inner.mT)), 0.5 * (inner - xp.conj(inner.mT))
    # Both ends on one side of the kink: the slope there, without a difference of close numbers.
    gap, total = s[..., :, None] - s[..., None, :], s[..., :, None] + s[..., None, :]
    same = slope[..., :, None] == slope[..., None, :]
    one = xp.ones_like(gap)
    differences = xp.where(same, slope[..., :, None] * one, (f[..., :, None] - f[..., None, :]) / xp.where(same, one, gap))
    means = xp.where(
        total > 0, (f[..., :, None] + f[..., None, :]) / xp.where(total > 0, total, one), slope[..., :, None] * one
    )
    core = differences * even + means * odd
    moved = u @ core @ vh - (u * (slope * dscale)[..., None, :]) @ vh
    # What leads out of the spaces of the singular vectors, of which one is the whole space.
    ratio = xp.where(s > 0, f / xp.where(s > 0, s, xp.ones_like(s)), slope)
    rows, columns = da - u @ (xp.conj(u.mT) @ da), da - (da @ xp.conj(vh.mT)) @ vh
    if a.shape[-2] > a.shape[-1]:
        moved = moved + ((rows @ xp.conj(vh.mT)) * ratio[..., None, :]) @ vh
    if a.shape[-2] < a.shape[-1]:
        moved = moved + (u * ratio[..., None, :]) @ (xp.conj(u.mT) @ columns)
    return (u * f[..., None, :]) @ vh, moved
