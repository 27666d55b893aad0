"""Every wrong backend is caught, by the check that is meant for it; the right one raises no alarm."""

import pytest
from unidiff_conformance.mutants import base, namespaces, numbers, table
from unidiff_conformance.operations import CHECKED_BY_MODES
from unidiff_conformance.operations import operations as checked_operations
from unidiff_conformance.results import Status
from unidiff_conformance.runner import run, select
from unidiff_conformance.waivers import Waiver

import unidiff as ud
from unidiff import registry
from unidiff.backend import OPTIONAL_OPERATIONS


@pytest.fixture
def registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name under which a mutant is registered during a test, and only then."""
    for name in ("_session", "_loaded"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    return ud.register_backend(request.param()).name


@pytest.mark.parametrize(
    ("registered", "catch"),
    [(catch.mutant, catch) for catch in table.CAUGHT],
    ids=[f"{catch.mutant.__name__}-{catch.id}-{catch.mode}" for catch in table.CAUGHT],
    indirect=["registered"],
)
def test_mutant_is_caught(registered: str, catch: table.Catch) -> None:
    wrong = catch.result(registered)
    assert (wrong.status, wrong.kind) == (Status.FAIL, catch.kind), wrong.message
    right = catch.result("numpy")
    assert right.status is Status.PASS, right.message


def test_every_mutant_is_caught_by_some_check() -> None:
    assert table.zoo() == {catch.mutant for catch in table.CAUGHT}


def test_every_operation_of_the_contract_is_checked_and_has_a_mutant() -> None:
    checks = {name for name, _ in checked_operations()}
    assert checks | CHECKED_BY_MODES == set(OPTIONAL_OPERATIONS)
    assert checks == {catch.id.split(".")[2] for catch in table.CAUGHT if catch.id.startswith("behaviour.operation.")}


@pytest.mark.parametrize("registered", [base.Mutant, namespaces.OwnNamespace], indirect=True)
def test_an_unspoilt_mutant_passes(registered: str) -> None:
    items = [item for pattern in ("program.", "behaviour.", "statistical.") for item in select(pattern)]
    assert [r for r in run(registered, items) if r.failed] == []


@pytest.mark.parametrize("registered", [numbers.Zeros], indirect=True)
@pytest.mark.parametrize(
    ("cases", "expect", "status"),
    [
        ("elementwise.sin.matrix:*:jvp", "accuracy", Status.WAIVED),
        ("elementwise.sin.matrix:*:jvp", "dtype", Status.FAIL),
        ("elementwise.sin.matrix:*:vjp", "accuracy", Status.FAIL),
        ("elementwise.floor.matrix:*:jvp", "accuracy", Status.FAIL),
    ],
)
def test_waivers_excuse_what_they_name_only(registered: str, cases: str, expect: str, status: Status) -> None:
    waiver = Waiver(cases, expect, "a mutant", "https://example.org")
    (result,) = run(registered, select("=elementwise.sin.matrix"), dtypes=["float64"], modes=["jvp"], waivers=[waiver])
    assert result.status is status


@pytest.mark.parametrize("registered", [numbers.Zeros], indirect=True)
def test_a_waived_case_that_passes_fails(registered: str) -> None:
    waiver = Waiver("elementwise.floor.*", "accuracy", "not so", "https://example.org")
    (result,) = run(registered, select("=elementwise.floor.matrix"), dtypes=["float64"], modes=["jvp"], waivers=[waiver])
    assert result.status is Status.UNEXPECTED_PASS
    assert result.failed
