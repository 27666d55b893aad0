"""The bookkeeping of the benchmarks: pairing, verification, budgets, reports. No time is asserted."""

import json
from itertools import cycle

import numpy as np
import pytest

from benchmarks import budgets, measure, picture, report
from benchmarks.measure import Effort, Result
from benchmarks.programs import all_programs
from benchmarks.studies import ChainPoint
from benchmarks.worker import PeerError, Worker


class Recorder:
    """Stands for a measuring process: hands out given derivatives and seconds and records what was asked."""

    def __init__(self, derivatives, seconds):
        self.derivatives, self.seconds, self.requests = derivatives, {p: cycle(s) for p, s in seconds.items()}, []

    def request(self, method, *arguments):
        self.requests.append((method, *arguments))
        if method == "prepare":
            return self.derivatives[arguments[1]]
        return next(self.seconds[arguments[1]]) if method == "sample" else None


@pytest.fixture
def program():
    return all_programs(small=True)["rosenbrock"]


def test_ratio_pairs_samples_of_the_same_round():
    result = Result("p", "g", samples={"unidiff": [1.0, 10.0, 3.0], "torch": [2.0, 20.0, 6.0]})
    assert result.ratio("unidiff", "torch") == 0.5
    assert result.ratio("unidiff", "jax") is None


def test_peers_take_turns_in_every_round(program):
    one = [np.ones(2)]
    recorder = Recorder({"unidiff": one, "hand": one}, {"unidiff": [0.02], "hand": [0.02]})
    result = measure.measure_program(program, ["unidiff", "hand"], {"numpy": recorder}, Effort(0.02, 1.0, 4, 4))
    asked = [request[2] for request in recorder.requests if request[0] == "sample"]
    assert asked == ["unidiff", "hand"] + ["unidiff", "hand", "hand", "unidiff"] * 2
    assert {peer: len(samples) for peer, samples in result.samples.items()} == {"unidiff": 4, "hand": 4}


@pytest.mark.parametrize("wrong", [[np.full(2, 1.0 + 1e-9)], [np.ones(3)], [np.full(2, np.nan)], [np.ones(2), np.ones(2)]])
def test_peer_with_another_derivative_is_a_failure_and_not_timed(program, wrong):
    recorder = Recorder({"unidiff": [np.ones(2)], "hand": wrong}, {"unidiff": [1.0], "hand": [1.0]})
    result = measure.measure_program(program, ["unidiff", "hand"], {"numpy": recorder}, Effort(0.02, 1.0, 2, 2))
    assert list(result.samples) == ["unidiff"]
    assert list(result.failures) == ["hand"]


def test_worker_measures_and_reports_errors():
    with Worker("numpy", small=True) as worker:
        found = worker.request("prepare", "rosenbrock", "hand")
        program = all_programs(small=True)["rosenbrock"]
        np.testing.assert_array_equal(found, program.by_hand(*program.primals))
        assert worker.request("sample", "rosenbrock", "hand", 100, "cpu") > 0
        with pytest.raises(PeerError, match="KeyError"):
            worker.request("prepare", "rosenbrock", "no such peer")
        assert worker.request("prepare", "runge-kutta", "hand") is None


def test_budgets_follow_from_the_results():
    results = {
        "a": Result("a", "overhead", samples={"unidiff": [1.0], "autograd": [4.0]}),
        "b": Result("b", "overhead", samples={"unidiff": [1.0], "autograd": [16.0]}),
        "single": Result("single", "dispatch", samples={"torch": [2e-6], "torch-func": [9e-6], "unidiff-torch": [5e-6]}),
    }
    figures = {budget.what: budget.figure(results) for budget in budgets.BUDGETS}
    assert figures["overhead programs over autograd, geometric mean"] == pytest.approx(1 / 8)
    assert figures["unidiff-torch minus native, one operation"] == pytest.approx(3.0)
    assert figures["LSTM over autograd"] is None


def test_report_json_and_picture(tmp_path, capsys):
    results = [Result("a", "overhead", samples={"unidiff": [1e-6], "autograd": [4e-6]}, failures={"jax": "Trace\nBoom"})]
    report.print_report(results, [], [], None)
    shown = capsys.readouterr().out
    assert "0.25" in shown
    assert "FAILED: jax on a: Boom" in shown
    report.write_json(tmp_path / "out" / "b.json", {"python": "3"}, results, [], [], None)
    report.write_page(tmp_path / "b.md", {"python": "3", "cpus": "2"}, results, [], [], None)
    assert "| a | overhead | 1.0 |  |  |  | 0.25 |" in (tmp_path / "b.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "b.json").read_text())["results"][0]["samples"]["autograd"] == [4e-6]
    for chain in ([], [ChainPoint("unidiff", 1_000, 2e-6), ChainPoint("unidiff", 10_000, 2e-6)]):
        if picture.draw(tmp_path / "out" / "b.png", results, chain):
            assert (tmp_path / "out" / "b.png").stat().st_size > 0
