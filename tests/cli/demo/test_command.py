"""``unidiff demo`` as a whole: the table, the report, exit codes, and what it does without what it can do without."""

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import unidiff as ud
from unidiff.cli import main
from unidiff.cli.demo import command, problems, runs, story

SETTINGS = runs.Settings(surface_steps=4, starts_per_side=2, digits_steps=4)
INFOS = ud.backends(arrays=True)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves matplotlib out, where pictures would only take time."""
    installed = importlib.util.find_spec
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "matplotlib" else installed(name))


def one_run(name: str = "numpy", *, digits: bool = True) -> runs.BackendRun:
    run = runs.run_backend(INFOS[name], SETTINGS, problems.load_digits() if digits else None, lambda: None)
    assert isinstance(run, runs.BackendRun)
    return run


def test_whole_demo_on_every_backend(tmp_path: Path) -> None:
    """In a process of its own, with no setting of the environment: every installed backend agrees, in double precision."""
    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    arguments = [sys.executable, "-m", "unidiff", "demo", "--steps", "5", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / command.REPORT).read_text(encoding="utf-8")
    for name in INFOS:
        assert f"<td>{name}</td>" in page
        assert name in done.stdout
    assert page.count("data:image/svg+xml;base64,") == 4 + (len(INFOS) > 1)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<td>NO</td>" not in page


@pytest.mark.usefixtures("plain_console")
def test_on_numpy_alone_without_the_optional_packages(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    installed = importlib.util.find_spec
    monkeypatch.setattr(command, "find_spec", lambda name: None if name in command.OPTIONAL else installed(name))
    monkeypatch.setattr(command.registry, "unmet_requirements", lambda info: () if info.name == "numpy" else ("it is missing",))
    assert main(["demo", "--steps", "2", "--quick", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert command.EXTRA in text
    assert "scikit-learn" in text
    for name, info in ud.backends(installed=False, arrays=True).items():
        assert (info.install in text) == (name != "numpy")
    page = (tmp_path / command.REPORT).read_text(encoding="utf-8")
    assert "<img" not in page
    assert "digits" not in page.lower().replace("images of digits", "")


@pytest.mark.usefixtures("plain_console")
@pytest.mark.parametrize("name", ["nonesuch", "needy"])
def test_a_backend_that_cannot_be_used(name, add_distribution, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin = (
        "import unidiff\n\n@unidiff.hookimpl\ndef unidiff_register_backends():\n"
        "    yield unidiff.BackendInfo(name='needy', api_version=1, factory='a.b:C', arrays=(), requires=('nix>=1',),\n"
        "                              install='pip install nix')\n"
    )
    add_distribution("needy", "1.0", {"needy_for_demo.py": plugin}, {"needy": "needy_for_demo"})
    assert main(["demo", "--backends", name, "--out", str(tmp_path)]) == 2
    text = capsys.readouterr().out
    assert repr(name) in text
    assert ("pip install nix" in text) == (name == "needy")
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--steps", "x"], ["--backends", ","]])
def test_misuse(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["demo", *arguments])
    assert stop.value.code == 2


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--backends", "numpy", "--out", str(tmp_path / "file" / "folder")]) == 2
    assert "--out" in capsys.readouterr().out


def test_the_users_choice_of_precision_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", "0")
    assert main(["demo", "--backends", "numpy", "--steps", "1", "--quick", "--out", str(tmp_path)]) == 0
    assert os.environ["JAX_ENABLE_X64"] == "0"


def shifted(run: runs.BackendRun, **changes: object) -> runs.BackendRun:
    """The run of another backend, with some results of the digits changed."""
    return replace(run, name="other", digits=replace(run.digits, **changes))


@pytest.mark.parametrize("factor", [1 + 1e-13, 1 + 1e-11, np.nan])
def test_losses_are_compared_at_every_step(factor: float) -> None:
    run = one_run()
    losses = run.digits.losses.copy()
    losses[2] *= factor
    found = {d.quantity: d for d in runs.differences([run, shifted(run, losses=losses)]) if d.backend == "other"}
    assert found["losses along the training, relative"].within == (factor == 1 + 1e-13)
    assert found["parameters along the training"].within


def test_paths_are_compared_and_nan_never_agrees() -> None:
    run = one_run(digits=False)
    for name, path in run.surface.paths.items():
        points = path.points.copy()
        points[1, 0, 0] = np.nan
        surface = replace(run.surface, paths=run.surface.paths | {name: replace(path, points=points)})
        other = replace(run, name="other", surface=surface)
        assert [d.quantity for d in runs.differences([run, other]) if not d.within] == ["points along the paths"]


@pytest.mark.usefixtures("plain_console", "no_pictures")
def test_disagreement_gives_exit_code_1(tmp_path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(runs, "GRADIENT_TOLERANCE", -1.0)
    assert main(["demo", "--backends", "numpy", "--steps", "1", "--quick", "--out", str(tmp_path)]) == 1
    assert "numpy: gradient against the one derived by hand differ" in capsys.readouterr().out
    assert 'class="verdict bad"' in (tmp_path / command.REPORT).read_text(encoding="utf-8")


def test_a_backend_that_fails_is_told_and_stops_no_other() -> None:
    def fail() -> None:
        raise ZeroDivisionError("no <more> steps\nat all")

    failure = runs.run_backend(INFOS["numpy"], SETTINGS, None, fail)
    assert isinstance(failure, runs.Failure)
    run = one_run(digits=False)
    outcome = story.Outcome([run], [failure], runs.differences([run]), None, [])
    assert not outcome.good
    assert outcome.verdict == "numpy failed: ZeroDivisionError: no <more> steps"
    assert "no &lt;more&gt; steps" in story.tell(outcome, with_pictures=False)
    nothing = story.Outcome([], [failure], [], None, [])
    assert not nothing.good
    assert nothing.verdict in story.tell(nothing, with_pictures=True).replace("&lt;", "<").replace("&gt;", ">")
