"""Different optimizers for different parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Tree
from unidiff.errors import ArgumentError, TreeError
from unidiff.optim.leaves import Leaves, collect
from unidiff.optim.optimizer import Optimizer, State, Transformation
from unidiff.optim.scalars import Scalar

__all__ = ["Partition", "mask", "partition"]


@dataclass(frozen=True)
class Labels:
    """A pytree of labels, hashable."""

    spec: Any
    labels: tuple[Any, ...]

    def of(self, leaves: Leaves) -> list[Any]:
        """Return the label of each leaf."""
        if self.spec != leaves.spec:
            raise TreeError(
                f"The labels must have the structure of the parameters, but they have {self.spec}, not {leaves.spec}."
            )
        return list(self.labels)


@dataclass(frozen=True)
class Rule:
    """A function that gives a leaf its label."""

    function: Callable[[str, Any], Any]

    def of(self, leaves: Leaves) -> list[Any]:
        """Return the label of each leaf."""
        return [self.function(path, p) for path, p in zip(ud.tree.paths(leaves.spec), leaves.params, strict=True)]


def _labelled(labels: Any) -> Labels | Rule:
    if callable(labels):
        return Rule(labels)
    leaves, spec = ud.tree.flatten(labels)
    return Labels(spec, tuple(leaves))


@dataclass(frozen=True)
class Partition(Optimizer):
    """A transformation for each group of leaves; see `partition`."""

    labels: Labels | Rule
    parts: tuple[tuple[Any, Transformation | None], ...]

    @property
    def makes_steps(self) -> bool:
        """Whether one of the parts does."""
        return any(part is not None and part.makes_steps for _, part in self.parts)

    def _groups(self, leaves: Leaves) -> dict[Any, list[int]]:
        groups: dict[Any, list[int]] = {label: [] for label, _ in self.parts}
        for k, label in enumerate(self.labels.of(leaves)):
            if label not in groups:
                raise ArgumentError(f"{leaves.path(k)} has the label {label!r}, but there are only {list(groups)}.")
            groups[label].append(k)
        return groups

    def init(self, params: Tree) -> State:
        """Return for each group the state of its part, whose trees are dicts from the paths of leaves to arrays."""
        leaves = collect(params)
        groups, paths = self._groups(leaves), ud.tree.paths(leaves.spec)
        return {
            str(label): {} if part is None else part.init({paths[k]: leaves.params[k] for k in groups[label]})
            for label, part in self.parts
        }

    def _apply(self, params: Tree, updates: Tree, state: State, call: Callable[..., Any]) -> tuple[Leaves, list[Any], State]:
        """Call for each group and put what it returns where its leaves belong; None stays where no part is."""
        leaves = collect(params, updates, "updates")
        names = {str(label) for label, _ in self.parts}
        if not isinstance(state, Mapping) or names != state.keys():
            raise ArgumentError(f"The state of this partition is a dict with the keys {sorted(names)}, as its init returns.")
        groups, paths = self._groups(leaves), ud.tree.paths(leaves.spec)
        results: list[Any] = [None] * len(leaves.params)
        new = {}
        for label, part in self.parts:
            ps, gs = ({paths[k]: xs[k] for k in groups[label]} for xs in (leaves.params, leaves.grads))
            out, new[str(label)] = ({}, {}) if part is None else call(part, ps, gs, state[str(label)])
            for k in groups[label]:
                results[k] = out.get(paths[k])
        return leaves, results, new

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates of all groups and their states; see `Transformation.update`."""

        def call(part: Transformation, ps: Tree, gs: Tree, held: State) -> tuple[Tree, State]:
            return part.update(gs, held, ps, value=value, scale=scale)

        leaves, results, new = self._apply(params, updates, state, call)
        return leaves.build([self._absent(leaves, k) if x is None else x for k, x in enumerate(results)]), new

    def _absent(self, leaves: Leaves, k: int) -> Any:
        """Return the update of a leaf that no part changes."""
        return leaves.backend.zeros_like(leaves.params[k])

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

        def call(part: Transformation, ps: Tree, gs: Tree, held: State) -> tuple[Tree, State]:
            if not isinstance(part, Optimizer):
                raise ArgumentError(f"A step is made by optimizers, but one part is {part!r:.200}.")
            return part.step(ps, gs, held, value=value, scale=scale, donate=donate)

        leaves, results, new = self._apply(params, grads, state, call)
        pairs = zip(results, leaves.params, strict=True)
        return leaves.build([(p if donate else leaves.backend.copy(p)) if x is None else x for x, p in pairs]), new


@dataclass(frozen=True)
class Mask(Partition):
    """A transformation of some leaves; the updates of the others stay as they are; see `mask`."""

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the state; see `Transformation.update`."""

        def call(part: Transformation, ps: Tree, gs: Tree, held: State) -> tuple[Tree, State]:
            return part.update(gs, held, ps, value=value, scale=scale)

        leaves, results, new = self._apply(params, updates, state, call)
        pairs = zip(results, leaves.grads, strict=True)
        return leaves.build([leaves.backend.copy(g) if x is None else x for x, g in pairs]), new


def partition(labels: Any, parts: Mapping[Any, Transformation | None]) -> Partition:
    """Return an optimizer that gives each group of parameters to an optimizer of its own.

    Parameters
    ----------
    labels : callable or pytree
        ``label(path, leaf)`` with the path of a leaf as `unidiff.tree.paths` writes it, such as ``"['w'][0]"``; or a pytree of
        labels of the structure of the parameters.
    parts : mapping
        The optimizer of each label; None leaves the parameters of the group as they are.

    Returns
    -------
    Partition
        Its state has an entry for each label, the state of that optimizer for a dict of leaves by their paths.

    Raises
    ------
    unidiff.errors.ArgumentError
        If two labels have one name, or something is no transformation.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> groups = {"matrices": ud.optim.SGD(0.5), "rest": ud.optim.SGD(0.1), "frozen": None}
    >>> optimizer = ud.optim.partition({"w": "matrices", "b": "rest", "c": "frozen"}, groups)
    >>> params = {"w": np.ones((1, 1)), "b": np.ones(1), "c": np.ones(1)}
    >>> optimizer.step(params, params, optimizer.init(params))[0]
    {'w': array([[0.5]]), 'b': array([0.9]), 'c': array([1.])}
    """
    names = [str(label) for label in parts]
    if len(set(names)) < len(names) or not all(part is None or isinstance(part, Transformation) for part in parts.values()):
        raise ArgumentError(f"parts maps labels of different names to optimizers or None, but it is {parts!r:.200}.")
    return Partition(_labelled(labels), tuple(parts.items()))


def mask(transformation: Transformation, where: Any) -> Mask:
    """Return a transformation of some parameters only; the updates of the others stay as they are.

    Parameters
    ----------
    transformation : Transformation
        What to restrict, such as `l2`.
    where : callable or pytree
        ``where(path, leaf) -> bool``, or a pytree of booleans of the structure of the parameters.

    Returns
    -------
    Mask

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is no transformation.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> decay = ud.optim.mask(ud.optim.l2(0.5), lambda path, leaf: leaf.ndim > 1)
    >>> optimizer = ud.optim.chain(decay, ud.optim.SGD(1.0))
    >>> params = [np.ones((1, 1)), np.ones(1)]
    >>> optimizer.step(params, [np.zeros((1, 1)), np.zeros(1)], optimizer.init(params))[0]
    [array([[0.5]]), array([1.])]
    """
    if not isinstance(transformation, Transformation):
        raise ArgumentError(f"mask restricts a transformation, but it was given {transformation!r:.200}.")
    return Mask(_labelled(where), ((True, transformation), (False, None)))
