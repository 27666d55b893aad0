"""The cases that a backend has to pass to claim a profile, frozen for each version of the suite.

Profiles say which cases there are today; a claim is about the list that its version of the suite was released with, a file in
the folder ``must_pass``. Below the name of each profile it has a line for each scenario and dtype, with the modes that are
run; those with a star are part of the selection "default".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.profiles import EXTENSIONS, PROFILES, SUITE_VERSION, modes_in, profile_of
from unidiff_conformance.results import Result, Status, count
from unidiff_conformance.scenario import Scenario

FOLDER = "must_pass"
_STAR = "*"


_GOOD = frozenset({Status.PASS, Status.WAIVED})


class FrozenError(ValueError):
    """A list would lose cases although its version of the suite stays the same."""


@cache
def must_pass(version: str = SUITE_VERSION) -> Mapping[str, Mapping[str, bool]]:
    """Return the list of a version of the suite.

    Parameters
    ----------
    version : str
        The version.

    Returns
    -------
    mapping
        For each profile its cases, ``id:dtype:mode``, and whether the selection "default" has them.
    """
    return parse((files("unidiff_conformance") / FOLDER / f"{version}.txt").read_text(encoding="utf-8"))


def claim(results: Sequence[Result], selection: Collection[str]) -> str:
    """Return what a backend can say of itself: suite version, selection, profiles passed, and numbers of cases.

    A profile is passed if all its cases of the frozen list passed or are waived, but for those about capabilities that the
    backend does not claim, which are refused. With the selection "default" that list is shorter, as the claim says.

    Parameters
    ----------
    results : sequence of Result
        All results of one backend.
    selection : collection of str
        What was run: "default", "full" or names of profiles.

    Returns
    -------
    str
        Such as ``"unidiff-conformance 2026.11 default: loads core higher +float32; 3126 passed, 4 waived, 14 unsupported"``.
    """
    outcome = {result.case: result.status for result in results}
    passed = []
    for profile, cases in must_pass().items():
        whole, quick = "full" in selection or profile in selection, "default" in selection
        found = {outcome.get(case, Status.NOT_RUN) for case, starred in cases.items() if whole or (quick and starred)}
        if found & _GOOD and found <= _GOOD | {Status.UNSUPPORTED}:
            passed.append(("+" if profile in EXTENSIONS else "") + profile)
    counts = count(results)
    numbers = [f"{counts[Status.PASS]} passed"]
    numbers += [f"{counts[s]} {s.value}" for s in (Status.WAIVED, Status.UNSUPPORTED) if counts[s]]
    return f"unidiff-conformance {SUITE_VERSION} {' '.join(selection)}: {' '.join(passed) or 'none'}; {', '.join(numbers)}"


def parse(text: str) -> dict[str, dict[str, bool]]:
    """Undo `write`."""
    found: dict[str, dict[str, bool]] = {}
    profile = ""
    for line in text.splitlines():
        if line.startswith("["):
            profile = line.strip("[]")
            found[profile] = {}
        elif line and not line.startswith("#"):
            item, dtype, *modes = line.split()
            found[profile].update((f"{item}:{dtype}:{mode.rstrip(_STAR)}", mode.endswith(_STAR)) for mode in modes)
    return found


def write(items: Iterable[Scenario | Behaviour], before: str = "") -> str:
    """Return the text of the list of today's cases.

    Parameters
    ----------
    items : iterable of Scenario and Behaviour
        All there are.
    before : str
        The text that it replaces, of the same version of the suite.

    Raises
    ------
    FrozenError
        If cases would be lost, or would leave their profile.
    """
    items = list(items)
    sections = {profile: "\n".join(_lines(items, profile)) for profile in PROFILES}
    text = f"# What a backend has to pass to claim a profile of the conformance suite {SUITE_VERSION}.\n"
    text += "".join(f"\n[{profile}]\n{lines}\n" for profile, lines in sections.items())
    now = parse(text)
    lost = [case for profile, cases in parse(before).items() for case in cases if case not in now.get(profile, {})]
    if lost:
        raise FrozenError(
            f"the suite {SUITE_VERSION} would lose {len(lost)} cases, such as {lost[0]}: a list that shrinks is that of a new "
            "version, so change SUITE_VERSION"
        )
    return text


def _lines(items: Iterable[Scenario | Behaviour], profile: str) -> Iterator[str]:
    for item in items:
        for dtype in item.dtypes:
            default = modes_in(item, dtype, ("default",))
            modes = [mode for mode in modes_in(item, dtype, ("full",)) if profile_of(item, dtype, mode) == profile]
            if modes:
                yield " ".join([item.id, dtype, *(mode + _STAR * (mode in default) for mode in modes)])
