"""``unidiff new-backend``: the project it makes passes its own tests as it is; bad names and folders in use are refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from unidiff.cli import main

TUTORIAL = Path(__file__).parent.parent.parent / "docs" / "plugins.md"
COMMANDS = re.search(r"^```sh\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[1]
INSTALLER = """
import os, sys, tomllib
from pathlib import Path

if sys.argv[1:4] != ["-m", "pip", "install"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
folder = Path(sys.argv[-1].partition("[")[0])
project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
name, version = project["name"], project["version"]
metadata = Path({site!r}) / f"{{name.replace('-', '_')}}-{{version}}.dist-info"
metadata.mkdir(parents=True)
(metadata / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n")
points = "".join(f"{{key}} = {{value}}\\n" for key, value in project["entry-points"]["unidiff"].items())
(metadata / "entry_points.txt").write_text(f"[unidiff]\\n{{points}}")
for package in (folder / "src").iterdir():
    (Path({site!r}) / package.name).symlink_to(package.resolve())
"""
"""What ``python`` is in the tutorial here: it installs as pip would in the end, without a network or a build."""


def test_the_commands_of_the_tutorial_end_with_a_conformant_backend(tmp_path: Path) -> None:
    commands, site, empty = tmp_path / "bin", tmp_path / "site", tmp_path / "empty"
    for folder in (commands, site, empty):
        folder.mkdir()
    (tmp_path / "installer.py").write_text(INSTALLER.format(python=sys.executable, site=str(site)))
    programs = {"python": f'{sys.executable} "{tmp_path}/installer.py"', "unidiff": f"{sys.executable} -m unidiff.cli"}
    for name, program in programs.items():
        (commands / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (commands / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "PYTEST_ADDOPTS": "-q -p no:cacheprovider -k 'linear_algebra or behaviour or i0e'",  # CI runs them all
    }
    environment.pop("UNIDIFF_LOAD_PLUGINS", None)
    shell = ["bash", "-euo", "pipefail", "-c", COMMANDS]
    done = subprocess.run(shell, cwd=empty, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout
    code = [
        line
        for path in (empty / "unidiff-mylib" / "src").rglob("*.py")
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
