"""Turns a program into a Python function: one statement for each call, its values in local variables.

A variable is used again for a later value once its own is dead, and what is large and dead is deleted at once, so the memory
of a run is that of the values that are alive. Where the library can compute a function into a given array, it gets that of an
argument of the same shape, dtype and order of elements that dies there and shares its memory with nothing else alive.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from unidiff.engine.compiling.program import ADD_AT, ADD_PART, GUARD, UPDATES, Node, Program, Ref, collected
from unidiff.engine.tracing import SCALARS, Library

DELETED_BYTES = 1 << 14
"""Values of at least this size are deleted when they are dead; smaller ones when their variable is used again."""

_INFIX: dict[Any, str] = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.floordiv: "//",
    operator.mod: "%", operator.pow: "**", operator.matmul: "@", operator.and_: "&", operator.or_: "|", operator.xor: "^",
    operator.lshift: "<<", operator.rshift: ">>", operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
    operator.eq: "==", operator.ne: "!=",
}  # fmt: skip
_PREFIX: dict[Any, str] = {operator.neg: "-", operator.pos: "+", operator.invert: "~"}


class StaleBranch(Exception):  # noqa: N818  # a signal between a program and what runs it, never seen by users
    """A value on which a rule branched when the program was recorded is another one now."""


def check(converted: Any, expected: Any) -> None:
    """Raise unless a rule would branch as it did when the program was recorded."""
    if converted != expected:
        raise StaleBranch


class Compiled:
    """A program as a Python function.

    Attributes
    ----------
    run : callable
        Takes the inputs, returns the tuple of outputs.
    source : str
        The Python code.
    reused : int
        How many results are computed into the memory of an earlier value.
    owned : tuple of bool
        Which outputs are arrays of the program's own, sharing memory with nothing else.
    """

    def __init__(self, program: Program, library: Library) -> None:
        self.program, self.library = program, library
        self.names: dict[str, Any] = {"_check": check, "_quiet": library.quiet, "_under": library.under}
        self.bound: dict[int, str] = {}
        self.variables: dict[int, str] = {}
        self.free: list[str] = []
        self.functions: dict[Any, str] = {}
        self.numbers: dict[Any, Any] = {}
        self.count = 0
        self.reused = 0
        self.roots: dict[int, frozenset[int]] = {}
        self.owners: dict[int, int] = {}
        self.sharing: dict[int, int] = {}
        self.last = _last_uses(program)
        self.lines: list[str] = []
        self.source = self._source()
        exec(compile(self.source, "<unidiff program>", "exec"), self.names)  # noqa: S102  # our own code
        self.run: Callable[..., tuple[Any, ...]] = self.names["program"]

    # --- text

    def _source(self) -> str:
        program = self.program
        for n in program.inputs:
            self.variables[n] = self._variable()
            self.roots[n] = frozenset()
        parameters = ", ".join(self.variables[n] for n in program.inputs)
        for n, value in (*program.captured.items(), *program.constants.items()):
            self.bound[n] = self._bind(value, "c")
            self.roots[n] = frozenset()
        indent, quiet = "    ", cast("Any", False)
        for index, node in enumerate(program.nodes):
            if node.quiet != quiet:
                quiet = node.quiet
                if quiet:
                    context = "_quiet()" if quiet is True else f"_under({self._bind(quiet, 'k')})"
                    self.lines.append(f"    with {context}:")
                indent = "        " if quiet else "    "
            self.lines += [indent + line for line in self._statements(index, node)]
        results = ", ".join(map(self._text, program.outputs))
        self.owned = self._owned()
        self.lines.append(f"    return ({results}{',' if len(program.outputs) == 1 else ''})")
        return "\n".join([f"def program({parameters}):", *self.lines, ""])

    def _variable(self) -> str:
        if self.free:
            return self.free.pop()
        self.count += 1
        return f"v{self.count}"

    def _bind(self, value: Any, letter: str) -> str:
        name = f"{letter}{len(self.names)}"
        self.names[name] = value
        return name

    def _function(self, function: Any) -> str:
        if function not in self.functions:
            self.functions[function] = self._bind(function, "f")
        return self.functions[function]

    def _text(self, x: Any) -> str:
        """Return an argument as Python code."""
        if isinstance(x, Ref):
            return self.bound[x.number] if x.number in self.bound else self.variables[x.number]
        if x is None or x is Ellipsis or type(x) in (bool, int, str):
            return "..." if x is Ellipsis else repr(x)
        if type(x) is float and x - x == 0:
            return repr(x)
        if type(x) is tuple:
            return f"({', '.join(map(self._text, x))}{',' if len(x) == 1 else ''})"
        if type(x) is list:
            return f"[{', '.join(map(self._text, x))}]"
        if type(x) is slice and not collected(x):
            return self._bind(x, "k")
        if type(x) is slice:
            return f"slice({self._text(x.start)}, {self._text(x.stop)}, {self._text(x.step)})"
        if type(x) is dict:
            return "{" + ", ".join(f"{self._text(k)}: {self._text(v)}" for k, v in x.items()) + "}"
        return self._bind(x, "k")

    # --- statements

    def _statements(self, index: int, node: Node) -> list[str]:
        operands = sorted(set(node.operands()))
        dying = [n for n in operands if self.last.get(n) == index and n in self.variables]
        if node.name == GUARD:
            lines = [f"_check({self._function(node.function)}({self._text(node.args[0])}), {self._text(node.args[1])})"]
            return lines + self._release(dying)
        if node.name in UPDATES:
            return self._update(node, dying)
        into = self.library.into.get(node.function)
        buffer = None if into is None else self._buffer(node, dying)
        call = self._call(node) if into is None else self._ufunc(node, into, buffer)
        if node.result not in self.last:  # kept only because it may raise
            return [call, *self._release(dying)]
        if buffer is not None:
            self.reused += 1
            self._define(node.result, self.roots[buffer], self.owners[buffer])
        elif into is not None or node.function in self.library.fresh:
            self._define(node.result, frozenset({node.result}), node.result)
        else:
            shared = frozenset().union(*(self.roots[n] for n in operands))
            self._define(node.result, shared, None)
        lines = self._release(dying)
        name = self.variables[node.result] = self._variable()
        return [f"{name} = {call}", *[line for line in lines if line != f"del {name}"]]

    def _define(self, n: int, roots: frozenset[int], owner: int | None) -> None:
        """Note whose memory a value may share: that of these roots, and whether it is all of what one root owns."""
        self.roots[n] = roots
        if owner is not None:
            self.owners[n] = owner
        for root in roots:
            self.sharing[root] = self.sharing.get(root, 0) + 1

    def _release(self, dying: list[int]) -> list[str]:
        """Give the variables of dead values back, and delete at once what is large."""
        lines = []
        for n in dying:
            for root in self.roots[n]:
                self.sharing[root] -= 1
            name = self.variables.pop(n)
            self.free.append(name)
            if self.program.meta[n].nbytes >= DELETED_BYTES:
                lines.append(f"del {name}")
        return lines

    def _call(self, node: Node) -> str:
        operands = [self.program.meta[x.number] for x in node.args if isinstance(x, Ref)]
        function = self.library.simplify(node.function, operands, node.kwargs) or node.function
        args = [self._text(x) for x in node.args]
        if not node.kwargs and function in _INFIX:
            return f"{args[0]} {_INFIX[function]} {args[1]}"
        if not node.kwargs and function in _PREFIX:
            return f"{_PREFIX[function]}{args[0]}"
        if function is operator.getitem:
            return f"{args[0]}[{args[1]}]"
        args += [f"{key}={self._text(x)}" for key, x in node.kwargs.items()]
        return f"{self._function(function)}({', '.join(args)})"

    def _ufunc(self, node: Node, into: Any, buffer: int | None) -> str:
        if node.function in (*_INFIX, *_PREFIX) and issubclass(self.program.meta[node.result].kind, self.library.scalar_types):
            return self._call(node)  # the operator of scalars costs less, and rounds complex products otherwise
        args = [self._text(self._as_array(node, x)) for x in node.args]
        if buffer is not None:
            args.append(self.variables[buffer])
        return f"{self._function(into)}({', '.join(args)})"

    def _as_array(self, node: Node, x: Any) -> Any:
        """Return a Python number beside an array as an array of its dtype, which saves converting it in each run."""
        if type(x) not in SCALARS or type(x) is complex:
            return x
        others = [self.program.meta[y.number] for y in node.args if isinstance(y, Ref)]
        meta, xp = self.program.meta[node.result], self.library.xp
        if len(others) != 1 or others[0].dtype != meta.dtype:
            return x
        key = meta.dtype, type(x), repr(x)
        if key not in self.numbers:
            self.numbers[key] = xp.asarray(x, dtype=meta.dtype) if xp.isdtype(meta.dtype, "real floating") else x
        return self.numbers[key]

    def _buffer(self, node: Node, dying: list[int]) -> int | None:
        """Return a dying argument into whose memory the result can be computed."""
        meta = self.program.meta[node.result]
        if node.kwargs or node.result not in self.last or not self._is_array(node.result):
            return None
        return next((n for n in dying if self.program.meta[n] == meta and self._is_alone(n)), None)

    def _is_array(self, n: int) -> bool:
        kind = self.program.meta[n].kind
        return issubclass(kind, self.library.array_types) and not issubclass(kind, self.library.scalar_types)

    def _is_alone(self, n: int) -> bool:
        """Whether a value is memory of the program's own that nothing else that is alive shares."""
        owner = self.owners.get(n)
        return owner is not None and self.roots[n] == frozenset({owner}) and self.sharing[owner] == 1

    def _update(self, node: Node, dying: list[int]) -> list[str]:
        """Change an array in place where it is the program's own and nothing else needs it, else a copy of it."""
        base: int = node.args[0].number
        lines: list[str] = []
        key, value, source = (self._text(x) for x in (node.args[1], node.args[2], node.args[0]))
        in_place = base in dying and self._is_alone(base)
        if in_place:
            name = self.variables.pop(base)
            roots, owner = self.roots[base], self.owners[base]
            for root in roots:
                self.sharing[root] -= 1
            dying = [n for n in dying if n != base]
            self.reused += 1
        else:
            name, roots, owner = self._variable(), frozenset({node.result}), node.result
            copy = self.library.simplify(self.library.xp.asarray, (), {"copy": True}) or partial(
                self.library.xp.asarray, copy=True
            )
            lines.append(f"{name} = {self._function(copy)}({source})")
        if node.name == ADD_AT:
            lines.append(f"{self._function(node.function)}({name}, {key}, {value})")
        else:
            lines.append(f"{name}[{key}] {'+' if node.name == ADD_PART else ''}= {value}")
        lines += self._release(dying)
        if node.result in self.last:
            self._define(node.result, roots, owner)
            self.variables[node.result] = name
        else:
            self.free.append(name)
        return lines

    def _owned(self) -> tuple[bool, ...]:
        """Say for each output whether it is an array of the program's own, shared with no other output."""
        numbers = [x.number for x in self.program.outputs]
        alone = [n in self.variables and self._is_array(n) and self._is_alone(n) for n in numbers]
        return tuple(yes and n not in numbers[:k] for k, (n, yes) in enumerate(zip(numbers, alone, strict=True)))


def _last_uses(program: Program) -> dict[int, int]:
    """Return for each value the index of the last call that uses it; outputs are used at the end."""
    last: dict[int, int] = {}
    for index, node in enumerate(program.nodes):
        for n in node.operands():
            last[n] = index
    for n in collected(program.outputs):
        last[n] = len(program.nodes)
    return last
