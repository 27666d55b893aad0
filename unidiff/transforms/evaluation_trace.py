"""The evaluation trace of a function: what forward and reverse mode do, node by node, to look at and to teach with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.derive import CompleteBackend
from unidiff.dispatch import find_backend
from unidiff.errors import ArgumentError, NotAnArrayError, ShapeError
from unidiff.transforms.trace_drawing import dot, svg

__all__ = ["EvaluationTrace", "TraceRow", "trace"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One node of an evaluation trace.

    Parameters
    ----------
    name : str
        ``"x"`` for an argument, ``"v1"``, ``"v2"``, ... for what is computed.
    operation : str
        The name of the function of the namespace; "input" or "constant" for what is not computed.
    expression : str
        The call, such as ``"v1 * x"``.
    operands : tuple of str
        The names of the nodes it is computed from.
    value : array
    partials : tuple of array or None
        For each operand the local derivative: of an elementwise function the factor by which it multiplies, of any other the
        Jacobian, whose shape is that of the value followed by that of the operand. None where there is none (integers, complex
        Jacobians) or where it has more than 4096 entries.
    tangent : array or None
        The derivative in the direction of the tangents; None where the node depends on no argument.
    adjoint : array or None
        The derivative of the output, weighted with the cotangent, by this node; None where the output does not depend on it.
    is_output : bool
        Whether the function returns it.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> row = ud.trace(lambda x: x * x)(np.asarray(3.0))[-1]
    >>> row.expression, float(row.value), row.is_output
    ('x * x', 9.0, True)
    """

    name: str
    operation: str
    expression: str
    operands: tuple[str, ...]
    value: Array
    partials: tuple[Array | None, ...]
    tangent: Array | None
    adjoint: Array | None
    is_output: bool


class EvaluationTrace(Sequence[TraceRow]):
    """The nodes of an evaluation, in order; printed, a table.

    Attributes
    ----------
    rows : tuple of TraceRow
    out : pytree
        What the function returned.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> table = ud.trace(lambda x: x * x)(np.asarray(3.0))
    >>> len(table), float(table["x"].adjoint)
    (2, 6.0)
    """

    def __init__(self, rows: Sequence[TraceRow], out: Tree) -> None:
        self.rows, self.out = tuple(rows), out

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            found = [row for row in self.rows if row.name == index]
            if not found:
                raise KeyError(index)
            return found[0]
        return self.rows[index]

    def __iter__(self) -> Iterator[TraceRow]:
        return iter(self.rows)

    def __str__(self) -> str:
        lines = [("node", "operation", "value", "local derivative", "tangent", "adjoint")]
        for row in self.rows:
            pairs = zip(row.operands, row.partials, strict=True)
            local = ", ".join(f"d/d{name} {_short(d)}" for name, d in pairs if d is not None)
            name = f"{row.name} (out)" if row.is_output else row.name
            lines.append((name, row.expression, _short(row.value), local, _short(row.tangent), _short(row.adjoint)))
        widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
        text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
        return "\n".join([text[0], "-+-".join("-" * width for width in widths), *text[1:]])

    def __repr__(self) -> str:
        return f"<evaluation trace of {len(self.rows)} nodes>"

    def to_dot(self) -> str:
        """Return the graph in the language of Graphviz."""
        return dot(self.rows, _short)

    def to_svg(self) -> str:
        """Return the graph as a picture, an SVG document; arguments at the top, values flow down, adjoints up."""
        return svg(self.rows, _short)

    def _repr_svg_(self) -> str:
        """Show the picture in notebooks."""
        return self.to_svg()


def trace(
    f: Callable[..., Any], *, tangents: Tree = None, cotangents: Tree = None, backend: Any = None
) -> Callable[..., EvaluationTrace]:
    """Return a function that evaluates a function and returns its evaluation trace.

    The trace has one row for each operation: its value, its local derivatives, the tangent that forward mode gives it and the
    adjoint that reverse mode gives it. With ``v`` a node, ``v_i`` its operands and ``w`` the nodes that use it::

        tangent(v) = sum_i dv/dv_i tangent(v_i)          adjoint(v) = sum_w dw/dv adjoint(w)

    as in Griewank and Walther, "Evaluating Derivatives", sections 2.2, 3.1 and 3.2.

    Parameters
    ----------
    f : callable
        Takes pytrees of arrays and Python numbers, and returns a pytree of them, computed with `unidiff.array_namespace`,
        operators, or NumPy's functions. Arrays of libraries that the engine does not differentiate, such as torch and JAX, are
        traced as NumPy arrays.
    tangents : tuple of pytrees, optional
        The direction of the tangents, one for each argument; ones by default.
    cotangents : pytree, optional
        The weights of the outputs; ones by default.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns an `EvaluationTrace`.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If an argument or an output is neither an array nor a number.
    unidiff.errors.TracedConversionError
        If `f` branches on a value: the trace is of one straight evaluation.

    Examples
    --------
    >>> import unidiff as ud
    >>> table = ud.trace(lambda x, y: x * y + y**2)(2.0, 3.0)
    >>> print(table)
    node     | operation | value | local derivative | tangent | adjoint
    ---------+-----------+-------+------------------+---------+--------
    x        | input     | 2     |                  | 1       | 3
    y        | input     | 3     |                  | 1       | 8
    v1       | x * y     | 6     | d/dx 3, d/dy 2   | 5       | 1
    v2       | y ** 2    | 9     | d/dy 6           | 6       | 1
    v3 (out) | v1 + v2   | 15    | d/dv1 1, d/dv2 1 | 11      | 1
    >>> float(table["x"].adjoint)
    3.0
    """
    if not callable(f):
        raise ArgumentError(f"The function to trace must be callable, but it is {f!r:.200}.")

    @wraps(f)
    def traced(*args: Any) -> EvaluationTrace:
        b, _ = find_backend(args, {}, backend)
        recorder = b if hasattr(b.backend, "evaluation") else registry.named(registry.DEFAULT)
        leaves, spec = tree.flatten(args)
        arrays = tuple(_array(b, recorder, x, tree.paths(spec, "argument")[k]) for k, x in enumerate(leaves))
        given = _seeds(b, recorder, arrays, tangents, "tangent", spec)

        def flat(*values: Array) -> tuple[Arrays, Any]:
            found, out_spec = tree.flatten(f(*tree.unflatten(spec, values)))
            return tuple(_output(recorder, x) for x in found), out_spec

        evaluation, out_spec = recorder.backend.evaluation(flat, arrays, given)  # type: ignore[attr-defined]  # as asked above
        by_number = {step.number: step for step in evaluation.steps}
        outs = [by_number[x.number].value for x in evaluation.program.outputs]
        evaluation.pull(_seeds(b, recorder, outs, cotangents, "cotangent", out_spec))
        names = _names(f, args, evaluation)
        outputs = {x.number for x in evaluation.program.outputs}
        rows = [_row(recorder, step, names, step.number in outputs) for step in evaluation.steps]
        return EvaluationTrace(rows, tree.unflatten(out_spec, outs))

    return traced


def _array(b: CompleteBackend, recorder: CompleteBackend, x: Any, where: str) -> Array:
    kind = _of_type(x)
    if kind is recorder or kind is _SCALAR:
        return recorder.asarray(x)
    if kind is not b:
        raise NotAnArrayError(f"The {where} is {x!r:.200} of type {type(x).__qualname__}, neither an array nor a number.")
    return recorder.asarray(b.to_numpy(x))


def _output(b: CompleteBackend, x: Any) -> Array:
    kind = _of_type(x)
    if kind is _SCALAR:
        return b.asarray(x)
    if kind is not b:
        raise not_an_output(b, x, "output")
    return x


def _seeds(
    b: CompleteBackend, recorder: CompleteBackend, arrays: Sequence[Array], given: Tree, what: str, spec: Any
) -> list[Array | None]:
    """Return the tangents or cotangents of arrays, ones where none are given, None for what is not floating."""
    xp = recorder.namespace()
    if given is None:
        seeds = [xp.ones(x.shape, dtype=x.dtype) for x in arrays]
    else:
        leaves, found = tree.flatten(given)
        if found != spec:
            raise ArgumentError(f"The {what}s have the structure {found}, but they must have the structure {spec}.")
        seeds = [_array(b, recorder, x, what) for x in leaves]
        for seed, x in zip(seeds, arrays, strict=True):
            if tuple(seed.shape) != tuple(x.shape):
                raise ShapeError(f"A {what} has the shape {tuple(seed.shape)}, but it must have the shape {tuple(x.shape)}.")
        seeds = [xp.astype(seed, x.dtype) for seed, x in zip(seeds, arrays, strict=True)]
    return [seed if recorder.is_differentiable(x) else None for seed, x in zip(seeds, arrays, strict=True)]


def _names(f: Callable[..., Any], args: tuple[Any, ...], evaluation: Any) -> dict[int, str]:
    """Return the names of all nodes: the arguments' own names with their place in a pytree, and v1, v2, ..."""
    try:
        bound = signature(f).bind(*args).arguments
        known = [name for name, value in bound.items() for name in ([name] if len(bound) == len(args) else [])]
    except (TypeError, ValueError):
        known = []
    names = []
    for position, x in enumerate(args):
        name = known[position] if position < len(known) else f"x{position + 1}"
        leaves, spec = tree.flatten(x)
        names += [path for path, _ in zip(tree.paths(spec, name), leaves, strict=True)]
    found = dict(zip(evaluation.program.inputs, names, strict=True))
    constants = computed = 0
    for step in evaluation.steps:
        if step.number in found:
            continue
        if step.operation == "constant":
            constants += 1
            found[step.number] = f"c{constants}"
        else:
            computed += 1
            found[step.number] = f"v{computed}"
    return found


def _row(b: CompleteBackend, step: Any, names: dict[int, str], is_output: bool) -> TraceRow:
    texts = {str(n): name for n, name in names.items()}
    expression = _substituted(step.text, texts) if step.operands else step.text or "input"
    return TraceRow(
        name=names[step.number],
        operation=step.operation.lstrip("_") or "input",
        expression=expression,
        operands=tuple(names[n] for n in step.operands),
        value=b.asarray(step.value),
        partials=tuple(None if x is None else b.asarray(x) for x in step.partials),
        tangent=None if step.tangent is None else b.asarray(step.tangent),
        adjoint=None if step.adjoint is None else b.asarray(step.adjoint),
        is_output=is_output,
    )


def _substituted(text: str, names: dict[str, str]) -> str:
    """Put the names of nodes in place of their numbers in braces."""
    for number, name in names.items():
        text = text.replace(f"{{{number}}}", name)
    return text


_SHOWN = 6
"""Of longer arrays only the ends are shown."""


def _short(x: Any) -> str:
    """Return an array as a short text on one line."""
    if x is None:
        return ""
    shape = tuple(x.shape)
    if not shape:
        value = x.item() if hasattr(x, "item") else complex(x)
        return _number(value)
    if 0 in shape or len(shape) > 2 or max(shape) > _SHOWN:
        return f"array of shape {shape}"
    return f"[{' '.join(_short(x[i, ...]) for i in range(shape[0]))}]"


def _number(value: Any) -> str:
    return str(value) if isinstance(value, (bool, int)) else f"{value:.4g}"
