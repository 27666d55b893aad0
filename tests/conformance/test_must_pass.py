"""The frozen list of a version of the suite: complete, never shorter, and what a claim is about."""

from dataclasses import replace

import pytest
from unidiff_conformance.behaviours import BEHAVIOURS
from unidiff_conformance.must_pass import FrozenError, claim, must_pass, parse, write
from unidiff_conformance.profiles import PROFILES, SUITE_VERSION
from unidiff_conformance.results import Result, Status
from unidiff_conformance.scenarios import scenarios

ITEMS = [*scenarios().values(), *BEHAVIOURS.values()]


def results(default: bool, status: Status = Status.PASS) -> list[Result]:
    cases = (case for cases in must_pass().values() for case, quick in cases.items() if quick or not default)
    return [Result("mine", *case.split(":"), status) for case in cases]


def test_the_list_is_that_of_the_cases_there_are() -> None:
    assert parse(write(ITEMS)) == must_pass(), "run python -m unidiff_conformance.freeze"
    assert list(must_pass()) == list(PROFILES)
    every = [case for cases in must_pass().values() for case in cases]
    assert len(every) == len(set(every))


def test_a_list_never_loses_a_case() -> None:
    before = write(ITEMS[:3])
    assert "elementwise.acos.matrix:float64:jvp" in parse(write(ITEMS[:4], before))["core"]
    with pytest.raises(FrozenError, match="change SUITE_VERSION"):
        write(ITEMS[:2], before)
    with pytest.raises(FrozenError, match="1 cases"):
        write(ITEMS[:3], before.replace("[core]\n", "[core]\nelementwise.gone.matrix float64 jvp\n"))


@pytest.mark.parametrize(("selection", "default"), [("default", True), ("full", False)])
def test_a_claim_needs_every_case_of_a_profile(selection: str, default: bool) -> None:
    found = results(default)
    whole = claim(found, [selection])
    names = "loads core breadth higher transforms +float32 +complex +devices +threads"
    assert whole == f"unidiff-conformance {SUITE_VERSION} {selection}: {names}; {len(found)} passed"
    last = next(k for k, r in enumerate(found) if r.case in must_pass()["core"])
    without = " ".join(name for name in names.split() if name != "core")
    assert f": {without};" in claim(found[:last] + found[last + 1 :], [selection])
    failed = replace(found[last], status=Status.FAIL)
    assert f": {without};" in claim([*found[:last], failed, *found[last + 1 :]], [selection])


def test_waived_and_unsupported_cases_are_counted() -> None:
    found = results(default=True)
    found[0] = replace(found[0], status=Status.WAIVED)
    found[-1] = replace(found[-1], status=Status.UNSUPPORTED)
    assert claim(found, ["default"]).endswith(f"; {len(found) - 2} passed, 1 waived, 1 unsupported")
    assert ": none;" in claim(results(default=True, status=Status.UNSUPPORTED), ["default"])


def test_a_default_run_does_not_claim_the_whole_of_a_profile() -> None:
    assert ": none;" in claim(results(default=True), ["higher"])
    assert ": higher;" in claim(results(default=False), ["higher"])
