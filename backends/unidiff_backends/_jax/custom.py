"""Functions with derivatives of the user's own, in both modes.

JAX takes a rule for one mode: `jax.custom_vjp` refuses forward mode. Here every rule becomes one of `jax.custom_jvp`. That of a
reverse rule gives tangents by the primitive below, whose transpose is the user's own cotangent map, and whose value, needed
in forward mode only, is the transpose of that map.

Rules are written in unidiff's complex convention; JAX pairs cotangents without conjugation, so they are conjugated on the way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from unidiff.errors import CLOSED_OVER, LeakedTracerError, TracedConversionError
from unidiff_backends._jax.linearity import require_linear, require_linear_for_reverse

Partial = Sequence[Any]
"""Tangents or cotangents; None is zero, and stands for all arrays that are not floating."""


def _is_floating(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.inexact))


def shown(x: Any) -> Any:
    """Return an array as a rule is to see it: JAX hands constants and cotangents on as NumPy's here and there."""
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


def _conj(x: Any) -> Any:
    return jnp.conj(x) if jnp.iscomplexobj(x) else shown(x)


def _with_zeros(given: Partial, like: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(jnp.zeros(x.shape, x.dtype) if t is None else t for t, x in zip(given, like, strict=True))


def _closure_refused(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    try:
        return f(*args)
    except jax.errors.UnexpectedTracerError as error:
        raise LeakedTracerError(CLOSED_OVER) from error
    except Exception as error:
        if "with respect to a closed-over value" in str(error):
            raise LeakedTracerError(CLOSED_OVER) from error
        raise


def custom_jvp(f: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a forward rule ``rule(primals, tangents) -> (outs, tangents_out)`` of its own."""
    return _custom_jvp(f, rule, f"The tangent map of {f.__name__}")


def _custom_jvp(f: Callable[..., Any], rule: Callable[..., Any], what: str | None) -> Callable[..., Any]:
    """Return the function with a forward rule, which must be linear for reverse mode where it has a name."""
    wrapped: Any = jax.custom_jvp(lambda *primals: tuple(f(*primals)))

    def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        floating = [_is_floating(x) for x in primals]
        given = tuple(shown(t) if yes else None for t, yes in zip(tangents, floating, strict=True))
        outs, pushed = rule(tuple(map(shown, primals)), given)
        native = tuple(map(_native_tangent, pushed, outs))
        carried = [k for k, y in enumerate(outs) if _is_floating(y)]
        found_linear: list[bool] = getattr(f, "found_linear", list)()
        if what is None or found_linear or not carried:
            return tuple(outs), native

        def tangent_map(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
            found = iter(tangents)
            outs, pushed = rule(tuple(primals), tuple(next(found) if yes else None for yes in floating))
            return tuple(_native_tangent(pushed[k], outs[k]) for k in carried)

        moving = tuple(t for t, yes in zip(given, floating, strict=True) if yes)
        checked = require_linear_for_reverse(tangent_map, primals, moving, [native[k] for k in carried], what, found_linear)
        for k, t in zip(carried, checked, strict=True):
            native = (*native[:k], t, *native[k + 1 :])
        return tuple(outs), native

    wrapped.defjvp(jvp)
    return lambda *args: tuple(_closure_refused(wrapped, args))


def _native_tangent(tangent: Any, out: Any) -> Any:
    if _is_floating(out):
        return jnp.zeros(out.shape, out.dtype) if tangent is None else tangent
    return np.zeros(out.shape, jax.dtypes.float0)


def custom_vjp(
    f: Callable[..., Any], forward: Callable[..., Any], backward: Callable[..., Any], push: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Return the function with a reverse rule of its own; `push` is a forward rule beside it."""

    def rule(primals: tuple[Any, ...], tangents: Partial) -> tuple[Any, Any]:
        outs, residuals = forward(*primals)
        floating = [i for i, t in enumerate(tangents) if t is not None]
        carried = [i for i, y in enumerate(outs) if _is_floating(y)]
        kept = [k for k, r in enumerate(residuals) if isinstance(r, jax.Array)]

        def pull(arrays: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Any, ...]:
            given = list(residuals)
            for k, r in zip(kept, arrays, strict=False):
                given[k] = shown(r)
            full: list[Any] = [None] * len(outs)
            for i, ct in zip(carried, cotangents, strict=True):
                full[i] = _conj(ct)
            pulled = backward(tuple(given), tuple(full))
            return tuple(map(_conj, _with_zeros([pulled[i] for i in floating], [primals[i] for i in floating])))

        def transposed(arrays: Sequence[Any], given: Sequence[Any]) -> tuple[Any, ...]:
            zeros = tuple(jnp.zeros(outs[i].shape, outs[i].dtype) for i in carried)
            require_linear(pull, arrays, zeros, f"The cotangent map of {f.__name__}")
            return tuple(jax.vjp(lambda *cts: pull(arrays, cts), *zeros)[1](tuple(given)))

        def pushed(arrays: Sequence[Any], given: Sequence[Any]) -> tuple[Any, ...]:
            full: list[Any] = [None] * len(primals)
            for i, t in zip(floating, given, strict=True):
                full[i] = shown(t)
            found = push(tuple(arrays[len(kept) :]), tuple(full))[1]  # type: ignore[misc]  # called where there is one
            return _with_zeros([found[i] for i in carried], [outs[i] for i in carried])

        operands = [residuals[k] for k in kept] + (list(primals) if push is not None else [])
        tangents_out: list[Any] = [None] * len(outs)
        if carried:
            results = _linear_p.bind(
                *operands,
                *[tangents[i] for i in floating],
                count=len(operands),
                push=transposed if push is None else pushed,
                pull=pull,
                outs=tuple(jax.ShapeDtypeStruct(outs[i].shape, outs[i].dtype) for i in carried),
            )
            for i, t in zip(carried, results, strict=True):
                tangents_out[i] = t
        return outs, tangents_out

    return _custom_jvp(f, rule, None)


# ``push(residuals, tangents)``, a linear function of the tangents, with ``pull(residuals, cotangents)`` as its transpose.
_linear_p = Primitive("linear_by_rule")
_linear_p.multiple_results = True


def linear(push: Callable[[Any], Any], pull: Callable[[Any], Any], x: Any) -> Any:
    """Return ``push(x)``, a linear function that keeps shape and dtype, with `pull` as its transpose.

    Neither is differentiated: each is the tangent map of itself and the transpose of the other one.
    """
    results = _linear_p.bind(
        x,
        count=0,
        push=lambda _, given: (push(given[0]),),
        pull=lambda _, given: (linear(pull, push, given[0]),),
        outs=(jax.ShapeDtypeStruct(x.shape, x.dtype),),
    )
    return results[0]


def _evaluate(*operands: Any, count: int, push: Any, pull: Any, outs: Any) -> list[Any]:
    return list(push(operands[:count], operands[count:]))


def _abstract(*_operands: Any, count: int, push: Any, pull: Any, outs: Any) -> list[Any]:
    return [jax.core.ShapedArray(y.shape, y.dtype) for y in outs]


def _jvp(primals: Any, tangents: Any, *, count: int, push: Any, pull: Any, outs: Any) -> Any:
    bind = partial(_linear_p.bind, count=count, push=push, pull=pull, outs=outs)
    values = bind(*primals)
    full = [_instantiated(t, x) for t, x in zip(tangents, primals, strict=True)]
    results = bind(*primals[:count], *full[count:])
    if any(type(t) is not ad.Zero for t in tangents[:count]):

        def at(*residuals: Any) -> tuple[Any, ...]:
            return tuple(push(residuals, primals[count:]))

        moved = jax.jvp(at, tuple(primals[:count]), tuple(full[:count]))[1]
        results = [x + y for x, y in zip(results, moved, strict=True)]
    return values, list(results)


def _instantiated(t: Any, x: Any) -> Any:
    if type(t) is not ad.Zero:
        return t
    return jnp.zeros(x.shape, x.dtype) if _is_floating(x) else np.zeros(x.shape, jax.dtypes.float0)


def _transpose(cotangents: Any, *operands: Any, count: int, push: Any, pull: Any, outs: Any) -> list[Any]:
    if all(type(ct) is ad.Zero for ct in cotangents):
        return [None] * len(operands)
    full = [jnp.zeros(y.shape, y.dtype) if type(ct) is ad.Zero else ct for ct, y in zip(cotangents, outs, strict=True)]
    return [None] * count + list(pull(operands[:count], full))


def _batch(axis: Any, operands: Any, dims: Any, *, count: int, push: Any, pull: Any, outs: Any) -> Any:
    size = axis.size
    residuals = [x if d is None else jnp.moveaxis(x, d, 0) for x, d in zip(operands, dims, strict=True)][:count]
    axes = [None if d is None else 0 for d in dims[:count]]
    tangents = [
        jnp.broadcast_to(x, (size, *x.shape)) if d is None else jnp.moveaxis(x, d, 0)
        for x, d in zip(operands[count:], dims[count:], strict=True)
    ]

    def mapped(linear: Any) -> Any:
        def over(arrays: Sequence[Any], given: Sequence[Any]) -> Any:
            if not arrays:
                return jax.vmap(lambda ts: linear((), ts))(tuple(given))
            return jax.vmap(linear, (tuple(axes[: len(arrays)]), 0))(tuple(arrays), tuple(given))

        return over

    stacked = tuple(jax.ShapeDtypeStruct((size, *y.shape), y.dtype) for y in outs)
    results = _linear_p.bind(*residuals, *tangents, count=count, push=mapped(push), pull=mapped(pull), outs=stacked)
    return results, [0] * len(results)


_linear_p.def_impl(_evaluate)
_linear_p.def_abstract_eval(_abstract)
ad.primitive_jvps[_linear_p] = _jvp
ad.primitive_transposes[_linear_p] = _transpose
batching.fancy_primitive_batchers[_linear_p] = _batch
mlir.register_lowering(_linear_p, mlir.lower_fun(_evaluate, multiple_results=True))


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function such that reverse mode computes its intermediate results again."""
    wrapped = jax.checkpoint(lambda *arrays: tuple(f(*arrays)))

    def call(*args: Any) -> Any:
        try:
            return wrapped(*args)
        except _NEEDS_VALUES as error:
            raise TracedConversionError(_NO_VALUES) from error

    return call


_NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
_NO_VALUES = (
    "JAX records a function under unidiff.checkpoint without values, so Python cannot branch on an array in it, nor take it "
    "for a number. Use unidiff.cond, unidiff.while_loop or xp.where(condition, a, b)."
)
