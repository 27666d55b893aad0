"""Writes into plugins.md what the contract says and what derivations cost; with ``--check`` says whether it is up to date.

The reference is made from the docstrings of the contract. The costs are counted: a backend over NumPy with one mode of its own
counts how often the function is evaluated and how often a pullback of its own is called.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import unidiff as ud
from unidiff.backend import OPTIONAL_OPERATIONS, Backend, BackendInfo, Capabilities
from unidiff.derive import CompleteBackend, complete

PAGE = Path(__file__).parent / "plugins.md"
INPUTS, OUTPUTS, SLICES, ORDER = 3, 2, 5, 3
FORWARD, REVERSE = frozenset({"forward"}), frozenset({"reverse"})


class Counting:
    """A backend of NumPy's arrays with one mode of its own, which counts."""

    def __init__(self, mode: str, max_order: int | None) -> None:
        self.numpy = ud.get_backend("numpy").backend
        capabilities = Capabilities(modes=frozenset({mode}), max_order=max_order)
        self.info = replace(self.numpy.info, name="counting", capabilities=capabilities)
        self.evaluations = self.pullbacks = 0
        setattr(self, *{"forward": ("jvp", self.numpy.jvp), "reverse": ("vjp", self._vjp)}[mode])
        for name in REQUIRED:
            setattr(self, name, getattr(self.numpy, name))

    def counted(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function such that its calls are counted."""

        def call(*args: Any) -> Any:
            self.evaluations += 1
            return f(*args)

        return call

    def _vjp(self, f: Any, primals: Any, *, has_aux: bool = False) -> Any:
        outs, pullback, *aux = self.numpy.vjp(f, primals, has_aux=has_aux)

        def pull(cotangents: Any) -> Any:
            self.pullbacks += 1
            return pullback(cotangents)

        return outs, pull, *aux

    def taken(self) -> tuple[int, int]:
        """Return the counts since the last time."""
        taken = self.evaluations, self.pullbacks
        self.evaluations = self.pullbacks = 0
        return taken


REQUIRED = [name for name, value in vars(Backend).items() if inspect.isfunction(value) and not name.startswith("_")]


def f(x: Any) -> Any:
    """Map three numbers to two."""
    xp = ud.array_namespace(x)
    return (xp.stack([x[0] * x[1], xp.sin(x[2]) * x[1]]),)


def g(x: Any) -> Any:
    """Map three numbers to one."""
    return (ud.array_namespace(x).sum(x**3),)


X, T, CT = np.asarray([0.5, 1.5, 2.5]), (np.ones(INPUTS),), (np.ones(OUTPUTS),)
STARTS: dict[str, tuple[Callable[[Any], Any], tuple[str, Any]]] = {
    "jvp": (lambda c: c.b.jvp(c.f, (X,), T), ("", None)),
    "vjp": (lambda c: c.b.vjp(c.f, (X,)), ("pullback", lambda made: made[1](CT))),
    "value_and_grad": (lambda c: c.b.value_and_grad(c.g, (X,)), ("", None)),
    "linearize": (lambda c: c.b.linearize(c.f, (X,)), ("tangent", lambda made: made[1](T))),
    "jacfwd": (lambda c: c.b.jacfwd(c.f, (X,)), ("", None)),
    "jacrev": (lambda c: c.b.jacrev(c.f, (X,)), ("", None)),
    "taylor": (lambda c: c.b.taylor(c.f, (X,), T, ORDER), ("", None)),
    "vmap": (lambda c: c.b.vmap(c.f, (np.ones((SLICES, INPUTS)),), (True,), SLICES), ("", None)),
    "jit": (lambda c: c.b.jit(c.f), ("call", lambda made: made(X))),
    "checkpoint": (lambda c: c.b.checkpoint(c.f), ("call", lambda made: made(X))),
    "cond": (lambda c: c.b.cond(np.asarray(True), c.f, c.f, (X,)), ("", None)),
    "scan": (
        lambda c: c.b.scan(lambda carry, _: (c.g(carry[0]), ()), (np.asarray(0.5),), (np.ones(SLICES),), SLICES, False),
        ("", None),
    ),
}
"""For each operation how it is started, and what is done with what it returns."""


def cost(operation: str, mode: str, max_order: int | None = None) -> str:
    """Count what an operation takes on a backend with one mode."""
    counting = Counting(mode, max_order)
    b = complete(counting)
    if operation in b.native:
        return "native"
    start, (name, use) = STARTS[operation]
    try:
        made = start(SimpleNamespace(b=b, f=counting.counted(f), g=counting.counted(g)))
    except ud.errors.UnsupportedOperationError:
        return "refused"
    first = said(*counting.taken())
    if use is None:
        return first
    use(made)
    later = said(*counting.taken())
    return f"{first}, and {later} for each {name}" if first else f"{later} for each {name}"


def said(evaluations: int, pullbacks: int) -> str:
    """Say what was counted."""
    parts = ((evaluations, "evaluation"), (pullbacks, "pullback"))
    return ", ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in parts if count)


def costs() -> str:
    """Return the table of what derived operations cost."""
    head = ["", "with `jvp` alone", "with `vjp` alone", "with `vjp` alone, of first order"]
    rows = [head, ["---"] * len(head)]
    for operation in STARTS:
        columns = (cost(operation, "forward"), cost(operation, "reverse"), cost(operation, "reverse", 1))
        rows.append([f"`{operation}`", *columns])
    return table(rows)


def table(rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def entries(documentation: str, section: str) -> Iterator[tuple[str, str, str]]:
    """Yield the names, the type and the text of each entry in a section of a numpydoc docstring."""
    text = inspect.cleandoc(documentation)
    body = re.split(rf"^{section}\n-+\n", text, flags=re.MULTILINE)[1]
    body = re.split(r"^\w[\w ]*\n-+$", body, flags=re.MULTILINE)[0]
    for names, kind, words in re.findall(r"^(\S[^:\n]*) : (.*)\n((?:^    .*\n?|^\n)*)", body, flags=re.MULTILINE):
        yield names, kind, markup(words)


def markup(text: str) -> str:
    """Return a text in reStructuredText as Markdown in one line."""
    one = " ".join(text.split()).replace("``", "\0")
    return re.sub(r"(?<!`)`([^`\n]+)`(?!`)", r"`\1`", one).replace("\0", "`")


def reference() -> str:
    """Return the reference of the contract."""
    operations = {}
    for names, kind, words in entries(str(CompleteBackend.__doc__), "Attributes"):
        operations |= {name: words for name in names.split(", ") if kind == "callable"}
    lacking = [name for name in OPTIONAL_OPERATIONS if name not in operations]
    if lacking:
        raise SystemExit(f"the docstring of CompleteBackend says nothing of {', '.join(lacking)}")
    required = [[f"`{name}{parameters(name)}`", markup(str(getattr(Backend, name).__doc__))] for name in REQUIRED]
    optional, told = [], set[str]()
    for name in OPTIONAL_OPERATIONS:
        if operations[name] not in told:
            same = [f"`{other}`" for other in OPTIONAL_OPERATIONS if operations[other] == operations[name]]
            optional.append([", ".join(same), operations[name]])
            told.add(operations[name])
    parts = [
        "### Methods that every backend has",
        table([["method", "what it does"], ["---", "---"], *required]),
        "### Derivatives, of which one is enough",
        table([["method", "what it returns"], ["---", "---"], *([f"`{name}`", operations[name]] for name in ("vjp", "jvp"))]),
        markup_paragraphs(str(Backend.__doc__)),
        "### Operations that may be native",
        table([["operation", "what it is"], ["---", "---"], *optional]),
        "### What a plugin declares",
        "Of `unidiff.BackendInfo`:",
        table([["field", "type", "meaning"], ["---"] * 3, *declared(BackendInfo)]),
        "Of `unidiff.Capabilities`:",
        table([["field", "type", "meaning"], ["---"] * 3, *declared(Capabilities)]),
    ]
    return "\n\n".join(parts)


def parameters(name: str) -> str:
    """Return the parameters of a required method, without annotations."""
    taken = list(inspect.signature(getattr(Backend, name)).parameters.values())[1:]
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in taken]
    return str(inspect.Signature(bare))


def declared(kind: type) -> list[list[str]]:
    """Return the rows for the fields of a record."""
    found = entries(str(kind.__doc__), "Parameters")
    return [[", ".join(f"`{name}`" for name in names.split(", ")), markup(types), words] for names, types, words in found]


def markup_paragraphs(documentation: str) -> str:
    """Return what the docstring of the protocol says beyond its first lines, paragraph by paragraph."""
    text = inspect.cleandoc(documentation).partition("\n\n")[2]
    code = re.compile(r"::\n\n((?:    .*\n|\n)+)")
    parts = code.sub(lambda m: ":\n\n```text\n" + inspect.cleandoc(m[1]) + "\n```\n\n", text).split("\n\n")
    paragraphs = [part.strip() if part.lstrip().startswith("```") else markup(part) for part in parts]
    return "\n\n".join(filter(None, paragraphs))


MARKS = {"costs": costs, "contract": reference}


def with_parts(text: str) -> str:
    """Return the page with what is between its marks made anew."""
    for name, make in MARKS.items():
        begin, end = f"<!-- {name}: generated by docs/generate_contract.py -->\n", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{PAGE.name} lacks the marks {begin.strip()!r} and {end!r}.")
        text = before + begin + make() + "\n" + end + after
    return text


def main() -> int:
    """Write the page, or check it."""
    old = PAGE.read_text(encoding="utf-8")
    new = with_parts(old)
    if "--check" in sys.argv[1:]:
        print("up to date" if new == old else f"{PAGE.name} is out of date: run python {Path(__file__).name}")
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
