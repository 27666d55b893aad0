"""The engine over two libraries: NumPy as users have it, and the strict implementation of the standard."""

import array_api_strict
import numpy as np
import pytest

import unidiff as ud
from unidiff.engine import EngineBackend, Library
from unidiff.rules import RULES


def _strict() -> EngineBackend:
    library = Library(
        name="strict",
        xp=array_api_strict,
        array_types=(type(array_api_strict.asarray(1.0)),),
        to_numpy=np.asarray,
        quiet=lambda: np.errstate(all="ignore"),
    )
    info = ud.BackendInfo(name="strict", api_version=1, factory="tests:strict", arrays=("array_api_strict",))
    return EngineBackend(info, library, RULES)


ENGINES = {"numpy": lambda: ud.get_backend("numpy").backend, "strict": _strict}


@pytest.fixture(scope="session", params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> EngineBackend:
    return ENGINES[request.param]()


@pytest.fixture(scope="session")
def numpy_engine() -> EngineBackend:
    return ENGINES["numpy"]()


@pytest.fixture(scope="session")
def xp(engine: EngineBackend):
    return engine.namespace()
