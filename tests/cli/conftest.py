"""An environment with distributions made up by a test."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unidiff import registry

AddDistribution = Callable[..., Path]


@pytest.fixture
def add_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddDistribution]:
    """A function that installs a distribution: its name, version, modules by path, and unidiff entry points by name."""

    def add(name: str, version: str, modules: dict[str, str], plugins: dict[str, str] | None = None) -> Path:
        site = tmp_path / f"{name}-site"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "top_level.txt").write_text("\n".join({path.split("/")[0].removesuffix(".py") for path in modules}))
        lines = [f"{key} = {value}" for key, value in (plugins or {}).items()]
        (info / "entry_points.txt").write_text("\n".join(["[unidiff]", *lines]))
        for path, source in modules.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(source)
            monkeypatch.delitem(sys.modules, path.removesuffix(".py"), raising=False)  # as another test may have left it
        monkeypatch.syspath_prepend(str(site))
        if chosen := os.environ.get("UNIDIFF_LOAD_PLUGINS"):  # the tests load some plugins only: these, too
            monkeypatch.setenv("UNIDIFF_LOAD_PLUGINS", ",".join([chosen, *(plugins or {})]))
        registry.refresh()
        return site

    yield add
    monkeypatch.undo()
    registry.refresh()


@pytest.fixture
def plain_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves rich out, so that tests read text that no terminal width has folded."""
    from unidiff.cli import backends, doctor
    from unidiff.cli.console import PlainConsole
    from unidiff.cli.demo import command

    for module in (backends, doctor, command):
        monkeypatch.setattr(module, "make_console", PlainConsole)
