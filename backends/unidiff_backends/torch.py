"""The PyTorch backend: native derivatives behind the flat contract of `unidiff.backend`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from unidiff._typing import Array, Arrays, Device, FlatFunction, Namespace
from unidiff.backend import BackendInfo
from unidiff_backends._torch import (
    closures,
    compiling,
    control_flow,
    convert,
    custom,
    custom_rules,
    forward,
    jacobian,
    namespaces,
    optimizers,
    reverse,
    vectorizing,
)
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

    def custom_jvp(self, f: Callable[..., Any], rule: Callable[..., Any]) -> Any:
        """Return the function with a forward rule of its own."""
        return custom_rules.custom_jvp(f, rule)

    def custom_vjp(self, f: Callable[..., Any], forward: Any, backward: Any, push: Any = None) -> Any:
        """Return the function with a reverse rule of its own, and where there is ``push`` also a forward rule."""
        return custom_rules.custom_vjp(f, forward, backward, push)

    def checkpoint(self, f: Callable[..., Any]) -> Any:
        """Return the function such that reverse mode computes its intermediate results again."""
        return custom_rules.checkpoint(f)

    def host_callback(self, f: Callable[..., Any], like: Any, args: Arrays) -> Any:  # noqa: ARG002  # only compilers need it
        """Return what a function of plain tensors gives."""
        return custom_rules.host_callback(f, tuple(args))

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

    def vmap(self, f: FlatFunction, args: Arrays, batched: Sequence[bool], size: int, *, has_aux: bool = False) -> Any:
        """Return what ``f`` gives for each slice along the first axis of the batched tensors, stacked along a first axis."""
        return vectorizing.vmap(f, tuple(args), batched, size, has_aux=has_aux)

    def cond(self, predicate: Array, if_true: Callable[..., Any], if_false: Callable[..., Any], operands: Arrays) -> Any:
        """Return what one of two functions gives for the operands."""
        return control_flow.cond(predicate, if_true, if_false, tuple(operands))

    def while_loop(self, condition: Callable[..., Any], body: Callable[..., Any], init: Arrays) -> Any:
        """Return the last values of a loop."""
        return control_flow.while_loop(condition, body, tuple(init))

    def jit(self, f: FlatFunction, *, has_aux: bool = False, compiler: str | None = None) -> FlatFunction:
        """Return the flat function recorded and compiled by a backend of ``torch.compile``; as it is where none is named."""
        return compiling.FlatProgram(f, has_aux, compiler)

    def jit_of_trees(
        self, f: Callable[..., Any], *, static_argnums: Sequence[int], static_argnames: Sequence[str], compiler: Any
    ) -> Any:  # PyTorch looks itself for what differs between calls
        """Return the function as it is; None where a compiler is named, which takes functions of tensors."""
        del static_argnums, static_argnames
        return f if compiler is None else None

    def with_rules(self, f: FlatFunction, push: Callable[..., Any], pull: Callable[..., Any]) -> FlatFunction:
        """Return ``f`` with both derivative rules given; they may be differentiated again."""
        return custom.with_rules(f, push, pull)

    def hides_transforms(self) -> bool:
        """Say whether functions with rules run below the levels of `torch.func`; see `unidiff.derive.CompleteBackend`."""
        return reverse.functorch_active()

    def closure_convert(self, f: FlatFunction, args: Arrays) -> Any:
        """Return a linear function as one of what it holds and of its arguments; see `unidiff.derive.CompleteBackend`."""
        return closures.closure_convert(f, tuple(args))

    def stop_gradient(self, x: Array) -> Array:
        """Return the values of ``x`` as a constant to every differentiation."""
        return convert.constant(x)

    def optimizer_step(
        self,
        method: Any,
        params: Arrays,
        grads: Arrays,
        slots: Mapping[str, Arrays],
        scalars: Mapping[str, float],
        *,
        donate: bool,
    ) -> Any:
        """Return ``(params, slots)`` after a step of an optimizer by a fused kernel, or NotImplemented."""
        return optimizers.step(method, params, grads, slots, scalars, donate=donate)
