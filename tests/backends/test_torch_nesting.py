"""Nested derivatives on PyTorch: any modes in any order, within the user's own derivatives, in threads."""

import itertools
import math
import threading

import mpmath
import pytest

torch = pytest.importorskip("torch")

from tests.backends.torch_modes import BACKEND, F64, MODES, nested, tensor  # noqa: E402  # after the check that torch is there
from unidiff.errors import TracedConversionError  # noqa: E402  # as above

NESTINGS = [
    *itertools.product(MODES, repeat=1),
    *itertools.product(MODES, repeat=2),
    *itertools.product(("grad", "jvp"), repeat=3),
]


@pytest.mark.parametrize("modes", NESTINGS, ids="-".join)
def test_nested_derivatives_agree_with_mpmath(modes):
    derivative = nested(modes, lambda x: torch.exp(2 * x) * torch.sin(x) / (1 + x * x))
    with mpmath.workdps(40):
        expected = mpmath.diff(lambda t: mpmath.exp(2 * t) * mpmath.sin(t) / (1 + t * t), mpmath.mpf("0.7"), len(modes))
    result = derivative(tensor(0.7))
    assert result.item() == pytest.approx(float(expected), rel=1e-12)
    assert (result.dtype, result.shape, result.requires_grad) == (F64, (), False)


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(MODES, repeat=2)))
def test_levels_are_not_confused(outer, inner):
    # d/dx of x * d/dy (x + y) is 1, and of x * d/dy (x y^2) at y = 2 x is 12 x^2; the closures capture traced values.
    x = tensor(1.5)
    assert MODES[outer](lambda x: x * MODES[inner](lambda y: x + y)(x))(x).item() == 1
    assert MODES[outer](lambda x: x * MODES[inner](lambda y: x * y * y)(2 * x))(x).item() == pytest.approx(12 * 1.5**2)


@pytest.mark.parametrize("modes", [*itertools.product(("grad", "jvp"), repeat=3)], ids="-".join)
def test_perturbations_are_not_confused_over_three_levels(modes):
    # x * d/dy (y * d/dz (x y z)) at y = x is 2 x^2 * x, whose derivative is 6 x^2.
    first, second, third = (MODES[mode] for mode in modes)
    derivative = first(lambda x: x * second(lambda y: y * third(lambda z: x * y * z)(tensor(1.0)))(x))
    assert derivative(tensor(3.0)).item() == pytest.approx(6 * 9.0)


@pytest.mark.parametrize("mode", MODES)
def test_user_tape_outside(mode):
    x = tensor(0.5).requires_grad_()
    weight = tensor(2.0).requires_grad_()  # captured, not passed
    MODES[mode](lambda y: weight * y**3)(x).backward()
    assert x.grad.item() == pytest.approx(2 * 6 * 0.5)
    assert weight.grad.item() == pytest.approx(3 * 0.25)


@pytest.mark.parametrize("mode", MODES)
def test_captured_parameter_alone(mode):
    weight = tensor(2.0).requires_grad_()
    MODES[mode](lambda y: weight * y**3)(tensor(0.5)).backward()
    assert weight.grad.item() == pytest.approx(3 * 0.25)


@pytest.mark.parametrize("mode", MODES)
def test_no_gradient_accumulates_in_captured_parameters(mode):
    x, weight = tensor(0.5).requires_grad_(), tensor(2.0).requires_grad_()
    MODES[mode](lambda y: weight * y**3)(x)
    assert x.grad is None
    assert weight.grad is None


def test_module_parameters_are_reached_through_a_gradient_penalty():
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 1, dtype=F64)
    x = torch.randn(3, dtype=F64)
    BACKEND.value_and_grad(lambda x: (layer(x).sum(),), (x,))[1][0].square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, 2 * layer.weight.detach())


OUTER = {
    "grad": lambda g, x: torch.func.grad(g)(x),
    "jvp": lambda g, x: torch.func.jvp(g, (x,), (torch.ones_like(x),))[1],
    "vmap of grad": lambda g, x: torch.func.vmap(torch.func.grad(g))(x[None])[0],
    "jacfwd": lambda g, x: torch.func.jacfwd(g)(x),
}


@pytest.mark.parametrize(("outer", "mode"), list(itertools.product(OUTER, MODES)))
def test_user_functorch_transform_outside(outer, mode):
    result = OUTER[outer](MODES[mode](lambda x: torch.sin(x) * x), tensor(0.3))
    assert result.item() == pytest.approx(2 * math.cos(0.3) - 0.3 * math.sin(0.3))


@pytest.mark.parametrize("mode", ["grad", "vjp", "jacrev"])
def test_user_dual_numbers_outside(mode):
    # PyTorch does not nest dual levels, hence reverse mode only.
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(tensor(0.3), tensor(2.0))
        result = torch.autograd.forward_ad.unpack_dual(MODES[mode](torch.sin)(dual))
    assert result.primal.item() == pytest.approx(math.cos(0.3))
    assert result.tangent.item() == pytest.approx(-2 * math.sin(0.3))


@pytest.mark.parametrize("mode", MODES)
def test_vmap_outside(mode):
    xs = torch.linspace(0, 1, 5, dtype=F64)
    torch.testing.assert_close(torch.func.vmap(MODES[mode](torch.sin))(xs), torch.cos(xs))


@pytest.mark.parametrize(("context", "mode"), list(itertools.product((torch.no_grad, torch.inference_mode), MODES)))
def test_inside_contexts_without_gradients(context, mode):
    x = tensor(0.3).requires_grad_()
    with context():
        made_inside = tensor(0.3)
        for y in (x, made_inside):
            result = MODES[mode](MODES["grad"](torch.sin))(y)
            assert result.item() == pytest.approx(-math.sin(0.3))
            assert not result.requires_grad


@pytest.mark.parametrize("mode", MODES)
def test_inference_tensor_outside_of_inference_mode(mode):
    with torch.inference_mode():
        x = tensor(0.3)
    assert MODES[mode](torch.sin)(x).item() == pytest.approx(math.cos(0.3))


def test_no_grad_inside_the_function_is_respected():
    def f(x):
        with torch.no_grad():
            constant = x * x
        return (constant * x,)

    assert BACKEND.value_and_grad(f, (tensor(3.0),))[1][0].item() == 9
    assert BACKEND.jvp(f, (tensor(3.0),), (tensor(1.0),))[1][0].item() == pytest.approx(27.0)  # forward mode knows no `no_grad`


@pytest.mark.parametrize("mode", MODES)
def test_pullback_is_differentiable_by_its_cotangent(mode):
    _, pullback = BACKEND.vjp(lambda x: (torch.sin(x),), (tensor(0.3),))
    result = MODES[mode](lambda ct: pullback((ct,))[0] ** 2)(tensor(2.0))
    assert result.item() == pytest.approx(2 * 2.0 * math.cos(0.3) ** 2)
    assert not result.requires_grad


def test_pullback_is_differentiable_by_the_point():
    x = tensor(0.3)

    def gradient(x):
        _, pullback = BACKEND.vjp(lambda y: (torch.sin(y),), (x,))
        return (pullback((tensor(1.0),))[0] + pullback((tensor(2.0),))[0],)

    assert BACKEND.vjp(gradient, (x,))[1]((tensor(1.0),))[0].item() == pytest.approx(-3 * math.sin(0.3))
    assert BACKEND.jvp(gradient, (x,), (tensor(1.0),))[1][0].item() == pytest.approx(-3 * math.sin(0.3))


def test_threads_do_not_disturb_each_other():
    failures: set[tuple[int, tuple[str, ...]]] = set()
    start = threading.Barrier(8)

    def work(k):
        x = tensor(0.1 * (k + 1))
        start.wait()
        for _ in range(20):
            for modes in itertools.product(("grad", "jvp"), repeat=2):
                if nested(modes, lambda x: torch.sin(k * x))(x).item() != pytest.approx(-k * k * math.sin(k * x.item())):
                    failures.add((k, modes))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == set()


@pytest.mark.parametrize("mode", MODES)
def test_constants_within_a_transform_have_values(mode):
    x, seen = tensor(3.0), []

    def f(x):
        seen.append((float(BACKEND.to_numpy(BACKEND.stop_gradient(x) * 2)), float(BACKEND.to_numpy(tensor(1.0) + 1))))
        with pytest.raises(TracedConversionError):
            BACKEND.to_numpy(x * 2)
        return x * x

    MODES[mode](f)(x)
    assert set(seen) == {(6.0, 2.0)}


@pytest.mark.parametrize("mode", MODES)
def test_stop_gradient_makes_a_constant(mode):
    x = tensor(3.0)
    assert MODES[mode](lambda x: BACKEND.stop_gradient(x) * x)(x).item() == 3
    assert MODES[mode](MODES["jvp"](lambda x: BACKEND.stop_gradient(x) * x))(x).item() == 0
