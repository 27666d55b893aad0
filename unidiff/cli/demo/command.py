"""``unidiff demo``: runs both problems on every backend, prints a table and writes the report."""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from unidiff import registry
from unidiff.backend import BackendInfo
from unidiff.cli.commands import Run
from unidiff.cli.console import Console, make_console

if TYPE_CHECKING:
    from unidiff.cli.demo.story import Outcome

FULL_STEPS, QUICK_STEPS = 200, 40
REPORT = "demo.html"
EXTRA = 'pip install "unidiff-array[demo]"'
OPTIONAL = {
    "rich": "rich (for progress bars)",
    "matplotlib": "matplotlib (for the pictures)",
    "sklearn": "scikit-learn (for the images of digits)",
}
"""Packages the demo does without if it must: import names and what they are for."""


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    parser.add_argument("--backends", type=names, help="comma-separated names; by default all that are installed")
    parser.add_argument("--out", type=Path, default=Path("unidiff-report"), help="folder of the report (default: %(default)s)")
    parser.add_argument("--steps", type=positive, help=f"steps of every method (default: {FULL_STEPS})")
    parser.add_argument("--quick", action="store_true", help=f"fewer starts and {QUICK_STEPS} steps")
    return run


def names(text: str) -> list[str]:
    """Split a comma-separated list."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("name at least one backend")
    return list(dict.fromkeys(found))


def positive(text: str) -> int:
    """Read a positive integer."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def run(args: argparse.Namespace) -> int:
    """Run the demo; the exit code is 1 if a backend fails or disagrees beyond the stated tolerances."""
    # Left alone, JAX computes in float32. An application may choose otherwise for its own process, a library may not; what
    # the user has chosen stays.
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    console = make_console()
    infos = registry.backends(installed=False)
    usable = registry.backends(arrays=True)
    chosen = list(usable) if args.backends is None else args.backends
    refused = [name for name in chosen if name not in usable]
    for name in refused:
        console.print(why_not(name, infos))
    if refused or not chosen:
        return 2
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        console.print(f"The report cannot be written to {args.out}: {error.strerror}. Choose another folder with --out.")
        return 2
    return perform([usable[name] for name in chosen], args, console)


def why_not(name: str, infos: dict[str, BackendInfo]) -> str:
    """Say why a backend cannot be used and what to do."""
    if name not in infos:
        return f"There is no backend {name!r}; known are {', '.join(infos)}. 'unidiff doctor' shows broken plugins."
    info = infos[name]
    reasons = registry.unmet_requirements(info)
    if not reasons:
        return f"The backend {name!r} cannot be used: it has no arrays of its own."
    return f"The backend {name!r} cannot be used: {'; '.join(reasons)}. {hint(info)}"


def hint(info: BackendInfo) -> str:
    """Say how to install a backend."""
    return f"Install it with: {info.install}" if info.install else ""


def perform(infos: Sequence[BackendInfo], args: argparse.Namespace, console: Console) -> int:
    """Run the backends one after another, compare, print and write the report."""
    from unidiff.cli.demo import problems, runs, story

    steps = args.steps or (QUICK_STEPS if args.quick else FULL_STEPS)
    settings = runs.Settings(surface_steps=steps, starts_per_side=4 if args.quick else 6, digits_steps=steps)
    missing = [text for package, text in OPTIONAL.items() if find_spec(package) is None]
    data = problems.load_digits() if find_spec("sklearn") is not None else None
    steps_each = settings.steps(with_digits=data is not None)
    with console.progress() as new_bar:
        results = [runs.run_backend(info, settings, data, new_bar(info.name, steps_each)) for info in infos]
    done = [result for result in results if isinstance(result, runs.BackendRun)]
    failed = [result for result in results if isinstance(result, runs.Failure)]
    outcome = story.Outcome(done, failed, runs.differences(done), data, advice(missing))
    show(outcome, console)
    path = args.out / REPORT
    path.write_text(story.tell(outcome, with_pictures=find_spec("matplotlib") is not None), encoding="utf-8")
    console.print(f"Report: {path.resolve()}")
    return 0 if outcome.good else 1


def advice(missing: Sequence[str]) -> list[str]:
    """Say what could be added to this environment: backends and optional packages."""
    usable = registry.backends(arrays=True)
    absent = [info for name, info in registry.backends(installed=False, arrays=True).items() if name not in usable]
    lines = [f"The backend {info.name!r} is not installed. {hint(info)}" for info in absent]
    if missing:
        lines.append(f"Not installed: {', '.join(missing)}. Install with: {EXTRA}")
    return lines


def show(outcome: "Outcome", console: Console) -> None:
    """Print the table, the verdict and what could be added."""
    console.table(outcome.columns(), outcome.rows())
    console.print(outcome.verdict)
    for line in outcome.advice:
        console.print(line)
