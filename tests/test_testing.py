"""Checks of a user's function on every backend: what is said where something is wrong, and that it can be pasted."""

import random
import re
import shlex

import numpy as np
import pytest

import unidiff as ud
from unidiff.cli import main
from unidiff.testing.reproduction import address

X = ([0.5, 2.0],)


def smooth(x, y):
    xp = ud.array_namespace(x, y)
    return {"sum": xp.sum(xp.sin(x) * y), "product": x * y}


def dependent(x):
    xp = ud.array_namespace(x)
    return {"a": (x * x, x)[ud.get_backend(x).name == "torch"], "b": xp.sum(x)}


def kinked(x):
    xp = ud.array_namespace(x)
    return xp.sum(xp.sqrt(xp.abs(x)))


def raising(x):
    raise KeyError(str(x.shape))


def foreign(x):
    return np.sin(x)


def changing(x):
    x[0] = 2 * x[1]
    return x * x


def drawing(x):
    return x * random.random()


def empty(x):
    return {"nothing": None}


def texting(x):
    return "a text"


def pytree(p):
    return p["w"] * p["b"][0]


def misruled(x):
    @ud.custom_jvp
    def f(x):
        return x**2

    f.defjvp(lambda primals, tangents: (primals[0] ** 2, 3 * primals[0] * tangents[0]))
    return f(x)


def index_of(x):
    return ud.array_namespace(x).argmax(x)


def failure(f, args=X, **options):
    """The report of a function that is wrong, as a dictionary."""
    options = {"order": 1, "backends": ["numpy"]} | options
    (text,) = ud.testing.check_derivatives(f, args, raises=False, **options).failures
    head, *lines = text.splitlines()
    return {"head": head} | {line.split()[0]: line.strip().partition(" ")[2].strip() for line in lines}


def test_a_smooth_function_agrees_everywhere():
    report = ud.testing.check_derivatives(smooth, ([0.5, 2.0], 1.5))
    assert [r.backend for r in report.reports] == list(ud.backends(arrays=True))
    assert report.failures == ()
    assert all(a.error <= 1 and a.relative <= 1e-9 for r in report.reports for a in r.agreements)


def test_a_function_that_depends_on_the_framework_is_caught():
    pytest.importorskip("torch")
    found = failure(dependent, backends=["numpy", "torch"])
    assert found["head"] == "dependent on torch: the jvp disagrees with that on numpy"
    assert (found["backend"], found["mode"], found["where"]) == ("torch", "jvp", "tangent['a'], element (1,)")
    assert (found["got"], found["want"]) == ("-0.5", "-2.0")
    assert re.fullmatch(r"[\d.e+]+ tolerances of [\d.e-]+ \(rtol=1e-09\)", found["error"])
    assert "numpy" in found["oracle"]


def test_a_wrong_rule_is_caught_by_differences():
    found = failure(misruled)
    assert found["head"] == "misruled on numpy: a derivative disagrees with its numerical reference"
    assert {"backend", "mode", "order", "where", "got", "want", "error", "oracle", "reproduce"} < found.keys()
    assert float(found["got"]) == pytest.approx(1.5 * float(found["want"]))


@pytest.mark.parametrize(
    ("f", "head", "key", "text"),
    [
        (raising, "raised KeyError", "line", "raise KeyError(str(x.shape))"),
        (changing, "changes its argument in place", "where", "args[0], element (0,)"),
        (drawing, "two calls at the same point give different results", "remedy", "pass them as arguments"),
        (empty, "returns no array", "remedy", "return an array"),
        (texting, "NotAnArrayError", "reproduce", "texting"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_wrong_with_a_function_is_said_plainly(f, head, key, text):
    found = failure(f)
    assert head in found["head"]
    assert text in found[key]


def test_a_function_of_one_library_is_not_portable():
    pytest.importorskip("torch")
    found = failure(foreign, backends=["numpy", "torch"])
    assert "foreign on torch: the function raised" in found["head"]
    assert found["line"] == "return np.sin(x)"
    assert "it runs on numpy" in found["remedy"]
    assert "array_namespace" in found["remedy"]


def test_what_cannot_be_judged_is_no_success():
    assert "disagrees" in failure(kinked, ([0.0, 1.0],))["head"]


def test_outputs_without_a_derivative_are_noted():
    (found,) = ud.testing.check_derivatives(index_of, X, backends=["numpy"]).reports
    assert found.notes == ("output is int64: its derivative is zero",)


def test_a_backend_is_judged_by_what_it_claims():
    _, found = ud.testing.check_derivatives(smooth, ([0.5, 2.0], 1.5), backends=["numpy", "finite"]).reports
    assert not found.failure
    assert any(1e-16 < a.relative < 1e-6 for a in found.agreements)
    assert "eps**" in found.notes[0]


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (misruled, X),
        (misruled, (np.asarray([0.5, 2.0]),)),
        (misruled, (float("inf"),)),
        (misruled, (1.0 + 2.0j,)),
        (raising, ({"w": [1.0, 2.0], "b": (3.0,)},)),
    ],
    ids=["list", "array", "infinity", "complex", "tree"],
)
def test_the_command_of_a_failure_reproduces_it(f, args, capsys, monkeypatch):
    if f is raising:
        monkeypatch.setattr(f, "__code__", (lambda p: p["w"] / p["none"]).__code__)
    found = failure(f, args)
    program, *arguments = shlex.split(found["reproduce"])
    assert program == "unidiff"
    assert main(arguments) == 1
    assert found["head"] in capsys.readouterr().out


@pytest.mark.parametrize(
    "args", [(np.asarray([0.5, 2.0], dtype="float32"),), (np.arange(1.0, 101.0),)], ids=["float32", "large"]
)
def test_the_code_of_a_failure_reproduces_it(args):
    """What no command can say is said in Python; long arrays are for the reader to fill in."""
    g = lambda x: misruled(x)
    found = failure(g, args)
    code, _, place = found["reproduce"].partition("  # ")
    assert __file__ in place
    if args[0].size > 64:
        assert "... of shape (100,)" in code
        return
    with pytest.raises(ud.errors.DerivativeMismatchError, match="disagrees with its numerical reference"):
        eval(code, {"unidiff": ud, "numpy": np, "f": g})


def test_where_functions_are():
    assert address(smooth).rpartition(":")[2] == "smooth"
    assert "test_testing" in address(smooth)
    assert address(np.linalg.norm) == "numpy.linalg:norm"
    assert address(lambda x: x) == ""


@pytest.mark.parametrize("args", [(["a"],), ([1.0, [2.0]],), (object(),)], ids=["text", "ragged", "object"])
def test_a_point_that_is_none_is_refused_at_once(args):
    with pytest.raises(ud.errors.ArgumentError, match="args takes numbers"):
        ud.testing.check_derivatives(smooth, (1.0, *args))


def test_there_has_to_be_a_backend():
    with pytest.raises(ud.errors.ArgumentError, match="no backend"):
        ud.testing.check_derivatives(smooth, X, backends=[])
