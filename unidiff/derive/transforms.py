"""Program transforms of a backend that can be had from its other operations."""

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.derive.complete import CompleteBackend
from unidiff.errors import ArgumentError, UnsupportedOperationError


def _missing(operation: str, alternative: str) -> Callable[..., Any]:
    """Return the derivation of what cannot be derived: it raises and says what to use instead."""

    def raise_unsupported(b: CompleteBackend, *_args: Any, **_kwargs: Any) -> Any:
        raise UnsupportedOperationError(
            f"The backend {b.name!r} has no {operation!r}, and it cannot be derived from its other operations. {alternative}"
        )

    return raise_unsupported


def _vmap(
    b: CompleteBackend, f: Callable[..., Any], args: Arrays, batched: Sequence[bool], size: int, *, has_aux: bool = False
) -> Any:
    """Loop over the slices; what is not to be stacked must have one value in all of them."""
    if not size:  # there is no slice to learn the shapes of results from, so one of ones stands in and is cut off again
        ones = [_ones_slice(b, x) if flag else x for x, flag in zip(args, batched, strict=True)]
        outs, aux = _mapped(b, f, [ones], has_aux)
        outs = tuple(y[:0, ...] for y in outs)
    else:
        outs, aux = _mapped(
            b, f, [[x[k, ...] if flag else x for x, flag in zip(args, batched, strict=True)] for k in range(size)], has_aux
        )
    return (outs, aux) if has_aux else outs


def _ones_slice(b: CompleteBackend, x: Array) -> Array:
    return b.namespace().ones(x.shape[1:], dtype=x.dtype, device=b.device(x))


def _mapped(b: CompleteBackend, f: Callable[..., Any], slices: Sequence[Any], has_aux: bool) -> tuple[Arrays, Arrays]:
    results = [f(*arrays) for arrays in slices]
    outs, aux = zip(*results, strict=True) if has_aux else (results, [()] * len(results))
    stacked = tuple(b.namespace(*column).stack(list(column)) for column in zip(*outs, strict=True))
    return stacked, tuple(_common(b, column) for column in zip(*aux, strict=True))


def _common(b: CompleteBackend, column: Arrays) -> Array | None:
    """Return the array that all slices have in common, None where they differ."""
    first, *others = column
    xp = b.namespace(*column)
    same = (bool(xp.all((x == first) | (xp.isnan(x) & xp.isnan(first)))) for x in others if x is not first)
    return first if all(same) else None


def _cond(
    _b: CompleteBackend,
    predicate: Array,
    if_true: Callable[..., Arrays],
    if_false: Callable[..., Arrays],
    operands: Arrays,
) -> Arrays:
    """Branch in Python, for libraries that run eagerly."""
    return (if_true if bool(predicate) else if_false)(*operands)


def _while_loop(_b: CompleteBackend, condition: Callable[..., Array], body: Callable[..., Arrays], init: Arrays) -> Arrays:
    """Loop in Python, for libraries that run eagerly."""
    values = init
    while bool(condition(*values)):
        values = body(*values)
    return values


def _scan(
    b: CompleteBackend, f: Callable[..., tuple[Arrays, Arrays]], init: Arrays, xs: Arrays, length: int, reverse: bool
) -> tuple[Arrays, Arrays]:
    """Loop in Python over the slices; without one, a slice of ones tells what the stacked results look like."""
    if not length:
        _, ys = f(init, tuple(_ones_slice(b, x) for x in xs))
        zeros = b.namespace().zeros
        return init, tuple(zeros((0, *y.shape), dtype=y.dtype, device=b.device(y)) for y in ys)
    carry, rows = init, []
    for k in range(length):
        carry, ys = f(carry, tuple(x[length - 1 - k if reverse else k, ...] for x in xs))
        rows.append(ys)
    if reverse:
        rows.reverse()
    return carry, tuple(b.namespace(*column).stack(list(column)) for column in zip(*rows, strict=True))


def _jit(
    b: CompleteBackend,
    f: Callable[..., Any],
    *,
    has_aux: bool = False,  # noqa: ARG001  # part of the contract
    compiler: str | None = None,  # likewise
) -> Callable[..., Any]:
    """Return the function as it is: compiling changes what a call costs, not what it returns."""
    if compiler is not None:
        raise ArgumentError(f"The backend {b.name!r} compiles nothing; leave compiler={compiler!r} out.")
    return f


def _checkpoint(_b: CompleteBackend, f: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """Leave the function as it is: what it records, if anything, is kept."""
    return f


def _custom_jvp(b: CompleteBackend, f: Callable[..., Arrays], rule: Callable[..., Any]) -> Callable[..., Arrays]:
    """Make a reverse rule of a forward rule: the pullback of its tangents."""
    if "custom_vjp" not in b.native:
        _missing("custom_jvp", _NO_RULES)(b)

    def forward(*primals: Array) -> tuple[Arrays, Arrays]:
        return f(*primals), primals

    def backward(primals: Arrays, cotangents: Sequence[Array | None]) -> Sequence[Array | None]:
        return _transposed(b, lambda tangents: rule(primals, tangents)[1], primals, cotangents)

    return b.custom_vjp(f, forward, backward, rule)  # type: ignore[no-any-return]  # backends are duck-typed


def _custom_vjp(
    b: CompleteBackend, f: Callable[..., Arrays], forward: Callable[..., Any], backward: Callable[..., Any], push: Any = None
) -> Callable[..., Arrays]:
    """Make a forward rule of a reverse rule: the pullback of its cotangents; reverse mode differentiates that in turn."""
    if "custom_jvp" not in b.native:
        _missing("custom_vjp", _NO_RULES)(b)

    def rule(primals: Arrays, tangents: Sequence[Array | None]) -> tuple[Arrays, Sequence[Array | None]]:
        outs, residuals = forward(*primals)
        return outs, _transposed(b, lambda cotangents: backward(residuals, cotangents), outs, tangents)

    return b.custom_jvp(f, rule if push is None else push)  # type: ignore[no-any-return]  # as above


def _transposed(
    b: CompleteBackend, linear: Callable[..., Sequence[Array | None]], inputs: Arrays, given: Sequence[Array | None]
) -> Sequence[Array | None]:
    """Return the transpose of a linear map of arrays like `inputs`; None stands for zero, and for arrays not floating."""
    floating = [b.is_differentiable(x) for x in inputs]
    chosen: list[int] = []

    def flat(*arrays: Array) -> Arrays:
        found = iter(arrays)
        results = linear(tuple(next(found) if yes else None for yes in floating))
        chosen[:] = [k for k, y in enumerate(results) if y is not None and given[k] is not None]
        return tuple(results[k] for k in chosen)

    zeros = tuple(b.zeros_like(x) for x, yes in zip(inputs, floating, strict=True) if yes)
    _, pullback = b.vjp(flat, zeros)
    pulled = iter(pullback(tuple(given[k] for k in chosen)))
    return tuple(next(pulled) if yes else None for yes in floating)


_NO_RULES = "Write the function in operations of the array API standard."


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "with_rules": _missing("with_rules", "Leave backend= out: the backend of the arrays differentiates."),
    "dependence": _missing("dependence", "Find the pattern with method='probe', or give it."),
    "stop_gradient": _missing("stop_gradient", "Compute the constant outside the function, or return it with has_aux=True."),
    "vmap": _vmap,
    "jit": _jit,
    "checkpoint": _checkpoint,
    "custom_jvp": _custom_jvp,
    "custom_vjp": _custom_vjp,
    "host_callback": _missing("host_callback", "Compute the value outside of the transformed function."),
    "cond": _cond,
    "while_loop": _while_loop,
    "scan": _scan,
    "optimizer_step": _missing("optimizer_step", "Use the optimizers of unidiff, which need no native step."),
}
"""Each transform and how it is had where the backend lacks it, as a function of the backend and the operation's arguments."""
