"""The sample project in ``examples/downstream``: its own tests pass, and what depends on the framework is caught."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import unidiff as ud
from unidiff.cli import main

PROJECT = Path(__file__).parent.parent / "examples" / "downstream"
REPORT = re.compile(r"^(spread on torch: .*?)^```$", re.DOTALL | re.MULTILINE)
BACKENDS = "numpy,array_api_strict,torch"


def test_its_own_tests_pass() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["UNIDIFF_LOAD_PLUGINS"] = f"{BACKENDS},conformance"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("torch" not in ud.backends(), reason="two frameworks are needed to disagree")
def test_the_commands_of_its_readme(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(PROJECT)
    (report,) = REPORT.findall((PROJECT / "README.md").read_text())
    assert main(["check", "losses:huber", "--args", "[0.3, -2.0, 1.7]", "--backends", "numpy,torch"]) == 0
    assert main(shlex.split(report.splitlines()[-1])[2:]) == 1
    assert report.rstrip() in capsys.readouterr().out
