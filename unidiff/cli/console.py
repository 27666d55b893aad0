"""Text, tables and progress bars on the terminal: with rich where it is installed, in plain text where it is not."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

NewBar = Callable[[str, int], Callable[[], None]]
"""Takes a label and a number of steps, shows a progress bar, and returns the function that moves it by one step."""


class Console(Protocol):
    """What the commands write to."""

    def print(self, text: str = "") -> None:
        """Print a line of plain text."""

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""

    def progress(self) -> AbstractContextManager[NewBar]:
        """Return a context in which progress bars can be made."""


class PlainConsole:
    """Plain text; progress is one line per bar, written when it starts and ended when it is full."""

    def print(self, text: str = "") -> None:
        """Print a line."""
        print(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print columns of equal width under their names."""
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, ["-" * width for width in widths], *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    @contextmanager
    def progress(self) -> Iterator[NewBar]:
        """Count steps without drawing."""

        def new_bar(label: str, total: int) -> Callable[[], None]:
            print(f"{label} ({total} steps)", file=sys.stderr)
            return lambda: None

        yield new_bar


class RichConsole:
    """Tables and live progress bars drawn by rich, which falls back to plain text where the output is not a terminal."""

    def __init__(self) -> None:
        from rich.console import Console as Rich

        self._rich = Rich(highlight=False)

    def print(self, text: str = "") -> None:
        """Print a line; square brackets are text, not markup."""
        self._rich.print(text, markup=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table that fits the terminal."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._rich.print(table)

    @contextmanager
    def progress(self) -> Iterator[NewBar]:
        """Draw the bars while the context is open."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._rich) as progress:

            def new_bar(label: str, total: int) -> Callable[[], None]:
                task = progress.add_task(label, total=total)
                return lambda: progress.advance(task)

            yield new_bar


def make_console() -> Console:
    """Return the best console this environment has."""
    try:
        return RichConsole()
    except ImportError:
        return PlainConsole()
