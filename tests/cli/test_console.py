"""What the commands write to: the plain console and the one of rich."""

import sys

import pytest

from unidiff.cli.console import PlainConsole, RichConsole, make_console

TABLE = (["name", "value"], [["a", "1"], ["long name", "[22]"]])


def test_plain_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    PlainConsole().table(*TABLE)
    assert capsys.readouterr().out.splitlines() == ["name       value", "---------  -----", "a          1", "long name  [22]"]


def test_a_table_without_rows_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    PlainConsole().table(["one", "two"], [])
    assert capsys.readouterr().out.splitlines() == ["one  two", "---  ---"]


def test_rich_prints_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = RichConsole()
    console.table(*TABLE)
    console.print("install [demo]")
    text = capsys.readouterr().out
    assert "[22]" in text
    assert "install [demo]\n" in text


@pytest.mark.parametrize("make", [PlainConsole, RichConsole])
def test_progress_counts_every_step(make, capsys: pytest.CaptureFixture[str]) -> None:
    with make().progress() as new_bar:
        advance = new_bar("numpy", 3)
        for _ in range(3):
            advance()
    captured = capsys.readouterr()
    assert "numpy" in captured.out + captured.err
    assert "3" in captured.out + captured.err


def test_without_rich_the_console_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_console(), RichConsole)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(make_console(), PlainConsole)
