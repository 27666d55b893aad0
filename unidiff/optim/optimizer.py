"""The interface of optimizers: frozen records of hyperparameters, and pure functions of parameters, gradients and state.

A `Transformation` turns gradients into updates; an `Optimizer` is one whose updates are final, so it can make a step. A
`Method` is an optimizer that treats every leaf by itself, with one kernel in operations of the array API standard that is
free of branches: the same kernel runs eagerly, under `unidiff.vmap` and `unidiff.jit`, within derivatives, and in the faster
forms that a backend's ``optimizer_step`` gives it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import unidiff as ud
from unidiff._typing import Array, Namespace, Tree
from unidiff.errors import ArgumentError, DTypeError
from unidiff.optim import scalars
from unidiff.optim.leaves import Leaves, collect, constant, slot_leaves
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["Method", "Optimizer", "State", "Transformation", "add", "require", "squared"]

State = dict[str, Any]
"""A plain tree: dicts and tuples with arrays and Python numbers as leaves."""
Slots = Mapping[str, Array]


class Transformation(ABC):
    """Something that turns gradients, or the updates of another transformation, into updates."""

    @property
    def makes_steps(self) -> bool:
        """Whether it turns gradients into steps: what comes before it in a chain has no learning rate."""
        return False

    @abstractmethod
    def init(self, params: Tree) -> State:
        """Return the state before the first step."""

    @abstractmethod
    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return updates and the new state.

        Parameters
        ----------
        updates : pytree of array
            Gradients, or what the transformation before this one made of them; of the structure of the parameters.
        state : dict
            What `init` or the last call returned.
        params : pytree of array
            The parameters.
        value : number or 0-d array, optional
            The value of the objective, for those that need it.
        scale : number or 0-d array, default 1
            Multiplies the learning rate.

        Returns
        -------
        updates : pytree of array
        state : dict
        """


class Optimizer(Transformation):
    """A transformation whose updates are added to the parameters as they are."""

    @property
    def makes_steps(self) -> bool:
        """Whether it turns gradients into steps: what comes before it in a chain has no learning rate."""
        return True

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
        """Return the parameters after one step, and the new state.

        Parameters
        ----------
        params, grads : pytree of array
            Parameters and the gradient of the objective: one structure, and shapes, dtypes and library leaf by leaf. For
            complex parameters the gradient is the direction of steepest ascent, as `unidiff.grad` returns it.
        state : dict
            What `init` or the last step returned.
        value : number or 0-d array, optional
            The value of the objective, for those that need it.
        scale : number or 0-d array, default 1
            Multiplies the learning rate. An array may be traced, for derivatives by the learning rate.
        donate : bool, default False
            Give up `params` and `state`: their memory may be used for the results, which saves allocating it. Arrays that
            were given up must not be used again, nor overlap one another.

        Returns
        -------
        params : pytree of array
        state : dict

        Raises
        ------
        unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError, unidiff.errors.MixedBackendsError
            If a gradient does not fit its parameter, or a parameter is not of a floating dtype; the message names the leaf.
        unidiff.errors.ArgumentError
            If the state is none of this optimizer.
        """
        del donate
        updates, state = self.update(grads, state, params, value=value, scale=scale)
        return add(params, updates), state


def add(params: Tree, updates: Tree) -> Tree:
    """Return parameters plus updates, leaf by leaf, in the dtypes of the parameters."""
    leaves = collect(params, updates, "updates")
    return leaves.build([_whole(leaves.backend, p + u) for p, u in zip(leaves.params, leaves.grads, strict=True)])


def _whole(backend: Any, x: Array) -> Array:
    """Return a result as an array that can be written to: NumPy makes scalars of 0-d results."""
    return backend.namespace(x).asarray(x) if x.shape == () else x


def require(owner: Any, name: str, ok: bool | Callable[[Any], bool], wanted: str) -> None:
    """Raise ArgumentError where a hyperparameter is not what is wanted; a test of it may fail for what is no number."""
    value = getattr(owner, name)
    if callable(ok):
        try:
            ok = ok(value)
        except TypeError:
            ok = False
    if not ok:
        raise ArgumentError(f"{name} of {type(owner).__name__} must be {wanted}, but it is {value!r:.200}.")


def require_numbers(owner: Any, *names: str, whole: tuple[str, ...] = ()) -> None:
    """Raise ArgumentError where a hyperparameter is no finite number, or is to be whole and is not."""
    for name in (*names, *whole):
        value = getattr(owner, name)
        number = _is_real(value) and math.isfinite(value)
        require(owner, name, number, "a finite number")
        require(owner, name, name not in whole or value == int(value), "a whole number")


def squared(xp: Namespace, x: Array) -> Array:
    """Return ``|x|**2``, which is real for complex arrays, too."""
    if xp.isdtype(x.dtype, "real floating"):
        return x * x
    re, im = xp.real(x), xp.imag(x)
    return re * re + im * im


@dataclass(frozen=True)
class Method(Optimizer):
    """An optimizer that treats every leaf by itself; the base of all first-order methods.

    Parameters
    ----------
    learning_rate : float or callable
        A number, or a function of the number of steps made so far, such as the schedules of `unidiff.optim`.

    Notes
    -----
    Subclasses say which ``slots`` of memory a leaf has, which ``scalars`` a step needs, and give the ``kernel``. Scalars are
    computed on the host, in double precision. Kernels multiply by reciprocals that were computed there instead of dividing by
    numbers, since libraries round such divisions differently.
    """

    learning_rate: Rate

    elementwise: ClassVar[bool] = True
    """Whether each element of a leaf is treated by itself, so that leaves may be joined and cut as is convenient."""
    complex_parameters: ClassVar[bool] = True
    """Whether complex parameters make sense."""
    memory: ClassVar[Mapping[str, float]] = {}
    """Scalars that are kept from step to step, and their first values."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", *self._numbers("nonnegative")):
            x = getattr(self, name)
            ok = (name == "learning_rate" and callable(x)) or (_is_real(x) and 0 <= x < math.inf)
            require(self, name, ok, "a number that is not negative" + (" or a schedule" if name == "learning_rate" else ""))
        for name in self._numbers("fractions"):
            require(self, name, _is_real(x := getattr(self, name)) and 0 <= x < 1, "a number in [0, 1)")

    nonnegative: ClassVar[tuple[str, ...]] = ()
    fractions: ClassVar[tuple[str, ...]] = ()

    def _numbers(self, kind: str) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(self, kind)
        return names

    @cached_property
    def fixed(self) -> Self:
        """The same method with learning rate 0: all that its kernel depends on, as a key for compiled programs."""
        return replace(self, learning_rate=0.0)

    def slots(self) -> Mapping[str, str]:
        """Return for each slot of memory what it is: "like" the parameter, or "real" in the real dtype of its precision."""
        return {}

    def fresh(self, backend: Any, p: Array) -> dict[str, Array]:
        """Return the slots of a leaf before the first step."""
        return {name: _zeros(backend, p, kind) for name, kind in self.slots().items()}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the scalars that the kernel needs in step `t`, the first of which is 1, and the new memory."""
        del t
        return {"step": -rate}, dict(memory)

    @abstractmethod
    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Scalar]) -> tuple[Array, dict[str, Array]]:
        """Return the update of a leaf and its new slots.

        Parameters
        ----------
        xp : namespace
            The array API namespace.
        g, p : array
            Gradient and parameter.
        s : dict of str to array
            The slots.
        h : dict of str to scalar
            The scalars.
        """

    def rate(self, step: Scalar, scale: Scalar = 1.0) -> Scalar:
        """Return the learning rate after that many steps."""
        rate = self.learning_rate(step) if callable(self.learning_rate) else self.learning_rate
        if not isinstance(rate, (int, float)) and not hasattr(rate, "dtype"):
            raise ArgumentError(f"The learning rate of {type(self).__name__} at step {step} is {rate!r:.200}, not a number.")
        return rate if is_one(scale) else rate * scale

    def init(self, params: Tree) -> State:
        """Return the state before the first step: for each slot a tree of the structure of the parameters, and the step count.

        Parameters
        ----------
        params : pytree of array

        Returns
        -------
        dict
        """
        leaves = collect(params)
        self._accept(leaves)
        fresh = [self.fresh(leaves.backend, p) for p in leaves.params]
        return {
            "step": 0,
            **self.memory,
            **{name: leaves.build([slots[name] for slots in fresh]) for name in self.slots()},
        }

    def update(
        self, updates: Tree, state: State, params: Tree, *, value: Scalar | None = None, scale: Scalar = 1.0
    ) -> tuple[Tree, State]:
        """Return the updates and the new state; see `Transformation.update`."""
        del value
        leaves = collect(params, updates, "updates")
        slots, scalars, new = self._prepare(leaves, state, scale)
        changes, slots = self._reference(leaves, slots, scalars)
        return leaves.build(changes), self._state(leaves, slots, new)

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
        del value
        leaves = collect(params, grads)
        slots, scalars, new = self._prepare(leaves, state, scale)
        try:
            stepped = self._native(leaves, slots, scalars, donate)
            if stepped is NotImplemented:
                changes, slots = self._reference(leaves, slots, scalars)
                moved: Sequence[Array] = [_whole(leaves.backend, p + u) for p, u in zip(leaves.params, changes, strict=True)]
            else:
                moved, slots = stepped
        except Exception:
            leaves.same_device()
            raise
        return leaves.build(moved), self._state(leaves, slots, new)

    def _accept(self, leaves: Leaves) -> None:
        if not self.complex_parameters:
            for k, p in enumerate(leaves.params):
                if leaves.backend.is_complex(p):
                    raise DTypeError(f"{leaves.path(k)} is complex, for which {type(self).__name__} is not defined.")

    def _prepare(self, leaves: Leaves, state: State, scale: Scalar) -> tuple[dict[str, list[Array]], Any, State]:
        self._accept(leaves)
        slots = slot_leaves(state, tuple(self.slots()), leaves.spec, type(self).__name__)
        step = state["step"]
        if not scalars.is_number(step) and ud.get_backend(step) is not leaves.backend:
            step = int(step)  # as it comes out of a file
        memory = {name: state[name] for name in self.memory}
        values, memory = self.scalars(step + 1, self.rate(step, scale), memory)
        return slots, values, {"step": step + 1, **memory}

    def _state(self, leaves: Leaves, slots: Mapping[str, Sequence[Array]], new: State) -> State:
        return {**new, **{name: leaves.build(arrays) for name, arrays in slots.items()}}

    def _native(self, leaves: Leaves, slots: dict[str, list[Array]], values: Mapping[str, Scalar], donate: bool) -> Any:
        backend = leaves.backend
        if backend is None or "optimizer_step" not in backend.native or not all(map(scalars.is_number, values.values())):
            return NotImplemented
        return backend.optimizer_step(self, leaves.params, leaves.grads, slots, values, donate=donate)

    def _reference(
        self, leaves: Leaves, slots: Mapping[str, Sequence[Array]], values: Mapping[str, Scalar]
    ) -> tuple[list[Array], dict[str, list[Array]]]:
        """Apply the kernel to each leaf."""
        backend, changes = leaves.backend, []
        new: dict[str, list[Array]] = {name: [] for name in slots}
        cast: Callable[[Array], Mapping[str, Scalar]] = _Cast(backend, values)
        try:
            for k, (p, g) in enumerate(zip(leaves.params, leaves.grads, strict=True)):
                held = {name: arrays[k] for name, arrays in slots.items()}
                change, held = self.kernel(backend.namespace(g, p, *held.values()), g, p, held, cast(p))
                changes.append(_whole(backend, change))
                for name, x in held.items():
                    new[name].append(_whole(backend, x))
        except Exception:
            leaves.same_device()
            raise
        return changes, new


class _Cast:
    """Gives scalars that are arrays the real dtype of a leaf, so that they do not widen its results."""

    def __init__(self, backend: Any, values: Mapping[str, Scalar]) -> None:
        self.backend, self.values = backend, values
        self.plain = all(map(scalars.is_number, values.values()))

    def __call__(self, p: Array) -> Mapping[str, Scalar]:
        if self.plain:
            return self.values
        dtype = self.backend.real_dtype(p.dtype)
        return {name: x if scalars.is_number(x) else ud.array_namespace(x).astype(x, dtype) for name, x in self.values.items()}


def is_one(scale: Scalar) -> bool:
    """Say whether a scale is the number 1, with which nothing is multiplied."""
    return scalars.is_number(scale) and scale == 1


def _is_real(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def _zeros(backend: Any, p: Array, kind: str) -> Array:
    dtype = backend.real_dtype(p.dtype) if kind == "real" else p.dtype
    # like the parameter, so that memory is sharded where the parameter is; of it nothing else is kept
    return backend.namespace().zeros_like(constant(backend, p), dtype=dtype)
