"""What a run looks like on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from unidiff_conformance.results import Result, Status, count

WORST = 5
"""How many of the largest errors are listed."""
SHOWN = 40
"""How many failures are printed; files have all."""


class Progress(Protocol):
    """Takes what has become of an item."""

    def __call__(self, id: str, results: Sequence[Result], /) -> None:
        """Show it."""


@contextmanager
def progress(backend: str, total: int, enabled: bool) -> Iterator[Progress]:
    """Show how far a run is, its largest error and its failures; yields what is to be called with each item once it is done."""
    if not enabled:
        yield lambda _id, _results: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
    except ImportError:
        yield _counter(backend, total)
        return
    columns = (
        TextColumn("{task.fields[backend]:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[failed]}[/red] {task.fields[worst]}  {task.description}"),
    )
    failed, worst = 0, ""
    largest = 0.0
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, backend=backend, failed="", worst="")

        def advance(id: str, results: Sequence[Result]) -> None:
            nonlocal failed, worst, largest
            for r in (r for r in results if r.failed):
                failed += 1
                if failed <= WORST:
                    bar.console.print(failure(r), markup=False, highlight=False, soft_wrap=True)
            top = max((r for r in results if r.status is Status.PASS), key=lambda r: r.units, default=None)
            if top is not None and top.units > largest:
                largest, worst = top.units, f"worst {top.units:.2f} in {top.id}"
            bar.update(task, advance=1, description=id, failed=f"{failed} failed" if failed else "", worst=worst)

        yield advance


def _counter(backend: str, total: int) -> Progress:
    done = 0

    def advance(_id: str, _results: Sequence[Result]) -> None:
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
    shown = failed if len(failed) <= SHOWN else _one_of_each(failed)
    paragraphs = [failure(r) for r in shown[:SHOWN]]
    if len(failed) > len(paragraphs):
        paragraphs.append(f"... and {len(failed) - len(paragraphs)} more failures, which --json, --junit and --html FILE list")
    if shown:
        paragraphs.append(f"'unidiff conformance explain {shown[0].case}' says what is wanted, why, and how it is judged")
    return "\n".join(paragraphs)


def failure(r: Result) -> str:
    """Return what is wrong with a case, where, and how to run it again."""
    lines = [f"{r.backend}  {r.case}  {r.status.value} {r.kind}", (r.message.splitlines() or [""])[0], r.reproduce]
    return "\n    ".join(lines)


def _one_of_each(failed: Sequence[Result]) -> list[Result]:
    """Return the largest failure of each function, for where everything fails one function says as much as another."""
    largest: dict[tuple[str, str], Result] = {}
    for r in failed:
        old = largest.setdefault((r.backend, r.function), r)
        if r.units > old.units:
            largest[r.backend, r.function] = r
    return list(largest.values())


def text(results: Sequence[Result], claims: Mapping[str, str], problems: Mapping[str, Sequence[str]]) -> str:
    """Return all that is printed at the end of a run."""
    parts = [summary(results)] if results else []
    if largest := worst(results):
        parts.append(f"Largest errors, in units of the tolerance:\n{largest}")
    if failed := failures(results):
        parts.append(failed)
    parts += [f"{name}: {problem}" for name, lines in problems.items() for problem in lines]
    if claims:
        width = max(map(len, claims))
        parts.append("\n".join(f"{name:<{width}}  {claim}" for name, claim in claims.items()))
    return "\n\n".join(parts)
