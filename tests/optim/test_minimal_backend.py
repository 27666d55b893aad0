"""Optimizers and solvers on a backend that has only what the contract requires: the methods of `Backend`, and vjp or jvp."""

from dataclasses import replace

import numpy as np
import pytest

import unidiff as ud
from tests.optim.test_checkpoints import OPTIMIZERS, label
from unidiff import plugins, registry
from unidiff.engine import EngineBackend
from unidiff.optim.methods import METHODS

O = ud.optim  # noqa: E741  # the optimizers are what this file is about
REQUIRED = ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy")


class Minimal:
    """The engine over array-api-strict, of which only the required methods and one mode of differentiation are there."""

    def __init__(self, mode):
        host = ud.get_backend("array_api_strict").backend
        capabilities = ud.Capabilities(modes=frozenset({"reverse" if mode == "vjp" else "forward"}), max_order=1)
        self.info = replace(host.info, name="minimal", capabilities=capabilities)
        engine = EngineBackend(self.info, replace(host.library, name="minimal"), host.rules)
        for name in (*REQUIRED, mode):
            setattr(self, name, getattr(engine, name))


@pytest.fixture(params=["vjp", "jvp"])
def minimal(request, clean_registry, monkeypatch):
    if "array_api_strict" not in ud.backends():
        pytest.skip("array-api-strict is not installed")
    backend, entries = Minimal(request.param), plugins._entry_points
    monkeypatch.setattr(plugins, "_entry_points", lambda: (e for e in entries() if e[0].name != "array_api_strict"))
    registry.refresh()
    ud.register_backend(backend)
    yield lambda x: ud.asarray(np.asarray(x), backend="minimal")
    monkeypatch.undo()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=label)
def test_optimizers(optimizer, minimal):
    if "jvp" in ud.get_backend("minimal").native:
        pytest.skip("no derivative is taken")
    start = {"w": np.arange(6.0).reshape(3, 2) - 2.0, "b": np.asarray([1.0, -2.0])}
    paths = []
    for make in (minimal, np.asarray):
        params = {name: make(x) for name, x in start.items()}
        state = optimizer.init(params)
        for _ in range(3):
            value = ud.array_namespace(params["b"]).sum(params["b"] ** 2)
            params, state = optimizer.step(params, ud.tree.map(lambda p: p * 2.0, params), state, value=value)
        paths.append(ud.to_numpy(params))
    assert ud.get_backend("minimal").native <= {"vjp", "jvp"}
    for name, x in paths[0].items():
        np.testing.assert_allclose(x, paths[1][name], rtol=1e-13)


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def residuals(x):
    return ud.array_namespace(x).stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


CONSTRAINED = {
    "l-bfgs-b": {"bounds": (-2.0, 2.0)},
    "projected-gradient": {"projection": lambda x: x},
    "proximal-gradient": {"prox": lambda x, step: x},
    "fista": {"prox": lambda x, step: x},
}


TOGETHER = sorted(set(METHODS) - {"natural-gradient", "mirror-descent"})  # which need a metric and a simplex


@pytest.mark.parametrize(
    "method", [*TOGETHER, "scipy:bfgs", O.Adam(0.1)], ids=lambda method: method if isinstance(method, str) else "Adam"
)
def test_minimize(method, minimal):
    options = {"options": {"maxiter": 10}, **CONSTRAINED.get(str(method), {})}
    if isinstance(method, str) and method.startswith("scipy"):
        pytest.importorskip("scipy")
    found, want = (ud.minimize(rosenbrock, make([-1.2, 1.0]), method=method, **options) for make in (minimal, np.asarray))
    assert ud.get_backend(found.x).name == "minimal"
    np.testing.assert_allclose(ud.to_numpy(found.x), want.x, rtol=1e-6)
    assert (found.status, found.nit) == (want.status, want.nit)


@pytest.mark.parametrize("method", ["lm", "trf", "gauss-newton"])
def test_least_squares(method, minimal):
    result = ud.least_squares(residuals, minimal([-1.2, 1.0]), method=method)
    assert result.success
    np.testing.assert_allclose(ud.to_numpy(result.x), [1.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("method", ["newton", "newton-krylov", "broyden", "lm"])
def test_root_and_fixed_point(method, minimal):
    result = ud.root(residuals, minimal([0.9, 1.1]), method=method)
    assert result.success
    np.testing.assert_allclose(ud.to_numpy(result.x), [1.0, 1.0], rtol=1e-6)
    fixed = ud.fixed_point(lambda x: 0.5 * x + 1.0, minimal([0.0, 5.0]))
    np.testing.assert_allclose(ud.to_numpy(fixed.x), [2.0, 2.0], rtol=1e-6)


def test_a_derivative_of_a_solution_is_an_error_rather_than_zero(minimal):
    def nearest(a):
        return ud.minimize(lambda x, a: ((x - a) ** 2)[0], minimal([1.0]), args=(a,)).x[0]

    with pytest.raises(ud.errors.UnidiffError):
        ud.grad(nearest)(minimal([2.0]))
