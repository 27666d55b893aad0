"""The report of the demo: one HTML file that needs no other file and no network."""

import inspect
import platform
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>unidiff demo</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Picture:
    """A picture as SVG text; the caption also describes it to who cannot see it; those of a ``pair`` stand side by side."""

    svg: str
    caption: str
    pair: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs, the source of functions, a table, pictures; all but the title may be missing."""

    title: str
    paragraphs: Sequence[str] = ()
    source: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[Picture] = field(default=())


def source_of(*functions: object) -> str:
    """Return the source text of functions of the demo, so that the report shows the very code that ran."""
    return "\n\n".join(inspect.getsource(function).rstrip() for function in functions)  # type: ignore[arg-type]  # functions


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table that scrolls by itself where the page is narrow."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def figure(picture: Picture) -> str:
    """Return the picture embedded in the page."""
    data = b64encode(picture.svg.encode()).decode()
    caption = escape(picture.caption)
    return f'<figure><img alt="{caption}" src="data:image/svg+xml;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def section(part: Section) -> str:
    """Return one part of the report as HTML."""
    pieces = [f"<h2>{escape(part.title)}</h2>", *(f"<p>{escape(text)}</p>" for text in part.paragraphs)]
    if part.source:
        pieces.append(f"<pre><code>{escape(part.source)}</code></pre>")
    if part.rows:
        pieces.append(table(part.columns, part.rows))
    pairs = [figure(picture) for picture in part.pictures if picture.pair]
    if pairs:
        pieces.append('<div class="pair">' + "\n".join(pairs) + "</div>")
    pieces += [figure(picture) for picture in part.pictures if not picture.pair]
    return "<section>\n" + "\n".join(pieces) + "\n</section>"


def page(verdict: str, good: bool, sections: Sequence[Section], libraries: Sequence[str]) -> str:
    """Return the whole report.

    Parameters
    ----------
    verdict : str
        The outcome in a sentence, shown on top.
    good : bool
        Whether the outcome is what it should be.
    sections : sequence of Section
        The parts of the report in order.
    libraries : sequence of str
        The array libraries with their versions, for the last line.

    Returns
    -------
    str
        An HTML page with its style and pictures inside.
    """
    style = files("unidiff.cli.demo").joinpath("report.css").read_text(encoding="utf-8")
    header = (
        "<header><h1>One function, every backend</h1><p>Each function below is written once against the Python array API "
        "standard; unidiff differentiates it on every installed array library.</p></header>"
    )
    versions = ", ".join([*libraries, f"Python {platform.python_version()} on {platform.platform()}"])
    footer = f"<footer>{escape(versions)}</footer>"
    outcome = f'<div class="verdict{"" if good else " bad"}">{escape(verdict)}</div>'
    return PAGE.format(style=style, body="\n".join([header, outcome, *map(section, sections), footer]))
