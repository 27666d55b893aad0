"""Frameworks by themselves deviate where they are known to; unidiff's namespaces deviate nowhere."""

import json
from functools import cache
from math import nan

import numpy as np
import pytest
from unidiff_conformance import deviations_command
from unidiff_conformance.deviations import compare, select
from unidiff_conformance.native import FRAMEWORKS, load

from unidiff.cli import main

# framework, scenario, mode, its derivative, the standard's
KNOWN = [
    ("torch", "elementwise.hypot.at-0", "reverse", [nan, nan], [0, 0]),
    ("torch", "elementwise.logaddexp.equal-infinities", "reverse", [nan, nan], [0.5, 0.5]),
    ("torch", "elementwise.atan2.at-0", "reverse", [0, 0], [nan, nan]),
    ("torch", "linalg.svdvals.repeated-upper", "forward", [1, 0, 0, 0], [0.5, 0, 0, 0.5]),
    ("jax", "elementwise.abs.at-0", "forward", [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("jax", "elementwise.abs.at-0", "reverse", [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("jax", "elementwise.clip.at-both", "reverse", [0.25], [1 / 3]),
    ("jax", "elementwise.pow.0-to-array-0", "reverse", [nan], [0]),
    ("jax", "linalg.vector_norm.ord2-at-0", "reverse", [nan, nan], [0, 0]),
    ("jax", "linalg.vector_norm.ord1-at-0", "reverse", [1, 1], [0, 0]),
    ("jax", "statistical.std.constant", "reverse", [nan, nan, nan], [0, 0, 0]),
    ("autograd", "statistical.prod.one-zero", "reverse", [0, nan, 0, 0], [0, -1.5, 0, 0]),
    ("autograd", "statistical.std.constant", "reverse", [nan, nan, nan], [0, 0, 0]),
    ("autograd", "elementwise.clip.at-bounds", "forward", None, None),
]


@cache
def findings(framework):
    native = pytest.importorskip(FRAMEWORKS[framework][0]) and load(framework)
    wanted = {case for name, case, *_ in KNOWN if name == framework} | {
        "program.complex.squared-modulus",
        "elementwise.exp.matrix",
    }
    with deviations_command._uncompiled(framework):
        return compare(native, [item for item in select(everything=True) if item.id in wanted])


@pytest.mark.parametrize(("framework", "id", "mode", "native", "standard"), KNOWN, ids=[f"{k[0]}-{k[1]}-{k[2]}" for k in KNOWN])
def test_known_deviations_are_found(framework, id, mode, native, standard):
    (found,) = [d for d in findings(framework).deviations if (d.scenario, d.mode) == (id, mode)]
    assert found.kind == "differs"
    if native is not None:
        np.testing.assert_allclose(np.ravel(found.native), native)
        np.testing.assert_allclose(np.ravel(found.standard), standard, rtol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_smooth_functions_agree(framework):
    assert "elementwise.exp.matrix" in findings(framework).compared
    assert all(d.scenario != "elementwise.exp.matrix" for d in findings(framework).deviations)


@pytest.mark.parametrize(("framework", "kinds"), [("torch", set()), ("jax", {"conjugate"}), ("autograd", {"conjugate"})])
def test_the_convention_for_complex_gradients(framework, kinds):
    found = [d for d in findings(framework).deviations if d.scenario == "program.complex.squared-modulus"]
    assert {d.kind for d in found if d.mode == "reverse"} == kinds
    assert all(d.mode != "forward" for d in found)


def test_what_a_framework_lacks_is_no_deviation():
    pytest.importorskip("jax")
    found = compare(load("jax"), select("setitem", everything=True))
    assert found.deviations == ()
    assert found.compared == ()
    assert len(found.absent) == 4


def test_the_command(capsys):
    pytest.importorskip("torch")
    assert main(["deviations", "torch", "-k", "hypot"]) == 0
    out = capsys.readouterr().out
    assert "hypot.zero" in out
    assert "forward, reverse" in out
    assert "unidiff's namespace on torch: 0 deviations" in out


def test_the_command_as_data(capsys):
    pytest.importorskip("torch")
    assert main(["deviations", "torch", "autograd", "-k", "hypot", "--json"]) == 0
    torch, autograd = json.loads(capsys.readouterr().out)
    assert torch["framework"] == "torch"
    assert {d["clause"] for d in torch["deviations"]} == {"hypot.zero", "hypot.infinity", "hypot.infinities"}
    assert "missing" in {d["kind"] for d in autograd["deviations"]}
    assert main(["deviations", "torch", "autograd", "-k", "hypot", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert "| `hypot.zero` | `at-0` | `[[0], [0]]` | `[[0, 0]]` | `[[nan, nan]]` |" in out
    assert "autograd raises" in out


def test_misuse(capsys):
    assert main(["deviations", "autograd", "-k", "no such clause"]) == 2
    assert "no such clause" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["deviations", "tensorflow"])
