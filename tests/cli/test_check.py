"""``unidiff check``: exit codes, files and modules, what is said of bad arguments, and the table."""

import sys
from pathlib import Path

import pytest

from unidiff.cli import main

pytestmark = pytest.mark.usefixtures("plain_console")

LOSSES = """
import unidiff as ud
from .constants import SCALE

def product(x, y):
    return SCALE * x * y

def first(p):
    return p["w"][0] / p["b"]

def broken(x):
    raise KeyError("broken")

constant = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a relative import, in a folder that is not the current one."""
    folder = tmp_path / "src" / "checked_losses"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "constants.py").write_text("SCALE = 2.0\n")
    (folder / "losses.py").write_text(LOSSES)
    (tmp_path / "bad.py").write_text("1 / 0\n")
    for name in ("checked_losses", "checked_losses.losses", "checked_losses.constants"):
        monkeypatch.delitem(sys.modules, name, raising=False)  # those of another test's folder
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


FILE = "src/checked_losses/losses.py"


def check(*arguments: str) -> int:
    return main(["check", "--backends", "numpy", "--order", "1", *arguments])


@pytest.mark.usefixtures("package")
def test_a_function_in_a_file_of_a_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(f"{FILE}:product", "--args", "[0.5, 1.0]", "-2.0") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[:3] == ["numpy", "right", "1"]
    assert check(f"{FILE}:first", "--args", '{"w": [1.0, 2.0], "b": 0.5}') == 0


@pytest.mark.usefixtures("package")
def test_a_failure_is_shown_with_its_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(f"{FILE}:broken", "--args", "1.0") == 1
    out = capsys.readouterr().out
    assert "broken on numpy: the function raised KeyError: 'broken'" in out
    assert "losses.py:12, in broken" in out
    assert f"unidiff check {FILE}:broken --order 1 --backends numpy --args 1.0" in out


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([FILE, "--args", "1.0"], 2, "not of the form MODULE:FUNCTION"),
        ([f"{FILE}:product", "--args", "1.0"], 2, "takes (x, y), but --args has 1 value"),
        ([f"{FILE}:product", "--args", "[0.5", "1.0"], 2, "'[' was never closed"),
        ([f"{FILE}:product", "--args", "__import__('os')", "1.0"], 2, "takes Python literals"),
        ([f"{FILE}:product", "--args", "'a'", "1.0"], 2, "not 'a'"),
        ([f"{FILE}:product", "--args", "[1.0, [2.0]]", "1.0"], 2, "equal lengths"),
        ([f"{FILE}:product", "--args", "1.0", "1.0", "--order", "0"], 2, "order must be an integer of at least 1"),
        ([f"{FILE}:constant", "--args", "1.0"], 2, "cannot be called"),
        ([f"{FILE}:prodct", "--args", "1.0"], 3, "did you mean 'product'?"),
        (["src/none.py:f", "--args", "1.0"], 3, "there is no file"),
        (["no_such_module:f", "--args", "1.0"], 3, "No module named 'no_such_module'"),
        (["bad:f", "--args", "1.0"], 3, "ZeroDivisionError"),
        (["math:sqrt", "--args", "1.0", "--backends", "nump"], 3, "Did you mean 'numpy'?"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(*arguments) == code
    assert message in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "3  the function or a backend cannot be loaded" in capsys.readouterr().out
