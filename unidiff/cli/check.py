"""``unidiff check``: whether a function of one's own has the same derivatives on every backend, and the right ones."""

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from unidiff import errors, registry
from unidiff.cli.commands import Run
from unidiff.cli.console import make_console
from unidiff.testing import AGREEMENT, DerivativeReport, check_derivatives


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    parser.add_argument("function", metavar="MODULE:FUNCTION", help="as in losses:huber")
    parser.add_argument("--args", nargs="+", required=True, metavar="VALUE", help="literals, as 1.0 '[0.5, 2.0]'")
    parser.add_argument("--order", type=int, default=2, help="the highest order of derivative to check")
    parser.add_argument("--backends", default="", metavar="NAMES", help="as in numpy,torch; all that are installed by default")
    parser.add_argument("--rtol", type=float, default=AGREEMENT, help="how far backends may differ")
    return run


def run(args: argparse.Namespace) -> int:
    """Check the function: 0 if all backends agree, 1 if not, 2 for misuse, 3 if something cannot be loaded."""
    try:
        values = [ast.literal_eval(text) for text in args.args]
    except (ValueError, SyntaxError, TypeError) as error:
        print(f"--args takes Python literals such as '[1.0, 2.0]': {error}", file=sys.stderr)
        return 2
    names = [name for name in args.backends.split(",") if name] or list(registry.backends(arrays=True))
    _prepare(names)
    try:
        function = _load(args.function)
        report = check_derivatives(function, values, args.order, backends=names, rtol=args.rtol, raises=False)
    except (errors.ArgumentError, ValueError) as error:
        if isinstance(error, errors.UnknownBackendError):
            print(error, file=sys.stderr)
            return 3
        print(error, file=sys.stderr)
        return 2
    except (ImportError, AttributeError) as error:
        print(f"{args.function} or a backend cannot be loaded: {error}", file=sys.stderr)
        return 3
    show(report, args.args, args.function)
    return 1 if report.failures else 0


def _prepare(names: Sequence[str]) -> None:
    """Set the variables that libraries want for tests, before they are imported."""
    infos = registry.backends(installed=False)
    for name in names:
        for setting in infos[name].test_environment if name in infos else ():
            key, _, value = setting.partition("=")
            os.environ.setdefault(key, value)


def _load(path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    if not attribute:
        raise ValueError(f"{path!r} is not of the form MODULE:FUNCTION.")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the user's own module is rather here than installed
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = found
    return function


def show(report: DerivativeReport, args: Sequence[str], path: str) -> None:
    """Print a table of the backends, and what is wrong with a command that shows it again."""
    console = make_console()
    rows = []
    for r in report.reports:
        worst = {a.mode: f"{a.error:.2g}" for a in r.agreements}
        cells = [worst.get(mode, "") for mode in ("value", "jvp", "vjp")]
        milliseconds = "" if r.seconds != r.seconds else f"{1000 * r.seconds:.2f}"
        rows.append([r.backend, "wrong" if r.failure else "agrees", *cells, milliseconds])
    console.table(["backend", report.function, "value", "jvp", "vjp", "ms for a pullback"], rows)
    console.print("Distances from the first backend are in units of the tolerance.")
    good = [r.backend for r in report.reports if not r.failure]
    for r in report.reports:
        if r.failure:
            console.print(f"\n{r.backend}: {r.failure}")
            quoted = " ".join(f"'{text}'" for text in args)
            names = ",".join(dict.fromkeys([*good[:1], r.backend]))
            console.print(f"    unidiff check {path} --args {quoted} --backends {names}")
