"""The evaluation of a function node by node: values, local derivatives, tangents and adjoints.

The function is recorded as for compiling; each call is then evaluated and differentiated by itself, so what is
shown is what the chain rule multiplies and adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.backend import EngineBackend
from unidiff.engine.compiling.program import ITEM, UPDATES, Node, Program, Ref, replaced, shown_argument

LARGEST_PARTIAL = 4096
"""Local derivatives with more entries are left out."""

_SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**", "matmul": "@", "less": "<", "greater": ">",
    "less_equal": "<=", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Step:
    """One value of an evaluation.

    Parameters
    ----------
    number : int
        Its number.
    operation : str
        The function that computes it; empty for inputs, "constant" for what depends on none.
    text : str
        The call, values of other steps as ``{number}``.
    operands : list of int
        The steps it is computed from.
    value : array
    partials : list of array or None
        For each operand the local derivative: of an elementwise function the factor by which it multiplies, an array of the
        shape of the operand; of any other function the Jacobian, of the shape of the value followed by that of the operand.
        None where there is none, as for integers, or where it is large.
    tangent : array or None
        The derivative in the direction of the given tangents.
    adjoint : array or None
        The derivative of the outputs, weighted with the given cotangents, with respect to this value.
    """

    number: int
    operation: str
    text: str
    operands: list[int]
    value: Array
    partials: list[Array | None]
    tangent: Array | None = None
    adjoint: Array | None = None


class Evaluation:
    """A recorded program, evaluated step by step.

    Parameters
    ----------
    backend : EngineBackend
        The backend of its arrays.
    program : Program
        As recorded.
    args, tangents : sequence of array
        The arguments, and the tangents to push forward from them, None for zero.
    """

    def __init__(self, backend: EngineBackend, program: Program, args: Arrays, tangents: Sequence[Array | None]) -> None:
        self.backend, self.program = backend, program
        self.nodes = {node.result: node for node in program.nodes}
        self.by_number: dict[int, Step] = {}
        for n, x, t in zip(program.inputs, args, tangents, strict=True):
            self.by_number[n] = Step(n, "", "", [], x, [], t)
        for n, x in program.captured.items():
            self.by_number[n] = Step(n, "constant", "constant", [], x, [])
        for node in program.nodes:
            if issubclass(program.meta[node.result].kind, backend.library.array_types):
                self._evaluate(node.result)
        self.steps = list(self.by_number.values())

    def _is_floating(self, x: Array) -> bool:
        return bool(self.backend.domain.kind(x.dtype) != "exact")

    def _call(self, number: int) -> tuple[Node, list[Any], list[int]]:
        """Return the call that computes a value, what is picked of its result, and the values it is computed from."""
        node = self.nodes[number]
        picked: list[Any] = []
        while node.name == ITEM:
            picked.insert(0, node.args[1])
            node = self.nodes[node.args[0].number]
        return node, picked, list(dict.fromkeys(node.operands()))

    def _function(self, number: int) -> tuple[Callable[..., tuple[Array]], Arrays, list[int]]:
        """Return a value as a function of the floating values it is computed from, those values, and their places."""
        node, picked, operands = self._call(number)
        function = _differentiable(self.backend, node)
        values = {n: self.by_number[n].value for n in operands}
        places = [i for i, n in enumerate(operands) if self._is_floating(values[n])]

        def call(*floating: Array) -> tuple[Array]:
            known = values | {operands[i]: x for i, x in zip(places, floating, strict=True)}

            def leaf(x: Any) -> Any:
                return known[x.number] if isinstance(x, Ref) else x

            ans = function(*replaced(node.args, leaf), **replaced(node.kwargs, leaf))
            for place in picked:
                ans = ans[place]
            return (ans,)

        return call, tuple(values[operands[i]] for i in places), places

    def _evaluate(self, number: int) -> None:
        node, picked, operands = self._call(number)
        call, primals, places = self._function(number)
        (value,) = call(*primals)
        step = self.by_number[number] = Step(number, node.name, _text(node, picked), operands, value, [None] * len(operands))
        if not places or not self._is_floating(value):
            return
        operation = self.backend.domain.operations.get(node.name)
        is_elementwise = operation is not None and operation.rule.kind == "elementwise"
        with self.backend.library.quiet():
            for position, i in enumerate(places):
                step.partials[i] = self._partial(call, primals, position, value, is_elementwise)
            tangents = [self.by_number[operands[i]].tangent for i in places]
            if any(t is not None for t in tangents):
                zeros = self.backend.library.xp.zeros_like
                given = tuple(zeros(x) if t is None else t for t, x in zip(tangents, primals, strict=True))
                step.tangent = self.backend.jvp(call, primals, given)[1][0]

    def _partial(
        self, call: Callable[..., tuple[Array]], primals: Arrays, position: int, value: Array, is_elementwise: bool
    ) -> Array | None:
        x, xp = primals[position], self.backend.library.xp
        if is_elementwise and x.shape == value.shape:
            units = tuple(xp.ones_like(y) if k == position else xp.zeros_like(y) for k, y in enumerate(primals))
            factor: Array = self.backend.jvp(call, primals, units)[1][0]
            return factor
        if math.prod(value.shape) * math.prod(x.shape) > LARGEST_PARTIAL:
            return None
        if any(self.backend.domain.kind(y.dtype) == "complex" for y in (value, x)):
            return None  # which is not one array

        def of_one(y: Array) -> tuple[Array]:
            return call(*primals[:position], y, *primals[position + 1 :])

        jacobian: Array = self.backend.jacfwd(of_one, (x,))[1][0][0]
        return jacobian

    def pull(self, cotangents: Sequence[Array | None]) -> None:
        """Give every step its adjoint, from the last to the first, for these cotangents of the outputs; None is zero."""
        for x, ct in zip(self.program.outputs, cotangents, strict=True):
            if ct is not None:
                _add(self.by_number[x.number], ct)
        for step in reversed(self.steps):
            if step.adjoint is None or not step.operands:
                continue
            call, primals, places = self._function(step.number)
            if not places:
                continue
            _, pullback = self.backend.vjp(call, primals)
            for i, g in zip(places, pullback((step.adjoint,)), strict=True):
                _add(self.by_number[step.operands[i]], g)


def _differentiable(backend: EngineBackend, node: Node) -> Callable[..., Any]:
    """Return the function of a call on plain and traced arrays."""
    operation = backend.domain.operations.get(node.name)
    if operation is not None:
        return operation.function
    if node.name in UPDATES:
        return node.function
    found: Any = backend.domain.plain
    for part in node.name.split("."):
        found = getattr(found, part, node.function)
    return found  # type: ignore[no-any-return]  # a function of the namespace


def _add(step: Step, g: Array) -> None:
    step.adjoint = g if step.adjoint is None else step.adjoint + g


def _text(node: Node, picked: list[Any]) -> str:
    shown = [_argument(x) for x in node.args]
    if node.name in _SYMBOLS and len(shown) == 2:
        text = f"{shown[0]} {_SYMBOLS[node.name]} {shown[1]}"
    elif node.name == "negative":
        text = f"-{shown[0]}"
    elif node.name == "_getitem":
        text = f"{shown[0]}[{shown[1].strip('()')}]"
    else:
        shown += [f"{key}={_argument(x)}" for key, x in node.kwargs.items() if x is not None]
        text = f"{node.name.lstrip('_')}({', '.join(shown)})"
    return text + "".join(f"[{place}]" for place in picked)


def _argument(x: Any) -> str:
    if isinstance(x, Ref):
        return f"{{{x.number}}}"
    if isinstance(x, (tuple, list)):
        return f"({', '.join(map(_argument, x))}{',' if len(x) == 1 else ''})"
    return shown_argument(x).replace("{", "{{").replace("}", "}}")
