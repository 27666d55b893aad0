"""``unidiff new-backend``: the project it makes passes its own tests as it is; bad names and folders in use are refused."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from unidiff.cli import main


def test_the_project_passes_its_own_tests(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert main(["new-backend", "tutorial", "--out", str(folder)]) == 0
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / "src" / "unidiff_tutorial-0.1.0.dist-info"  # what an installation would write
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entry_points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["unidiff"].items())
    (metadata / "entry_points.txt").write_text(f"[unidiff]\n{entry_points}")
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    environment.pop("UNIDIFF_LOAD_PLUGINS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "linear_algebra"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    code = [
        line
        for path in (folder / "src").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    assert len(code) < 50


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Bad"], "lower case"),
        (["class"], "keyword"),
        (["_x"], "underscore"),
        (["two words"], "identifier"),
        (["numpy"], "already"),
        (["fine", "--over", "no.such.module"], "cannot be imported"),
        (["fine", "--over", "1.2"], "dotted name"),
    ],
)
def test_bad_arguments_are_refused(arguments, words, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-backend", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["new-backend", "fine", "--out", str(tmp_path)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
