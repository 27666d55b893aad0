"""A straight-line program: what one run of a function did to arrays, as data.

Every value has a number and is defined once. A `Node` calls one function of the library on earlier values and on Python data;
values stand in its arguments as `Ref`, also inside tuples, lists, dictionaries and slices. A value that a function changes in
place is a new value here: `ASSIGN` and `ADD_PART` are functions of the old one, and `replay` decides whether
its memory may be used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ASSIGN = "assign"
ADD_PART = "add_part"
ADD_AT = "add_at"
PART = "_getitem"
ITEM = "item"
GUARD = "guard"

UPDATES = frozenset({ASSIGN, ADD_PART, ADD_AT})
"""Functions whose result is their first argument changed in place."""


@dataclass(slots=True, unsafe_hash=True)
class Ref:
    """The value of that number."""

    number: int

    def __repr__(self) -> str:
        return f"%{self.number}"


class Meta(NamedTuple):
    """What is known of a value before the program runs: that of the run that was recorded.

    ``layout`` is what the library says about the order of the elements in memory, and ``nbytes`` their size.
    """

    kind: type
    shape: tuple[int, ...] = ()
    dtype: Any = None
    layout: Any = None
    nbytes: int = 0


@dataclass(slots=True, eq=False)
class Node:
    """One call.

    Parameters
    ----------
    name : str
        The function of the namespace or the operator.
    function : callable
        What computes it on plain arrays.
    args, kwargs : tuple, dict
        The arguments, with values as `Ref`.
    result : int
        The number of the value it defines.
    quiet : bool or object
        Whether it belongs to the computation of a derivative, which raises no floating-point warnings; or the way in which the
        function itself has asked for errors to be handled.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: int
    quiet: Any = False
    _operands: list[int] | None = None

    def operands(self) -> list[int]:
        """Return the numbers of the values it is computed from, in order."""
        if self._operands is None:
            self._operands = collected((self.args, self.kwargs) if self.kwargs else self.args)
        return self._operands


@dataclass(slots=True, eq=False)
class Program:
    """A recorded function of flat arrays.

    Parameters
    ----------
    inputs : list of int
        The values that are the arguments.
    captured : dict of int to array
        Arrays from outside that the function met, read anew in each run.
    constants : dict of int to array
        Values that are the same in each run.
    nodes : list of Node
        The calls, in order.
    outputs : list
        What is returned, values as `Ref`.
    meta : dict of int to Meta
        What is known of every value.
    """

    inputs: list[int] = field(default_factory=list)
    captured: dict[int, Any] = field(default_factory=dict)
    constants: dict[int, Any] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    meta: dict[int, Meta] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield the program as text, one line for each call."""
        yield f"inputs {', '.join(self._typed(n) for n in self.inputs) or 'none'}"
        for n in self.captured:
            yield f"captured {self._typed(n)}"
        for n, value in self.constants.items():
            text = f" = {value!r}".replace("\n", "") if self.meta[n].nbytes <= _SHOWN_BYTES else ""
            yield f"constant {self._typed(n)}{text}"
        for node in self.nodes:
            shown = [shown_argument(x) for x in node.args]
            shown += [f"{key}={shown_argument(x)}" for key, x in node.kwargs.items()]
            yield f"{self._typed(node.result)} = {node.name}({', '.join(shown)})"
        yield f"return {', '.join(map(repr, self.outputs)) or 'nothing'}"

    def _typed(self, n: int) -> str:
        meta = self.meta[n]
        name = getattr(meta.dtype, "__name__", None) or str(meta.dtype).rpartition(".")[2]
        return f"%{n}: {name}[{','.join(map(str, meta.shape))}]"


_SHOWN_BYTES = 64


def shown_argument(x: Any) -> str:
    """Return an argument as text, functions and dtypes by their names."""
    if isinstance(x, tuple):
        return f"({', '.join(map(shown_argument, x))}{',' if len(x) == 1 else ''})"
    if isinstance(x, list):
        return f"[{', '.join(map(shown_argument, x))}]"
    if isinstance(x, slice):
        bounds = ["" if bound is None else shown_argument(bound) for bound in (x.start, x.stop)]
        return ":".join(bounds if x.step is None else [*bounds, shown_argument(x.step)])
    if x is Ellipsis:
        return "..."
    if isinstance(x, type) or callable(x):
        return str(getattr(x, "__name__", x))
    return repr(x)


class _Nested(dict[type, bool]):
    """Which types hold other arguments, as far as that has been asked."""

    def __missing__(self, kind: type) -> bool:
        return self.setdefault(kind, issubclass(kind, (tuple, list, dict, slice)))


_nested = _Nested()


def collect(x: Any, found: list[int]) -> None:
    """Append the numbers of all values in an argument."""
    if type(x) is Ref:
        found.append(x.number)
    elif type(x) is slice:
        collect((x.start, x.stop, x.step), found)
    elif _nested[type(x)]:
        for item in x.values() if isinstance(x, dict) else x:
            if type(item) is Ref:
                found.append(item.number)
            elif _nested[type(item)]:
                collect(item, found)


def collected(x: Any) -> list[int]:
    """Return the numbers of all values in an argument."""
    found: list[int] = []
    collect(x, found)
    return found


def replaced(x: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return an argument with ``leaf`` applied to everything in it that is no tuple, list, dictionary or slice."""
    if not _nested[type(x)]:
        return leaf(x)
    if isinstance(x, dict):
        return {key: replaced(item, leaf) for key, item in x.items()}
    if isinstance(x, slice):
        return slice(replaced(x.start, leaf), replaced(x.stop, leaf), replaced(x.step, leaf))
    items = [replaced(item, leaf) if _nested[type(item)] else leaf(item) for item in x]
    if isinstance(x, list):
        return items
    return type(x)(*items) if hasattr(x, "_fields") else tuple(items)
