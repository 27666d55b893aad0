"""The JAX backend: JAX's own differentiation behind the contract of `unidiff.backend`."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unidiff.backend import BackendInfo
from unidiff.errors import (
    DeviceError,
    DTypeError,
    NotAnArrayError,
    NotDifferentiableError,
    TracedConversionError,
    UnidiffError,
)
from unidiff_backends._jax import callbacks, compiling, control_flow, custom, implicit, optimizers, vectorizing
from unidiff_backends._jax.namespace import numpy as jax_namespace
from unidiff_backends.plugins.jax import unidiff_register_backends

_WIDE = frozenset({"float64", "complex128", "int64", "uint64"})
"""Dtypes that JAX narrows to half their width unless it runs with 64 bits enabled."""

_NO_CONTEXT = nullcontext()


def _is_traced(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


def _default_device() -> Any:
    """Return the device on which JAX creates arrays in this thread."""
    device = jax.config.jax_default_device
    if isinstance(device, str):
        return jax.devices(device)[0]
    return jax.local_devices()[0] if device is None else device


def _on_device_of(primals: Sequence[Any]) -> AbstractContextManager[Any]:
    """Return the context in which new arrays appear on the device of the primals.

    JAX creates the arrays that a function makes for itself, and the zeros that stand for an absent derivative, on the
    default device. Nothing is changed, and nothing is paid, where the primals live there already or are traced.
    """
    for x in primals:
        if isinstance(x, jax.Array) and not _is_traced(x):
            device = x.device
            if isinstance(device, jax.Device) and device is not _default_device():
                context: AbstractContextManager[Any] = jax.default_device(device)
                return context
            break
    return _NO_CONTEXT


def _conj(x: Any) -> Any:
    """Conjugate complex arrays only: JAX pairs cotangents without conjugation, unidiff by ``Re <u, v>``."""
    return jnp.conj(x) if jnp.iscomplexobj(x) else x


def _tangent(tangent: Any, primal: Any) -> Any:
    """Return a tangent in the dtype of its primal: JAX gives integers tangents of a dtype without values."""
    return jnp.zeros_like(primal) if tangent.dtype == jax.dtypes.float0 else tangent


def _cotangent(cotangent: Any, out: Any) -> Any:
    """Return the cotangent as JAX's convention wants it."""
    if jnp.issubdtype(out.dtype, jnp.inexact):
        return _conj(cotangent)
    return np.zeros(out.shape, jax.dtypes.float0)


def _pullback(primals: Sequence[Any], outs: Sequence[Any], jax_pullback: Any) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    def pullback(cotangents: Sequence[Any]) -> tuple[Any, ...]:
        with _on_device_of(primals):
            grads = jax_pullback(tuple(map(_cotangent, cotangents, outs)))
            return tuple(_tangent(_conj(g), x) for g, x in zip(grads, primals, strict=True))

    return pullback


def _standard_basis(x: Any) -> Any:
    """Return the unit arrays of the shape of ``x``, stacked along the first axis."""
    return jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)


class JaxBackend:
    """Arrays of JAX, differentiated by JAX."""

    info: BackendInfo = next(iter(unidiff_register_backends()))

    def namespace(self, *arrays: Any) -> Any:  # noqa: ARG002  # one namespace serves all arrays
        """Return ``jax.numpy`` with the derivatives of the derivative standard."""
        return jax_namespace

    def device(self, x: Any) -> Any:
        """Return the device of ``x``, or None.

        A traced array has the device of the value that stands behind it. Where there is none, as under `jax.jit`, JAX has not
        chosen a device yet, and an array that is sharded over several has no single one. None says so: with it creation
        functions leave the choice to JAX, and arrays of any sharding go together.
        """
        if _is_traced(x):
            x = x.to_concrete_value()
        device = None if x is None else x.device
        return device if isinstance(device, jax.Device) else None

    def devices(self) -> tuple[Any, ...]:
        """Return the devices of every platform that JAX has initialized."""
        found = dict.fromkeys(jax.devices())
        for platform in ("cpu", "gpu", "tpu"):
            try:
                found.update(dict.fromkeys(jax.devices(platform)))
            except RuntimeError:
                continue  # JAX's way to say that the platform is absent
        return tuple(found)

    def _resolve_device(self, device: Any) -> Any:
        if not isinstance(device, str):
            if device is None or isinstance(device, jax.Device | jax.sharding.Sharding):
                return device
            raise DeviceError(f"{device!r} is no device of JAX; these exist: {', '.join(map(str, self.devices()))}")
        platform, _, index = device.partition(":")
        try:
            return jax.devices(platform)[int(index or 0)]
        except (RuntimeError, ValueError, IndexError):
            known = ", ".join(map(str, self.devices()))
            raise DeviceError(f"JAX has no device {device!r} here; these exist: {known}") from None

    def to_device(self, x: Any, device: Any) -> Any:
        """Return ``x`` on the device; differentiable.

        The device is a `jax.Device`, a sharding, a string such as ``"cpu:1"``, or None to leave the choice to JAX.
        """
        return jax.device_put(x, self._resolve_device(device))

    def asarray(self, obj: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """Return ``obj`` as a JAX array; what JAX would narrow for want of 64 bits raises instead."""
        if dtype is not None:
            dtype = _resolve_dtype(dtype)
        elif isinstance(obj, np.ndarray | np.generic):
            _check_narrowing(obj)
        if isinstance(obj, np.ndarray):
            # JAX shares its memory or copies it later on, `jnp.array` and ``may_alias=False`` included: what is written to
            # it afterwards would be seen. Nobody writes to a copy of our own.
            obj = obj.copy()
        elif isinstance(obj, memoryview | array):
            obj = np.array(obj)
        try:
            x = jnp.asarray(obj, dtype=dtype)
        except UnidiffError:
            raise
        except (OverflowError, TypeError, ValueError) as error:
            raise NotAnArrayError(f"JAX cannot make an array of {type(obj).__qualname__}: {error}") from error
        return x if device is None else self.to_device(x, device)

    def from_dlpack(self, x: Any, *, device: Any = None) -> Any:
        """Return another library's array as a JAX array, without a copy where the devices allow it."""
        if _is_traced(x):
            raise NotDifferentiableError("from_dlpack has no derivative: pass the traced JAX array itself")
        _check_narrowing(x)
        imported = jnp.from_dlpack(x)
        return imported if device is None else self.to_device(imported, device)

    def to_numpy(self, x: Any) -> Any:
        """Return a plain array as a read-only NumPy array, sharing memory where the device allows it."""
        if _is_traced(x):
            raise TracedConversionError(
                "a traced JAX array has no NumPy value, since that would cut the derivative: "
                "compute with the functions of unidiff.array_namespace(x), or return the value as aux"
            )
        return np.asarray(x)

    def uncompiled(self) -> AbstractContextManager[Any]:
        """Return a context in which functions are run by their primitives, which all programs share."""
        context: AbstractContextManager[Any] = jax.disable_jit()
        return context

    def with_rules(self, f: Callable[..., Any], push: Callable[..., Any], pull: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``f`` with its pushforward given, which JAX transposes; ``pull`` is not needed."""
        return implicit.with_rules(f, push, pull)

    def closure_convert(self, f: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Return ``f`` as a function of the arrays that it holds and of its arguments, and these; None where none is traced."""
        with _on_device_of(args):
            return implicit.closure_convert(f, args)

    def linear_solve(
        self,
        matvec: Callable[..., Any],
        constants: Sequence[Any],
        rhs: Any,
        solve: Callable[..., Any],
        preconditioner: Any = None,
    ) -> Any:
        """Return the solution of ``matvec(constants, x) == rhs``."""
        return implicit.linear_solve(matvec, constants, rhs, solve, preconditioner)

    def stop_gradient(self, x: Any) -> Any:
        """Return ``x`` as a constant."""
        return jax.lax.stop_gradient(x)

    def optimizer_step(
        self,
        method: Any,
        params: Sequence[Any],
        grads: Sequence[Any],
        slots: Mapping[str, Sequence[Any]],
        scalars: Mapping[str, float],
        *,
        donate: bool,
    ) -> Any:
        """Return ``(params, slots)`` after a step of an optimizer by one compiled program, or NotImplemented."""
        return optimizers.step(method, params, grads, slots, scalars, donate=donate)

    def vmap(
        self, f: Callable[..., Any], args: Sequence[Any], batched: Sequence[bool], size: int, *, has_aux: bool = False
    ) -> Any:
        """Return what ``f`` gives for each slice along the first axis of the batched arrays, stacked along a first axis."""
        with _on_device_of(args):
            return vectorizing.vmap(f, args, batched, size, has_aux=has_aux)

    def jit(self, f: Callable[..., Any], *, has_aux: bool = False, compiler: Any = None) -> Callable[..., Any]:
        """Return the flat function compiled by ``jax.jit``."""
        return compiling.jit(f, has_aux=has_aux, compiler=compiler)

    def jit_of_trees(
        self, f: Callable[..., Any], *, static_argnums: Sequence[int], static_argnames: Sequence[str], compiler: Any
    ) -> Any:
        """Return ``jax.jit(f)``, which takes pytrees itself."""
        return compiling.jit_of_trees(f, static_argnums, static_argnames, compiler)

    def jit_error(self, error: Exception) -> Exception | None:
        """Return unidiff's error for one that JAX raised while it traced a function, None for any other."""
        return compiling.translated(error)

    def cond(self, predicate: Any, if_true: Any, if_false: Any, operands: Sequence[Any]) -> Any:
        """Return what one of two functions gives for the operands."""
        with _on_device_of((predicate, *operands)):
            return control_flow.cond(predicate, if_true, if_false, operands)

    def while_loop(self, condition: Any, body: Any, init: Sequence[Any]) -> Any:
        """Return the last values of a loop."""
        with _on_device_of(init):
            return control_flow.while_loop(condition, body, init)

    def scan(self, f: Any, init: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool) -> Any:
        """Return the last carry and the stacked results of a loop over slices."""
        with _on_device_of((*init, *xs)):
            return control_flow.scan(f, init, xs, length, reverse)

    def custom_jvp(self, f: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a forward rule of its own."""
        return custom.custom_jvp(f, rule)

    def custom_vjp(self, f: Any, forward: Any, backward: Any, push: Any = None) -> Callable[..., Any]:
        """Return the function with a reverse rule of its own, and where there is ``push`` also a forward rule."""
        return custom.custom_vjp(f, forward, backward, push)

    def checkpoint(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function such that reverse mode computes its intermediate results again."""
        return custom.checkpoint(f)

    def host_callback(self, f: Callable[..., Any], like: Callable[[], Sequence[Any]], args: Sequence[Any]) -> Any:
        """Return what a function of plain arrays gives."""
        return callbacks.host_callback(f, like, args)

    def vjp(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(outs, pullback)`` or ``(outs, pullback, aux)``."""
        with _on_device_of(primals):
            outs, jax_pullback, *aux = jax.vjp(f, *primals, has_aux=has_aux)
        return outs, _pullback(primals, outs, jax_pullback), *aux

    def jvp(self, f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(outs, tangents_out)`` or ``(outs, tangents_out, aux)``."""
        with _on_device_of(primals):
            outs, tangents_out, *aux = jax.jvp(f, tuple(primals), tuple(tangents), has_aux=has_aux)
            return outs, tuple(map(_tangent, tangents_out, outs)), *aux

    def value_and_grad(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(value, grads)`` or ``(value, grads, aux)`` of a function that returns one real scalar."""
        # `jax.value_and_grad` does the same in more time, most of it for checks that core has made.
        with _on_device_of(primals):
            (value,), jax_pullback, *aux = jax.vjp(f, *primals, has_aux=has_aux)
            grads = jax_pullback((np.ones((), value.dtype),))
            return value, tuple(map(_conj, grads)), *aux

    def linearize(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(outs, f_jvp)`` or ``(outs, f_jvp, aux)``; ``f`` runs once, ``f_jvp`` any number of times."""
        with _on_device_of(primals):
            outs, jax_jvp, *aux = jax.linearize(f, *primals, has_aux=has_aux)

        def f_jvp(tangents: Sequence[Any]) -> tuple[Any, ...]:
            with _on_device_of(primals):
                return tuple(map(_tangent, jax_jvp(*tangents), outs))

        return outs, f_jvp, *aux

    def jacfwd(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)``: one batched forward pass per primal."""
        outs, f_jvp, *aux = self.linearize(f, primals, has_aux=has_aux)
        with _on_device_of(primals):
            columns = [_columns(f_jvp, primals, outs, j) for j in range(len(primals))]
        return outs, tuple(zip(*columns, strict=True)), *aux

    def jacrev(self, f: Callable[..., Any], primals: Sequence[Any], *, has_aux: bool = False) -> Any:
        """Return ``(outs, jac)`` or ``(outs, jac, aux)``: one batched reverse pass per output."""
        outs, pullback, *aux = self.vjp(f, primals, has_aux=has_aux)
        with _on_device_of(primals):
            jac = tuple(_rows(pullback, primals, outs, i) for i in range(len(outs)))
        return outs, jac, *aux


def _sharded_like(tangent: Any, primal: Any) -> Any:
    """Return a tangent sharded as its primal over the axes of a mesh that are part of JAX's types."""
    sharding = getattr(jax.typeof(primal), "sharding", None)
    if sharding is None or all(axes is None for axes in sharding.spec):
        return tangent
    return jax.sharding.reshard(tangent, sharding)


def _columns(f_jvp: Any, primals: Sequence[Any], outs: Sequence[Any], j: int) -> tuple[Any, ...]:
    """Return the Jacobian of every output with respect to primal ``j``."""

    def push(tangent: Any) -> Any:
        tangent = _sharded_like(tangent, primals[j])
        return f_jvp([tangent if k == j else jnp.zeros_like(x) for k, x in enumerate(primals)])

    columns = jax.vmap(push, out_axes=-1)(_standard_basis(primals[j]))
    return tuple(c.reshape(out.shape + primals[j].shape) for c, out in zip(columns, outs, strict=True))


def _rows(pullback: Any, primals: Sequence[Any], outs: Sequence[Any], i: int) -> tuple[Any, ...]:
    """Return the Jacobian of output ``i`` with respect to every primal."""

    def pull(cotangent: Any) -> Any:
        return pullback([cotangent if k == i else jnp.zeros_like(out) for k, out in enumerate(outs)])

    rows = jax.vmap(pull)(_standard_basis(outs[i]))
    return tuple(r.reshape(outs[i].shape + x.shape) for r, x in zip(rows, primals, strict=True))


def _resolve_dtype(dtype: Any) -> Any:
    """Return a NumPy dtype for a name or a dtype of the namespace; one that JAX would narrow raises."""
    try:
        resolved = jnp.dtype(dtype)
    except TypeError:
        raise DTypeError(f"JAX has no dtype {dtype!r}") from None
    if resolved.name in _WIDE and not jax.config.jax_enable_x64:
        raise _narrowed(resolved.name)
    return resolved


def _check_narrowing(x: Any) -> None:
    """Raise where JAX would take an array of 64-bit numbers of another library for one of 32 bits and lose digits."""
    name = str(getattr(x, "dtype", "")).rpartition(".")[2]
    if name in _WIDE and not jax.config.jax_enable_x64:
        raise _narrowed(name)


def _narrowed(name: str) -> DTypeError:
    return DTypeError(
        f"{name} is not available while JAX runs with 32 bits: set JAX_ENABLE_X64=1 in the environment, "
        "call within `with jax.enable_x64(True):`, or ask for a dtype of 32 bits"
    )
