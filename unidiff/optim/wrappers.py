"""Optimizers around an optimizer: accumulation, averages of the parameters, and lookahead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim import scalars
from unidiff.optim.leaves import collect, slot_leaves
from unidiff.optim.optimizer import Optimizer, State, add, require
from unidiff.optim.scalars import Scalar

__all__ = ["Accumulate", "Average", "Lookahead", "Move", "Wrapper", "accumulate", "average", "lookahead"]

Move = Callable[..., tuple[Tree, State]]
"""What the inner optimizer does: ``move(grads, state, scale) -> (result, state)``, the result being parameters."""


@dataclass(frozen=True)
class Wrapper(Optimizer):
    """An optimizer that calls another one, for its steps or for its updates."""

    inner: Optimizer

    def __post_init__(self) -> None:
        require(self, "inner", isinstance(self.inner, Optimizer), "an optimizer")

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the new state; see `Transformation.update`."""

        def move(grads: Tree, held: State, factor: Scalar) -> tuple[Tree, State]:
            changes, held = self.inner.update(grads, held, params, value=value, scale=factor)
            return add(params, changes), held

        moved, state = self.around(params, updates, state, move, value, scale)
        leaves = collect(params, moved, "updates")
        pairs = zip(leaves.grads, leaves.params, strict=True)
        return leaves.build([leaves.backend.namespace(x).asarray(x - p) for x, p in pairs]), state

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
        """Return the parameters after one step, and the new state; see `Optimizer.step`."""

        def move(grads: Tree, held: State, factor: Scalar) -> tuple[Tree, State]:
            return self.inner.step(params, grads, held, value=value, scale=factor, donate=donate and self.may_donate)

        return self.around(params, grads, state, move, value, scale)

    may_donate = True
    """Whether parameters are not needed any more once the inner optimizer has made its step."""

    def around(
        self, params: Tree, grads: Tree, state: State, move: Move, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return the new parameters and state, given what makes a step of the inner optimizer."""
        raise NotImplementedError


def _choose(condition: Any, if_true: Callable[[], Tree], if_false: Callable[[], Tree]) -> Tree:
    """Return one of two trees; where the condition is an array both are computed and selected from."""
    if isinstance(condition, bool):
        return if_true() if condition else if_false()
    return ud.tree.map(lambda x, y: scalars.where(condition, x, y), if_true(), if_false())


def _copied(params: Tree) -> Tree:
    leaves = collect(params)
    return leaves.build([leaves.backend.copy(p) for p in leaves.params])


def _combined(f: Callable[[Array, Array], Array], x: Tree, y: Tree) -> Tree:
    leaves = collect(x, y)
    pairs = zip(leaves.params, leaves.grads, strict=True)
    return leaves.build([leaves.backend.namespace(p, q).asarray(f(p, q)) for p, q in pairs])


@dataclass(frozen=True)
class Accumulate(Wrapper):
    """See `accumulate`."""

    every: int
    mean: bool = True

    may_donate = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "every", isinstance(self.every, int) and self.every >= 1, "a whole number from 1 on")

    def init(self, params: Tree) -> State:
        """Return a sum of zeros, and the inner state."""
        leaves = collect(params)
        zeros = leaves.build([leaves.backend.zeros_like(p) for p in leaves.params])
        return {"step": 0, "sum": zeros, "inner": self.inner.init(params)}

    def around(
        self, params: Tree, grads: Tree, state: State, move: Move, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return the new parameters and state; see `accumulate`."""
        del value
        slot_leaves(state, ("sum",), collect(params, grads).spec, "Accumulate")
        share = 1.0 / self.every if self.mean else 1.0
        total = _combined(lambda held, g: held + g * share, state["sum"], grads)
        count = state["step"] + 1

        def act() -> tuple[Tree, State, Tree]:
            moved, inner = move(total, state["inner"], scale)
            return moved, inner, _combined(lambda held, _: held * 0.0, state["sum"], total)

        moved, inner, total = _choose(count % self.every == 0, act, lambda: (_copied(params), state["inner"], total))
        return moved, {"step": count, "sum": total, "inner": inner}


def accumulate(inner: Optimizer, every: int, *, mean: bool = True) -> Accumulate:
    """Return an optimizer that gathers the gradients of so many steps before it makes one.

    Parameters
    ----------
    inner : Optimizer
        What makes the step.
    every : int
        How many gradients make one step; the parameters stay as they are in between.
    mean : bool, default True
        Whether to take the mean of the gradients rather than their sum.

    Returns
    -------
    Accumulate

    Raises
    ------
    unidiff.errors.ArgumentError
        If `every` is not a whole number from 1 on.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.accumulate(ud.optim.SGD(1.0), 2)
    >>> x, state = np.asarray([0.0]), optimizer.init(np.asarray([0.0]))
    >>> for g in (1.0, 3.0):
    ...     x, state = optimizer.step(x, np.asarray([g]), state)
    ...     print(x)
    [0.]
    [-2.]
    """
    return Accumulate(inner, every, mean)


@dataclass(frozen=True)
class Average(Wrapper):
    """See `average`."""

    decay: float
    bias_correction: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "decay", lambda x: 0 <= x < 1, "a number in [0, 1)")

    def init(self, params: Tree) -> State:
        """Return a mean of zeros, or of the parameters without correction, and the inner state."""
        leaves = collect(params)
        copies = [(leaves.backend.zeros_like if self.bias_correction else leaves.backend.copy)(p) for p in leaves.params]
        return {"step": 0, "mean": leaves.build(copies), "inner": self.inner.init(params)}

    def around(
        self, params: Tree, grads: Tree, state: State, move: Move, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return the new parameters and state; see `average`."""
        del value
        slot_leaves(state, ("mean",), collect(params).spec, "Average")
        moved, inner = move(grads, state["inner"], scale)
        mean = _combined(lambda held, p: held * self.decay + p * (1.0 - self.decay), state["mean"], moved)
        return moved, {"step": state["step"] + 1, "mean": mean, "inner": inner}

    def parameters(self, state: State) -> Tree:
        """Return the average of the parameters.

        Parameters
        ----------
        state : dict
            A state after at least one step.

        Returns
        -------
        pytree of array
        """
        if not self.bias_correction:
            return _copied(state["mean"])
        rest = scalars.complement(self.decay, state["step"])
        if scalars.is_number(rest) and rest == 0:
            raise ArgumentError("There is no average before the first step.")
        leaves = collect(state["mean"])
        factors = [1.0 / rest if scalars.is_number(rest) else _as(leaves.backend, 1.0 / rest, x) for x in leaves.params]
        pairs = zip(leaves.params, factors, strict=True)
        return leaves.build([leaves.backend.namespace(x).asarray(x * factor) for x, factor in pairs])


def _as(backend: Any, scalar: Array, like: Array) -> Array:
    return backend.namespace(scalar).astype(scalar, backend.real_dtype(like.dtype))


def average(inner: Optimizer, decay: float, *, bias_correction: bool = True) -> Average:
    """Return an optimizer that keeps an exponential moving average of the parameters.

    Parameters
    ----------
    inner : Optimizer
        What makes the steps, which are not changed.
    decay : float
        In [0, 1).
    bias_correction : bool, default True
        Whether the average starts from nothing and is corrected for that, instead of starting from the first parameters.

    Returns
    -------
    Average
        Its method ``parameters(state)`` returns the average.

    Raises
    ------
    unidiff.errors.ArgumentError
        If the decay is out of range.

    Notes
    -----
    Source: Polyak and Juditsky 1992, with exponential weights.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.average(ud.optim.SGD(1.0), 0.5)
    >>> x, state = np.asarray([0.0]), optimizer.init(np.asarray([0.0]))
    >>> for _ in range(2):
    ...     x, state = optimizer.step(x, np.asarray([-3.0]), state)
    >>> x, optimizer.parameters(state)
    (array([6.]), array([5.]))
    """
    return Average(inner, decay, bias_correction)


@dataclass(frozen=True)
class Lookahead(Wrapper):
    """See `lookahead`."""

    every: int = 5
    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "every", isinstance(self.every, int) and self.every >= 1, "a whole number from 1 on")
        require(self, "share", lambda x: 0 <= x <= 1, "a number in [0, 1]")

    def init(self, params: Tree) -> State:
        """Return the slow parameters and the inner state."""
        return {"step": 0, "slow": _copied(params), "inner": self.inner.init(params)}

    def around(
        self, params: Tree, grads: Tree, state: State, move: Move, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return the new parameters and state; see `lookahead`."""
        del value
        slot_leaves(state, ("slow",), collect(params).spec, "Lookahead")
        fast, inner = move(grads, state["inner"], scale)
        count = state["step"] + 1

        def meet() -> tuple[Tree, Tree]:
            slow = _combined(lambda held, p: held + (p - held) * self.share, state["slow"], fast)
            return _copied(slow), slow

        fast, slow = _choose(count % self.every == 0, meet, lambda: (fast, state["slow"]))
        return fast, {"step": count, "slow": _copied(slow) if slow is state["slow"] else slow, "inner": inner}


def lookahead(inner: Optimizer, every: int = 5, share: float = 0.5) -> Lookahead:
    """Return an optimizer that goes back, every so many steps, to between where it was and where it has come to.

    Parameters
    ----------
    inner : Optimizer
        What makes the steps; its state goes on.
    every : int, default 5
        How many of them.
    share : float, default 0.5
        How much of the way is kept.

    Returns
    -------
    Lookahead
        The slow parameters are in ``state["slow"]``.

    Raises
    ------
    unidiff.errors.ArgumentError
        If a number is out of range.

    Notes
    -----
    Source: Zhang et al. 2019.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.lookahead(ud.optim.SGD(1.0), every=2)
    >>> x, state = np.asarray([0.0]), optimizer.init(np.asarray([0.0]))
    >>> for _ in range(2):
    ...     x, state = optimizer.step(x, np.asarray([-3.0]), state)
    ...     print(x)
    [3.]
    [3.]
    """
    return Lookahead(inner, every, share)
