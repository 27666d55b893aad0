"""Makes a recorded program smaller without changing a bit of what it computes.

Calls on constants are evaluated once, calls that only hand their argument on are dropped, equal calls become one, and what
nothing depends on is removed. Nothing is reordered, and only identities that hold for every floating-point number are used:
``1 * x`` and ``x - 0`` are ``x``, also where that is NaN or -0, while ``x + 0`` and ``0 * x`` are not.
"""

from __future__ import annotations

from typing import Any

from unidiff.engine.compiling.program import GUARD, UPDATES, Node, Program, Ref, collected, replaced
from unidiff.engine.tracing import SCALARS, Library

FOLDED_BYTES = 1 << 14
"""Up to this size the result of a call on constants is kept; larger ones are made anew in each run."""

_MULTIPLY = frozenset({"mul", "multiply"})
_DIVIDE = frozenset({"truediv", "divide"})
_SUBTRACT = frozenset({"sub", "subtract"})
_SAME = frozenset({"pos", "positive"})
_NEGATIVE = frozenset({"neg", "negative"})
_FILLS = frozenset({"broadcast_to", "reshape", "expand_dims", "squeeze"})


def optimize(program: Program, library: Library) -> Program:
    """Return an equivalent program."""
    return without_dead_code(_Pass(program, library).run())


class _Pass:
    """One walk through a program from its inputs to its outputs."""

    def __init__(self, program: Program, library: Library) -> None:
        self.source, self.library = program, library
        self.target = Program(list(program.inputs), dict(program.captured), dict(program.constants), meta=dict(program.meta))
        self.same: dict[int, int] = {}
        self.several: dict[int, Any] = {}
        self.seen: dict[Any, Node] = {}
        self.ones: set[int] = set()
        self.negative_of: dict[int, Any] = {}
        self.real: dict[Any, bool] = {}

    def run(self) -> Program:
        for node in self.source.nodes:
            self._visit(node)
        self.target.outputs = replaced(self.source.outputs, self._substitute)
        return self.target

    def _substitute(self, x: Any) -> Any:
        return Ref(self.same[x.number]) if isinstance(x, Ref) and x.number in self.same else x

    def _visit(self, node: Node) -> None:
        args, kwargs = node.args, node.kwargs
        if self.same.keys().isdisjoint(node.operands()):
            node = Node(node.name, node.function, args, kwargs, node.result, node.quiet, node.operands())
        else:
            args, kwargs = replaced(args, self._substitute), replaced(kwargs, self._substitute)
            node = Node(node.name, node.function, args, kwargs, node.result, node.quiet)
        if node.name == GUARD or self._fold(node):
            if node.name == GUARD:
                self.target.nodes.append(node)
            return
        if self.several:  # values of a folded call, of which a call is left because its result is large
            self.target.constants |= {n: self.several[n] for n in node.operands() if n in self.several}
        handed_on = self._handed_on(node)
        if handed_on is not None:
            self.same[node.result] = handed_on
            return
        key = _key(node)
        if key is not None and key in self.seen:
            first = self.seen[key]
            first.quiet = first.quiet and node.quiet  # what warns on its own account goes on to do so
            self.same[node.result] = first.result
            return
        if key is not None:
            self.seen[key] = node
        if node.name in _FILLS and isinstance(args[0], Ref) and args[0].number in self.ones:
            self.ones.add(node.result)
        if node.name in _NEGATIVE:
            self.negative_of[node.result] = args[0]
        self.target.nodes.append(node)

    # --- constants

    def _fold(self, node: Node) -> bool:
        """Evaluate a call on constants; True where its result is kept."""
        constants = self.target.constants
        for n in node.operands():
            if n not in constants and n not in self.several:
                return False
        if node.name in UPDATES:
            return False
        meta = self.target.meta[node.result]
        if meta.nbytes > FOLDED_BYTES:
            if node.name in _FILLS and isinstance(node.args[0], Ref) and node.args[0].number in self.ones:
                self.ones.add(node.result)
            return False

        def value(x: Any) -> Any:
            if not isinstance(x, Ref):
                return x
            return self.several[x.number] if x.number in self.several else constants[x.number]

        with self.library.quiet():
            result = node.function(*replaced(node.args, value), **replaced(node.kwargs, value))
        if not isinstance(result, self.library.array_types):
            self.several[node.result] = result
            return True
        constants[node.result] = result
        if self._all_one(result):
            self.ones.add(node.result)
        return True

    def _all_one(self, x: Any) -> bool:
        xp = self.library.xp
        return x.size > 0 and bool(xp.isdtype(x.dtype, ("real floating", "integral"))) and bool(xp.all(x == 1))

    # --- identities

    def _handed_on(self, node: Node) -> int | None:
        """Return the argument that the result of a call equals in every bit, None where there is none."""
        args, name = node.args, node.name
        if name == "astype" and isinstance(args[0], Ref) and not (set(node.kwargs) - {"copy"}):
            return self._like(node, args[0])
        if name in _SAME:
            return self._like(node, args[0])
        if name in _NEGATIVE and isinstance(args[0], Ref):
            inner = self.negative_of.get(args[0].number)
            return None if inner is None else self._like(node, inner)
        if len(args) != 2 or node.kwargs:
            return None
        if (name in _MULTIPLY or name in _DIVIDE) and self._is_real(node.result):  # 1 + 0i changes the sign of zeros
            if name in _MULTIPLY and self._is_one(args[0]):
                return self._like(node, args[1])
            if self._is_one(args[1]):
                return self._like(node, args[0])
        if name in _SUBTRACT and type(args[1]) in (int, float) and args[1] == 0 and str(args[1])[0] != "-":
            return self._like(node, args[0])
        return None

    def _is_real(self, n: int) -> bool:
        dtype = self.target.meta[n].dtype
        if dtype not in self.real:
            self.real[dtype] = bool(self.library.xp.isdtype(dtype, ("real floating", "integral")))
        return self.real[dtype]

    def _is_one(self, x: Any) -> bool:
        return x.number in self.ones if isinstance(x, Ref) else type(x) in (int, float) and x == 1

    def _like(self, node: Node, x: Any) -> int | None:
        if not isinstance(x, Ref):
            return None
        meta = self.target.meta
        return x.number if meta[x.number] == meta[node.result] else None


def _key(node: Node) -> Any:
    """Return what two equal calls have in common, None for one that cannot be told equal."""
    try:
        asked = None if isinstance(node.quiet, bool) else node.quiet
        args = tuple([x.number if type(x) is Ref else _frozen(x) for x in node.args])
        key = (node.name, node.function, asked, args, _frozen(node.kwargs) if node.kwargs else None)
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(x: Any) -> Any:
    if type(x) is Ref:
        return x.number  # which no other argument is, since those become pairs
    if type(x) in SCALARS:
        return type(x), repr(x)  # which tells 0.0 from -0.0 and from 0
    if isinstance(x, (tuple, list)):
        return type(x), tuple(map(_frozen, x))
    if isinstance(x, dict):
        return tuple((key, _frozen(value)) for key, value in x.items())
    if isinstance(x, slice):
        return slice, _frozen((x.start, x.stop, x.step))
    return x


def without_dead_code(program: Program) -> Program:
    """Return the program without calls that nothing depends on; those that may raise stay."""
    live = set(collected(program.outputs))
    kept: list[Node] = []
    for node in reversed(program.nodes):
        if node.result in live or node.name == GUARD or _may_raise(node):
            kept.append(node)
            live.update(node.operands())
    kept.reverse()
    captured = {n: x for n, x in program.captured.items() if n in live}
    constants = {n: x for n, x in program.constants.items() if n in live}
    return Program(program.inputs, captured, constants, kept, program.outputs, program.meta)


def _may_raise(node: Node) -> bool:
    """Whether a call can raise although it returned in the recorded run: decompositions and solvers do, at singular points."""
    return node.name.startswith("linalg.") and node.name not in _TOTAL


_TOTAL = frozenset(
    f"linalg.{name}"
    for name in "cross diagonal matmul matrix_norm matrix_transpose outer tensordot trace vecdot vector_norm".split()
)
