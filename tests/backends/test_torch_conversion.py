"""Devices, creation and conversion on PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.backends.torch_modes import BACKEND, F64, MODES, tensor  # noqa: E402  # after the check that torch is there
from unidiff import errors  # noqa: E402  # after the check that torch is there

# Devices and conversion. The meta device exists everywhere and shows where an array was created.


def test_results_stay_on_the_device_of_the_input():
    x = torch.empty((3,), device="meta")

    def f(x):
        xp = BACKEND.namespace(x)
        made = [xp.zeros(3), xp.arange(3), xp.asarray([1.0, 2.0, 3.0]), xp.full((3,), 2.0), xp.linspace(0, 1, 3)]
        made += [xp.ones(3, device=None), xp.empty(3), xp.eye(3)[0], xp.fft.fftfreq(3), xp.asarray(x)]
        assert {BACKEND.device(y).type for y in made} == {"meta"}
        assert BACKEND.device(xp.zeros(3, device="cpu")).type == "cpu"
        assert BACKEND.device(xp.asarray(torch.zeros(3))).type == "cpu"
        return (xp.sum(sum(made[1:4], x)),)

    value, (gradient,) = BACKEND.value_and_grad(f, (x,))
    _, (tangent,) = BACKEND.jvp(f, (x,), (x,))
    assert {value.device.type, gradient.device.type, tangent.device.type} == {"meta"}
    assert torch.get_default_device().type == "cpu"


def test_creation_keeps_the_default_dtype():
    xp = BACKEND.namespace(tensor([1.0]))
    assert xp.zeros(2).dtype == xp.asarray(1.0).dtype == torch.get_default_dtype()
    assert xp.zeros(2, dtype=xp.float64).dtype == F64


def test_namespace_follows_the_device_even_where_the_default_is_another_one():
    try:
        torch.set_default_device("meta")
        assert BACKEND.namespace(torch.zeros(2, device="cpu")).zeros(2).device.type == "cpu"
        assert BACKEND.namespace().zeros(2).device.type == "meta"
    finally:
        torch.set_default_device(None)


def test_namespace_is_a_module():
    import unidiff_backends.torch_namespace as module

    bound = BACKEND.namespace(tensor(1.0))
    assert BACKEND.namespace() is module
    assert bound is BACKEND.namespace(tensor(2.0))
    assert bound.__name__ == module.__name__ == "unidiff_backends.torch_namespace"
    assert hash(bound) != hash(module)
    assert {"sin", "linalg", "fft", "__array_namespace_info__", "relu"} <= set(dir(module))
    assert module.relu is torch.relu
    assert bound.__array_namespace_info__().default_dtypes()["real floating"] == torch.get_default_dtype()


def test_arrays_on_two_devices():
    with pytest.raises(errors.MixedDevicesError, match="meta"):
        BACKEND.namespace(torch.zeros(2), torch.zeros(2, device="meta"))


def test_devices():
    assert BACKEND.devices()[0] == torch.device("cpu")
    for device in BACKEND.devices():
        assert BACKEND.to_device(tensor(1.0), device).device == device
    with pytest.raises(errors.DeviceError, match="cpu"):
        BACKEND.to_device(tensor(1.0), "cuda:99")
    with pytest.raises(errors.DeviceError, match="nonsense"):
        BACKEND.asarray(1.0, device="nonsense")


@pytest.mark.parametrize("mode", MODES)
def test_to_device_is_differentiable(mode):
    assert MODES[mode](lambda x: BACKEND.to_device(x, "cpu") ** 2)(tensor(3.0)).item() == 6


def test_asarray():
    x = tensor([1.0, 2.0])
    assert BACKEND.asarray(x) is x
    assert BACKEND.asarray(2.0).dtype == torch.get_default_dtype()
    assert BACKEND.asarray([1, 2], dtype="float64").dtype == F64
    assert BACKEND.asarray(np.arange(3.0)).dtype == F64
    assert BACKEND.asarray([[x[0], 1], [2, x[1]]]).tolist() == [[1, 1], [2, 2]]
    assert BACKEND.asarray([[x[0], 1], [2, x[1]]]).dtype == F64
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    BACKEND.asarray(frozen).zero_()
    assert frozen.tolist() == [0, 1, 2]
    with pytest.raises(errors.DTypeError, match="float99"):
        BACKEND.asarray(1.0, dtype="float99")
    with pytest.raises(errors.NotAnArrayError, match="object"):
        BACKEND.asarray(object())


@pytest.mark.parametrize("mode", MODES)
def test_asarray_of_a_list_of_tensors_keeps_the_derivative(mode):
    assert MODES[mode](lambda x: BACKEND.asarray([x, [x * x, 1.0][0]]).sum())(tensor(3.0)).item() == 7


def test_from_dlpack_shares_memory():
    source = np.arange(3.0)
    x = BACKEND.from_dlpack(source)
    x[0] = 7
    assert source[0] == 7
    assert np.shares_memory(BACKEND.to_numpy(x), source)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int8, torch.int64, torch.float16, torch.float32, F64, torch.complex64], ids=str
)
def test_to_numpy_round_trip(dtype):
    x = torch.tensor([0, 1, 2]).to(dtype)
    back = BACKEND.from_dlpack(BACKEND.to_numpy(x))
    assert back.dtype == dtype
    assert torch.equal(back, x)
    assert np.array_equal(BACKEND.to_numpy(x.conj()), np.conj(BACKEND.to_numpy(x)))


def test_to_numpy_of_a_dtype_numpy_lacks():
    with pytest.raises(errors.DTypeError, match="bfloat16"):
        BACKEND.to_numpy(torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("convert", "error"),
    [(BACKEND.to_numpy, errors.TracedConversionError), (BACKEND.from_dlpack, errors.NotDifferentiableError)],
    ids=["to_numpy", "from_dlpack"],
)
def test_conversion_of_traced_tensors_is_refused(mode, convert, error):
    with pytest.raises(error):
        MODES[mode](lambda x: convert(x) * x)(tensor(1.0))


def test_to_numpy_of_a_tensor_that_requires_grad():
    with pytest.raises(errors.TracedConversionError, match="stop_gradient"):
        BACKEND.to_numpy(tensor(1.0).requires_grad_())


def test_tangents_and_cotangents_on_another_device():
    import unidiff as ud

    x, elsewhere = torch.ones(3), torch.ones(3, device="meta")
    for run in (
        lambda: ud.jvp(lambda x: 2 * x, (x,), (elsewhere,)),
        lambda: ud.linearize(lambda x: 2 * x, x)[1](elsewhere),
        lambda: ud.vjp(lambda x: {"y": 2 * x}, x)[1]({"y": elsewhere}),
        lambda: ud.grad(lambda x, y: (x * y).sum())(x, elsewhere),
    ):
        with pytest.raises(errors.MixedDevicesError, match="meta"):
            run()


def test_tensors_without_values_do_not_convert():
    with pytest.raises(errors.DeviceError, match="no values"):
        BACKEND.to_numpy(torch.ones(3, device="meta"))
    with pytest.raises(errors.DTypeError, match="bfloat16"):
        BACKEND.to_numpy(torch.ones(3, dtype=torch.bfloat16))


def test_a_primal_changed_in_place_before_the_pullback_raises():
    x = torch.ones(3)
    _, pullback = BACKEND.vjp(lambda x: (x * x,), (x,))
    x += 1
    with pytest.raises(errors.InPlaceError, match="change a copy"):
        pullback((torch.ones(3),))
