"""Fixtures for all tests: backends, dtypes and arrays."""

import os
import sys

os.environ.setdefault("JAX_ENABLE_X64", "1")  # before any import of JAX; the library itself never touches the flag
# XLA compiles thousands of tiny programs here, each run once: not optimizing them saves half the time of the tests on JAX.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false",
)

import numpy as np
import pytest

import unidiff as ud
from unidiff import plugins, registry

_entry_points = plugins._entry_points
# The tests that run on all backends run on the eager ones; Dask and CuPy have tests of their own, which register them.
plugins._entry_points = lambda: (found for found in _entry_points() if found[0].name not in {"dask", "cupy"})

collect_ignore = ["sharding_programs"]  # run by tests/test_distributed.py in processes with devices of their own

REAL_DTYPES = ("float32", "float64")
COMPLEX_DTYPES = ("complex64", "complex128")
INTEGER_DTYPES = ("int8", "int32", "int64", "uint8", "bool")
RTOL = {"float32": 2e-6, "float64": 1e-13, "complex64": 2e-6, "complex128": 1e-13}


@pytest.fixture(params=list(ud.backends(installed=False, arrays=True)))
def backend(request):
    """The name of each registered backend in turn; one whose library is absent is skipped with what is missing."""
    unmet = registry.unmet_requirements(ud.backends(installed=False)[request.param])
    if unmet:
        pytest.skip("; ".join(unmet))
    return request.param


@pytest.fixture
def xp(backend):
    return ud.namespace(backend)


@pytest.fixture(params=REAL_DTYPES)
def real_dtype(request):
    return request.param


@pytest.fixture(params=REAL_DTYPES + COMPLEX_DTYPES)
def dtype(request):
    return request.param


@pytest.fixture(params=INTEGER_DTYPES)
def integer_dtype(request):
    return request.param


@pytest.fixture
def array(backend):
    """Make an array of the backend from a nested sequence."""

    def make(values, dtype="float64"):
        return ud.asarray(np.asarray(values, dtype=dtype), backend=backend)

    return make


@pytest.fixture
def check(backend):
    """Compare a pytree with expected NumPy values: same backend, shape, dtype, and values to the precision of the dtype."""

    def compare(got, want, dtype=None, rtol=None):
        got_leaves, got_structure = ud.tree.flatten(got)
        want_leaves, want_structure = ud.tree.flatten(want)
        assert got_structure == want_structure
        for g, w in zip(got_leaves, want_leaves, strict=True):
            assert ud.get_backend(g).name == backend
            w = np.asarray(w)
            name = str(g.dtype).rpartition(".")[2]
            if dtype is not None:
                assert name == dtype
            assert tuple(g.shape) == w.shape
            tolerance = RTOL.get(name, 0) if rtol is None else rtol
            np.testing.assert_allclose(ud.to_numpy(g), w, rtol=tolerance, atol=tolerance)

    return compare


@pytest.fixture
def clean_registry():
    """Leave no session backend and no cached plugin behind."""
    registry.refresh()
    yield
    registry._session.clear()
    registry.refresh()


@pytest.fixture
def add_distribution(tmp_path, monkeypatch):
    """A function that installs a distribution: its name, version, modules by path, and unidiff entry points by name."""

    def add(name, version, modules, plugins=None):
        site = tmp_path / f"{name}-site"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "top_level.txt").write_text("\n".join({path.split("/")[0].removesuffix(".py") for path in modules}))
        lines = [f"{key} = {value}" for key, value in (plugins or {}).items()]
        (info / "entry_points.txt").write_text("\n".join(["[unidiff]", *lines]))
        for path, source in modules.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(source)
            monkeypatch.delitem(sys.modules, path.removesuffix(".py"), raising=False)  # as another test may have left it
        monkeypatch.syspath_prepend(str(site))
        if chosen := os.environ.get("UNIDIFF_LOAD_PLUGINS"):  # the tests load some plugins only: these, too
            monkeypatch.setenv("UNIDIFF_LOAD_PLUGINS", ",".join([chosen, *(plugins or {})]))
        registry.refresh()
        return site

    yield add
    monkeypatch.undo()
    registry.refresh()
