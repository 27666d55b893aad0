"""Every wrong backend is caught, by the check that is meant for it; the right one raises no alarm."""

import pytest
from unidiff_conformance import mutants
from unidiff_conformance.results import Status
from unidiff_conformance.runner import run, select
from unidiff_conformance.waivers import Waiver

import unidiff as ud
from unidiff import registry

# mutant, scenario or behaviour, mode, kind of failure
CAUGHT = [
    (mutants.Zeros, "elementwise.sin.matrix", "jvp", "accuracy"),
    (mutants.Zeros, "elementwise.sin.matrix", "vjp", "accuracy"),
    (mutants.SignFlip, "elementwise.exp.matrix", "vjp", "accuracy"),
    (mutants.FactorTwo, "elementwise.add.same-shape", "jvp", "accuracy"),
    (mutants.FactorTwo, "elementwise.sin.matrix", "fwd-over-rev", "accuracy"),
    (mutants.Noise, "elementwise.sin.matrix", "jvp", "accuracy"),
    (mutants.Noise, "linear_algebra.matmul.matrix-matrix", "vjp", "accuracy"),
    (mutants.SinglePrecision, "elementwise.tanh.matrix", "vjp", "accuracy"),
    (mutants.SinglePrecision, "program.model.mlp", "rev-over-rev", "accuracy"),
    (mutants.WrongDtype, "elementwise.sin.matrix", "jvp", "dtype"),
    (mutants.WrongShape, "elementwise.sin.matrix", "vjp", "shape"),
    (mutants.ForwardOnlyWrong, "elementwise.sin.matrix", "adjoint", "accuracy"),
    (mutants.MissingConjugate, "program.complex.holomorphic", "vjp", "accuracy"),
    (mutants.MissingConjugate, "elementwise.exp.complex", "adjoint", "accuracy"),
    (mutants.TransposedJacobian, "statistical.cumulative_sum.vector", "jacrev", "accuracy"),
    (mutants.ForgottenAccumulation, "program.several.outputs", "vjp", "accuracy"),
    (mutants.ForgottenAccumulation, "program.identity.twice", "adjoint", "accuracy"),
    (mutants.NoneForUnused, "program.unused.argument", "vjp", "missing"),
    (mutants.MutatedInput, "elementwise.sin.matrix", "vjp", "mutation"),
    (mutants.SharedMemory, "behaviour.own-memory.results", "behaviour", "behaviour"),
    (mutants.StaleCache, "elementwise.multiply.same-shape", "vjp", "accuracy"),
    (mutants.SwallowedException, "behaviour.exception.reverse", "behaviour", "exception"),
    (mutants.CalledTwice, "behaviour.one-call.reverse", "behaviour", "behaviour"),
    (mutants.CutBranch, "elementwise.multiply.same-shape", "vjp", "accuracy"),
    (mutants.PerturbationConfusion, "behaviour.perturbation-confusion.forward-over-forward", "behaviour", "behaviour"),
    (mutants.WrongDevice, "elementwise.sin.matrix", "vjp", "device"),
    (mutants.FalseClaim, "behaviour.claim.vmap", "behaviour", "behaviour"),
    (mutants.HiddenAbility, "behaviour.claim.dtypes", "behaviour", "behaviour"),
    (mutants.LowOrderClaim, "behaviour.claim.max_order", "behaviour", "behaviour"),
    (mutants.WrongBatch, "program.model.mlp", "vmap", "accuracy"),
    (mutants.WrongCompilation, "program.model.mlp", "jit", "accuracy"),
    (mutants.WrongInReverseAlone, "program.model.mlp", "derived", "accuracy"),
]


@pytest.fixture
def registered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name under which a mutant is registered during a test, and only then."""
    for table in ("_session", "_loaded"):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))
    return ud.register_backend(request.param()).name


@pytest.mark.parametrize(
    ("registered", "id", "mode", "kind"),
    CAUGHT,
    ids=[f"{mutant.__name__}-{mode}" for mutant, _, mode, _ in CAUGHT],
    indirect=["registered"],
)
def test_mutant_is_caught(registered: str, id: str, mode: str, kind: str) -> None:
    dtypes = ["float32"] if kind == "dtype" else ["float64", "complex128"]
    (wrong,) = run(registered, select(f"={id}"), dtypes=dtypes, modes=[mode])
    assert (wrong.status, wrong.kind) == (Status.FAIL, kind), wrong.message
    (right,) = run("numpy", select(f"={id}"), dtypes=dtypes, modes=[mode])
    assert right.status is Status.PASS, right.message


@pytest.mark.parametrize("registered", [mutants.Mutant], indirect=True)
def test_an_unspoilt_mutant_passes(registered: str) -> None:
    items = [item for pattern in ("program.", "behaviour.", "statistical.") for item in select(pattern)]
    assert [r for r in run(registered, items) if r.failed] == []


@pytest.mark.parametrize("registered", [mutants.Zeros], indirect=True)
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


@pytest.mark.parametrize("registered", [mutants.Zeros], indirect=True)
def test_a_waived_case_that_passes_fails(registered: str) -> None:
    waiver = Waiver("elementwise.floor.*", "accuracy", "not so", "https://example.org")
    (result,) = run(registered, select("=elementwise.floor.matrix"), dtypes=["float64"], modes=["jvp"], waivers=[waiver])
    assert result.status is Status.UNEXPECTED_PASS
    assert result.failed


def test_every_mutant_is_in_the_table():
    zoo = {cls for cls in vars(mutants).values() if isinstance(cls, type) and issubclass(cls, mutants.Mutant)}
    assert zoo - {mutants.Mutant} == {mutant for mutant, *_ in CAUGHT}
