"""First derivatives and Jacobians that can be had from the other mode, or from forward or reverse mode alone.

Jacobians are asked of a backend for real primals and real outputs only: core splits complex outputs into their parts, and
uses the derivations here for complex primals, whose blocks are pairs of derivatives by the real and the imaginary part.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from unidiff._typing import Array, Arrays, FlatFunction, Pullback
from unidiff.derive.complete import CompleteBackend
from unidiff.derive.coordinates import basis, from_parts, inner_all, on_basis


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
                parts.append(inner_all(b, cotangents, tangents, x))
            grads.append(from_parts(b, parts, x))
        return tuple(grads)

    return outs, pullback, *aux


def _push_forward(b: CompleteBackend, f: FlatFunction, primals: Arrays, has_aux: bool, tangents: Arrays) -> Arrays:
    pushed: Arrays = b.jvp(f, primals, tuple(tangents), has_aux=has_aux)[1]
    return pushed


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
                parts.append(inner_all(b, row, tangents, out))
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
        for out, pushed in zip(outs, on_basis(b, push, primals, outs, j), strict=True):
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
        rows = [_block(b, pulled, out, x) for pulled, x in zip(on_basis(b, pullback, outs, primals, i), primals, strict=True)]
        jac.append(tuple(_parts(b, row) if b.is_complex(row) else row for row in rows))
    return outs, tuple(jac), *aux


def _block(b: CompleteBackend, stacked: Array, out: Array, x: Array) -> Array:
    return b.namespace(stacked).reshape(stacked, tuple(out.shape) + tuple(x.shape))


def _parts(b: CompleteBackend, x: Array) -> tuple[Array, Array]:
    xp = b.namespace(x)
    return xp.real(x), xp.imag(x)


FIRST_ORDER: dict[str, Callable[..., Any]] = {
    "vjp": _vjp,
    "jvp": _jvp,
    "value_and_grad": _value_and_grad,
    "linearize": _linearize,
    "jacfwd": _jacfwd,
    "jacrev": _jacrev,
}
