"""A console whose text no terminal width has folded."""

import pytest


@pytest.fixture
def plain_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves rich out, so that tests read text that no terminal width has folded."""
    from unidiff.cli import backends, check, doctor
    from unidiff.cli.console import PlainConsole
    from unidiff.cli.demo import command

    for module in (backends, check, doctor, command):
        monkeypatch.setattr(module, "make_console", PlainConsole)
