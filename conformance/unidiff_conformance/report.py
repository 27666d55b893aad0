"""What a run looks like on a terminal and in a file."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unidiff_conformance.results import Result, Status, count
from unidiff_conformance.waivers import Waiver

SCHEMA = 1
"""Version of the layout of the JSON file."""
WORST = 5
"""How many of the largest errors are listed."""
SHOWN = 40
"""How many failures are printed; the JSON file has all."""


@contextmanager
def progress(backend: str, total: int, enabled: bool) -> Iterator[Callable[[str], None]]:
    """Show which case is running; yields a function to be called with the id of each case once it is done."""
    if not enabled:
        yield lambda _: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield _counter(backend, total)
        return
    columns = (
        TextColumn("{task.fields[backend]:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, backend=backend)
        yield lambda case: bar.update(task, advance=1, description=case)


def _counter(backend: str, total: int) -> Callable[[str], None]:
    done = 0

    def advance(_: str) -> None:
        nonlocal done
        done += 1
        print(f"\r{backend} {done}/{total}", end="\n" if done == total else "", flush=True)

    return advance


def summary(results: Sequence[Result]) -> str:
    """Return a table of categories by backends, with passed over run cases, and a row of totals."""
    backends = list(dict.fromkeys(r.backend for r in results))
    categories = [*dict.fromkeys(r.category for r in results), ""]
    rows = [["category", *backends]]
    for category in categories:
        cells = [_cell([r for r in results if r.backend == b and category in (r.category, "")]) for b in backends]
        rows.append([category or "all", *cells])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(results: Sequence[Result]) -> str:
    counts = count(results)
    ran = len(results) - counts[Status.UNSUPPORTED] - counts[Status.NOT_RUN]
    notes = [f"{n} {status.value}" for status, n in counts.items() if n and status is not Status.PASS]
    return f"{counts[Status.PASS]}/{ran}" + (f" ({', '.join(notes)})" if notes else "")


def worst(results: Sequence[Result]) -> str:
    """Return the largest errors of cases that passed, in units of the tolerance."""
    passed = [r for r in results if r.status is Status.PASS and r.units > 0]
    top = sorted(passed, key=lambda r: -r.units)[:WORST]
    return "\n".join(f"  {r.units:6.3f}  {r.backend:<12} {r.case}" for r in top)


def failures(results: Sequence[Result]) -> str:
    """Return what failed and the command that runs it again, one paragraph each."""
    failed = [r for r in results if r.failed]
    paragraphs = [
        f"{r.backend}  {r.case}  {r.status.value} {r.kind}\n    {r.message.splitlines()[0]}\n    {r.reproduce}"
        for r in failed[:SHOWN]
    ]
    if len(failed) > SHOWN:
        paragraphs.append(f"... and {len(failed) - SHOWN} more, which --json FILE lists")
    return "\n".join(paragraphs)


def write_json(path: Path, results: Sequence[Result], stale: dict[str, list[Waiver]]) -> None:
    """Write every result to a file."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "totals": {
            backend: {status.value: n for status, n in count(r for r in results if r.backend == backend).items()}
            for backend in dict.fromkeys(r.backend for r in results)
        },
        "unmatched_waivers": {backend: [waiver.cases for waiver in waivers] for backend, waivers in stale.items()},
        "results": [_record(r) for r in results],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _record(r: Result) -> dict[str, Any]:
    units = r.units if math.isfinite(r.units) else None
    return {
        "backend": r.backend,
        "id": r.id,
        "dtype": r.dtype,
        "mode": r.mode,
        "status": r.status.value,
        "kind": r.kind,
        "message": r.message,
        "error_in_tolerances": units,
    }
