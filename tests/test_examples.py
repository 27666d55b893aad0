"""Every example runs and gives what it promises; every example is tested here."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unidiff as ud

EXAMPLES = Path(__file__).parent.parent / "examples"


def rosenbrock(x: np.ndarray) -> None:
    np.testing.assert_allclose(x, np.ones(10), rtol=0, atol=1e-10)


def same_code_many_backends(distances: dict[str, float]) -> None:
    assert distances["numpy"] == 0.0
    assert max(distances.values()) < 1e-4


def logistic_regression(result: tuple[list[float], float]) -> None:
    losses, accuracy = result
    assert losses[0] == pytest.approx(np.log(2), rel=1e-12)
    assert np.all(np.diff(losses) < 0)
    assert accuracy > 0.95


def nested_derivatives(result: tuple[list[float], float]) -> None:
    coefficients, drift = result
    np.testing.assert_allclose(coefficients, [1, 1, 1 / 2, 0, -1 / 8, -1 / 15], rtol=0, atol=1e-15)
    assert drift < 1e-3


def fixed_point(errors: dict[str, float]) -> None:
    assert max(errors.values()) < (1e-12 if os.environ.get("JAX_ENABLE_X64") == "1" else 1e-4)


def evaluation_trace(table: ud.EvaluationTrace) -> None:
    assert [row.expression for row in table][-1] == "v3 - v4"
    assert abs(float(table["x1"].adjoint) - 5.5) < 1e-12


def custom_rule(found: dict[str, list[np.ndarray]]) -> None:
    for first, second in found.values():
        np.testing.assert_allclose(first, [0.5, 1.0], rtol=1e-6)
        np.testing.assert_allclose(second, [0.25, 0.0], rtol=1e-6, atol=1e-6)


def torch_network_in_jax(losses: tuple[float, float]) -> None:
    first, last = losses
    assert last < first / 20


def jax_model_with_scipy(fitted: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_allclose(*fitted, rtol=1e-3)


RULES = (custom_rule, torch_network_in_jax, jax_model_with_scipy)


def lasso(found: dict[str, tuple[int, int, float]]) -> None:
    assert all(true == 12 and count < 40 and violation < 1e-2 for count, true, violation in found.values())


def constrained(result: tuple[list[float], dict[str, list[float]]]) -> None:
    known, found = result
    for values in found.values():
        np.testing.assert_allclose(values, known, atol=1e-4)


def differentiate_a_solution(result: tuple[float, dict[str, tuple[float, float]]]) -> None:
    best, found = result
    assert all(abs(penalty - best) < 2e-2 for penalty, _ in found.values())


def digits_five_methods(runs: dict[str, dict[str, list[float]]]) -> None:
    assert len(runs) == 5
    assert all(run["fun"][-1] < 0.9 for run in runs.values())
    assert min(runs, key=lambda name: runs[name]["fun"][-1]) != "gradient descent"


SOLVERS = (lasso, constrained, differentiate_a_solution, digits_five_methods)
CHECKS = {
    f.__name__: f
    for f in (
        rosenbrock,
        same_code_many_backends,
        logistic_regression,
        nested_derivatives,
        fixed_point,
        evaluation_trace,
        *RULES,
        *SOLVERS,
    )
}


def test_every_example_is_checked() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(CHECKS)


def test_the_picture_of_five_methods(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("agg")
    example = runpy.run_path(str(EXAMPLES / "digits_five_methods.py"))
    figure = example["draw"](example["main"](3))
    figure.savefig(tmp_path / "picture.png")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list(example["METHODS"])


@pytest.mark.parametrize("name", CHECKS)
def test_example(name: str) -> None:
    CHECKS[name](runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]())


@pytest.mark.parametrize("name", ["constrained", "differentiate_a_solution", "fixed_point", "lasso"])
def test_examples_in_64_bits_run_as_a_user_starts_them(name):
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
