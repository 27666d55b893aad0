"""Where a function is, and what to paste to check it again."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import getsourcefile, getsourcelines
from pathlib import Path
from types import TracebackType
from typing import Any

from unidiff.arrays import to_numpy

_MOST = 64
"""Numbers of an argument that are written out."""


def command(f: Callable[..., Any], values: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return a command, or code where none can name the function or its arguments, that checks the function again.

    Parameters
    ----------
    f : callable
        The function.
    values : sequence of pytree
        Its arguments.
    options : mapping
        Those of `unidiff.testing.check_derivatives`: order, backends, and what else is not as usual.

    Returns
    -------
    str
    """
    place, literals = address(f), [_literal(value) for value in values]
    if place and all(literal is not None for literal in literals):
        arguments = " ".join(shlex.quote(_double_quoted(repr(literal))) for literal in literals)
        rest = {**options, "backends": ",".join(options["backends"])}
        return f"unidiff check {shlex.quote(place)} {' '.join(f'--{key} {x}' for key, x in rest.items())} --args {arguments}"
    arguments = "".join(f"{_code(value)}, " for value in values).strip()
    keywords = ", ".join(f"{key}={value!r}" for key, value in options.items())
    name = getattr(f, "__name__", "f")
    name = name if name.isidentifier() else "f"
    return f"unidiff.testing.check_derivatives({name}, ({arguments}), {keywords})  # {name} is {_position(f)}"


def _double_quoted(literal: str) -> str:
    """Return a literal with quotes that need no escape in a shell's single quotes."""
    return literal if '"' in literal else literal.replace("'", '"')


def address(f: Callable[..., Any]) -> str:
    """Return ``module:function`` or ``file.py:function``, by which ``unidiff check`` finds a function; empty if it has none."""
    name, module = getattr(f, "__qualname__", "<"), sys.modules.get(getattr(f, "__module__", None) or "")
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    file = getattr(module, "__file__", None)
    if found is not f or module is None or file is None:
        return ""
    path, folder = Path(file).resolve(), Path.cwd().resolve()
    dotted = folder.joinpath(*module.__name__.split("."))
    if path in (dotted.with_suffix(".py"), dotted / "__init__.py"):
        return f"{module.__name__}:{name}"
    if path.is_relative_to(folder) and "site-packages" not in path.parts:
        return f"{path.relative_to(folder).as_posix()}:{name}"
    return "" if module.__name__ == "__main__" else f"{module.__name__}:{name}"


def culprit(f: Callable[..., Any], error: BaseException) -> tuple[str, str]:
    """Return the innermost line in the file of `f` that an exception came through: where it is, and its source."""
    file = _file(f)
    found: tuple[str, str] = ("", "")
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if file and code.co_filename == file:
            line = _line(file, trace.tb_lineno)
            found = (f"{Path(file).name}:{trace.tb_lineno}, in {code.co_name}", line)
        trace = trace.tb_next
    return found


def _line(file: str, number: int) -> str:
    from linecache import getline

    return getline(file, number).strip()


def _file(f: Callable[..., Any]) -> str:
    code = getattr(f, "__code__", None)
    return str(code.co_filename) if code is not None else ""


def _position(f: Callable[..., Any]) -> str:
    try:
        return f"that of {getsourcefile(f)}:{getsourcelines(f)[1]}"
    except (OSError, TypeError):
        return repr(f)


def _literal(value: Any) -> Any:
    """Return a value as a literal that the command line takes, or None if it has none: arrays in double precision as lists."""
    if isinstance(value, Mapping):
        items = {key: _literal(item) for key, item in value.items()}
        return None if any(item is None for item in items.values()) else items
    if isinstance(value, (tuple, list)):
        parts = [_literal(item) for item in value]
        return None if any(part is None for part in parts) else type(value)(parts) if type(value) in (tuple, list) else None
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        host = to_numpy(value)
        return host.tolist() if host.dtype.name in ("float64", "complex128") and host.size <= _MOST else None
    return value if isinstance(value, (int, float, complex)) else None


def _code(value: Any) -> str:
    """Return a value as Python code; arrays by their numbers and dtype."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        inside = "".join(f"{_code(item)}, " for item in value).strip()
        return f"({inside})" if isinstance(value, tuple) else f"[{inside.rstrip(',')}]"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        host = to_numpy(value)
        numbers = repr(host.tolist()) if host.size <= _MOST else f"... of shape {host.shape}"
        return f"numpy.asarray({numbers}, dtype={host.dtype.name!r})"
    return repr(value)
