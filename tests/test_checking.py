import numpy as np
import pytest

import unidiff as ud
from unidiff.derive import CompleteBackend
from unidiff.errors import ArgumentError, DerivativeMismatchError

SMOOTH = {
    "elementwise": lambda xp, x: xp.exp(xp.sin(x)) / (2.0 + x * x),
    "reduction": lambda xp, x: xp.sum(x**3) / 3.0,
    "tree": lambda xp, x: {"a": x[0] * x, "b": (xp.sum(x), xp.cos(x[1]))},
    "large values": lambda xp, x: 1e6 * xp.sin(x),
    "small values": lambda xp, x: 1e-6 * xp.sin(x),
    "steep": lambda xp, x: xp.log(0.05 + x * x),
    "constant and integer": lambda xp, x: (x * x, 3.0, xp.astype(x > 5.0, xp.int32)),
    "empty": lambda xp, x: x[:0],
}


@pytest.mark.parametrize("name", SMOOTH)
def test_right_derivatives_pass(array, real_dtype, name):
    f = SMOOTH[name]
    ud.check_grads(lambda x: f(ud.array_namespace(x), x), (array([0.7, -0.4, 1.3], real_dtype),))


@pytest.mark.parametrize("modes", [("fwd",), ("rev",), ["rev", "fwd"]], ids=str)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_orders_and_modes(array, order, modes):
    ud.check_grads(lambda p, y: p["x"] ** 3 * y, ({"x": array([0.7, 1.3])}, array([2.0, 0.5])), order=order, modes=modes)


def test_complex_arguments_and_outputs(array, check):
    z = array([0.5 + 1.0j, -1.0 + 0.3j], "complex128")
    ud.check_grads(lambda z: z * z * ud.array_namespace(z).conj(z), (z,))
    ud.check_grads(lambda z: ud.array_namespace(z).abs(z), (z,))
    ud.check_grads(lambda x: ud.array_namespace(x).exp(1j * ud.array_namespace(x).astype(x, z.dtype)), (array([0.3, 2.0]),))


def test_python_numbers(backend):
    ud.check_grads(lambda x, y: x * y + x**2, (2.0, 3.0), backend=backend, atol=1e-2, rtol=1e-2, eps=0.1)


class Wrong:
    """The NumPy backend with one thing wrong."""

    def __init__(self, monkeypatch):
        self.backend, self.monkeypatch = ud.get_backend("numpy"), monkeypatch

    def jvp(self, change):
        original = self.backend.jvp

        def wrong(f, primals, tangents, *, has_aux=False):
            outs, pushed, *aux = original(f, primals, tangents, has_aux=has_aux)
            return outs, tuple(change(t) for t in pushed), *aux

        self.monkeypatch.setattr(self.backend, "jvp", wrong)

    def vjp(self, change):
        original = self.backend.vjp

        def wrong(f, primals, *, has_aux=False):
            outs, pullback, *aux = original(f, primals, has_aux=has_aux)
            return outs, lambda cts: tuple(change(g) for g in pullback(cts)), *aux

        self.monkeypatch.setattr(self.backend, "vjp", wrong)


@pytest.fixture
def wrong(monkeypatch):
    assert isinstance(ud.get_backend("numpy"), CompleteBackend)
    return Wrong(monkeypatch)


MUTANTS = {
    "zero": lambda t: 0 * t,
    "sign": lambda t: -t,
    "factor": lambda t: 2 * t,
    "slightly off": lambda t: 1.001 * t,
    "one element": lambda t: t * np.asarray([1.0, 1.0, 0.9]),
    "nan": lambda t: t * np.asarray([1.0, np.nan, 1.0]),
    "permuted": lambda t: t[np.asarray([1, 0, 2])],
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_wrong_derivatives_are_found(wrong, mode, mutant):
    getattr(wrong, {"fwd": "jvp", "rev": "vjp"}[mode])(MUTANTS[mutant])
    x = np.asarray([0.7, -0.4, 1.3])
    with pytest.raises(DerivativeMismatchError, match=rf"mode +{mode}\n +order +1"):
        ud.check_grads(lambda x: x * x, (x,), order=1)
    if not mutant.startswith("slightly"):
        return
    ud.check_grads(lambda x: x * x, (x,), order=1, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_conjugation_is_found(wrong, mode):
    getattr(wrong, {"fwd": "jvp", "rev": "vjp"}[mode])(np.conj)
    with pytest.raises(DerivativeMismatchError):
        ud.check_grads(lambda z: z * z, (np.asarray([0.5 + 1.0j]),), order=1)


def test_second_order_errors_are_found_and_named(backend, array):
    def f(x):
        # Right value and right first derivative, wrong second one: the factor is hidden from the second differentiation.
        return (
            x * x * 1.0
            + (x - ud.stop_gradient(x)) * 0.0
            + ud.stop_gradient(2.0 * x) * (x - ud.stop_gradient(x))
            - x * x
            + (ud.stop_gradient(x * x))
        )

    with pytest.raises(DerivativeMismatchError, match="order"):
        ud.check_grads(f, (array([0.7, 1.3]),))


def test_the_report_names_the_worst_element(wrong):
    wrong.jvp(lambda t: t * np.asarray([[1.0, 1.0], [1.0, 3.0]]))
    with pytest.raises(DerivativeMismatchError) as raised:
        ud.check_grads(lambda x: {"y": [x * x]}, (np.ones((2, 2)),), modes=("fwd",), order=1)
    report = str(raised.value)
    assert "output['y'][0], element (1, 1)" in report
    for word in ("got", "want", "error", "times the tolerance"):
        assert word in report


@pytest.mark.parametrize("f", [lambda xp, x: xp.abs(x - 0.7), lambda xp, x: xp.sqrt(x - 0.7)], ids=["kink", "pole"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_kinks_are_inconclusive_rather_than_right(array, f):
    with pytest.raises(DerivativeMismatchError, match=r"inconclusive.*element \(0,\)"):
        ud.check_grads(lambda x: f(ud.array_namespace(x), x), (array([0.7, 1.5]),))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "order"),
        ({"order": "2"}, "order"),
        ({"modes": ()}, "modes"),
        ({"modes": ("fwd", "sideways")}, "modes"),
        ({"modes": "fwd"}, "modes"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ud.check_grads(lambda x: x, (1.0,), **arguments)
    with pytest.raises(ArgumentError, match="args must be a tuple"):
        ud.check_grads(lambda x: x, 1.0)


@pytest.mark.parametrize(("f", "args"), [(lambda x: None, (1.0,)), (lambda x: {}, (1.0,)), (lambda: 1.0, ())])
def test_a_check_of_nothing_does_not_pass(f, args):
    with pytest.raises(ArgumentError, match="nothing to check"):
        ud.check_grads(f, args)


def test_directions_are_reproducible(array):
    seen = []

    def f(x):
        value = ud.stop_gradient(x)
        seen.append(value)
        return x * x

    runs = []
    for _ in range(2):
        seen.clear()
        ud.check_grads(f, (np.asarray([0.7, 1.3]),), modes=("fwd",), order=1)
        runs.append([np.asarray(ud.to_numpy(x)).tolist() for x in seen if isinstance(x, np.ndarray)])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 2
