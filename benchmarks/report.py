"""Tables for the terminal (rich where it is installed, plain otherwise) and the JSON file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.budgets import BUDGETS, NATIVE, geometric_mean, native_excess, native_ratio
from benchmarks.measure import Result
from benchmarks.studies import ChainPoint, ImportTime, MemoryPoint

Row = Sequence[str]
Table = tuple[str, Row, Sequence[Row]]
IMPORT_BUDGET = 0.060

_PEERS = ("forward", "hand", "unidiff-loop", "autograd", "torch", "torch-func", "jax", "jax-jit")
_COMPILED_AGAINST = ("unidiff", "forward", "hand", "autograd", "torch", "jax-jit")


def print_table(title: str, header: Row, rows: Iterable[Row]) -> None:
    """Print a table, the first column to the left and the others to the right."""
    rows = list(rows)
    if not rows:
        return
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
        print(f"\n{title}")
        for row in (header, *rows):
            first, *others = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print(" ", first, *others, sep="  ")
        return
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)


def _number(value: float | None, form: str = ".2f") -> str:
    return "" if value is None else format(value, form)


def _numpy_rows(results: Sequence[Result]) -> Iterable[Row]:
    measured = [result for result in results if "unidiff" in result.samples]
    for result in measured:
        yield (
            result.program,
            result.group,
            _number(result.seconds("unidiff") * 1e6, ",.1f"),
            *(_number(result.ratio("unidiff", peer)) for peer in _PEERS),
        )
    for group in dict.fromkeys(result.group for result in measured):
        means = (
            geometric_mean(
                ratio for result in measured if result.group == group and (ratio := result.ratio("unidiff", peer)) is not None
            )
            for peer in _PEERS
        )
        yield (f"geometric mean: {group}", group, "", *map(_number, means))


def _compiled_rows(results: Sequence[Result]) -> Iterable[Row]:
    for result in results:
        if "unidiff-jit" in result.samples:
            ratios = (_number(result.ratio("unidiff-jit", peer)) for peer in _COMPILED_AGAINST)
            yield (result.program, result.group, _number(result.seconds("unidiff-jit") * 1e6, ",.1f"), *ratios)


def _peer_rows(results: Sequence[Result]) -> Iterable[Row]:
    for result in results:
        times = (result.seconds(peer) * 1e6 if peer in result.samples else None for peer in _PEERS)
        yield (result.program, *(_number(time, ",.1f") for time in times))


def _framework_rows(results: Sequence[Result]) -> Iterable[Row]:
    for result in results:
        cells = [_number(figure(result, ours)) for ours in NATIVE for figure in (native_ratio, native_excess)]
        if any(cells):
            yield (result.program, *cells)


def _budget_rows(results: Sequence[Result], imports: ImportTime | None) -> Iterable[Row]:
    by_name = {result.program: result for result in results}
    for budget in BUDGETS:
        if (figure := budget.figure(by_name)) is not None:
            verdict = "met" if figure <= budget.limit else "missed"
            yield (budget.what, f"{budget.limit:.3g} {budget.unit}", f"{figure:.3g} {budget.unit}", verdict)
    if imports is not None:
        excess = imports.unidiff - imports.numpy
        verdict = "met" if excess <= IMPORT_BUDGET and not imports.frameworks else "missed"
        found = f"{excess * 1e3:.0f} ms {' '.join(imports.frameworks)}".strip()
        yield ("import unidiff; backends() over import numpy", f"{IMPORT_BUDGET * 1e3:.0f} ms", found, verdict)


def tables(
    results: Sequence[Result],
    chain: Sequence[ChainPoint],
    memory: Sequence[MemoryPoint],
    imports: ImportTime | None,
) -> Iterator[Table]:
    """Yield every table that has rows."""
    columns = [f"{ours.removeprefix('unidiff-')}, {unit}" for ours in NATIVE for unit in ("x", "us more")]
    every: Sequence[tuple[str, Row, Iterable[Row]]] = (
        ("budgets", ("what", "limit", "measured", ""), _budget_rows(results, imports)),
        (
            "unidiff on NumPy: its time over that of each peer (below 1: unidiff is faster)",
            ("program", "group", "unidiff, us", *_PEERS),
            _numpy_rows(results),
        ),
        (
            "unidiff on NumPy, compiled by ud.jit: its time over that of each peer",
            ("program", "group", "unidiff-jit, us", *_COMPILED_AGAINST),
            _compiled_rows(results),
        ),
        ("peers, microseconds per derivative", ("program", *_PEERS), _peer_rows(results)),
        (
            "unidiff on torch, JAX and compiled JAX: times the faster native way, and microseconds more",
            ("program", *columns),
            _framework_rows(results),
        ),
        (
            "chain of sines, microseconds per operation",
            ("peer", "operations", "us per operation"),
            [(point.peer, f"{point.operations:,}", f"{point.seconds_per_operation * 1e6:.2f}") for point in chain],
        ),
        (
            "memory of a gradient per operation, bytes",
            ("peer", "array", "peak", "left behind"),
            [
                (point.peer, str(point.array_bytes), f"{point.peak_per_operation:,.0f}", f"{point.left_per_operation:,.0f}")
                for point in memory
            ],
        ),
    )
    for title, header, rows in every:
        if found := list(rows):
            yield title, header, found


def print_report(
    results: Sequence[Result],
    chain: Sequence[ChainPoint],
    memory: Sequence[MemoryPoint],
    imports: ImportTime | None,
) -> None:
    """Print every table that has rows, then what was left out and what failed."""
    for title, header, rows in tables(results, chain, memory, imports):
        print_table(title, header, rows)
    for result in results:
        for peer, reason in result.notes.items():
            print(f"left out: {peer} on {result.program}: {reason}")
    for result in results:
        for peer, reason in result.failures.items():
            print(f"FAILED: {peer} on {result.program}: {reason.strip().splitlines()[-1]}")


def write_page(
    path: Path,
    environment: dict[str, str],
    results: Sequence[Result],
    chain: Sequence[ChainPoint],
    memory: Sequence[MemoryPoint],
    imports: ImportTime | None,
    *,
    options: str = "",
) -> None:
    """Write the tables as a page of the documentation; ``options`` are those of the command that measured them."""
    versions = ", ".join(f"{name} {version}" for name, version in environment.items() if name not in ("machine", "cpus"))
    lines = [_PAGE.format(versions=versions, options=options)]
    for title, header, rows in tables(results, chain, memory, imports):
        rule = ("---", *("---:" for _ in header[1:]))
        lines += [f"\n## {title[:1].upper()}{title[1:]}\n", *("| " + " | ".join(row) + " |" for row in (header, rule, *rows))]
    left_out = [f"- {peer} on {result.program}: {reason}" for result in results for peer, reason in result.notes.items()]
    lines += ["\n## Left out\n", *left_out] if left_out else []
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


_PAGE = """\
# Benchmarks

Written by `python -m benchmarks {options}--page docs/benchmarks.md`; `--help` lists programs, peers and studies. All peers of a
program take turns on the same inputs in one run, each library in a process of its own, on one thread, and their derivatives
are compared before they are timed. A figure is the median over the rounds of the ratio within a round, of CPU time.

Measured on two shared cores, CPU only, with {versions}. Absolute times mean little on such a machine; the ratios do.\
"""


def write_json(
    path: Path,
    environment: dict[str, str],
    results: Sequence[Result],
    chain: Sequence[ChainPoint],
    memory: Sequence[MemoryPoint],
    imports: ImportTime | None,
) -> None:
    """Write everything that was measured, every sample included."""
    content: dict[str, Any] = {
        "environment": environment,
        "results": [asdict(result) for result in results],
        "chain": [asdict(point) for point in chain],
        "memory": [asdict(point) for point in memory],
        "import": None if imports is None else asdict(imports),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
