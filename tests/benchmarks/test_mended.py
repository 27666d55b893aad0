"""The table of mended functions: what is in it, and that what is not mended is the library's own."""

import pytest

from benchmarks.mended import CALLS, measure


@pytest.mark.parametrize("backend", ["torch"])
def test_table_of_ratios(backend):
    pytest.importorskip(backend)
    rows = {name: (value, gradient) for name, value, gradient in measure(backend, 2, rounds=1, everything=True)}
    assert set(rows) == set(CALLS)
    assert rows["multiply"] == rows["matmul"] == rows["sum"] == (1.0, 1.0)
    assert all(value > 0 and gradient > 0 for value, gradient in rows.values())
    assert rows["linalg.det"] != (1.0, 1.0)
