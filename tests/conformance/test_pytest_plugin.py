"""The pytest plugin: light in every session, and clear about what it was asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
ENVIRONMENT["UNIDIFF_LOAD_PLUGINS"] = "numpy,array_api_strict,finite,conformance"
HEAVY = {"numpy", "unidiff", "unidiff.registry", "torch", "jax", "unidiff_conformance.profiles"}
TESTS = """
import pytest

def test_name(unidiff_backend):
    print("name", unidiff_backend)

def test_namespace(unidiff_xp, unidiff_backend):
    assert unidiff_xp.sum(unidiff_xp.ones(2)) == 2

@pytest.mark.unidiff_backends("numpy", skip={"array_api_strict": "prints"})
def test_one(unidiff_backend):
    assert unidiff_backend == "numpy"

@pytest.mark.unidiff_backends(skip={"numpy": "not here"})
class TestMany:
    def test_skipped(self, unidiff_xp):
        pass

    def test_without(self):
        pass
"""


def run_pytest(folder: Path, tests: str, *arguments: str, ini: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "-rs", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)


def test_a_session_that_does_not_use_it_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import sys\n\n"
        "def pytest_unconfigure(config):\n"
        f"    assert config.pluginmanager.hasplugin('unidiff')\n"
        f"    print('imported:', sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    for arguments in (["--collect-only"], []):
        done = run_pytest(tmp_path, "def test_nothing():\n    pass\n", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "imported: []" in done.stdout


def test_fixtures_options_and_markers(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, TESTS, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split()[0].partition("::")[2] for line in done.stdout.splitlines() if " PASSED" in line]
    assert ran == [
        *(f"test_{name}[{backend}]" for name in ("name", "namespace") for backend in ("numpy", "array_api_strict")),
        "test_one[numpy]",
        "TestMany::test_skipped[array_api_strict]",
        "TestMany::test_without",
    ]
    assert "not here" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "ini", "wanted"),
    [
        (["--unidiff-backends", "finite,numpy"], "", ["finite", "numpy"]),
        ([], "unidiff_backends = array_api_strict", ["array_api_strict"]),
        (["--unidiff-backends", "all"], "unidiff_backends = array_api_strict", ["numpy", "array_api_strict"]),
    ],
)
def test_backends_are_chosen(tmp_path: Path, arguments: list[str], ini: str, wanted: list[str]) -> None:
    done = run_pytest(tmp_path, TESTS, "-s", "-k", "test_name or test_one", *arguments, ini=ini)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.rpartition("name ")[2] for line in done.stdout.splitlines() if "name " in line] == wanted
    if "numpy" not in wanted:
        assert "none of the backends that it is for (numpy) is installed and chosen" in done.stdout


@pytest.mark.parametrize(
    ("tests", "arguments", "message"),
    [
        ("", ["--unidiff-backends", "nmpy"], "unidiff knows no backend 'nmpy' (did you mean 'numpy'?)"),
        ('@pytest.mark.unidiff_backends(skipped={"numpy": "x"})', [], "takes names of backends and skip={name: reason}"),
        (
            '@pytest.mark.unidiff_backends("numpy")\ndef test_without():\n    pass\n',
            [],
            "takes neither unidiff_backend nor unidiff_xp",
        ),
    ],
)
def test_misuse(tmp_path: Path, tests: str, arguments: list[str], message: str) -> None:
    done = run_pytest(tmp_path, f"import pytest\n{tests}\ndef test_it(unidiff_backend):\n    pass\n", *arguments)
    assert done.returncode not in (0, 1)
    assert message in done.stdout + done.stderr
