"""Type aliases. Arrays are foreign types, so shapes and dtypes are said in docstrings, not in annotations."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of any library that follows the array API standard, plain or traced."""
Namespace: TypeAlias = Any
"""A module with the functions of the array API standard."""
DType: TypeAlias = Any
Device: TypeAlias = Any
Tree: TypeAlias = Any
"""A pytree: nested tuples, lists, dicts, named tuples and registered nodes with arrays as leaves."""
Arrays: TypeAlias = Sequence[Array]
"""A flat sequence of arrays: what plugins see, since core flattens pytrees first."""
FlatFunction: TypeAlias = Callable[..., Any]
"""A function of positional arrays that returns a tuple of arrays, or ``(arrays, aux_arrays)`` where so stated."""
Pullback: TypeAlias = Callable[[Arrays], Arrays]
"""Maps cotangents, one per output, to cotangents, one per primal; never None."""
