"""The PyTorch backend: native derivatives behind the flat contract of `unidiff.backend`."""

from typing import Any

import torch

from unidiff._typing import Array, Arrays, Device, FlatFunction, Namespace
from unidiff.backend import BackendInfo
from unidiff_backends._torch import convert, forward, jacobian, namespaces, reverse
from unidiff_backends.plugins.torch import INFO


class TorchBackend:
    """PyTorch's own differentiation: its tape for reverse mode, `torch.func` for forward mode and within transforms."""

    info: BackendInfo = INFO

    def namespace(self, *arrays: Array) -> Namespace:
        """Return the namespace with the derivatives of the derivative standard.

        Given arrays, its creation functions follow their device; without, PyTorch's default device.
        """
        return namespaces.following(arrays)

    def device(self, x: Array) -> Device:
        """Return the `torch.device` of a tensor."""
        return x.device

    def to_device(self, x: Array, device: Device) -> Array:
        """Return the tensor on the device, a `torch.device` or its name; differentiable."""
        return convert.to_device(x, device)

    def devices(self) -> tuple[torch.device, ...]:
        """Return the devices of this machine, the CPU first."""
        return convert.devices()

    def asarray(self, obj: Any, *, dtype: Any = None, device: Device | None = None) -> Array:
        """Return ``obj`` as a tensor; tensors, also within nested sequences, stay attached to their graph."""
        return convert.asarray(obj, dtype=dtype, device=device)

    def from_dlpack(self, x: Array, *, device: Device | None = None) -> Array:
        """Return another library's array as a tensor, without a copy where the devices and the memory allow it."""
        return convert.from_dlpack(x, device=device)

    def to_numpy(self, x: Array) -> Any:
        """Return a plain tensor as a NumPy array, sharing memory where the tensor is on the CPU."""
        return convert.to_numpy(x)

    def vjp(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, pullback)`` or ``(outs, pullback, aux)``."""
        return reverse.vjp(f, tuple(primals), has_aux=has_aux)

    def value_and_grad(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(value, grads)`` or ``(value, grads, aux)``, freeing the graph as the backward pass goes."""
        return reverse.value_and_grad(f, tuple(primals), has_aux=has_aux)

    def jvp(self, f: FlatFunction, primals: Arrays, tangents: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``."""
        return forward.jvp(f, tuple(primals), tuple(tangents), has_aux=has_aux)

    def jacfwd(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)`` by forward mode on a batch of tangents."""
        return jacobian.jacfwd(f, tuple(primals), has_aux=has_aux)

    def jacrev(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)`` by reverse mode on a batch of cotangents."""
        return jacobian.jacrev(f, tuple(primals), has_aux=has_aux)

    def stop_gradient(self, x: Array) -> Array:
        """Return the values of ``x`` as a constant to every differentiation."""
        return x.detach()
