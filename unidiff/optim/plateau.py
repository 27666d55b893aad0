"""An optimizer whose steps become shorter where the objective stops getting better."""

from dataclasses import dataclass

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError
from unidiff.optim import scalars
from unidiff.optim.leaves import constant
from unidiff.optim.optimizer import Optimizer, State, require
from unidiff.optim.scalars import Scalar
from unidiff.optim.wrappers import Move, Wrapper

__all__ = ["ReduceOnPlateau", "reduce_on_plateau"]


@dataclass(frozen=True)
class ReduceOnPlateau(Wrapper):
    """See `reduce_on_plateau`."""

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    relative: bool = True
    cooldown: int = 0
    smallest: float = 0.0
    maximize: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "factor", lambda x: 0 < x < 1, "a number between 0 and 1")
        for name in ("patience", "cooldown", "threshold", "smallest"):
            require(self, name, lambda x: x >= 0, "a number that is not negative")

    def init(self, params: Tree) -> State:
        """Return the scale 1, no best value, and the inner state."""
        return {"scale": 1.0, "best": float("inf"), "bad": 0, "wait": 0, "inner": self.inner.init(params)}

    def around(
        self, params: Tree, grads: Tree, state: State, move: Move, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return the new parameters and state; see `reduce_on_plateau`."""
        del params
        if value is None:
            raise ArgumentError("reduce_on_plateau needs the value of the objective: step(params, grads, state, value=value).")
        new = self._judged(state, _on_host(value))
        factor = new["scale"] if scalars.is_number(scale) and scale == 1 else new["scale"] * scale
        moved, inner = move(grads, state["inner"], factor)
        return moved, {**new, "inner": inner}

    def _judged(self, state: State, value: Scalar) -> State:
        """Return the state after a value of the objective."""
        value = -value if self.maximize else value
        best, where = state["best"], scalars.where
        if self.relative:
            # A better value is less by a share of the modulus of the best one, which as a value to be maximized is negative.
            margin = best * (1.0 + self.threshold if self.maximize else 1.0 - self.threshold)
        else:
            margin = best - self.threshold
        better = value < margin
        bad = where(better, 0, state["bad"] + 1)
        waiting = state["wait"] > 0
        bad, wait = where(waiting, 0, bad), where(waiting, state["wait"] - 1, state["wait"])
        reduce = bad > self.patience
        return {
            "scale": where(reduce, scalars.maximum(state["scale"] * self.factor, self.smallest), state["scale"]),
            "best": where(better, value, best),
            "bad": where(reduce, 0, bad),
            "wait": where(reduce, self.cooldown, wait),
        }


def _on_host(value: Scalar) -> Scalar:
    """Return a value as a float where that is possible, without a derivative where it is not."""
    if scalars.is_number(value):
        return float(value)
    value = constant(ud.get_backend(value), value)
    try:
        return float(value)
    except (TypeError, RuntimeError):  # how libraries, and unidiff, say that an array is traced
        return value


def reduce_on_plateau(
    inner: Optimizer,
    factor: float = 0.1,
    patience: int = 10,
    *,
    threshold: float = 1e-4,
    relative: bool = True,
    cooldown: int = 0,
    smallest: float = 0.0,
    maximize: bool = False,
) -> ReduceOnPlateau:
    """Return an optimizer whose learning rate is reduced when the objective does not get better any more.

    Parameters
    ----------
    inner : Optimizer
        What makes the steps. Its learning rate, schedule included, is multiplied by ``state["scale"]``.
    factor : float, default 0.1
        What the scale is multiplied by.
    patience : int, default 10
        The learning rate is reduced at the first step after so many without improvement.
    threshold : float, default 1e-4
        By how much a value must be better than the best one, relative to that or absolutely.
    relative : bool, default True
    cooldown : int, default 0
        For how many steps after a reduction nothing is counted.
    smallest : float, default 0
        The least scale.
    maximize : bool, default False
        Whether greater values are better; the gradients are still those to descend.

    Returns
    -------
    ReduceOnPlateau
        Its ``step`` needs the value of the objective, ``value=``, and applies a reduction at once.

    Raises
    ------
    unidiff.errors.ArgumentError
        If a number is out of range; in ``step``, if there is no value.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.reduce_on_plateau(ud.optim.SGD(1.0), 0.5, patience=1)
    >>> x, state = np.asarray([0.0]), optimizer.init(np.asarray([0.0]))
    >>> for _ in range(4):
    ...     x, state = optimizer.step(x, np.asarray([-1.0]), state, value=7.0)
    ...     print(x, state["scale"])
    [1.] 1.0
    [2.] 1.0
    [2.5] 0.5
    [3.] 0.5
    """
    return ReduceOnPlateau(inner, factor, patience, threshold, relative, cooldown, smallest, maximize)
