"""The program itself: its commands, those of plugins, and what it says when another distribution has broken it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unidiff
from unidiff.cli import main

PLUGIN = """
import unidiff

@unidiff.hookimpl
def unidiff_register_commands():
    yield ("greet", "say hello", "greeter_command:configure")
    yield ("demo", "a name that is taken", "greeter_command:configure")
"""
COMMAND = """
def configure(parser):
    parser.add_argument("whom")
    def run(args):
        print("hello", args.whom)
        return 3
    return run
"""
BROKEN = """
import unidiff

@unidiff.hookimpl
def unidiff_register_commands():
    raise RuntimeError("out of order")
"""


def run_program(
    *arguments: str, module: str = "unidiff", path: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, with ``path`` before all else on the import path."""
    environment = dict(os.environ) | ({"PYTHONPATH": str(path)} if path is not None else {})
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False, timeout=120)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(name in text for name in ("backends", "doctor", "demo"))


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["backends", "--no-such-option"]])
def test_misuse_has_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: unidiff" in capsys.readouterr().err


def test_a_plugin_adds_a_command(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    modules = {"greeter.py": PLUGIN, "greeter_command.py": COMMAND}
    add_distribution("greeter", "1.0", modules, {"greeter": "greeter"})
    assert main(["greet", "you"]) == 3
    captured = capsys.readouterr()
    assert captured.out == "hello you\n"
    assert "already" in captured.err
    assert "'demo'" in captured.err


def test_a_broken_plugin_does_not_stop_the_program(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    add_distribution("sick", "1.0", {"sick.py": BROKEN}, {"sick": "sick"})
    assert main(["backends", "--json"]) == 0
    captured = capsys.readouterr()
    assert "out of order" in captured.err
    assert '"numpy"' in captured.out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("raise RuntimeError('no configuration')", "no configuration"),
        ("def configure(parser): raise RuntimeError('not today')", "not today"),
        ("def configure(parser): return lambda args: 1 / 0", "ZeroDivisionError"),
        ("def configure(parser): return lambda args: None", "exit code"),
        ("def configure(parser): pass", "not callable"),
        ("other = 1", "cannot be imported"),
    ],
)
def test_a_command_that_crashes_is_named_with_its_plugin(
    add_distribution, command, message, capsys: pytest.CaptureFixture[str]
):
    plugin = PLUGIN.replace('    yield ("demo", "a name that is taken", "greeter_command:configure")\n', "")
    add_distribution("greeter", "1.0", {"greeter.py": plugin, "greeter_command.py": command}, {"greeter": "greeter"})
    assert main(["greet"]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("unidiff: the command 'greet' of greeter 1.0 failed: ")
    assert message in last
    assert main(["backends", "--json"]) == 0


def test_runs_as_a_module_without_importing_a_framework() -> None:
    code = "import sys; from unidiff.cli import main; main(['backends']); print({'torch', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "set()"
    assert run_program("--help").returncode == 0


def test_explains_itself_when_its_files_are_overwritten(tmp_path: Path) -> None:
    package = tmp_path / "unidiff"
    shutil.copytree(Path(unidiff.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text("from unidiff.patch import PatchSet\n")
    (package / "patch.py").write_text("class PatchSet: pass\n")
    (package / "__main__.py").write_text("raise SystemExit('the program of the other distribution')\n")
    (package / "errors.py").write_text("class UnidiffParseError(Exception): pass\n")
    info = tmp_path / "unidiff-0.7.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unidiff\nVersion: 0.7.5\n")
    done = run_program("doctor", module="unidiff.cli", path=tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert "'unidiff' 0.7.5" in done.stderr
    assert "pip uninstall" in done.stderr
    assert "Traceback" not in done.stderr
