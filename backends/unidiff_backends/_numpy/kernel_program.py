"""A kernel of an optimizer as a list of universal functions that write into buffers which are used again.

The kernel runs once, on symbols, which write down what is done to them; the list then runs on block after block. A buffer is
free again after the last use of what it holds, and a result goes straight to where it belongs, so that a block with all that is
computed from it stays in the cache.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import array_api_compat.numpy as xp
import numpy as np

from unidiff_backends._numpy.natives import NATIVES

__all__ = ["Program", "UnknownOperationError", "namespace", "record"]


class _Namespace:
    """The functions that the namespace of the backend has for plain arrays."""

    def __getattr__(self, name: str) -> Any:
        return NATIVES[name] if name in NATIVES else getattr(xp, name)


namespace = _Namespace()


class UnknownOperationError(Exception):
    """The kernel does something that is not known here."""


class _Operation(NamedTuple):
    function: Callable[..., Any]
    operands: tuple[int, ...]
    result: int
    in_place: bool


class Symbol:
    """An array of the kernel: a number, and the dtype that it has in this program."""

    __slots__ = ("dtype", "number", "recorder")

    def __init__(self, recorder: "_Recorder", number: int, dtype: Any) -> None:
        self.recorder, self.number, self.dtype = recorder, number, dtype

    def __bool__(self) -> bool:
        raise UnknownOperationError("a branch on values")


def _operator(function: np.ufunc, swapped: bool = False) -> Callable[..., Symbol]:
    def apply(*operands: Any) -> Symbol:
        recorder: _Recorder = operands[0].recorder
        return recorder.apply(function, *(operands[::-1] if swapped else operands))

    return apply


_OPERATORS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "pow": np.power,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
    "neg": np.negative,
    "abs": np.absolute,
}
for _name, _function in _OPERATORS.items():
    setattr(Symbol, f"__{_name}__", _operator(_function))
    if _name in {"add", "sub", "mul", "truediv", "pow"}:
        setattr(Symbol, f"__r{_name}__", _operator(_function, swapped=True))


class _Recorder:
    """Stands for the namespace while the kernel runs."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.values: list[Any] = []
        self.operations: list[_Operation] = []

    def symbol(self, dtype: Any = None) -> Symbol:
        """Return a new array."""
        return Symbol(self, self.number(None), self.dtype if dtype is None else dtype)

    def number(self, value: Any) -> int:
        """Return the number of a constant, or of something that is computed."""
        self.values.append(value)
        return len(self.values) - 1

    def apply(self, function: Callable[..., Any], *operands: Any) -> Symbol:
        """Write down a call and return its result."""
        if not all(isinstance(x, (Symbol, bool, int, float)) for x in operands):
            raise UnknownOperationError("an operand that is neither an array of the kernel nor a number")
        samples = [np.empty(0, x.dtype) if isinstance(x, Symbol) else x for x in operands]
        with np.errstate(all="ignore"):
            result = self.symbol(function(*samples).dtype)
        numbers = tuple(x.number if isinstance(x, Symbol) else self.number(x) for x in operands)
        in_place = isinstance(function, np.ufunc) and result.dtype == self.dtype
        self.operations.append(_Operation(function, numbers, result.number, in_place))
        return result

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        """Tell whether a dtype is of a kind."""
        return bool(xp.isdtype(dtype, kind))

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        function: Any = getattr(namespace, name, None)
        if name not in {"where", "zeros_like"} and not (isinstance(function, np.ufunc) and function.nout == 1):
            raise UnknownOperationError(name)
        return lambda *operands: self.apply(function, *operands)


class Program(NamedTuple):
    """What to do with inputs, the arrays that results are written to, and so many buffers.

    All that is held has a place: constants, inputs, outputs, buffers, and then new arrays in the order they are made.

    Attributes
    ----------
    constants : list of number
    steps : list
        Function, places of the operands, place of the result, and whether the function writes to it or makes a new array.
    copies : list of (int, int)
        What is copied in the end, and to which output.
    buffers : int
    """

    constants: list[Any]
    steps: list[tuple[Callable[..., Any], tuple[int, ...], int, bool]]
    copies: list[tuple[int, int]]
    buffers: int

    def run(self, inputs: Sequence[Any], outputs: Sequence[Any], buffers: Sequence[Any]) -> None:
        """Run on blocks of one size; the first outputs may be the inputs of the same places."""
        held = [*self.constants, *inputs, *outputs, *buffers]
        for function, operands, place, in_place in self.steps:
            if not in_place:
                held.append(function(*[held[k] for k in operands]))
            elif len(operands) == 2:
                first, second = operands
                function(held[first], held[second], out=held[place])
            else:
                function(held[operands[0]], out=held[place])
        for source, place in self.copies:
            held[place][...] = held[source]


def record(method: Any, names: Sequence[str], scalars: Mapping[str, float], dtype: Any) -> Program:
    """Return the program of a step: inputs are parameters, slots and gradients, outputs new parameters and slots."""
    recorder = _Recorder(dtype)
    p, *slots = (recorder.symbol() for _ in range(1 + len(names)))
    g = recorder.symbol()
    update, new = method.kernel(recorder, g, p, dict(zip(names, slots, strict=True)), scalars)
    outputs = [p + update, *(new[name] for name in names)]
    if not all(isinstance(x, Symbol) and x.dtype == dtype for x in outputs):
        raise UnknownOperationError("a result of another dtype")
    if any(x is y for i, x in enumerate(outputs) for k, y in enumerate([p, *slots, g]) if i != k):
        raise UnknownOperationError("an input as the result of another place, which may be overwritten by then")
    return _placed(recorder, [p.number, *(s.number for s in slots), g.number], [x.number for x in outputs])


def _placed(recorder: _Recorder, inputs: list[int], outputs: list[int]) -> Program:
    """Decide where each result is held: what is computed on the way to an output in its place already, if that is free."""
    operations = recorder.operations
    last = {k: i for i, operation in enumerate(operations) for k in operation.operands}
    made = {operation.result: i for i, operation in enumerate(operations)}
    constants = [k for k, value in enumerate(recorder.values) if value is not None]
    at = {k: i for i, k in enumerate([*constants, *inputs])}
    first_output = len(at)
    first_buffer = first_output + len(outputs)
    # The last use of what is held: an output may have the memory of its input, and the places of fresh arrays are not used.
    busy = [last.get(k, -1) for k in inputs[: len(outputs)]]
    due = [made.get(k, -1) for k in outputs]
    fresh: list[int] = []
    steps = []

    def place(i: int, result: int) -> int:
        if result in outputs:
            wanted = outputs.index(result)
            if busy[wanted] <= i:
                busy[wanted] = len(operations)
                return first_output + wanted
        end = len(operations) if result in outputs else last.get(result, i)
        for k, until in enumerate(busy):
            if until <= i and (k >= len(outputs) or end <= due[k]):
                busy[k] = end
                return first_output + k
        busy.append(end)
        return first_output + len(busy) - 1

    for i, operation in enumerate(operations):
        operands = tuple(at[k] for k in operation.operands)
        if operation.in_place:
            at[operation.result] = place(i, operation.result)
        else:
            fresh.append(operation.result)
            at[operation.result] = -len(fresh)  # behind the buffers, whose number is known in the end
        steps.append((operation.function, operands, at[operation.result], operation.in_place))

    end = first_output + len(busy)

    def final(place: int) -> int:
        return place if place >= 0 else end - place - 1

    done = [(f, tuple(map(final, operands)), final(result), in_place) for f, operands, result, in_place in steps]
    copies = [(final(at[k]), first_output + i) for i, k in enumerate(outputs) if final(at[k]) != first_output + i]
    return Program([recorder.values[k] for k in constants], done, copies, end - first_buffer)
