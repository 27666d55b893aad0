"""The namespaces of the engine: names, signatures, what plain and traced arrays give, creation, conversion."""

import inspect
import threading

import array_api_compat
import numpy as np
import pytest

import unidiff as ud
from unidiff.engine import EngineBackend
from unidiff.errors import ArgumentError, DeviceError, MissingRuleError, NotDifferentiableError
from unidiff.rules import RULES

from ..rules.test_coverage import NAMES

CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"  # and no others
).split()


@pytest.fixture(params=["plain", "traced"])
def face(request, engine):
    return getattr(engine.domain, request.param)


def lookup(xp, dotted):
    for part in dotted.split("."):
        xp = getattr(xp, part)
    return xp


def parameters(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("asarray", "__array_namespace_info__")])
def test_functions_have_the_name_and_signature_of_the_library(name, face, engine):
    function, original = lookup(face, name), lookup(engine.domain.library.xp, name)
    assert function.__name__ == name.rpartition(".")[2]
    try:
        expected = parameters(original)
    except ValueError:  # a universal function of NumPy tells no signature
        pytest.skip("the library's function has no signature")
    if name in engine.domain.library.natives:
        expected = parameters(engine.domain.library.natives[name])
    assert parameters(function) == expected
