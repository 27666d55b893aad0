"""CuPy without a GPU: over a stand-in that does what CuPy does differently from NumPy as CuPy does it.

Where there is a device, ``unidiff conformance run cupy`` tests the real one.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from unidiff_backends.plugins.cupy import unidiff_register_backends
from unidiff_conformance.parametrization import cases

import unidiff as ud

from . import cupy_stand_in as stand_in

(INFO,) = unidiff_register_backends()
POINT = np.asarray([0.3, -1.2, 2.0, 0.7])
MATRIX = np.asarray([[2.0, 0.3, -0.1], [0.5, 1.7, 0.2], [0.1, -0.4, 3.0]])


def test_the_plugin_imports_no_cupy():
    code = "import sys, unidiff; unidiff.backends(); assert 'cupy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert INFO.arrays == ("cupy",)
    assert INFO.capabilities.devices == {"cuda"}


@pytest.fixture(scope="module")
def made():
    """The stand-in as the module ``cupy``, and a backend over it."""
    with stand_in.installed() as module:
        from unidiff_backends.cupy import CupyBackend

        yield module, CupyBackend()


@pytest.fixture
def cupy(made, clean_registry):
    """The stand-in, with the backend registered."""
    module, backend = made
    ud.register_backend(backend)
    return module


@pytest.mark.parametrize(
    ("state", "words"),
    [({"devices": 0}, "no device"), ({"error": "cudaErrorNoDevice: none"}, "cudaErrorNoDevice")],
    ids=["none", "error"],
)
def test_without_a_device_it_says_so(state, words):
    with stand_in.installed(**state):
        from unidiff_backends.cupy import CupyBackend

        with pytest.raises(ud.errors.BackendLoadError, match=words):
            CupyBackend()


def test_the_commands_say_that_there_is_no_device(tmp_path: Path):
    (tmp_path / "cupy").mkdir()
    loads = "import sys; sys.path.insert(0, {!r}); import cupy_stand_in; cupy_stand_in.state.error = 'cudaErrorNoDevice'; "
    make = loads.format(str(Path(__file__).parent)) + "sys.modules.update(cupy_stand_in.modules())\n"
    (tmp_path / "cupy" / "__init__.py").write_text(make)
    metadata = tmp_path / "cupy_cuda13x-14.2.0.dist-info"  # any of its distributions will do
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: cupy-cuda13x\nVersion: 14.2.0\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "UNIDIFF_LOAD_PLUGINS": "numpy,cupy"}
    for arguments, code in ((["doctor", "cupy"], 1), (["backends", "--devices"], 0)):
        done = subprocess.run(
            [sys.executable, "-m", "unidiff.cli", *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, done.stderr
        assert "no device that it can use: cudaErrorNoDevice" in " ".join(done.stdout.split())


OWN = ("linalg.solve", "linalg.eig", "manipulation.repeat", "creation.", "fft.fftfreq", "behaviour.")
"""What the backend does by itself; of all else a part of the suite tells as much as the whole."""


def test_a_part_of_the_conformance_suite(cupy):
    failures = []
    for k, case in enumerate(cases("cupy", profiles=["default"])):
        if k % 6 == 0 or case.item.id.startswith(OWN):
            try:
                case.run()
            except AssertionError as error:
                failures.append(str(error))
    assert not failures, "\n".join(failures)


PROGRAMS = {
    "elementwise": (lambda xp, x: xp.sum(xp.exp(-(x**2)) * xp.where(x > 0, x, 2 * x)), POINT),
    "constant": (lambda xp, x: xp.sum(x * xp.linspace(0.0, 1.0, 4) + xp.ones(4)), POINT),
    "gather": (lambda xp, x: xp.sum(xp.take(x, xp.asarray([1, 1, 3])) ** 2) + x[-1] ** 3, POINT),
    "sort": (lambda xp, x: xp.sum(xp.sort(x) * xp.arange(4.0)), POINT),
    "repeat": (lambda xp, x: xp.sum(xp.repeat(x, xp.asarray([1, 0, 2, 1])) ** 2), POINT),
    "assignment": (lambda xp, x: xp.sum(_assigned(x) ** 2), POINT),
    "solve": (lambda xp, x: xp.sum(xp.linalg.solve(x, xp.ones(3)) ** 2), MATRIX),
    "solve-stack": (lambda xp, x: xp.sum(xp.linalg.solve(x[None, ...], xp.ones((2, 3, 1))) ** 2), MATRIX),
    "norms": (lambda xp, x: xp.linalg.matrix_norm(x, ord="nuc") + xp.linalg.vector_norm(x), MATRIX),
    "eigenvalues": (lambda xp, x: xp.sum(xp.abs(xp.linalg.eigvals(x)) ** 2), MATRIX),
    "fft": (lambda xp, x: xp.sum(xp.abs(xp.fft.fft(x)) ** 2 * xp.fft.fftfreq(4)), POINT),
    "special": (lambda xp, x: xp.sum(ud.special.erf(x) + ud.special.gammaln(x + 3) * ud.special.xlogy(2.0, x + 3)), POINT),
}


def _assigned(x):
    y = x * 1.0
    y[1:3] = y[1:3] * x[0]
    return y


def loss(name):
    return lambda x: PROGRAMS[name][0](ud.array_namespace(x), x)


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize("name", PROGRAMS)
def test_derivatives_stay_on_the_device_and_off_the_host(name, device, cupy):
    f, at = loss(name), PROGRAMS[name][1]
    x = ud.asarray(at, backend="cupy", device=device)
    stand_in.state.to_host = 0
    value, grad = ud.value_and_grad(f)(x)
    _, pushed = ud.jvp(f, (x,), (ud.stop_gradient(grad),))
    _, pullback = ud.vjp(f, x)
    assert stand_in.state.to_host == (5 if name == "repeat" else 0)  # the counts of repeat decide on a shape
    assert stand_in.state.current == 0
    for y in (value, grad, pushed):
        assert ud.device(y) == cupy.cuda.Device(device)
    wanted = ud.grad(f)(at)
    np.testing.assert_allclose(ud.to_numpy(grad), wanted, rtol=1e-12)
    np.testing.assert_allclose(ud.to_numpy(pullback(value)[0]), ud.to_numpy(value) * wanted, rtol=1e-12)
    np.testing.assert_allclose(float(pushed), np.sum(wanted**2), rtol=1e-12)


def test_an_optimizer_and_a_curvature_stay_on_the_device(cupy):
    f = loss("elementwise")
    x = ud.asarray(POINT, backend="cupy", device=1)
    adam = ud.optim.Adam(0.1)
    with cupy.cuda.Device(1):
        stepped, _ = adam.step(x, ud.grad(f)(x), adam.init(x))
    hessian = ud.hessian(f)(x)
    assert ud.device(stepped) == ud.device(hessian) == cupy.cuda.Device(1)
    np.testing.assert_allclose(ud.to_numpy(hessian), ud.hessian(f)(POINT), rtol=1e-12)


def test_results_are_copies_and_recordings_keep_what_they_saw(cupy):
    scale, x = cupy.asarray([2.0, 3.0]), cupy.asarray([1.0, 4.0])
    out, pullback = ud.vjp(lambda x: x * scale, x)
    same = ud.jvp(lambda x: x, (x,), (x,))[0]
    for changed in (scale, x, out):
        changed[0] = 7.0
    np.testing.assert_array_equal(ud.to_numpy(pullback(cupy.asarray([1.0, 1.0]))[0]), [2.0, 3.0])
    assert float(same[0]) == 1.0


def test_nothing_crosses_between_host_and_device_unasked(cupy):
    x, host = cupy.asarray([1.0, 2.0]), np.ones(2)
    with pytest.raises((TypeError, ud.errors.MixedBackendsError)):
        ud.grad(lambda x: ud.array_namespace(x).sum(x * host))(x)
    with pytest.raises(ud.errors.DeviceError, match="unasked"):
        ud.namespace("cupy").from_dlpack(host)
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(x)
    with pytest.raises(ud.errors.TracedConversionError):
        ud.grad(lambda x: np.sum(np.asarray(x)))(x)
    assert isinstance(ud.asarray(host, backend="cupy"), cupy.ndarray)  # is asked for
    doubled = ud.grad(lambda x: ud.array_namespace(x).sum(np.float64(2.0) * x))(x)  # a number is no array
    np.testing.assert_array_equal(ud.to_numpy(doubled), [2.0, 2.0])


def test_devices(cupy):
    backend = ud.get_backend("cupy")
    assert list(backend.devices()) == [cupy.cuda.Device(0), cupy.cuda.Device(1)]
    assert len({*backend.devices(), *backend.devices()}) == 2  # can be keys, which CuPy's own cannot
    x = cupy.asarray([1.0, 2.0])
    there = backend.to_device(x, 1)
    assert there.device == cupy.cuda.Device(1)
    np.testing.assert_array_equal(ud.to_numpy(backend.from_dlpack(there)), [1.0, 2.0])
    assert backend.from_dlpack(there).device == cupy.cuda.Device(1)
    grad = ud.grad(lambda x: ud.array_namespace(x).sum(ud.to_device(there, cupy.cuda.Device(0)) * x))(x)
    assert grad.device == cupy.cuda.Device(0)
    back = ud.grad(lambda x: ud.to_device(ud.array_namespace(x).sum(x**2), 0))(there)
    assert back.device == cupy.cuda.Device(1)
    for device in (2, -1, "cuda"):
        with pytest.raises(ud.errors.DeviceError, match="0, 1"):
            ud.asarray([1.0], backend="cupy", device=device)
        with pytest.raises(ud.errors.DeviceError, match="0, 1"):
            backend.to_device(x, device)


def test_what_an_older_version_lacks_is_said(cupy, monkeypatch):
    monkeypatch.delattr(cupy.linalg, "eig")
    xp = ud.namespace("cupy")
    with pytest.raises(ud.errors.UnsupportedOperationError, match="version 14"):
        xp.linalg.eig(cupy.asarray(MATRIX))


def test_the_stand_in_has_no_name_that_cupy_lacks():
    real = pytest.importorskip("cupy")
    for name, module in stand_in.modules().items():
        if name in ("cupy", "cupy.linalg", "cupy.fft"):
            found = real if name == "cupy" else getattr(real, name.rpartition(".")[2])
            assert [
                key for key, value in vars(module).items() if isinstance(value, FunctionType) and not hasattr(found, key)
            ] == []
