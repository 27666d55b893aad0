"""``unidiff doctor``: a sound installation passes, each kind of fault is found, named and gives exit code 1."""

import base64
import hashlib
from pathlib import Path

import pytest

from unidiff.cli import installation, main

pytestmark = pytest.mark.usefixtures("plain_console")

BROKEN = "raise RuntimeError('the entry module is broken')\n"
BACKEND = """
import unidiff

@unidiff.hookimpl
def unidiff_register_backends():
    yield unidiff.BackendInfo(name="{name}", api_version=1, factory="{factory}", arrays=("{name}",), requires={requires!r},
                              install="pip install it")
"""


def backend(name: str, factory: str = "no_such_module:C", requires: tuple[str, ...] = ()) -> dict[str, str]:
    """The modules of a plugin with one backend."""
    return {f"{name}_plugin.py": BACKEND.format(name=name, factory=factory, requires=requires)}


def test_a_sound_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "fine    numpy: numpy " in text
    assert text.endswith("No problems found.\n")


def test_one_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "numpy"]) == 0
    assert "torch" not in capsys.readouterr().out


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "nonesuch"]) == 1
    text = capsys.readouterr().out
    assert "nonesuch" in text
    assert "numpy" in text


def test_a_plugin_that_cannot_be_imported(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    add_distribution("sick", "2.3", {"sick_plugin.py": BROKEN}, {"sick": "sick_plugin"})
    for arguments in (["doctor"], ["doctor", "sick"]):
        assert main(arguments) == 1
        text = capsys.readouterr().out
        assert "sick 2.3" in text
        assert "'import'" in text
        assert "Traceback" in text
        assert "the entry module is broken" in text
        assert "1 problem found." in text


def test_a_backend_that_cannot_be_loaded(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    add_distribution("faulty", "1.0", backend("faulty"), {"faulty": "faulty_plugin"})
    assert main(["doctor", "faulty"]) == 1
    text = capsys.readouterr().out
    assert "'load'" in text
    assert "no_such_module" in text
    assert "faulty 1.0" in text


@pytest.mark.parametrize(
    ("requires", "whole", "named", "reason"),
    [
        (("no-such-library>=1",), 0, 1, "no-such-library>=1 is not installed"),
        (("numpy>=999",), 1, 1, "numpy>=999 is needed"),
    ],
)
def test_requirements(add_distribution, capsys, requires: tuple[str, ...], whole: int, named: int, reason: str) -> None:
    """A library that is absent is wrong only where its backend was asked for; a version out of range always is."""
    add_distribution("needy", "1.0", backend("needy", requires=requires), {"needy": "needy_plugin"})
    assert main(["doctor"]) == whole
    text = capsys.readouterr().out
    assert reason in text
    assert "pip install it" in text
    assert main(["doctor", "needy"]) == named


def test_the_other_distribution_of_this_name(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    add_distribution("unidiff", "0.7.5", {"unidiff_of_patches.py": ""})
    assert main(["doctor"]) == 1
    captured = capsys.readouterr()
    assert "'unidiff' 0.7.5" in captured.out
    assert installation.REPAIR in captured.out
    assert "'unidiff' 0.7.5" in captured.err


def test_any_other_distribution_with_the_import_name(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    site = add_distribution("usurper", "1.0", {"usurper.py": ""})
    (site / "usurper-1.0.dist-info" / "top_level.txt").write_text("unidiff\n")
    assert main(["doctor"]) == 1
    assert "'usurper'" in capsys.readouterr().out


def test_changed_files(add_distribution, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three recorded files one is as installed, one differs and one is gone."""
    recorded = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).rstrip(b"=").decode()
    site: Path = add_distribution("unidiff_array", "9.9", {"kept.py": "x = 1\n", "altered.py": "x = 2\n"})
    record = "".join(f"{name}.py,sha256={recorded},6\n" for name in ("kept", "altered", "gone"))
    (site / "unidiff_array-9.9.dist-info" / "RECORD").write_text(record)
    assert installation.changed_files() == ["altered.py", "gone.py"]
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "altered.py" in text
    assert "kept.py" not in text
    assert "--force-reinstall" in text
