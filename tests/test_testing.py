"""Checks of a user's function on every backend, the command for it, and the pytest plugin."""

import subprocess
import sys

import pytest

import unidiff as ud
from unidiff.cli import main


def smooth(x, y):
    xp = ud.array_namespace(x, y)
    return {"sum": xp.sum(xp.sin(x) * y), "product": x * y}


def dependent(x):
    xp = ud.array_namespace(x)
    return xp.sum(x * x) * (2 if ud.get_backend(x).name == "torch" else 1)


def kinked(x):
    xp = ud.array_namespace(x)
    return xp.sum(xp.sqrt(xp.abs(x)))


def raising(x):
    raise KeyError(str(x.shape))


def test_a_smooth_function_agrees_everywhere():
    report = ud.testing.check_derivatives(smooth, ([0.5, 2.0], 1.5))
    assert [r.backend for r in report.reports] == list(ud.backends(arrays=True))
    assert report.failures == ()
    assert all(a.error <= 1 for r in report.reports for a in r.agreements)


def test_a_function_that_depends_on_the_framework_is_caught():
    pytest.importorskip("torch")
    with pytest.raises(ud.errors.DerivativeMismatchError, match=r"on torch: the .* disagrees with that on numpy at element 0"):
        ud.testing.check_derivatives(dependent, ([0.5, 2.0],), order=1, backends=["numpy", "torch"])


@pytest.mark.parametrize(("f", "text"), [(kinked, "disagrees"), (raising, "raised KeyError")])
def test_what_cannot_be_judged_is_no_success(f, text):
    report = ud.testing.check_derivatives(f, ([0.0, 1.0],), order=1, backends=["numpy"], raises=False)
    assert text in report.failures[0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["tests.test_testing:smooth", "--args", "[0.5]", "2.0"], 0),
        (["tests.test_testing:raising", "--args", "[0.5]"], 1),
        (["tests.test_testing", "--args", "1.0"], 2),
        (["tests.test_testing:smooth", "--args", "[0.5"], 2),
        (["tests.test_testing:absent", "--args", "1.0"], 3),
        (["no_such_module:f", "--args", "1.0"], 3),
        (["tests.test_testing:smooth", "--args", "1.0", "--backends", "nonesuch"], 3),
    ],
)
def test_the_command(arguments, code):
    assert main(["check", "--backends", "numpy", *arguments]) == code


def test_the_plugin_imports_nothing_before_it_is_asked():
    code = (
        "import unidiff_conformance.pytest_plugin, sys; print(*sorted({'numpy', 'unidiff', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
