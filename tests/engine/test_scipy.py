"""SciPy over traced arrays: each function differentiates, is constant or raises; none loses the derivative silently.

SciPy reads its environment variable when it is imported, so the calls are made in a process of their own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "scipy.md").read_text(encoding="utf-8")


def _stated() -> dict[str, str]:
    """Return the outcome that the page states, by the full name of the call."""
    stated, module = {}, ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            module = line[3:]
        elif row := re.match(r"\| `(.+?)` \| (\w+) \|", line):
            stated[f"{module}.{row[1]}"] = row[2]
    return stated


STATED = _stated()


@pytest.fixture(scope="module")
def measured():
    script = str(DOCS / "generate_scipy_table.py")
    env = {name: value for name, value in os.environ.items() if name != "SCIPY_ARRAY_API"}
    done = subprocess.run([sys.executable, script, "--json"], capture_output=True, text=True, check=True, timeout=300, env=env)
    return json.loads(done.stdout)


def test_the_page_is_up_to_date(measured):
    if f"SciPy {measured['scipy']} " not in PAGE:
        pytest.skip(f"the page was made with another version of SciPy than {measured['scipy']}")
    assert measured["page"] == PAGE, "run python docs/generate_scipy_table.py"


def test_every_call_is_on_the_page(measured):
    assert set(STATED) == set(measured["outcomes"])
    assert len(STATED) > 250


@pytest.mark.parametrize("name", STATED)
def test_no_derivative_is_lost_or_wrong(name, measured):
    kind, reason = measured["outcomes"][name]
    assert kind in ("differentiates", "constant", "raises"), reason
    assert kind == STATED[name], reason
