"""The source of a function as it stands in its file: of a lambda the lambda alone, with what it closes over."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_SHORT = 120


def source(function: Any) -> str:
    """Return the source of a function, and the values and functions that it takes from around it.

    Parameters
    ----------
    function : callable
        A function that was written in Python.

    Returns
    -------
    str
        Its `repr` if there is no source.
    """
    return "\nwhere ".join(dict.fromkeys(_parts(function, set())))


def _parts(function: Any, seen: set[int]) -> Iterator[str]:
    seen.add(id(function))
    yield _own(function)
    for name, value in inspect.getclosurevars(function).nonlocals.items() if inspect.isfunction(function) else ():
        if not inspect.isfunction(value):
            yield f"{name} = {value!r:.{_SHORT}}"
        elif id(value) not in seen:
            first, *rest = _parts(value, seen)
            yield first if first.startswith("def ") else f"{name} = {first}"
            yield from rest


def _own(function: Any) -> str:
    try:
        if function.__name__ == "<lambda>":
            return _lambda(function)
        text = textwrap.dedent(inspect.getsource(function)).strip()
    except (AttributeError, OSError, TypeError):
        return repr(function)
    return text


def _lambda(function: Any) -> str:
    """Return the smallest lambda of the file around the code, since several may stand on a line."""
    path = inspect.getsourcefile(function) or ""
    places = [(line, column) for line, _, column, _ in function.__code__.co_positions() if line and column]
    found = [node for node in _lambdas(path) if all(_within(node.body, *place) for place in places)]
    if not found:
        raise OSError(f"{path} has no such lambda")
    node = min(found, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    text = ast.get_source_segment(_text(path), node) or repr(function)
    return " ".join(line.strip() for line in text.splitlines())


def _within(node: ast.expr, line: int, column: int) -> bool:
    return (node.lineno, node.col_offset) <= (line, column) <= (node.end_lineno or 0, node.end_col_offset or 0)


@cache
def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


@cache
def _lambdas(path: str) -> tuple[ast.Lambda, ...]:
    return tuple(node for node in ast.walk(ast.parse(_text(path))) if isinstance(node, ast.Lambda))
