"""CuPy without a GPU: what is registered, and what is said where CuPy or a device is missing.

Derivatives are tested where there is a device, with ``unidiff conformance run cupy``.
"""

import sys
import types

import pytest
from unidiff_backends.plugins.cupy import unidiff_register_backends

import unidiff as ud

(INFO,) = unidiff_register_backends()


def test_the_plugin_imports_no_cupy():
    assert "cupy" not in sys.modules
    assert INFO.arrays == ("cupy",)
    assert INFO.capabilities.devices == {"cuda"}


def stub(count):
    """A module of CuPy's names with this number of devices, or an error in its place."""
    cupy = types.ModuleType("cupy")

    class CUDARuntimeError(RuntimeError):
        pass

    def device_count():
        if isinstance(count, str):
            raise CUDARuntimeError(count)
        return count

    runtime = types.SimpleNamespace(getDeviceCount=device_count, CUDARuntimeError=CUDARuntimeError)
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=lambda number: ("device", number))
    cupy.ndarray = type("ndarray", (), {})
    cupy.asnumpy = None
    return cupy


@pytest.fixture
def module(monkeypatch):
    def load(count):
        monkeypatch.setitem(sys.modules, "cupy", stub(count))
        monkeypatch.setitem(sys.modules, "array_api_compat.cupy", types.ModuleType("array_api_compat.cupy"))
        monkeypatch.delitem(sys.modules, "unidiff_backends.cupy", raising=False)
        import unidiff_backends.cupy

        return unidiff_backends.cupy

    yield load
    sys.modules.pop("unidiff_backends.cupy", None)


@pytest.mark.parametrize(("count", "words"), [(0, "no device"), ("cudaErrorNoDevice: none", "cudaErrorNoDevice")])
def test_without_a_device_it_says_so(module, count, words):
    with pytest.raises(ud.errors.BackendLoadError, match=words):
        module(count).CupyBackend()


def test_unknown_devices_are_refused(module):
    cupy = module(2)
    assert cupy._device(1) == ("device", 1)
    for device in (2, -1, "cuda"):
        with pytest.raises(ud.errors.DeviceError, match="0, 1"):
            cupy._device(device)
