"""What an adapter of a framework has in common with a backend."""

from collections.abc import Callable, Sequence
from typing import Any

import unidiff as ud

Arrays = Sequence[Any]
Function = Callable[..., tuple[Any, ...]]


class Native:
    """A framework's own namespace and derivatives.

    Attributes
    ----------
    name : str
        Name of the framework.
    distribution : str
        Whose version is reported.
    info : unidiff.BackendInfo
        What a backend says of itself; nothing but defaults here.
    conjugates : bool
        Whether its VJP of a holomorphic function multiplies by the derivative instead of its conjugate, so that gradients by
        complex arrays are the conjugates of the standard's.
    """

    name: str
    distribution: str
    conjugates = False
    info = ud.BackendInfo(name="native", api_version=1, factory="", arrays=())

    def namespace(self, *_arrays: Any) -> Any:
        """Return the framework's namespace, as a user of the array API gets it."""
        raise NotImplementedError

    def asarray(self, obj: Any, *, dtype: str) -> Any:
        """Return a NumPy array as an array of the framework."""
        raise NotImplementedError

    def to_numpy(self, x: Any) -> Any:
        """Return an array as one of NumPy."""
        raise NotImplementedError

    def device(self, x: Any) -> Any:
        """Return the device of an array."""
        return getattr(x, "device", "cpu")

    def vjp(self, f: Function, primals: Arrays) -> tuple[tuple[Any, ...], Callable[[Arrays], tuple[Any, ...]]]:
        """Return the outputs and the framework's pullback."""
        raise NotImplementedError

    def jvp(self, f: Function, primals: Arrays, tangents: Arrays) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the outputs and the framework's tangents."""
        raise NotImplementedError

    def value_and_grad(self, f: Function, primals: Arrays) -> tuple[Any, tuple[Any, ...]]:
        """Return the value and the gradient, by the pullback."""
        (value,), pullback = self.vjp(f, primals)
        xp = self.namespace(value)
        return value, tuple(pullback((xp.ones_like(value),)))
