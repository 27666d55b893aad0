"""What plugins add to the suite: scenarios of their own, second opinions on derivatives, and sections of reports.

What a plugin adds is imported when a run asks for it. Whatever is wrong with it is a sentence that names the plugin and its
version, and takes nothing from the rest of the run; see the hooks in `unidiff.hookspecs`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.oracles import Estimate
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.scenarios import scenarios
from unidiff_conformance.vectors import oracle

_ID = re.compile(r"[a-z]\w*(\.[\w-]+){2,}")
_OPINION = 64 * float(np.finfo(np.float64).eps)
"""How far a second opinion may be from the suite's own, relative to the largest entry: both are rounded to double."""


class ExtensionError(ValueError):
    """What a plugin adds to the suite is not what the hook asks for."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report that a plugin writes: its title, its text, and where it comes from."""

    title: str
    text: str
    origin: str


@cache
def outside_scenarios() -> tuple[Mapping[str, Scenario], tuple[str, ...]]:
    """Return the scenarios of plugins by id, each with its origin, and what is wrong with those that are left out."""
    found: dict[str, Scenario] = {}
    problems = []
    for contribution in ud.contributions("scenarios"):
        try:
            new = list(_scenarios(contribution.load()(), contribution.origin, found))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything
            problems.append(_problem("scenarios", contribution, error))
        else:
            found |= {item.id: item for item in new}
    return MappingProxyType(found), tuple(problems)


def _scenarios(answer: Any, origin: str, known: Mapping[str, Scenario]) -> Iterable[Scenario]:
    if not isinstance(answer, Iterable):
        raise ExtensionError(f"scenarios are wanted, but it returned {answer!r:.200}")
    own = {item.category for item in scenarios().values()} | {"behaviour"}
    taken = set(known)
    for item in answer:
        if not isinstance(item, Scenario):
            raise ExtensionError(
                f"scenarios are wanted, made by unidiff_conformance.scenario.scenario, but one is {item!r:.200}"
            )
        if not _ID.fullmatch(item.id):
            raise ExtensionError(f"an id is 'category.function.variant', but it is {item.id!r}")
        if item.category in own:
            raise ExtensionError(
                f"the category {item.category!r} of {item.id!r} is the suite's own; begin ids with another word"
            )
        if item.id in taken:
            raise ExtensionError(f"two scenarios are called {item.id!r}")
        taken.add(item.id)
        try:
            oracle(item).jacobian  # noqa: B018 - computed here, so that a scenario that cannot be judged is none
        except Exception as error:
            raise ExtensionError(f"the oracle cannot evaluate {item.id!r}: {error!r}; give it a reference") from error
        yield replace(item, origin=origin)


@cache
def opinions() -> tuple[tuple[str, Callable[[Scenario], Any]], ...]:
    """Return the oracles of plugins, each with its name and origin; one that cannot be imported is in `problems`."""
    found = []
    for contribution in ud.contributions("oracles"):
        try:
            found.append((f"{contribution.name} of {contribution.origin}", contribution.load()))
        except ud.errors.PluginError:
            continue
    return tuple(found)


@cache
def disagreement(item: Scenario) -> str:
    """Return what the oracles of plugins have against the derivative that the suite wants of a scenario, or nothing.

    Parameters
    ----------
    item : Scenario
        The scenario.

    Returns
    -------
    str
        A sentence that names the oracle; empty if all that have an opinion agree with the suite's own.
    """
    for name, oracle_of in opinions():
        try:
            answer = oracle_of(item)
            found = None if answer is None else np.asarray(answer, np.float64)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything
            return f"the oracle {name} failed: {error!r}"
        if found is None:
            continue
        text = _difference(found, oracle(item).jacobian)
        if text:
            return f"the oracle {name} {text}"
    return ""


def _difference(found: Any, own: Estimate) -> str:
    if found.shape != own.value.shape:
        return f"returned a Jacobian of shape {found.shape} instead of {own.value.shape}"
    with np.errstate(all="ignore"):
        finite = np.abs(own.value[np.isfinite(own.value)])
        allowed = 2 * own.error + _OPINION * np.max(finite, initial=0)
        same = (found == own.value) | (np.isnan(found) & np.isnan(own.value)) | (np.abs(found - own.value) <= allowed)
    if np.all(same):
        return ""
    where = tuple(int(k) for k in np.argwhere(~same)[0])
    return f"wants {float(found[where])!r} as entry {where} of the Jacobian, where the suite wants {float(own.value[where])!r}"


def sections(document: Mapping[str, Any]) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Return what plugins have to say of a run, and what is wrong with those that say nothing."""
    found, problems = [], []
    for contribution in ud.contributions("report_sections"):
        try:
            text = contribution.load()(document)
            if not isinstance(text, str):
                raise ExtensionError(f"a text is wanted, but it returned {text!r:.200}")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin may raise anything
            problems.append(_problem("report sections", contribution, error))
        else:
            found.append(Section(contribution.help, text, contribution.origin))
    return tuple(found), tuple(problems)


def forget() -> None:
    """Forget what plugins add, so that those installed since then are seen after ``unidiff.registry.refresh()``."""
    for cached in (outside_scenarios, opinions, disagreement):
        cached.cache_clear()


def problems() -> tuple[str, ...]:
    """Return what is wrong with what plugins add to the suite, one sentence each; their sections are not asked for."""
    found = list(outside_scenarios()[1])
    for contribution in ud.contributions("oracles"):
        try:
            contribution.load()
        except ud.errors.PluginError as error:
            found.append(_problem("oracles", contribution, error))
    return tuple(found)


def _problem(kind: str, contribution: Any, error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, ud.errors.PluginError) else None
    return f"the {kind} {contribution.name!r} of {contribution.origin} are left out: {cause or error!r}"
