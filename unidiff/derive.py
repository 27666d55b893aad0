"""Every operation of a backend that can be had from another one, derived in one place.

A backend needs one of ``vjp`` and ``jvp``; `CompleteBackend` gives it the rest. What is native is used as it is; what is
missing is derived by the functions below, all of which see flat sequences of arrays, as a backend does. ``hide`` makes
`complete` pretend that an operation is missing, so that derivations are tested on backends that need none.

Jacobians are asked of a backend for real primals and real outputs only: core splits complex outputs into their parts, and
uses the derivations below for complex primals, whose blocks are pairs of derivatives by the real and the imaginary part.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from unidiff._typing import Array, Arrays, Device, DType, FlatFunction, Namespace, Pullback
from unidiff.backend import Backend, BackendInfo
from unidiff.errors import PluginError, UnsupportedOperationError

__all__ = ["CompleteBackend", "complete"]

_KINDS = ("real floating", "complex floating", "integral", "bool")


class CompleteBackend:
    """A backend with every operation, native or derived.

    Parameters
    ----------
    backend : Backend
        What a plugin provides.
    info : BackendInfo, optional
        What the plugin registered; the backend's own ``info`` by default.
    hide : frozenset of str
        Operations to derive although they are native.

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
        ``vmap(f, args, batched, size) -> outs``: `f` of each slice along the first axis of those arguments whose flag in
        `batched` is true, stacked along a first axis of that size.
    stop_gradient : callable
        ``stop_gradient(x) -> array``: the same values, a constant to every differentiation.
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
    optimizer_step: Callable[..., Any]
    namespace: Callable[..., Namespace]
    device: Callable[[Array], Device]
    to_device: Callable[[Array, Device], Array]
    devices: Callable[[], Any]
    asarray: Callable[..., Array]
    from_dlpack: Callable[..., Array]
    to_numpy: Callable[[Array], Any]

    def __init__(self, backend: Backend, info: BackendInfo | None = None, hide: frozenset[str] = frozenset()) -> None:
        self.info = backend.info if info is None else info
        self.name = self.info.name
        self.backend = backend
        for required in ("namespace", "device", "to_device", "devices", "asarray", "from_dlpack", "to_numpy"):
            if not callable(getattr(backend, required, None)):
                raise PluginError(f"The backend {self.name!r} has no method {required!r}; see unidiff.backend.Backend.")
            setattr(self, required, getattr(backend, required))
        natives = {op: getattr(backend, op) for op in _DERIVED if op not in hide and hasattr(backend, op)}
        if not {"vjp", "jvp"} & natives.keys():
            raise PluginError(f"The backend {self.name!r} has neither 'vjp' nor 'jvp'; one of them is required.")
        for op, derivation in _DERIVED.items():
            setattr(self, op, natives.get(op) or partial(derivation, self))
        self.native = frozenset(natives)
        self._kinds: dict[Any, str] = {}
        self._differentiable: dict[Any, bool] = {}
        self._real_dtypes: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"<unidiff backend {self.name!r}>"

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
            return self._differentiable[x.dtype]
        except KeyError:
            return self._differentiable.setdefault(x.dtype, self.kind(x.dtype).endswith("floating"))

    def is_real(self, x: Array) -> bool:
        """Say whether the dtype of an array is real floating."""
        return self.kind(x.dtype) == "real floating"

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


def complete(backend: Backend, info: BackendInfo | None = None, hide: frozenset[str] = frozenset()) -> CompleteBackend:
    """Return the backend with every missing operation derived.

    Parameters
    ----------
    backend : Backend or CompleteBackend
        The backend.
    info : BackendInfo, optional
        What the plugin registered; the backend's own ``info`` by default.
    hide : frozenset of str
        Operations to derive although they are native, such as ``frozenset({"jvp"})``.

    Returns
    -------
    CompleteBackend

    Raises
    ------
    unidiff.errors.PluginError
        If a required method is missing, or both of ``vjp`` and ``jvp`` are.
    """
    if isinstance(backend, CompleteBackend):
        backend, info = backend.backend, info or backend.info
    return CompleteBackend(backend, info, hide)


def size(x: Array) -> int:
    """Return the number of elements of an array from its shape, which is known also where ``x.size`` is not."""
    count = 1
    for n in x.shape:
        count *= n
    return count


def derived(operation: str) -> Callable[..., Any]:
    """Return the derivation of an operation, as a function of a `CompleteBackend` and the operation's arguments."""
    return _DERIVED[operation]


def inner(backend: CompleteBackend, x: Array, y: Array) -> Array:
    """Return the real inner product Re <x, y> of two arrays of one shape, as a 0-d array."""
    xp = backend.namespace(x, y)
    return xp.sum(xp.real(xp.conj(x) * y) if backend.is_complex(x) else x * y)


def basis(backend: CompleteBackend, x: Array) -> Iterator[Array]:
    """Yield the unit arrays of the shape of `x`; for a complex `x` each along 1 and then along i."""
    xp, device = backend.namespace(), backend.device(x)
    index = xp.arange(size(x), device=device)
    for k in range(size(x)):
        unit = xp.reshape(xp.astype(index == k, x.dtype), x.shape)
        yield unit
        if backend.is_complex(x):
            yield 1j * unit


def from_parts(backend: CompleteBackend, parts: list[Array], like: Array) -> Array:
    """Return the array of the shape and dtype of `like` whose coordinates in `basis` are these 0-d arrays."""
    if not parts:
        return backend.zeros_like(like)
    xp = backend.namespace(*parts)
    flat = xp.astype(xp.stack(parts), like.dtype, copy=False)
    if backend.is_complex(like):
        flat = flat[0::2] + 1j * flat[1::2]
    return xp.reshape(flat, like.shape)


def _vjp(b: CompleteBackend, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
    """One forward pass for each (real) input when the pullback is called: the adjoint, coordinate by coordinate."""
    if "linearize" in b.native:
        outs, push, *aux = b.linearize(f, primals, has_aux=has_aux)
    else:
        outs, _, *aux = b.jvp(f, primals, tuple(b.zeros_like(x) for x in primals), has_aux=has_aux)
        push = partial(_push_forward, b, f, primals, has_aux)

    def pullback(cotangents: Arrays) -> Arrays:
        grads = []
        for j, x in enumerate(primals):
            parts = []
            for unit in basis(b, x):
                tangents = push(tuple(unit if i == j else b.zeros_like(p) for i, p in enumerate(primals)))
                parts.append(_inner_all(b, cotangents, tangents, x))
            grads.append(from_parts(b, parts, x))
        return tuple(grads)

    return outs, pullback, *aux


def _push_forward(b: CompleteBackend, f: FlatFunction, primals: Arrays, has_aux: bool, tangents: Arrays) -> Arrays:
    pushed: Arrays = b.jvp(f, primals, tuple(tangents), has_aux=has_aux)[1]
    return pushed


def _inner_all(b: CompleteBackend, xs: Arrays, ys: Arrays, like: Array) -> Array:
    """Return the sum of the inner products of two sequences of arrays in the real dtype that goes with `like`."""
    dtype = b.real_dtype(like.dtype)
    total = b.namespace().zeros((), dtype=dtype, device=b.device(like))
    for x, y in zip(xs, ys, strict=True):
        product = inner(b, x, y)
        total = total + b.namespace(product).astype(product, dtype, copy=False)
    return total


def _transpose(b: CompleteBackend, outs: Arrays, pullback: Pullback) -> Callable[[Arrays], Arrays]:
    """Return the pushforward that belongs to a pullback.

    The pullback is linear in its cotangents, so its own pullback, at any cotangents, is the pushforward. Where derivatives do
    not nest, each output coordinate costs a call of the pullback.
    """
    if b.nests():
        zeros = tuple(b.zeros_like(out) for out in outs)
        push: Callable[[Arrays], Arrays] = b.vjp(lambda *cotangents: tuple(pullback(cotangents)), zeros)[1]
        return push

    def push_by_basis(tangents: Arrays) -> Arrays:
        pushed = []
        for i, out in enumerate(outs):
            parts = []
            for unit in basis(b, out):
                row = pullback(tuple(unit if k == i else b.zeros_like(o) for k, o in enumerate(outs)))
                parts.append(_inner_all(b, row, tangents, out))
            pushed.append(from_parts(b, parts, out))
        return tuple(pushed)

    return push_by_basis


def _jvp(b: CompleteBackend, f: FlatFunction, primals: Arrays, tangents: Arrays, *, has_aux: bool = False) -> Any:
    outs, pullback, *aux = b.vjp(f, primals, has_aux=has_aux)
    return outs, tuple(_transpose(b, outs, pullback)(tuple(tangents))), *aux


def _value_and_grad(b: CompleteBackend, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
    (value,), pullback, *aux = b.vjp(f, primals, has_aux=has_aux)
    return value, tuple(pullback((b.ones_like(value),))), *aux


def _linearize(b: CompleteBackend, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
    """With reverse mode one evaluation for good; with forward mode alone `f` is evaluated again for each tangent."""
    if "vjp" in b.native and ("jvp" not in b.native or b.nests()):
        outs, pullback, *aux = b.vjp(f, primals, has_aux=has_aux)
        return outs, _transpose(b, outs, pullback), *aux
    outs, _, *aux = b.jvp(f, primals, tuple(b.zeros_like(x) for x in primals), has_aux=has_aux)
    return outs, partial(_push_forward, b, f, primals, has_aux), *aux


def _jacfwd(b: CompleteBackend, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
    """One forward pass for each input, batched where the backend can; where only reverse mode is native, its Jacobian."""
    if "jvp" not in b.native:
        return _jacrev(b, f, primals, has_aux=has_aux)
    outs, push, *aux = b.linearize(f, primals, has_aux=has_aux)
    columns = []
    for j, x in enumerate(primals):
        column = []
        for out, pushed in zip(outs, _on_basis(b, push, primals, outs, j), strict=True):
            units = b.namespace(pushed).moveaxis(pushed, 0, -1)
            split = (units[..., 0::2], units[..., 1::2]) if b.is_complex(x) else (units,)
            blocks = tuple(_block(b, part, out, x) for part in split)
            column.append(blocks if b.is_complex(x) else blocks[0])
        columns.append(column)
    return outs, tuple(zip(*columns, strict=True)), *aux


def _jacrev(b: CompleteBackend, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
    """One backward pass for each output, batched where the backend can; where only forward mode is native, its Jacobian."""
    if "vjp" not in b.native:
        return _jacfwd(b, f, primals, has_aux=has_aux)
    outs, pullback, *aux = b.vjp(f, primals, has_aux=has_aux)
    jac = []
    for i, out in enumerate(outs):
        rows = [_block(b, pulled, out, x) for pulled, x in zip(_on_basis(b, pullback, outs, primals, i), primals, strict=True)]
        jac.append(tuple(_parts(b, row) if b.is_complex(row) else row for row in rows))
    return outs, tuple(jac), *aux


def _on_basis(b: CompleteBackend, linear: Callable[[Arrays], Arrays], inputs: Arrays, outs: Arrays, k: int) -> Arrays:
    """Apply a linear function to each unit array in place of its k-th input and zero elsewhere; stack along the first axis."""
    zeros = [b.zeros_like(x) for x in inputs]
    xp, device = b.namespace(), b.device(inputs[k])
    n = size(inputs[k])
    if n == 0:
        return tuple(xp.zeros((0, *out.shape), dtype=out.dtype, device=b.device(out)) for out in outs)

    def at(unit: Array) -> Arrays:
        return tuple(linear((*zeros[:k], unit, *zeros[k + 1 :])))

    if "vmap" not in b.native:
        results = [at(unit) for unit in basis(b, inputs[k])]
        return tuple(b.namespace(*row).stack(row) for row in zip(*results, strict=True))
    units = xp.eye(n, dtype=inputs[k].dtype, device=device)
    if b.is_complex(inputs[k]):
        units, n = xp.stack([units, 1j * units], axis=1), 2 * n
    mapped: Arrays = b.vmap(at, (xp.reshape(units, (n, *inputs[k].shape)),), (True,), n)
    return mapped


def _block(b: CompleteBackend, stacked: Array, out: Array, x: Array) -> Array:
    return b.namespace(stacked).reshape(stacked, tuple(out.shape) + tuple(x.shape))


def _parts(b: CompleteBackend, x: Array) -> tuple[Array, Array]:
    xp = b.namespace(x)
    return xp.real(x), xp.imag(x)


def _missing(operation: str, alternative: str) -> Callable[..., Any]:
    def raise_unsupported(b: CompleteBackend, *_args: Any, **_kwargs: Any) -> Any:
        raise UnsupportedOperationError(
            f"The backend {b.name!r} has no {operation!r}, and it cannot be derived from its other operations. {alternative}"
        )

    return raise_unsupported


_DERIVED: dict[str, Callable[..., Any]] = {
    "vjp": _vjp,
    "jvp": _jvp,
    "value_and_grad": _value_and_grad,
    "linearize": _linearize,
    "jacfwd": _jacfwd,
    "jacrev": _jacrev,
    "stop_gradient": _missing("stop_gradient", "Compute the constant outside the function, or return it with has_aux=True."),
    "vmap": _missing("vmap", "Write the batch as a leading axis of the arrays, or map over it with a Python loop."),
    "jit": _missing("jit", "Call the function as it is: it runs eagerly."),
    "checkpoint": _missing("checkpoint", "Call the function as it is: it keeps its intermediate results in memory."),
    "custom_jvp": _missing("custom_jvp", "Write the function in operations of the array API standard."),
    "custom_vjp": _missing("custom_vjp", "Write the function in operations of the array API standard."),
    "optimizer_step": _missing("optimizer_step", "Use the optimizers of unidiff, which need no native step."),
}
"""Each operation and how it is had where the backend lacks it, as a function of the backend and the operation's arguments."""
