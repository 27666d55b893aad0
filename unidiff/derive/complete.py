"""A backend with every operation, native or derived: what core works with."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from unidiff._typing import Array, Device, DType, Namespace
from unidiff.backend import Backend, BackendInfo
from unidiff.errors import PluginError

_KINDS = ("real floating", "complex floating", "integral", "bool")


class CompleteBackend:
    """A backend with every operation, native or derived.

    Parameters
    ----------
    backend : Backend
        What a plugin provides.
    info : BackendInfo or None
        What the plugin registered; the backend's own ``info`` for None.
    hide : frozenset of str
        Operations to derive although they are native.
    derivations : mapping
        Each operation and how it is had where the backend lacks it, as a function of the backend and the operation's arguments.

    Attributes
    ----------
    vjp : callable
        ``vjp(f, primals, *, has_aux=False) -> (outs, pullback[, aux])``.
    jvp : callable
        ``jvp(f, primals, tangents, *, has_aux=False) -> (outs, tangents_out[, aux])``.
    value_and_grad : callable
        ``value_and_grad(f, primals, *, has_aux=False) -> (value, grads[, aux])``; `f` returns a 1-tuple with a real 0-d array.
    linearize : callable
        ``linearize(f, primals, *, has_aux=False) -> (outs, f_jvp[, aux])`` with ``f_jvp(tangents) -> tangents_out``.
    jacfwd, jacrev : callable
        ``jacfwd(f, primals, *, has_aux=False) -> (outs, jac[, aux])`` with ``jac[i][j]`` of the shape of output i followed by
        that of primal j; primals and outputs are real.
    vmap : callable
        ``vmap(f, args, batched, size, *, has_aux=False) -> outs[, aux]``: `f` of each slice along the first axis of those
        arguments whose flag in `batched` is true, stacked along a first axis of that size. Auxiliary outputs are returned as
        they are, None in the place of one that differs between slices.
    cond, while_loop, scan : callable
        ``cond(predicate, if_true, if_false, operands) -> outs``, ``while_loop(condition, body, init) -> outs`` and
        ``scan(f, init, xs, length, reverse) -> (carry, ys)`` with ``f(carry, slices) -> (carry, ys)``.
    jit : callable
        ``jit(f, *, has_aux=False, compiler=None) -> g``: the same function, compiled once for each kind of arrays.
    checkpoint : callable
        ``checkpoint(f) -> g``: the same function, of which a recording keeps the arguments and computes the rest again.
    custom_jvp : callable
        ``custom_jvp(f, rule) -> g`` with ``rule(primals, tangents) -> (outs, tangents_out)`` for its derivative.
    custom_vjp : callable
        ``custom_vjp(f, forward, backward) -> g`` with ``forward(*primals) -> (outs, residuals)`` and
        ``backward(residuals, cotangents)``, which returns a cotangent for each primal.
    host_callback : callable
        ``host_callback(f, like, args) -> outs``: `f` of plain arrays from within a traced or compiled function; ``like()``
        tells what it returns.
    optimizer_step : callable
        ``optimizer_step(method, params, grads, slots, scalars, *, donate) -> (params, slots)``, or NotImplemented.
    stop_gradient : callable
        ``stop_gradient(x) -> array``: the same values, a constant to every differentiation.
    taylor : callable
        ``taylor(f, primals, tangents, order, *, has_aux=False) -> coefficients[, aux]``: for each power of t up to `order`
        the tuple of the outputs' coefficients in ``f(primals + t * tangents)``.
    dependence : callable
        ``dependence(f, primals) -> indicators``: for each output an array of numbers that are not negative, stacked along a
        first axis that counts the elements of all primals: positive where the output may depend on that element, whatever the
        values are, as long as Python takes the same branches.
    with_rules : callable
        ``with_rules(f, push, pull) -> g``: `f` with both derivative rules, ``push(tangents, primals, outs)`` and
        ``pull(cotangents, primals, outs)``, which are differentiated again. Where pushforwards are transposed to pullbacks,
        `pull` need not be used.
    linear_solve : callable
        ``linear_solve(matvec, constants, rhs, solve, preconditioner=None) -> x``: the solution of ``matvec(constants, x) ==
        rhs``, real arrays of shape (n,), differentiable in constants and rhs. ``solve(apply, rhs)`` finds it for a linear
        function ``apply``, which is `matvec` at the constants or its transpose; with a preconditioner, such a function
        itself, ``solve(apply, rhs, precondition)`` does.
    closure_convert : callable
        ``closure_convert(f, args) -> (g, arrays) or None``: `f`, a flat function that is linear, with what it holds of arrays
        that a transform works on as its first arguments: ``g(*arrays, *args)`` is ``f(*args)``. None where no transform works
        on any of them, or where a backend cannot tell.
    uncompiled : callable
        ``uncompiled() -> context manager``: within it, the library compiles as little as it can.
    native : frozenset of str
        The operations that are the backend's own.
    """

    vjp: Callable[..., Any]
    jvp: Callable[..., Any]
    value_and_grad: Callable[..., Any]
    linearize: Callable[..., Any]
    jacfwd: Callable[..., Any]
    jacrev: Callable[..., Any]
    stop_gradient: Callable[..., Any]
    vmap: Callable[..., Any]
    jit: Callable[..., Any]
    checkpoint: Callable[..., Any]
    custom_jvp: Callable[..., Any]
    custom_vjp: Callable[..., Any]
    host_callback: Callable[..., Any]
    cond: Callable[..., Any]
    while_loop: Callable[..., Any]
    scan: Callable[..., Any]
    taylor: Callable[..., Any]
    dependence: Callable[..., Any]
    with_rules: Callable[..., Any]
    linear_solve: Callable[..., Any]
    optimizer_step: Callable[..., Any]
    namespace: Callable[..., Namespace]
    device: Callable[[Array], Device]
    to_device: Callable[[Array, Device], Array]
    devices: Callable[[], Any]
    asarray: Callable[..., Array]
    from_dlpack: Callable[..., Array]
    to_numpy: Callable[[Array], Any]

    def __init__(
        self, backend: Backend, info: BackendInfo | None, hide: frozenset[str], derivations: Mapping[str, Callable[..., Any]]
    ) -> None:
        self.info = backend.info if info is None else info
        self.name = self.info.name
        self.backend = backend
        for required in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
            if not callable(getattr(backend, required, None)):
                raise PluginError(f"The backend {self.name!r} has no method {required!r}; see unidiff.backend.Backend.")
            setattr(self, required, getattr(backend, required))
        natives = {op: getattr(backend, op) for op in derivations if op not in hide and hasattr(backend, op)}
        if not {"vjp", "jvp"} & natives.keys():
            raise PluginError(f"The backend {self.name!r} has neither 'vjp' nor 'jvp'; one of them is required.")
        for op, derivation in derivations.items():
            setattr(self, op, natives.get(op) or partial(derivation, self))
        self.native = frozenset(natives)
        self.jit_watches: bool = "jit" in natives and getattr(backend, "jit_watches", False)
        self.uncompiled: Callable[[], AbstractContextManager[Any]] = getattr(backend, "uncompiled", nullcontext)
        self.closure_convert: Callable[..., Any] = getattr(backend, "closure_convert", lambda _f, _args: None)
        self.hides_transforms: Callable[[], bool] = getattr(backend, "hides_transforms", lambda: False)
        self._derivations = derivations
        self._kinds: dict[Any, str] = {}
        self.differentiable: dict[Any, bool] = {}
        self._real: dict[Any, bool] = {}
        self._real_dtypes: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"<unidiff backend {self.name!r}>"

    def hiding(self, operations: frozenset[str]) -> "CompleteBackend":
        """Return the same backend with some of its operations derived although they are native."""
        return CompleteBackend(self.backend, self.info, operations, self._derivations)

    def kind(self, dtype: DType) -> str:
        """Return "real floating", "complex floating", "integral", "bool" or "other" for a dtype of this backend."""
        try:
            return self._kinds[dtype]
        except KeyError:
            isdtype = self.namespace().isdtype
            try:
                kind = next((kind for kind in _KINDS if isdtype(dtype, kind)), "other")
            except TypeError:  # a dtype of its own kind that the standard's function cannot judge, such as JAX's random keys
                kind = "other"
            return self._kinds.setdefault(dtype, kind)

    def is_differentiable(self, x: Array) -> bool:
        """Say whether the dtype of an array is real or complex floating."""
        try:
            return self.differentiable[x.dtype]
        except KeyError:
            return self.differentiable.setdefault(x.dtype, self.kind(x.dtype).endswith("floating"))

    def is_real(self, x: Array) -> bool:
        """Say whether the dtype of an array is real floating."""
        try:
            return self._real[x.dtype]
        except KeyError:
            return self._real.setdefault(x.dtype, self.kind(x.dtype) == "real floating")

    def is_complex(self, x: Array) -> bool:
        """Say whether the dtype of an array is complex."""
        return self.kind(x.dtype) == "complex floating"

    def real_dtype(self, dtype: DType) -> DType:
        """Return the real dtype of the precision of a floating dtype."""
        try:
            return self._real_dtypes[dtype]
        except KeyError:
            xp = self.namespace()
            real = xp.real(xp.zeros((), dtype=dtype)).dtype if self.kind(dtype) == "complex floating" else dtype
            return self._real_dtypes.setdefault(dtype, real)

    def zeros_like(self, x: Array) -> Array:
        """Return zeros with the shape, dtype and device of `x`, free of any tracing."""
        return self.namespace().zeros(x.shape, dtype=x.dtype, device=self.device(x))

    def ones_like(self, x: Array) -> Array:
        """Return ones with the shape, dtype and device of `x`, free of any tracing."""
        return self.namespace().ones(x.shape, dtype=x.dtype, device=self.device(x))

    def copy(self, x: Array) -> Array:
        """Return a differentiable copy of `x` with memory of its own."""
        return self.namespace(x).astype(x, x.dtype, copy=True)

    def nests(self) -> bool:
        """Say whether a derivative of a derivative may be taken."""
        order = self.info.capabilities.max_order
        return order is None or order > 1
