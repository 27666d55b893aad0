"""Transformations and optimizers one after the other."""

from dataclasses import dataclass
from typing import Any

from unidiff._typing import Tree
from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import Optimizer, State, Transformation
from unidiff.optim.scalars import Scalar
from unidiff.optim.transformations import Negation

__all__ = ["Chain", "chain", "maximize"]


@dataclass(frozen=True)
class Chain(Optimizer):
    """Transformations one after the other; see `chain`."""

    parts: tuple[Transformation, ...]

    @property
    def makes_steps(self) -> bool:
        """Whether one of the parts does."""
        return any(part.makes_steps for part in self.parts)

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
        return self._through(len(self.parts), updates, state, params, value, scale)

    def _through(
        self, count: int, updates: Tree, state: State, params: Tree, value: Scalar | None, scale: Scalar
    ) -> tuple[Tree, State]:
        """Return what the first parts make of the updates, and their states; what comes before an optimizer has no rate."""
        first = next((k for k in reversed(range(len(self.parts))) if self.parts[k].makes_steps), 0)
        new = []
        for k, (part, held) in enumerate(zip(self.parts[:count], self._states(state), strict=False)):
            updates, after = part.update(updates, held, params, value=value, scale=scale if k >= first else 1.0)
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
        if not isinstance(last, Optimizer) or not last.makes_steps:
            return super().step(params, grads, state, value=value, scale=scale, donate=donate)
        updates, held = self._through(len(states) - 1, grads, state, params, value, scale)
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


def maximize(optimizer: Optimizer) -> Chain:
    """Return an optimizer that ascends: it sees the negative of the gradients; weight decay still makes parameters smaller.

    Parameters
    ----------
    optimizer : Optimizer
        What descends.

    Returns
    -------
    Chain

    Raises
    ------
    unidiff.errors.ArgumentError
        If it is no optimizer.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.maximize(ud.optim.SGD(0.5))
    >>> x = np.asarray([1.0, 2.0])
    >>> optimizer.step(x, np.asarray([1.0, -1.0]), optimizer.init(x))[0]
    array([1.5, 1.5])
    """
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"maximize turns an optimizer around, but it was given {optimizer!r:.200}.")
    return chain(Negation(), optimizer)
