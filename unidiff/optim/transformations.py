"""What is done to gradients and updates around an optimizer, and chains of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError, DTypeError
from unidiff.optim.leaves import Leaves, collect, slot_leaves
from unidiff.optim.optimizer import Optimizer, State, Transformation, is_one, require, squared
from unidiff.optim.scalars import Rate, Scalar, is_number

__all__ = ["Chain", "chain", "clip", "clip_by_global_norm", "clip_by_norm", "l2", "scale", "trace", "weight_decay"]


@dataclass(frozen=True)
class Chain(Optimizer):
    """Transformations one after the other; see `chain`."""

    parts: tuple[Transformation, ...]

    def init(self, params: Tree) -> State:
        """Return the states of the parts."""
        return {"parts": tuple(part.init(params) for part in self.parts)}

    def _states(self, state: State) -> tuple[State, ...]:
        states: Any = state.get("parts") if isinstance(state, dict) else None
        if not isinstance(states, (tuple, list)) or len(states) != len(self.parts):
            raise ArgumentError(
                f"The state of a chain of {len(self.parts)} is what its init returned, but this is {state!r:.200}."
            )
        return tuple(states)

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates of the last part and the new states; see `Transformation.update`."""
        new = []
        for part, held in zip(self.parts, self._states(state), strict=True):
            updates, after = part.update(updates, held, params, value=value, scale=scale)
            new.append(after)
        return updates, {"parts": tuple(new)}

    def step(
        self,
        params: Tree,
        grads: Tree,
        state: State,
        *,
        value: Scalar | None = None,
        scale: Scalar = 1.0,
        donate: bool = False,
    ) -> tuple[Tree, State]:
        """Return the parameters after one step, and the new states; see `Optimizer.step`."""
        states, last = self._states(state), self.parts[-1]
        if not isinstance(last, Optimizer):
            return super().step(params, grads, state, value=value, scale=scale, donate=donate)
        updates, held = Chain(self.parts[:-1]).update(grads, {"parts": states[:-1]}, params, value=value, scale=scale)
        params, final = last.step(params, updates, states[-1], value=value, scale=scale, donate=donate)
        return params, {"parts": (*held["parts"], final)}


def chain(*parts: Transformation) -> Chain:
    """Return an optimizer that hands the gradients from one transformation to the next, and makes a step of the last updates.

    Parameters
    ----------
    *parts : Transformation
        What comes before an optimizer sees gradients, what comes after it sees its updates, which are added to the parameters.
        Without an optimizer among them, one of them has to give the updates their sign.

    Returns
    -------
    Chain
        Its state is ``{"parts": (state, ...)}``.

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is nothing to chain, or something that is no transformation.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.chain(ud.optim.clip(1.0), ud.optim.SGD(0.5))
    >>> x = np.asarray([1.0, 2.0])
    >>> optimizer.step(x, np.asarray([10.0, -0.5]), optimizer.init(x))[0]
    array([0.5 , 2.25])
    """
    if not parts or not all(isinstance(part, Transformation) for part in parts):
        raise ArgumentError(f"A chain is made of transformations and optimizers, but its parts are {parts!r:.200}.")
    return Chain(parts)


class _Stateless(Transformation):
    """A transformation without memory."""

    def init(self, params: Tree) -> State:
        """Return a state without entries."""
        collect(params)
        return {}

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the state; see `Transformation.update`."""
        del value, scale
        leaves = collect(params, updates, "updates")
        return leaves.build([_own(leaves.backend, x) for x in self.leaves(leaves)]), dict(state)

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        raise NotImplementedError


def _own(backend: Any, x: Array) -> Array:
    return backend.namespace(x).asarray(x) if x.shape == () else x


@dataclass(frozen=True)
class Clip(_Stateless):
    """See `clip`."""

    limit: float

    def __post_init__(self) -> None:
        require(self, "limit", self.limit > 0, "positive")

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        for k, g in enumerate(leaves.grads):
            if leaves.backend.is_complex(g):
                raise DTypeError(f"{leaves.path(k, 'updates')} is complex, which has no order to clip by; clip by norm.")
        return [_xp(leaves, g).clip(g, -self.limit, self.limit) for g in leaves.grads]


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
class ClipByNorm(_Stateless):
    """See `clip_by_norm`."""

    limit: float
    eps: float = 0.0

    def __post_init__(self) -> None:
        require(self, "limit", self.limit > 0, "positive")
        require(self, "eps", self.eps >= 0, "not negative")

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        return [g * self.factor(leaves, [g], g) for g in leaves.grads]

    def factor(self, leaves: Leaves, every: Sequence[Array], like: Array) -> Array:
        """Return what an update is multiplied by, as a 0-d array of the real dtype of its precision."""
        xp, dtype = _xp(leaves, like), leaves.backend.real_dtype(like.dtype)
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


@dataclass(frozen=True)
class L2(_Stateless):
    """See `l2`."""

    coefficient: float

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        return [g + p * self.coefficient for g, p in zip(leaves.grads, leaves.params, strict=True)]


def l2(coefficient: float) -> L2:
    """Return the transformation that adds a multiple of the parameters to their gradients: weight decay as regularization.

    Parameters
    ----------
    coefficient : float

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        Never; `update` raises where gradients do not fit parameters.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.l2(0.5).update(np.asarray([1.0]), {}, np.asarray([4.0]))[0]
    array([3.])
    """
    return L2(coefficient)


@dataclass(frozen=True)
class Scale(Transformation):
    """See `scale`."""

    factor: Rate
    sign: float = 1.0
    of_params: bool = False

    def init(self, params: Tree) -> State:
        """Return the step count."""
        collect(params)
        return {"step": 0}

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the state; see `Transformation.update`."""
        del value
        leaves = collect(params, updates, "updates")
        slot_leaves(state, (), leaves.spec, type(self).__name__)
        factor = self.factor(state["step"]) if callable(self.factor) else self.factor
        factor = factor * self.sign * (1.0 if is_one(scale) else scale)
        pairs = zip(leaves.grads, leaves.params, strict=True)
        new = [g + p * _cast(leaves, factor, p) if self.of_params else g * _cast(leaves, factor, g) for g, p in pairs]
        return leaves.build([_own(leaves.backend, x) for x in new]), {"step": state["step"] + 1}


def scale(factor: float | Callable[[Any], Any]) -> Scale:
    """Return the transformation that multiplies updates by a number or a schedule.

    Parameters
    ----------
    factor : float or schedule
        Minus a learning rate makes steps of gradients.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        Never; `update` raises where updates do not fit parameters.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> descent = ud.optim.chain(ud.optim.scale(-0.5))
    >>> x = np.asarray([1.0])
    >>> descent.step(x, np.asarray([1.0]), descent.init(x))[0]
    array([0.5])
    """
    return Scale(factor)


def weight_decay(coefficient: float, learning_rate: Rate = 1.0) -> Scale:
    r"""Return the transformation that subtracts a multiple of the parameters from the updates of an optimizer before it.

    Parameters
    ----------
    coefficient : float
        :math:`\lambda`.
    learning_rate : float or schedule, default 1
        :math:`\eta_t`: what is subtracted is :math:`\lambda \eta_t x_{t-1}`. The learning rate of the optimizer gives the
        decay of `AdamW`; the factor of its schedule alone, that of the paper by Loshchilov and Hutter.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        Never; `update` raises where updates do not fit parameters.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.chain(ud.optim.SGD(0.1), ud.optim.weight_decay(0.5, learning_rate=0.1))
    >>> x = np.asarray([1.0])
    >>> optimizer.step(x, np.asarray([1.0]), optimizer.init(x))[0]
    array([0.85])
    """
    if callable(learning_rate):
        return Scale(learning_rate, -coefficient, of_params=True)
    return Scale(learning_rate * coefficient, -1.0, of_params=True)


@dataclass(frozen=True)
class Trace(Transformation):
    """See `trace`."""

    decay: float
    nesterov: bool = False

    def __post_init__(self) -> None:
        require(self, "decay", 0 <= self.decay < 1, "a number in [0, 1)")

    def init(self, params: Tree) -> State:
        """Return a trace of zeros."""
        leaves = collect(params)
        return {"step": 0, "trace": leaves.build([leaves.backend.zeros_like(p) for p in leaves.params])}

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the state; see `Transformation.update`."""
        del value, scale
        leaves = collect(params, updates, "updates")
        held = slot_leaves(state, ("trace",), leaves.spec, "Trace")["trace"]
        new = [_own(leaves.backend, v * self.decay + g) for v, g in zip(held, leaves.grads, strict=True)]
        if self.nesterov:
            out = [_own(leaves.backend, g + v * self.decay) for v, g in zip(new, leaves.grads, strict=True)]
        else:
            out = [_own(leaves.backend, v * 1.0) for v in new]  # the state shares no memory with what is returned
        return leaves.build(out), {"step": state["step"] + 1, "trace": leaves.build(new)}


def trace(decay: float, *, nesterov: bool = False) -> Trace:
    """Return the transformation that adds a decaying sum of all updates before to each update: momentum.

    Parameters
    ----------
    decay : float
        In [0, 1).
    nesterov : bool, default False
        Whether to return the update plus `decay` times the new sum, instead of the sum.

    Returns
    -------
    Transformation

    Raises
    ------
    unidiff.errors.ArgumentError
        If the decay is out of range.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> momentum = ud.optim.trace(0.5)
    >>> g = np.asarray([1.0])
    >>> _, state = momentum.update(g, momentum.init(g), g)
    >>> momentum.update(g, state, g)[0]
    array([1.5])
    """
    return Trace(decay, nesterov)


def _xp(leaves: Leaves, x: Array) -> Any:
    return leaves.backend.namespace(x)


def _cast(leaves: Leaves, factor: Scalar, x: Array) -> Scalar:
    if is_number(factor):
        return factor
    return ud.array_namespace(factor).astype(factor, leaves.backend.real_dtype(x.dtype))
