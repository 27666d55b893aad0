"""``unidiff check``: whether a function of one's own has the same derivatives on every backend, and the right ones."""

import argparse
import ast
import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unidiff import errors, registry
from unidiff.cli.commands import Run
from unidiff.cli.console import make_console
from unidiff.testing import AGREEMENT, BackendReport, DerivativeReport, check_derivatives

_NUMBERS = {"inf": math.inf, "nan": math.nan}
_EXAMPLES = """examples:
  unidiff check losses:huber --args '[0.3, -2.0, 1.7]'
  unidiff check src/losses.py:loss --args '{"w": [1.0, 2.0], "b": 0.5}' 2.0 --backends numpy,torch

exit codes:
  0  all backends agree, and with central differences
  1  a backend is wrong, disagrees or fails
  2  the program was misused: the arguments do not fit the function, or are no literals
  3  the function or a backend cannot be loaded
"""


class MisuseError(ValueError):
    """The arguments of the command make no sense."""


class MissingError(ImportError):
    """The function cannot be loaded."""


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("function", metavar="MODULE:FUNCTION", help="as losses:huber, or with a file, as src/losses.py:huber")
    parser.add_argument(
        "--args", nargs="+", required=True, metavar="VALUE", help="one literal for each argument, as 1.0 '[0.5, 2.0]'"
    )
    parser.add_argument("--order", type=int, default=2, help="the highest order of derivative to check (default: %(default)s)")
    parser.add_argument("--backends", default="", metavar="NAMES", help="as numpy,torch; all that are installed by default")
    parser.add_argument("--rtol", type=float, default=AGREEMENT, help="how far backends may differ (default: %(default)s)")
    return run


def run(args: argparse.Namespace) -> int:
    """Check the function: 0 if all backends agree, 1 if not, 2 for misuse, 3 if something cannot be loaded."""
    names = [name.strip() for name in args.backends.split(",") if name.strip()] or list(registry.backends(arrays=True))
    _prepare(names)
    try:
        values = [literal(text) for text in args.args]
        function = load(args.function)
        _require_fit(function, values, args.function)
        report = check_derivatives(function, values, args.order, backends=names, rtol=args.rtol, raises=False)
    except (MissingError, errors.UnknownBackendError, errors.BackendLoadError) as error:
        print(f"unidiff check: {error}", file=sys.stderr)
        return 3
    except (MisuseError, errors.ArgumentError) as error:
        print(f"unidiff check: {error}", file=sys.stderr)
        return 2
    show(report)
    return 1 if report.failures else 0


def _prepare(names: Sequence[str]) -> None:
    """Set the variables that libraries want for tests, before they are imported."""
    infos = registry.backends(installed=False)
    for name in names:
        for setting in infos[name].test_environment if name in infos else ():
            key, _, value = setting.partition("=")
            os.environ.setdefault(key, value)


def literal(text: str) -> Any:
    """Return the value of a Python literal, which may have ``inf`` and ``nan`` for numbers.

    Raises
    ------
    MisuseError
        If it is none.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return ast.literal_eval(_WithNumbers().visit(tree))
    except (ValueError, SyntaxError, TypeError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error).partition(":")[0]
        raise MisuseError(
            f"--args takes Python literals such as '[1.0, 2.0]', one for each argument, not {text!r} ({reason})"
        ) from error


class _WithNumbers(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.copy_location(ast.Constant(_NUMBERS[node.id]), node) if node.id in _NUMBERS else node


def load(path: str) -> Callable[..., Any]:
    """Import a function by the name of its module, or by its file.

    Raises
    ------
    MisuseError
        If the path is of another form, or names something that cannot be called.
    MissingError
        If there is no such module, file or function, or the module cannot be imported.
    """
    place, _, attribute = path.rpartition(":")
    if not place or not all(part.isidentifier() for part in attribute.split(".")):
        raise MisuseError(f"{path!r} is not of the form MODULE:FUNCTION, or FILE.py:FUNCTION")
    found = _module(place)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise MissingError(f"{place!r} has no function {attribute!r}{_meant(part, found)}") from error
    if not callable(found):
        raise MisuseError(f"{path!r} is {found!r:.80}, which cannot be called")
    function: Callable[..., Any] = found
    return function


def _module(place: str) -> Any:
    folder, name = Path.cwd(), place
    if place.endswith(".py"):
        file = Path(place).resolve()
        if not file.is_file():
            raise MissingError(f"there is no file {place!r}")
        folder, parts = file.parent, [file.stem]
        while (folder / "__init__.py").exists():  # so that imports within a package work
            folder, parts = folder.parent, [folder.name, *parts]
        name = ".".join(parts)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # the user's own module is rather here than installed
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise MissingError(f"the module {place!r} cannot be imported: {type(error).__name__}: {error}") from error


def _meant(name: str, module: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [key for key, value in vars(module).items() if callable(value)], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _require_fit(function: Callable[..., Any], values: Sequence[Any], path: str) -> None:
    """Raise MisuseError unless the function takes as many arguments as there are values."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C, without a signature: calling it will tell
    try:
        signature.bind(*values)
    except TypeError as error:
        raise MisuseError(
            f"{path} takes {signature}, but --args has {len(values)} value{'s' * (len(values) != 1)}: {error}"
        ) from error


def show(report: DerivativeReport) -> None:
    """Print a table of the backends, and what is wrong with a command that shows it again."""
    console = make_console()
    columns = ["backend", report.function, "order", "value", "jvp", "vjp", "ms for value and vjp"]
    console.table(columns, [_row(r, first=r is report.reports[0]) for r in report.reports])
    console.print("Differences from the first backend that is right are relative to the largest element.")
    for note in dict.fromkeys(note for r in report.reports for note in r.notes):
        console.print(note)
    for failure in report.failures:
        console.print(f"\n{failure}")


def _row(r: BackendReport, *, first: bool) -> list[str]:
    differences = {a.mode: f"{a.relative:.1e}" for a in r.agreements}
    cells = [differences.get(mode, "") for mode in ("value", "jvp", "vjp")]
    milliseconds = "" if r.seconds != r.seconds else f"{1000 * r.seconds:.2f}"
    return [r.backend, "wrong" if r.failure else "right" if first else "agrees", str(r.order), *cells, milliseconds]
