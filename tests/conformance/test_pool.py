"""How requests are shared between processes, and which cases run operation by operation."""

from contextlib import contextmanager

import pytest
from unidiff_conformance.pool import Request, _Shares
from unidiff_conformance.runner import run, select

import unidiff as ud


def requests(count: int) -> list[Request]:
    return [Request(f"{k}", (), (), ()) for k in range(count)]


@pytest.mark.parametrize("count", [0, 1, 5, 6])
@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_neighbours_go_to_one_process_and_everything_is_done_once(count: int, jobs: int) -> None:
    shares = _Shares(requests(count), jobs)
    taken: list[str] = []
    while (request := shares.take(0)) is not None:
        taken.append(request.id)
    assert sorted(taken, key=int) == [str(k) for k in range(count)]
    own = -(-count // jobs)
    assert taken[:own] == [str(k) for k in range(own)]
    assert all(shares.take(number) is None for number in range(jobs))


def test_an_idle_process_takes_the_end_of_the_longest_share() -> None:
    shares = _Shares(requests(6), 2)
    assert [shares.take(1).id for _ in range(4)] == ["3", "4", "5", "2"]
    assert [shares.take(0).id for _ in range(2)] == ["0", "1"]


def test_programs_and_what_is_compiled_are_run_as_users_run_them(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    @contextmanager
    def uncompiled():
        used.append(1)
        yield

    monkeypatch.setattr(ud.get_backend("numpy"), "uncompiled", uncompiled)
    sin, mlp = "elementwise.sin.matrix", "program.model.mlp"
    for name, mode, count in ((sin, "jvp", 1), (sin, "vjp", 1), (sin, "jit", 0), (mlp, "jvp", 0)):
        used.clear()
        (result,) = run("numpy", select(f"={name}"), dtypes=["float64"], modes=[mode])
        assert not result.failed
        assert len(used) == count, (name, mode)


def test_what_a_backend_runs_uncompiled_has_the_same_results() -> None:
    jax = pytest.importorskip("jax")
    backend = ud.get_backend("jax")
    x = backend.asarray([0.5, 2.0])
    with backend.uncompiled():
        assert jax.config.jax_disable_jit
        _, (inside,) = backend.jvp(lambda x: (x * x,), (x,), (x,))
    _, (outside,) = backend.jvp(lambda x: (x * x,), (x,), (x,))
    assert inside.tolist() == outside.tolist()
    with ud.get_backend("numpy").uncompiled():  # nothing to do there
        pass
