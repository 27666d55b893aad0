"""The whole suite as one parametrized test, for the authors of backends."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unidiff_conformance.behaviours import Behaviour
from unidiff_conformance.environment import prepare
from unidiff_conformance.profiles import check_profiles, modes_in
from unidiff_conformance.report import failure
from unidiff_conformance.results import Result, Status
from unidiff_conformance.runner import pointless, run, select
from unidiff_conformance.scenario import Scenario
from unidiff_conformance.waivers import Waiver, WaiverError, read_waivers, waivers_of


@dataclass(frozen=True, slots=True)
class Case:
    """What one test runs: a scenario or behaviour on a backend, in all dtypes and modes.

    Parameters
    ----------
    backend : str
        Name of the backend.
    item : Scenario or Behaviour
        What is run.
    profiles : tuple of str
        Profiles and selections.
    waivers : tuple of Waiver
        Known deviations.
    options : str
        Options of the command line that run it again with these waivers.
    """

    backend: str
    item: Scenario | Behaviour
    profiles: tuple[str, ...]
    waivers: tuple[Waiver, ...]
    options: str = ""

    def results(self) -> list[Result]:
        """Run it and return what came out."""
        found = run(self.backend, [self.item], profiles=self.profiles, waivers=self.waivers)
        return [replace(result, options=self.options) for result in found]

    def run(self) -> None:
        """Run it.

        Raises
        ------
        AssertionError
            If a case fails, cannot be run here, or passes although it is waived; the message has a command for each.
        """
        found = self.results()
        wrong = [r for r in found if r.failed or r.status is Status.NOT_RUN]
        if wrong:
            raise AssertionError("\n".join("\n".join([failure(r), *r.traceback.splitlines()]) for r in wrong))


def cases(
    backend: str, waivers: str | Path | None = None, profiles: Sequence[str] = ("default",), pattern: str = ""
) -> tuple[Case, ...]:
    """Return one case for each scenario and behaviour that the profiles have.

    Parameters
    ----------
    backend : str
        Name of the backend, which has to be registered.
    waivers : str or pathlib.Path, optional
        A file of waivers, instead of those that come with the suite.
    profiles : sequence of str
        Names of profiles, or "default" or "full".
    pattern : str
        Part of the id of what is run.

    Returns
    -------
    tuple of Case

    Raises
    ------
    WaiverError
        If the file of waivers is malformed, or has one that is about no case.
    ProfileError
        If there is no such profile.
    """
    check_profiles(profiles)
    known = waivers_of(backend) if waivers is None else read_waivers(Path(waivers))
    for waiver in pointless(known):
        raise WaiverError(f"the waiver for {waiver.cases} is about no case")
    options = "" if waivers is None else f" --waivers {shlex.quote(str(waivers))}"
    items = (item for item in select(pattern) if any(modes_in(item, dtype, profiles) for dtype in item.dtypes))
    return tuple(Case(backend, item, tuple(profiles), known, options) for item in items)


def parametrize(
    backend: str, waivers: str | Path | None = None, profiles: Sequence[str] = ("default",), pattern: str = ""
) -> Callable[[Callable[..., Any]], Any]:
    """Make of a test with the argument ``case`` one test for each scenario and behaviour; see `cases` for the arguments.

    Examples
    --------
    A whole test file:

    >>> import unidiff_conformance as conformance
    >>> @conformance.parametrize("numpy")
    ... def test_conformance(case):
    ...     case.run()
    """
    import pytest

    prepare([backend])
    found = cases(backend, waivers, profiles, pattern)
    return pytest.mark.parametrize("case", found, ids=[f"{case.backend}-{case.item.id}" for case in found])
