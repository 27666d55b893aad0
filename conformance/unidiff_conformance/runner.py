"""Runs scenarios and behaviours on backends, in this process."""

import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from time import perf_counter
from typing import Any

import unidiff as ud
from unidiff_conformance.behaviours import BEHAVIOURS, Behaviour
from unidiff_conformance.checks import CHECKS, run_check
from unidiff_conformance.extensions import disagreement, outside_scenarios
from unidiff_conformance.profiles import BEHAVIOUR, modes_in
from unidiff_conformance.results import Result, Status, with_status
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.scenarios import scenarios
from unidiff_conformance.trial import MismatchError, Trial
from unidiff_conformance.waivers import Waiver

DTYPES = ("float64", "float32", "complex128", "complex64")
MODES = (*CHECKS, BEHAVIOUR)
FULL = ("full",)
_COMPANIONS = {
    "float64": ("float64",),
    "float32": ("float32",),
    "complex128": ("float64", "complex128"),
    "complex64": ("float32", "complex64"),
}
_SHOWN = 1000
_TRACEBACK = 4000


def select(pattern: str = "") -> list[Scenario | Behaviour]:
    """Return scenarios and behaviours by a part of their id, or by the whole id after an equals sign."""
    everything: list[Scenario | Behaviour] = [*scenarios().values(), *outside_scenarios()[0].values(), *BEHAVIOURS.values()]
    if pattern.startswith("="):
        return [item for item in everything if item.id == pattern[1:]]
    return [item for item in everything if pattern in item.id]


def available_dtypes(backend: Any, dtypes: Sequence[str]) -> dict[str, str]:
    """Return for each dtype why it cannot be tried on a backend here, or the empty string."""
    reasons = {}
    for dtype in dtypes:
        reasons[dtype] = "" if dtype in backend.info.capabilities.dtypes else "not among the capabilities of the backend"
        try:
            for name in _COMPANIONS[dtype]:
                backend.asarray(1.0, dtype=name)
        except ud.errors.DTypeError as error:
            reasons[dtype] = reasons[dtype] or str(error)
    return reasons


def run(
    backend: str,
    items: Sequence[Scenario | Behaviour],
    *,
    dtypes: Sequence[str] = DTYPES,
    modes: Collection[str] = MODES,
    waivers: Sequence[Waiver] = (),
    profiles: Collection[str] = FULL,
    skip: Collection[str] = (),
    seed: int = 0,
    starting: Callable[[str, str, str], None] = lambda *_: None,
) -> Iterator[Result]:
    """Run scenarios and behaviours on one backend.

    Parameters
    ----------
    backend : str
        Name of the backend.
    items : sequence of Scenario and Behaviour
        What to run.
    dtypes, modes : collection of str
        What of it to run.
    waivers : sequence of Waiver
        Deviations that are known. A case that is waived has to fail, and as the waiver says.
    profiles : collection of str
        Names of profiles or selections.
    skip : collection of str
        Names of cases to leave out.
    seed : int
        Chooses the points, within the regions of the scenarios.
    starting : callable
        Called with id, dtype and mode before each case.

    Yields
    ------
    Result
    """
    loaded = ud.get_backend(backend)
    reasons = available_dtypes(loaded, dtypes)
    for item in items:
        if isinstance(item, Scenario):
            item = item.at(seed)  # noqa: PLW2901 - the same item elsewhere
        for dtype in item.dtypes:
            if dtype in reasons:
                chosen = [m for m in modes_in(item, dtype, profiles) if m in modes and f"{item.id}:{dtype}:{m}" not in skip]
                if reasons[dtype]:
                    yield from (Result(backend, item.id, dtype, m, Status.NOT_RUN, message=reasons[dtype]) for m in chosen)
                else:
                    for result in _run_item(loaded, item, dtype, chosen, starting):
                        yield judge(replace(result, seed=seed), waivers)


def unmatched(waivers: Sequence[Waiver], results: Sequence[Result]) -> list[Waiver]:
    """Return the waivers that are about none of the results."""
    return [waiver for waiver in waivers if not any(waiver.matches(result.case) for result in results)]


def pointless(waivers: Sequence[Waiver]) -> list[Waiver]:
    """Return the waivers that are about no case that there can be, whatever is run."""
    if not waivers:
        return []
    ways = [(item.id, dtype, mode) for item in select() for dtype in item.dtypes for mode in _conceivable(item)]
    cases = [":".join(way) for way in ways]
    return [waiver for waiver in waivers if not any(map(waiver.matches, cases))]


def _conceivable(item: Scenario | Behaviour) -> Collection[str]:
    """Return the modes that an item may have, without the oracle that decides on some of them."""
    return (BEHAVIOUR,) if isinstance(item, Behaviour) else CHECKS


def _run_item(
    backend: Any, item: Scenario | Behaviour, dtype: str, modes: Sequence[str], starting: Callable[[str, str, str], None]
) -> Iterator[Result]:
    missing = [name for name in _required(item) if not getattr(backend.info.capabilities, name)]
    trial: Trial | None = None
    for mode in modes:
        result = Result(backend.name, item.id, dtype, mode, Status.PASS)
        if missing:
            yield with_status(result, Status.UNSUPPORTED, f"the backend does not claim {', '.join(missing)}")
            continue
        starting(item.id, dtype, mode)
        start = perf_counter()
        try:
            if isinstance(item, Behaviour):
                units = _run_behaviour(item, backend, dtype)
            else:
                trial = trial or _make_trial(item, backend, dtype)
                with _manner(item, backend, mode):
                    units = run_check(trial, mode)
        except MismatchError as error:
            if _is_absent(item, error):
                yield with_status(result, Status.UNSUPPORTED, str(error.__cause__))
                continue
            yield replace(_failed(result, error), seconds=perf_counter() - start, inputs=_point(item))
        else:
            yield replace(result, units=units, seconds=perf_counter() - start)


def _is_absent(item: Scenario | Behaviour, error: MismatchError) -> bool:
    """Whether a special function was refused: the standard has none, so that a library may lack it."""
    is_special = isinstance(item, Scenario) and item.category == "special"
    return is_special and isinstance(error.__cause__, ud.errors.UnsupportedOperationError)


def _manner(item: Scenario, backend: Any, mode: str) -> AbstractContextManager[Any]:
    """Return the context of a case: whole programs, and what is compiled, are run as users run them.

    All others go operation by operation on a library that compiles whatever it runs, and spends most of the time with that:
    operations are shared by all scenarios.
    """
    as_users_do = mode == "jit" or item.category == "program"
    return nullcontext() if as_users_do else backend.uncompiled()


def _failed(result: Result, error: MismatchError) -> Result:
    message = str(error).removeprefix(f"{error.kind}: ")
    cause = "" if error.__cause__ is None else "".join(traceback.format_exception(error.__cause__))[-_TRACEBACK:]
    return replace(
        result,
        status=Status.FAIL,
        kind=error.kind,
        message=message,
        units=error.units,
        where=error.where,
        got=error.got,
        want=error.want,
        tolerance=error.tolerance,
        traceback=cause,
    )


def _point(item: Scenario | Behaviour) -> str:
    if isinstance(item, Behaviour):
        return ""
    return "; ".join(f"{data.shape} {list(data.values)}" for data in item.inputs)[:_SHOWN]


def _required(item: Scenario | Behaviour) -> set[str]:
    """Return the capabilities that an item asks for; at kinks and singular points a numerical derivative has no meaning."""
    special = isinstance(item, Scenario) and (item.like is not None or item.jacobian is not None)
    return {*getattr(item, "requires", ()), *(("exact",) if special else ())}


def _make_trial(item: Scenario, backend: Any, dtype: str) -> Trial:
    if against := disagreement(item):
        raise MismatchError("oracle", against)
    try:
        return Trial(item, backend, dtype)
    except Exception as error:
        raise MismatchError("exception", f"the inputs could not be made: {type(error).__name__}: {error}") from error


def _run_behaviour(item: Behaviour, backend: Any, dtype: str) -> float:
    try:
        item.check(backend, dtype)
    except MismatchError:
        raise
    except Exception as error:
        raise MismatchError("exception", f"{type(error).__name__}: {error}") from error
    return 0.0


def judge(result: Result, waivers: Sequence[Waiver]) -> Result:
    """Apply the first waiver about a case."""
    waiver = next((w for w in waivers if w.matches(result.case)), None)
    if waiver is None or result.status in (Status.UNSUPPORTED, Status.NOT_RUN):
        return result
    if result.status is Status.PASS:
        return with_status(result, Status.UNEXPECTED_PASS, f"waived, but passes: {waiver.reason}")
    if result.kind != waiver.expect:
        return with_status(result, result.status, f"waived as {waiver.expect}, but: {result.message}")
    if waiver.expired:
        return with_status(result, result.status, f"the waiver expired on {waiver.expires}; {result.message}")
    return with_status(result, Status.WAIVED, waiver.reason)
