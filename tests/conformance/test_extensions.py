"""What plugins add to the suite: it runs, and what is wrong with it is named and takes nothing from the rest."""

import json
import re
from pathlib import Path

import pytest
from unidiff_conformance import extensions
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, NON_CONFORMANT

from unidiff.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
ENTRY = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Entry" in b)
EXTRAS = next(b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def slowest" in b)
RUN = ["conformance", "run", "numpy", "--jobs", "0", "-k"]


@pytest.fixture
def install(add_distribution):
    """Install the plugin of the guide, with parts of it replaced."""
    extensions.forget()

    def add(*changes):
        source = EXTRAS
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        entry = ENTRY + "\n\nentry = Entry()\n"
        add_distribution("mylib", "0.7", {"mylib_entry.py": entry, "mylib_extras.py": source}, {"mylib": "mylib_entry:entry"})

    yield add
    extensions.forget()


def test_the_plugin_of_the_guide(install, tmp_path, capsys):
    install()
    file, page = tmp_path / "report.json", tmp_path / "page.html"
    assert main([*RUN, "mylib.", "--json", str(file), "--html", str(page)]) == CONFORMANT
    out = capsys.readouterr().out
    assert re.search(r"^mylib +([1-9]\d*)/\1$", out, re.MULTILINE)
    assert "The slowest cases (mylib 0.7)" in out
    content = json.loads(file.read_text())
    assert {r["id"] for r in content["results"]} == {"mylib.softplus.vector", "mylib.softplus.at-0"}
    assert content["scenarios"]["mylib.softplus.vector"]["Origin"].startswith("a scenario of the plugin mylib 0.7")
    assert content["sections"][0]["origin"] == "mylib 0.7"
    assert "The slowest cases" in page.read_text()
    assert main(["conformance", "explain", "mylib.softplus.at-0"]) == CONFORMANT
    assert main(["conformance", "list", "--profile", "plugins"]) == CONFORMANT
    assert "mylib.softplus.vector:float64:fwd-over-rev" in capsys.readouterr().out
    assert main(["greet", "you"]) == 0


def test_scenarios_of_plugins_are_part_of_no_claim(install, capsys):
    assert main([*RUN[:-1], "--profile", "loads"]) == CONFORMANT
    claim = capsys.readouterr().out.splitlines()[-1]
    install()
    extensions.forget()
    assert main([*RUN[:-1], "--profile", "loads", "--profile", "plugins"]) == CONFORMANT
    assert claim.split(": ")[1] == capsys.readouterr().out.partition("unidiff-conformance")[2].partition("\n")[0].split(": ")[1]


def test_a_second_opinion_is_heard(install, capsys):
    install(("np.diag(1 / (1 + np.exp(-x)))", "np.diag(1 / (1 + np.exp(x)))"))
    assert main([*RUN, "softplus.vector"]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "fail oracle" in out
    assert re.search(
        r"the oracle closed-forms of mylib 0.7 wants 0\.\d+ as entry \(0, 0\) of the Jacobian, where the suite wants", out
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("return np.diag(", "return np.ones(3) + ("), "shape"),
        (("x = np.asarray", "raise LookupError('no idea')\n    x = np.asarray"), "failed: LookupError('no idea')"),
        (("return np.diag(1 / (1 + np.exp(-x)))", "return 'a matrix'"), "failed: ValueError"),
    ],
)
def test_an_oracle_that_fails_is_named(install, change, message, capsys):
    install(change)
    assert main([*RUN, "softplus.vector"]) == NON_CONFORMANT
    out = capsys.readouterr().out
    assert "the oracle closed-forms of mylib 0.7" in out
    assert message in out
    assert main([*RUN, "=elementwise.sin.scalar"]) == CONFORMANT  # on which it has no opinion


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("def scenarios():", "def scenarios():\n    raise LookupError('none today')")], "LookupError('none today')"),
        (
            [("def scenarios():", "def scenarios():\n    return 3\n\n\ndef others():")],
            "scenarios are wanted, but it returned 3",
        ),
        ([("def scenarios():", "def scenarios():\n    yield 'one'")], "but one is 'one'"),
        ([('"mylib.softplus.at-0"', '"softplus"')], "an id is 'category.function.variant'"),
        ([('"mylib.softplus.at-0"', '"elementwise.softplus.at-0"')], "is the suite's own"),
        ([('"mylib.softplus.at-0"', '"mylib.softplus.vector"')], "two scenarios are called"),
        ([("def softplus(xp, x):", "def softplus(xp, x):\n    xp.nonesuch")], "the oracle cannot evaluate"),
        ([("def scenarios():", "def none():")], "has no attribute 'scenarios'"),
    ],
)
def test_scenarios_that_are_none_are_left_out(install, changes, message, capsys):
    install(*changes)
    assert main([*RUN, "=elementwise.sin.scalar"]) == ENVIRONMENT
    captured = capsys.readouterr()
    assert re.search(r"^elementwise +([1-9]\d*)/\1$", captured.out, re.MULTILINE)
    assert "the scenarios 'activations' of mylib 0.7 are left out: " in captured.err
    assert message in captured.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def slowest(run):", "def slowest(run):\n    return 3\n\n\ndef other(run):"), "a text is wanted, but it returned 3"),
        (("def slowest(run):", "def slowest(run):\n    1 / 0"), "ZeroDivisionError"),
        (("def slowest(run):", "def other(run):"), "has no attribute 'slowest'"),
    ],
)
def test_a_section_that_cannot_be_written_is_left_out(install, change, message, capsys):
    install(change)
    assert main([*RUN, "=elementwise.sin.scalar"]) == ENVIRONMENT
    captured = capsys.readouterr()
    assert "the report sections 'slowest' of mylib 0.7 are left out: " in captured.err
    assert message in captured.err
