"""What a backend that differentiates arrays of any library shares with the backend of those arrays, its host."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from unidiff._typing import Array, Device, Namespace
from unidiff.backend import BackendInfo

_DERIVATIVES = frozenset(
    {
        "vjp",
        "jvp",
        "value_and_grad",
        "linearize",
        "jacfwd",
        "jacrev",
        "taylor",
        "dependence",
        "with_rules",
        "linear_solve",
        "vmap",
    }
)
"""What a host must not do in place of the backend; batching among them, since it would be used for Jacobians."""


class Hosted:
    """A backend bound to a host: arrays and whatever is no derivative are the host's.

    Parameters
    ----------
    info : BackendInfo
        What the plugin registered; dtypes, devices, mutation and compilation become those of the host.
    host : object
        The backend of the arrays, with every operation.
    """

    def __init__(self, info: BackendInfo, host: Any) -> None:
        theirs = host.info.capabilities
        capabilities = replace(
            info.capabilities, dtypes=theirs.dtypes, devices=theirs.devices, mutation=theirs.mutation, jit=theirs.jit
        )
        self.info = replace(info, capabilities=capabilities)
        self.host = host

    def __getattr__(self, name: str) -> Any:
        if name not in _DERIVATIVES and name in self.host.native:
            return getattr(self.host, name)
        raise AttributeError(name)

    def namespace(self, *arrays: Array) -> Namespace:
        """Return the host's namespace."""
        return self.host.namespace(*arrays)

    def device(self, x: Array) -> Device:
        """Return the device of an array."""
        return self.host.device(x)

    def to_device(self, x: Array, device: Device) -> Array:
        """Return the array on the device."""
        return self.host.to_device(x, device)

    def devices(self) -> Sequence[Device]:
        """Return the host's devices."""
        found: Sequence[Device] = self.host.devices()
        return found

    def asarray(self, obj: Any, *, dtype: Any = None, device: Device | None = None) -> Array:
        """Return an array of the host."""
        return self.host.asarray(obj, dtype=dtype, device=device)

    def from_dlpack(self, x: Array, *, device: Device | None = None) -> Array:
        """Return an array of the host."""
        return self.host.from_dlpack(x, device=device)

    def to_numpy(self, x: Array) -> Any:
        """Return a NumPy array."""
        return self.host.to_numpy(x)

    def split(self, result: Any, has_aux: bool) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        """Return what a flat function returned as outputs of their own memory, and the auxiliary output in a tuple or none."""
        outs, aux = result if has_aux else (result, ())
        copied = tuple(map(self.host.copy, outs))
        return copied, ((tuple(map(self.host.copy, aux)),) if has_aux else ())
