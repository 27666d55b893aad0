"""The page for plugin authors: its reference and its counted costs are made anew, and are what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "docs" / "generate_contract.py"


def test_the_contract_and_the_costs_are_up_to_date():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import generate_contract

    yield generate_contract
    sys.modules.pop("generate_contract")


@pytest.mark.parametrize(
    ("operation", "mode", "evaluations"),
    [("vjp", "forward", 3), ("value_and_grad", "forward", 4), ("jacrev", "forward", 4), ("vmap", "reverse", 5)],
)
def test_costs_are_counted(page, operation, mode, evaluations):
    assert f"{evaluations} evaluations" in page.cost(operation, mode)


def test_a_derivation_that_costs_more_shows(page, monkeypatch):
    plain = page.cost("value_and_grad", "reverse")
    count = page.Counting.counted
    monkeypatch.setattr(
        page.Counting, "counted", lambda self, f: count(self, lambda *args: (count(self, f)(*args), f(*args))[1])
    )
    assert page.cost("value_and_grad", "reverse") != plain
