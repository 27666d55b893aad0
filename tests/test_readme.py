"""The README: its first example is short and right, and its table is up to date; see also ``test_documents.py``."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unidiff as ud

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_backends_is_up_to_date() -> None:
    script = ROOT / "docs" / "generate_backend_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("torch" not in ud.backends(), reason="the example converts to torch")
def test_the_first_example_runs_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    space: dict[str, object] = {}
    exec(example, space)
    x = np.asarray([0.0, 0.5, 1.0])
    np.testing.assert_allclose(ud.grad(space["f"])(x), np.exp(-x) * (np.cos(x) - np.sin(x)), rtol=0, atol=1e-15)
    assert "tensor(" in capsys.readouterr().out
