"""Linear algebra functions of the main namespace."""

from __future__ import annotations

from unidiff.engine.extend import Array, Namespace, is_complex, rule


def _h(xp: Namespace, x: Array) -> Array:
    """Return the conjugate transpose."""
    x = xp.matrix_transpose(x)
    return xp.conj(x) if is_complex(xp, x) else x


def _matmul_left(xp: Namespace, g: Array, ans: Array, x1: Array, x2: Array) -> Array:
    if x2.ndim == 1:
        g, x2 = xp.expand_dims(g, axis=-1), xp.expand_dims(x2, axis=-1)
    if x1.ndim == 1:
        g = xp.expand_dims(g, axis=-2)
        return xp.squeeze(xp.matmul(g, _h(xp, x2)), axis=-2)
    return xp.matmul(g, _h(xp, x2))


def _matmul_right(xp: Namespace, g: Array, ans: Array, x1: Array, x2: Array) -> Array:
    if x1.ndim == 1:
        g, x1 = xp.expand_dims(g, axis=-1 if x2.ndim == 1 else -2), xp.expand_dims(x1, axis=-2)
    if x2.ndim == 1:
        g = g if g.ndim >= 2 and x1.ndim == 2 and g.shape[-1] == 1 else xp.expand_dims(g, axis=-1)
        return xp.squeeze(xp.matmul(_h(xp, x1), g), axis=-1)
    return xp.matmul(_h(xp, x1), g)


rule(
    "matmul",
    jvp=(lambda xp, t, ans, x1, x2: xp.matmul(t, x2), lambda xp, t, ans, x1, x2: xp.matmul(x1, t)),
    vjp=(_matmul_left, _matmul_right),
    keep=(0, 1),
)
rule(
    "matrix_transpose",
    jvp=lambda xp, t, ans, x: xp.matrix_transpose(t),
    vjp=lambda xp, g, ans, x: xp.matrix_transpose(g),
    view=True,
)
