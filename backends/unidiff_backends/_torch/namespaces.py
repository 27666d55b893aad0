"""Namespaces whose creation functions follow the device of arrays.

PyTorch creates arrays on a default device. To change that default, even for the time of one call, would be felt by every
other user of PyTorch in the thread, and the context manager for it slows every single operation down. Instead, the namespace
of an array is that of its device: all of it is `unidiff_backends.torch_namespace` but for the creation functions, whose
``device`` defaults to that device.
"""

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch

from unidiff.errors import MixedDevicesError
from unidiff_backends import torch_namespace

_CREATION = ("arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros")
_FFT_CREATION = ("fftfreq", "rfftfreq")


def following(arrays: Iterable[torch.Tensor]) -> Any:
    """Return the namespace for the device of these arrays; without arrays, the one for PyTorch's default device."""
    devices = {x.device for x in arrays}
    if not devices:
        return torch_namespace
    if len(devices) > 1:
        names = ", ".join(sorted(map(str, devices)))
        raise MixedDevicesError(f"the arrays are on several devices: {names}; move them to one with unidiff.to_device")
    return _on(devices.pop())


@functools.cache
def _on(device: torch.device) -> ModuleType:
    namespace = _copy(torch_namespace, _CREATION, device)
    namespace.__dict__["fft"] = _copy(torch_namespace.fft, _FFT_CREATION, device)
    return namespace


def _copy(module: ModuleType, creation: Iterable[str], device: torch.device) -> ModuleType:
    copy = ModuleType(module.__name__, module.__doc__)
    copy.__dict__.update(vars(module))
    copy.__dict__.update({name: _following(getattr(module, name), device) for name in creation})
    return copy


def _following(create: Callable[..., torch.Tensor], default: torch.device) -> Callable[..., torch.Tensor]:
    """Return a creation function whose device, unless given or that of a tensor among the arguments, is ``default``."""

    @functools.wraps(create)
    def created(*args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
        if device is None and not (create is torch_namespace.asarray and isinstance(args[0], torch.Tensor)):
            device = default
        return create(*args, device=device, **kwargs)

    return created
