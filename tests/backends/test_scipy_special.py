"""SciPy's special functions behind NumPy's namespace, with SciPy and without."""

import sys

import numpy as np
import pytest
import scipy.special
from unidiff_backends import scipy_special

from unidiff import errors
from unidiff.rules import RULES


@pytest.mark.parametrize("name", scipy_special.special_functions())
def test_every_function_has_a_rule_and_is_that_of_scipy(name):
    assert name in RULES
    assert hasattr(scipy.special, name.removeprefix("special."))


def test_without_scipy_the_functions_that_need_it_say_so_and_the_others_remain(monkeypatch):
    monkeypatch.setattr(scipy_special, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    scipy_special._load.cache_clear()
    functions = scipy_special.special_functions()
    with pytest.raises(errors.UnsupportedOperationError, match=r"'erf' from SciPy, which is not installed: pip install scipy"):
        functions["special.erf"](np.ones(2))
    assert "special.expit" not in functions
    scipy_special._load.cache_clear()


def test_every_function_that_scipy_only_speeds_up_has_an_implementation_of_its_own(monkeypatch):
    installed = scipy_special.special_functions()
    monkeypatch.setattr(scipy_special, "find_spec", lambda name: None)
    for name in installed.keys() - scipy_special.special_functions().keys():
        import array_api_compat.numpy as xp

        x = np.array([0.25, 0.75])
        arguments = (x, x[::-1]) if len(RULES[name].vjps) == 2 else (x,)
        expected = getattr(scipy.special, name.removeprefix("special."))(*arguments)
        np.testing.assert_allclose(RULES[name].implementation(xp, *arguments), expected, rtol=1e-12)


def test_polygamma_keeps_single_precision():
    polygamma = scipy_special.special_functions()["special.polygamma"]
    assert polygamma(1, np.ones(2, dtype=np.float32)).dtype == np.float32
    assert polygamma(1, 2.0) == scipy.special.polygamma(1, 2.0)
