"""Compiled derivatives that are kept with their function, so that the next solve with it need not compile them.

They are kept as an attribute of the function, and go when it goes: no table holds on to a function, or to what it closes over.
That they are not stale is for `unidiff.jit` to see, which looks up anew what a function uses beside its arguments. On libraries
where it does not, and of other callables than plain functions, nothing is kept.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import ref

import unidiff as ud

__all__ = ["compiled"]

_NAME = "__unidiff_compiled__"


class _Programs(dict[Any, Callable[..., Any]]):
    """The compiled forms of one function, by what they were made by."""

    def __init__(self, owner: FunctionType) -> None:
        self.owner = ref(owner)

    def __reduce__(self) -> Any:
        return dict, ()  # a copy of the function, such as one that is pickled with its code, begins without them


def compiled(
    make: Callable[..., Callable[..., Any]], fun: Callable[..., Any], backend: Any, **options: Any
) -> Callable[..., Any]:
    """Return ``unidiff.jit(make(fun, **options))``, that of an earlier call where there was one.

    Parameters
    ----------
    make : callable
        Takes the function to one of its derivatives, such as `unidiff.value_and_grad`.
    fun : callable
    backend : CompleteBackend
        Of the arrays that it will be called with.
    **options
        Hashable.
    """
    if type(fun) is not FunctionType or not backend.jit_watches:
        return ud.jit(make(fun, **options))
    kept = vars(fun).get(_NAME)
    if not isinstance(kept, _Programs) or kept.owner() is not fun:  # functools.wraps copies the attributes of a function
        kept = vars(fun)[_NAME] = _Programs(fun)
    key = (make, *options.items())
    program = kept.get(key)
    if program is None:
        program = kept.setdefault(key, ud.jit(make(fun, **options)))
    return program
