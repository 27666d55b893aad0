"""The command ``unidiff deviations``."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

import unidiff as ud
from unidiff_conformance.deviations import MODES, Deviation, Findings, compare, quietly, select
from unidiff_conformance.native import FRAMEWORKS, load
from unidiff_conformance.runner import run
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.standard import clauses
from unidiff_conformance.waivers import waivers_of

OWN = {"torch": "torch", "jax": "jax", "autograd": "numpy"}
"""The backend of unidiff that is there for the same arrays."""
WIDTH = 46


def configure(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Add the arguments of the command."""
    parser.add_argument("frameworks", nargs="+", choices=sorted(FRAMEWORKS), metavar="NAME", help=", ".join(sorted(FRAMEWORKS)))
    parser.add_argument("-k", dest="pattern", default="", metavar="PATTERN", help="part of the id of a clause or scenario")
    parser.add_argument("--all", action="store_true", help="all scenarios, not only special points and one for each clause")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table with a column for each framework")
    return execute


def execute(options: argparse.Namespace) -> int:
    """Compare frameworks with the standard and print where they deviate.

    Returns
    -------
    int
        0, whatever was found; 2 if no scenario matches, 3 if a framework is not installed.
    """
    items = select(options.pattern, everything=options.all)
    if not items:
        print(f"no clause or scenario contains {options.pattern!r}", file=sys.stderr)
        return 2
    # Double precision is what is compared, and JAX decides at import whether it has any.
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    every: list[Findings] = []
    for name in options.frameworks:
        try:
            native = load(name)
        except ImportError as error:
            print(f"{name} is not installed: {error}", file=sys.stderr)
            return 3
        with _uncompiled(name):
            every.append(compare(native, items))
            if not (options.json or options.markdown):
                print(text(every[-1]))
                print(own(name, items) + "\n")
    if options.json:
        print(json.dumps([asdict(findings) for findings in every], indent=1))
    if options.markdown:
        print(markdown(every))
    return 0


def _uncompiled(name: str) -> AbstractContextManager[Any]:
    """Return a context in which JAX evaluates step by step: it would compile each of many small functions once."""
    if name != "jax":
        return nullcontext()
    import jax

    context: AbstractContextManager[Any] = jax.disable_jit()
    return context


def own(name: str, items: Sequence[Scenario]) -> str:
    """Return a line that says how many deviations unidiff's backend for the same arrays has in these scenarios."""
    backend = OWN[name]
    if backend not in ud.backends():
        return f"unidiff's backend {backend} is not installed."
    modes = ["jvp", "vjp", "fwd-over-rev"]
    with quietly():
        results = [
            result
            for item in items
            for result in run(backend, [item], dtypes=[item.dtypes[0]], modes=modes, waivers=waivers_of(backend))
        ]
    wrong = list(dict.fromkeys(r.id for r in results if r.status.value not in ("pass", "unsupported")))
    names = f": {', '.join(wrong)}" if wrong else ""
    return f"unidiff's namespace on {backend}: {len(wrong)} deviations in the same {len(items)} scenarios{names}."


def text(findings: Findings) -> str:
    """Return what was found as a table, function by function, what the framework has no derivative of, and a summary."""
    rows: list[tuple[str, ...]] = [("clause", "scenario", "point", "mode", findings.framework, "standard")]
    for same in cases(findings, "differs"):
        first, answers = same[0], {answer(deviation) for deviation in same}
        if len(answers) == 1:
            modes = [", ".join(deviation.mode for deviation in same)]
            rows.append((*names(first), _short(first.point), *modes, *answers, _short(first.standard)))
        else:
            rows += [(*names(d), _short(d.point), d.mode, answer(d), _short(d.standard)) for d in same]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *absences(findings), summary(findings)])


def names(deviation: Deviation) -> tuple[str, str]:
    """Return the clause, and the last part of the name of the scenario, which says what is special."""
    return deviation.clause, deviation.scenario.rpartition(".")[2]


def cases(findings: Findings, kind: str) -> list[list[Deviation]]:
    """Return the deviations of a kind scenario by scenario, in the order of the standard."""
    order = {clause: number for number, clause in enumerate(clauses())}
    found: dict[str, list[Deviation]] = {}
    for deviation in findings.deviations:
        if deviation.kind == kind:
            found.setdefault(deviation.scenario, []).append(deviation)
    return sorted(found.values(), key=lambda same: order[same[0].clause])


def absences(findings: Findings) -> list[str]:
    """Return lines that name the clauses in which the framework raises instead of differentiating."""
    lines = []
    for mode in MODES:
        missing = [same[0].clause for same in cases(findings, "missing") if any(d.mode == mode for d in same)]
        if missing:
            lines.append(f"{findings.framework} raises, {mode}: {', '.join(dict.fromkeys(missing))}.")
    return lines


def summary(findings: Findings) -> str:
    """Return a sentence with the numbers."""
    kinds = {kind: sum(d.kind == kind for d in findings.deviations) for kind in ("differs", "missing")}
    turned = {d.clause for d in findings.deviations if d.kind == "conjugate"}
    line = (
        f"{findings.framework} {findings.version}: in {len(findings.compared)} scenarios {kinds['differs']} derivatives differ "
        f"and {kinds['missing']} are missing; {len(findings.clauses)} clauses are concerned."
    )
    if turned:
        line += f" VJPs by complex arrays are the conjugates of the standard's ({len(turned)} clauses)."
    if findings.absent:
        line += f" {len(findings.absent)} scenarios are about functions that it does not have, or with other values."
    return line


def answer(deviation: Deviation) -> str:
    """Return the framework's derivative in a few words."""
    if deviation.kind == "missing":
        return "raises"
    if deviation.native is None:
        return deviation.message.split(" is ", 1)[-1].split(",")[0] if " is " in deviation.message else "other"
    return _short(deviation.native)


def _short(value: Any) -> str:
    if value is None:
        return "…"
    shown = json.dumps(_simple(value)).replace("NaN", "nan").replace("Infinity", "inf").replace('"', "")
    return shown if len(shown) <= WIDTH else shown[: WIDTH - 1] + "…"


def _simple(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_simple(item) for item in value]
    if isinstance(value, complex):
        return str(value)
    return int(value) if float(value).is_integer() else value


def markdown(every: Sequence[Findings]) -> str:
    """Return a table with a row for each scenario in which any framework deviates, and a column for each framework."""
    order = {clause: number for number, clause in enumerate(clauses())}
    by_case: dict[str, dict[str, list[Deviation]]] = {}
    for findings in every:
        for same in cases(findings, "differs"):
            by_case.setdefault(same[0].scenario, {})[findings.framework] = same
    lines = [
        "| clause | scenario | point | standard | " + " | ".join(f"{f.framework} {f.version}" for f in every) + " |",
        "| --- | --- | --- | --- | " + " | ".join("---" for _ in every) + " |",
    ]
    for case, found in sorted(by_case.items(), key=lambda item: order[next(iter(item[1].values()))[0].clause]):
        first = next(iter(found.values()))[0]
        cells = [_cell(found.get(f.framework, []), f, case) for f in every]
        own = [*(f"`{name}`" for name in names(first)), f"`{_short(first.point)}`", f"`{_short(first.standard)}`"]
        lines.append("| " + " | ".join([*own, *cells]) + " |")
    notes = [f"- {line}" for findings in every for line in (*absences(findings), summary(findings))]
    return "\n".join([*lines, "", *notes])


def _cell(deviations: Sequence[Deviation], findings: Findings, case: str) -> str:
    """Return one answer where all modes give it, else one for each mode."""
    if not deviations:
        if case in findings.absent:
            return "absent"
        raises = any(d.scenario == case and d.kind == "missing" for d in findings.deviations)
        return "raises" if raises else "agrees"
    answers = {d.mode: answer(d) for d in deviations}
    if len(set(answers.values())) == 1 and {"forward", "reverse"} <= set(answers):
        return f"`{next(iter(answers.values()))}`"
    return "; ".join(f"{mode} `{shown}`" for mode, shown in answers.items())
