"""What is done to gradients and updates before and after an optimizer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.leaves import Leaves, collect, slot_leaves
from unidiff.optim.optimizer import State, Transformation, is_one, require, require_numbers
from unidiff.optim.scalars import Rate, Scalar, is_number

__all__ = ["Negation", "Stateless", "l2", "scale", "trace", "weight_decay"]


class Stateless(Transformation):
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
class Negation(Stateless):
    """The negative of the updates; see `unidiff.optim.maximize`."""

    def leaves(self, leaves: Leaves) -> Sequence[Array]:
        """Return the updates, leaf by leaf."""
        return [-g for g in leaves.grads]


@dataclass(frozen=True)
class L2(Stateless):
    """See `l2`."""

    coefficient: float

    def __post_init__(self) -> None:
        require_numbers(self, "coefficient")

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

    def __post_init__(self) -> None:
        if not callable(self.factor):
            require_numbers(self, "factor")

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
        require(self, "decay", lambda x: 0 <= x < 1, "a number in [0, 1)")

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
