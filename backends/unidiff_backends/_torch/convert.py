"""Conversion to and from tensors."""

from collections.abc import Sequence
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch._C._functorch import _unwrap_for_grad
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch.autograd import forward_ad

from unidiff.errors import DeviceError, DTypeError, NotAnArrayError, NotDifferentiableError, TracedConversionError


def resolve_device(device: Any) -> torch.device:
    """Return the `torch.device` of a name or device, or raise `DeviceError` if this machine has no such device."""
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        resolved = None
    # The CPU is there always; the meta device holds shapes only: it is not listed, but works everywhere.
    if resolved is not None and (resolved.type == "meta" or resolved in _CPU or _exists(resolved)):
        return resolved
    raise DeviceError(f"torch has no device {device!r} here; these exist: {', '.join(map(str, devices()))}")


_CPU = frozenset({torch.device("cpu"), torch.device("cpu", 0)})


def devices() -> tuple[torch.device, ...]:
    """Return the devices of this machine, the CPU first."""
    found = [torch.device("cpu")]
    for kind in ("cuda", "xpu"):
        module = getattr(torch, kind)
        found += [torch.device(kind, i) for i in range(module.device_count() if module.is_available() else 0)]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps", 0))
    return tuple(found)


def _exists(device: torch.device) -> bool:
    return any(device.type == known.type and device.index in (None, known.index or 0) for known in devices())


def resolve_dtype(dtype: Any) -> torch.dtype:
    """Return the `torch.dtype` of a dtype or of its name in the standard."""
    if isinstance(dtype, torch.dtype):
        return dtype
    resolved = getattr(torch, dtype, None) if isinstance(dtype, str) else None
    if not isinstance(resolved, torch.dtype):
        raise DTypeError(f"torch has no dtype {dtype!r}; pass a torch.dtype or its name, such as 'float64'")
    return resolved


def to_device(x: torch.Tensor, device: Any) -> torch.Tensor:
    """Return ``x`` on the device; differentiable."""
    return x.to(resolve_device(device))


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> torch.Tensor:
    """Return ``obj`` as a tensor; tensors, also within nested sequences, stay attached to their graph.

    `torch.asarray` cuts tensors within sequences off, and before PyTorch 2.13 also a tensor itself.
    """
    dtype = None if dtype is None else resolve_dtype(dtype)
    device = None if device is None else resolve_device(device)
    if isinstance(obj, torch.Tensor):
        converted = obj.to(device=device, dtype=dtype, copy=bool(copy))
        if copy is False and converted is not obj:
            raise ValueError("a copy is needed to change the dtype or the device, but copy=False")
        return converted
    if isinstance(obj, list | tuple) and _holds_tensor(obj):
        return _stacked(obj, dtype=dtype, device=device)
    if isinstance(obj, np.ndarray) and any(stride < 0 for stride in obj.strides) and copy is not False:
        obj = obj.copy()  # tensors have no negative strides
    if isinstance(obj, np.ndarray) and not obj.flags.writeable and copy is not False:
        obj, copy = obj.copy(), None  # a tensor on read-only memory could be written to
    try:
        return torch.asarray(obj, dtype=dtype, device=device, copy=copy)
    except (RuntimeError, TypeError, ValueError) as error:
        raise NotAnArrayError(f"torch cannot make a tensor of {type(obj).__qualname__}: {error}") from error


def _holds_tensor(obj: Any) -> bool:
    if isinstance(obj, list | tuple):
        return not _NUMBERS.issuperset(map(type, obj)) and any(_holds_tensor(item) for item in obj)
    return isinstance(obj, torch.Tensor)


_NUMBERS = frozenset({bool, int, float, complex})


def common_dtype(operands: Sequence[Any]) -> torch.dtype:
    """Return the dtype of tensors and numbers taken together; numbers do not widen that of the tensors.

    The usual case is decided here because PyTorch's own function is slow and cannot be compiled.
    """
    dtype = next((x.dtype for x in operands if isinstance(x, torch.Tensor)), None)
    if dtype is not None and dtype.is_floating_point and all(_keeps(dtype, x) for x in operands):
        return dtype
    return xp.result_type(*operands)


def _keeps(dtype: torch.dtype, operand: Any) -> bool:
    """Tell whether an operand leaves a floating dtype as it is."""
    return operand.dtype == dtype if isinstance(operand, torch.Tensor) else isinstance(operand, int | float)


def _leaves(obj: Any) -> list[Any]:
    return [leaf for item in obj for leaf in _leaves(item)] if isinstance(obj, list | tuple) else [obj]


def _stacked(obj: Any, *, dtype: torch.dtype | None, device: torch.device | None) -> torch.Tensor:
    """Return a nested sequence of tensors and numbers as one tensor; `torch.asarray` would cut the tensors' derivative."""
    leaves = _leaves(obj)
    dtype = common_dtype(leaves) if dtype is None else dtype
    device = next(x.device for x in leaves if isinstance(x, torch.Tensor)) if device is None else device

    def stack(item: Any) -> torch.Tensor:
        if isinstance(item, list | tuple):
            return torch.stack([stack(part) for part in item])
        return item.to(device=device, dtype=dtype) if isinstance(item, torch.Tensor) else full(item)

    def full(value: Any) -> torch.Tensor:
        return torch.asarray(value, dtype=dtype, device=device)

    return stack(obj)


def from_dlpack(x: Any, *, device: Any = None) -> torch.Tensor:
    """Return another library's array as a tensor, without a copy where the devices and the memory allow it."""
    if isinstance(x, torch.Tensor):
        if is_traced(x):
            raise NotDifferentiableError("from_dlpack has no derivative; pass the traced tensor itself")
        tensor = x
    elif isinstance(x, np.ndarray):
        tensor = asarray(x)  # shares memory, and also takes arrays that are read-only or not in native byte order
    else:
        tensor = torch.from_dlpack(x)
    return tensor if device is None else to_device(tensor, device)


def in_memory(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor with memory: forward mode of PyTorch has zeros without, whose address DLPack hands out nevertheless."""
    return torch.zeros_like(x) if x._is_zerotensor() else x


def to_numpy(x: torch.Tensor) -> Any:
    """Return a plain tensor as a NumPy array, sharing memory where the tensor is on the CPU."""
    if is_traced(x):
        raise TracedConversionError(
            "a tensor that a derivative is taken through has no NumPy value: use the functions of "
            "unidiff.array_namespace(x), return it as aux, or cut it off with unidiff.stop_gradient(x) outside of transforms"
        )
    if x.is_meta:
        raise DeviceError("a tensor on the device 'meta' has a shape but no values")
    try:
        x = constant(x)
        with torch._C._DisableFuncTorch():  # which would make every result an operand of the innermost transform
            return in_memory(x).cpu().resolve_conj().resolve_neg().numpy()
    except TypeError:
        raise DTypeError(f"NumPy has no {x.dtype}; convert the tensor to torch.float32 first") from None


def constant(x: torch.Tensor) -> torch.Tensor:
    """Return the values of a tensor as a constant to every differentiation, no part of a transform."""
    x = x.detach()
    while torch._C._functorch.is_gradtrackingtensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x


def is_traced(x: torch.Tensor) -> bool:
    """Tell whether a derivative is being taken through ``x``, or it is batched."""
    if x.requires_grad:
        return True
    if not torch._C._functorch.is_functorch_wrapped_tensor(x):
        return False
    if not torch._C._functorch.is_gradtrackingtensor(x) or forward_ad.unpack_dual(x).tangent is not None:
        return True
    # Within a transform, operations on constants give operands of the transform too, which hold what they are made of.
    interpreter = retrieve_current_functorch_interpreter()
    with interpreter.lower():
        return is_traced(_unwrap_for_grad(x, interpreter.level()))
