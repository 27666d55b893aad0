"""What the package of the suite shows is what it says, whatever has been imported before."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
import unidiff_conformance

import unidiff


@pytest.mark.parametrize("package", [unidiff, unidiff_conformance], ids=lambda package: package.__name__)
def test_no_module_takes_the_place_of_a_public_name(package):
    for module in iter_modules(package.__path__):
        if module.name in package.__all__:
            found = import_module(f"{package.__name__}.{module.name}")
            assert getattr(package, module.name) is found
    assert all(getattr(package, name) is getattr(package, name) for name in package.__all__)
