"""Bounds on gradients: by element, by leaf and over all leaves together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unidiff._typing import Array
from unidiff.errors import DTypeError
from unidiff.optim.leaves import Leaves
from unidiff.optim.optimizer import require, require_numbers, squared
from unidiff.optim.transformations import Stateless

__all__ = ["clip", "clip_by_global_norm", "clip_by_norm"]


@dataclass(frozen=True)
class Clip(Stateless):
    """See `clip`."""

    limit: float

    def __post_init__(self) -> None:
        require_numbers(self, "limit")
        require(self, "limit", self.limit > 0, "positive")

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        for k, g in enumerate(leaves.grads):
            if leaves.backend.is_complex(g):
                raise DTypeError(f"{leaves.path(k, 'updates')} is complex, which has no order to clip by; clip by norm.")
        return [leaves.backend.namespace(g).clip(g, -self.limit, self.limit) for g in leaves.grads]


def clip(limit: float) -> Clip:
    """Return the transformation that clips every element to the interval from ``-limit`` to ``limit``.

    Parameters
    ----------
    limit : float
        Positive.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        If the limit is not positive.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> g = np.asarray([-3.0, 0.5])
    >>> ud.optim.clip(1.0).update(g, {}, g)[0]
    array([-1. ,  0.5])
    """
    return Clip(limit)


@dataclass(frozen=True)
class ClipByNorm(Stateless):
    """See `clip_by_norm`."""

    limit: float
    eps: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, "limit", "eps")
        require(self, "limit", self.limit > 0, "positive")
        require(self, "eps", self.eps >= 0, "not negative")

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        return [g * self.factor(leaves, [g], g) for g in leaves.grads]

    def factor(self, leaves: Leaves, every: Sequence[Array], like: Array) -> Array:
        """Return what an update is multiplied by, as a 0-d array of the real dtype of its precision."""
        xp, dtype = leaves.backend.namespace(like), leaves.backend.real_dtype(like.dtype)
        total = sum(xp.astype(xp.sum(squared(xp, g)), dtype, copy=False) for g in every)
        # One where the norm is within the limit, exactly, and without a division by zero.
        return self.limit / xp.maximum(
            xp.sqrt(total) + self.eps, xp.asarray(self.limit, dtype=dtype, device=leaves.backend.device(like))
        )


def clip_by_norm(limit: float, eps: float = 0.0) -> ClipByNorm:
    """Return the transformation that scales each leaf such that its Euclidean norm is at most the limit.

    Parameters
    ----------
    limit : float
        Positive.
    eps : float, default 0
        Added to the norm.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        If the limit is not positive.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> g = [np.asarray([3.0, 4.0]), np.asarray([0.5])]
    >>> ud.optim.clip_by_norm(1.0).update(g, {}, g)[0]
    [array([0.6, 0.8]), array([0.5])]
    """
    return ClipByNorm(limit, eps)


@dataclass(frozen=True)
class ClipByGlobalNorm(ClipByNorm):
    """See `clip_by_global_norm`."""

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        factors: dict[Any, Array] = {}
        for g in leaves.grads:
            if g.dtype not in factors:
                factors[g.dtype] = self.factor(leaves, leaves.grads, g)
        return [g * factors[g.dtype] for g in leaves.grads]


def clip_by_global_norm(limit: float, eps: float = 0.0) -> ClipByGlobalNorm:
    """Return the transformation that scales all leaves together such that their Euclidean norm is at most the limit.

    Parameters
    ----------
    limit : float
        Positive.
    eps : float, default 0
        Added to the norm.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        If the limit is not positive.

    Notes
    -----
    Source: Pascanu, Mikolov and Bengio 2013. A gradient with a NaN makes all of them NaN.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> g = [np.asarray([3.0]), np.asarray([4.0])]
    >>> ud.optim.clip_by_global_norm(1.0).update(g, {}, g)[0]
    [array([0.6]), array([0.8])]
    """
    return ClipByGlobalNorm(limit, eps)
