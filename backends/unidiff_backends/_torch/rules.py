"""unidiff's own derivative rules for those functions whose derivative in PyTorch is wrong and cannot be put right by composition.

The rules are those of `unidiff.rules`: data that knows no array library. Here they get PyTorch's functions to compute with,
the mended ones where there are, so that they differentiate again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import MappingProxyType, ModuleType
from typing import Any

import array_api_compat.torch as xp
import torch

from unidiff.rules import RULES
from unidiff_backends._torch.custom import Operation, Partial, differentiating
from unidiff_backends._torch.mended import MENDED, promoted
from unidiff_backends._torch.reverse import Tensors

NAMESPACE = ModuleType("unidiff_backends._torch.rules.namespace", "The functions that rules compute with.")
NAMESPACE.__dict__.update({name: getattr(xp, name) for name in dir(xp) if not name.startswith("__")})
NAMESPACE.linalg = ModuleType(f"{NAMESPACE.__name__}.linalg")
NAMESPACE.linalg.__dict__.update({name: getattr(xp.linalg, name) for name in dir(xp.linalg) if not name.startswith("__")})


def _find(namespace: Any, name: str) -> Any:
    for part in name.split("."):
        namespace = getattr(namespace, part, None)
    return namespace


def _native(name: str) -> Callable[..., Any]:
    """Return PyTorch's function, or for what rules share among themselves their own implementation."""
    return _find(xp, name) or partial(RULES[name].implementation, NAMESPACE)  # type: ignore[arg-type]


def by_rule(name: str) -> Callable[..., Any]:
    """Return PyTorch's function of this name with the derivatives of unidiff's rule."""
    rule, native = RULES[name], _native(name)

    def function(*args: Any, **kwargs: Any) -> Any:
        positions = [i for i, x in enumerate(args[: len(rule.jvps)]) if isinstance(x, torch.Tensor)]
        tensors = [args[i] for i in positions]
        if not differentiating(tensors):
            return native(*args, **kwargs)
        made: list[type] = []
        outs = _operation(rule, native, args, kwargs, positions, made)(*tensors)
        return outs[0] if rule.outputs is None else _as(made[-1], outs)

    return _named(function, native, name)


def by_composition(name: str) -> Callable[..., Any]:
    """Return PyTorch's function of this name; differentiated, it is composed of others as unidiff's rule says."""
    rule, native = RULES[name], _native(name)
    assert rule.implementation is not None
    composed = partial(rule.implementation, NAMESPACE)

    def function(*args: Any, **kwargs: Any) -> Any:
        traced = differentiating(x for x in args if isinstance(x, torch.Tensor))
        return composed(*args, **kwargs) if traced else native(*args, **kwargs)

    return _named(function, native, name)


def _named(function: Callable[..., Any], native: Callable[..., Any], name: str) -> Callable[..., Any]:
    if not isinstance(native, partial):
        function = wraps(native)(function)
    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    return function


def _as(kind: type, outs: Tensors) -> Any:
    """Return several results as PyTorch does, whose own structures are made from one sequence, unlike named tuples."""
    return getattr(kind, "_make", kind)(outs)


def _operation(
    rule: Any, native: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], positions: list[int], made: list[type]
) -> Operation:
    """Return the call ``native(*args, **kwargs)`` as an operation on its tensors, those at ``positions``."""

    def filled(tensors: Tensors) -> list[Any]:
        filled = list(args)
        for i, x in zip(positions, tensors, strict=True):
            filled[i] = x
        return filled

    def call(*primals: torch.Tensor) -> Tensors:
        result = native(*filled(primals), **kwargs)
        if isinstance(result, torch.Tensor):
            return (result,)
        made.append(type(result))
        return tuple(result)

    def push(tangents: Partial, primals: Tensors, outs: Tensors) -> Tensors:
        total: list[torch.Tensor | None] = [None] * len(outs)
        ans = outs[0] if rule.outputs is None else outs
        for i, t in zip(positions, tangents, strict=True):
            if t is None or rule.jvps[i] is None:
                continue
            part = rule.jvps[i](NAMESPACE, t, ans, *filled(primals), **kwargs)
            for k, y in enumerate([part] if rule.outputs is None else part):
                if y is not None:
                    y = _directed(y, t) if len(positions) > 1 and rule.kind == "elementwise" else y
                    total[k] = y if total[k] is None else total[k] + y
        return tuple([_fitted(t, y) for t, y in zip(total, outs, strict=True)])

    def pull(needs: Sequence[bool], cotangents: Partial, primals: Tensors, outs: Tensors) -> Partial:
        ans, g = (outs[0], cotangents[0]) if rule.outputs is None else (outs, cotangents)
        pulled: list[torch.Tensor | None] = []
        for i, x, need in zip(positions, primals, needs, strict=True):
            if rule.kind == "elementwise":
                # The adjoint of multiplication by a number is that by its conjugate.
                pass_back = partial(_conjugated, rule.jvps[i])
            else:
                pass_back = rule.vjps[i]
            pulled.append(_fitted(pass_back(NAMESPACE, g, ans, *filled(primals), **kwargs), x) if need else None)
        return pulled

    return Operation(call, push, pull)


def _conjugated(push: Callable[..., torch.Tensor], namespace: Any, g: torch.Tensor, *residuals: Any) -> torch.Tensor:
    return push(namespace, g.conj(), *residuals).conj()


def _directed(part: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Let an argument that does not move contribute nothing, even where the function has no derivative by it."""
    return torch.where((t == 0) & torch.isnan(part), 0, part)


def _fitted(t: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """Return a tangent or cotangent in the shape and dtype of what it belongs to."""
    if t is None:
        return torch.zeros_like(like)
    if t.is_complex() and not like.is_complex():
        t = t.real
    t = t.sum_to_size(like.shape) if t.ndim > like.ndim or t.numel() > like.numel() else t.broadcast_to(like.shape)
    return t.to(like.dtype)


class _Nullity(torch.autograd.Function):
    """A number that rules branch on, one for a whole batch: how many singular values of the worst matrix are close to 0."""

    @staticmethod
    def forward(x: torch.Tensor, det: torch.Tensor, inv: torch.Tensor) -> torch.Tensor:
        count = RULES["linalg._nullity"].implementation
        assert count is not None
        return torch.tensor(count(NAMESPACE, x, det, inv))

    @staticmethod
    def setup_context(ctx: Any, inputs: Tensors, output: torch.Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arrays: torch.Tensor) -> tuple[torch.Tensor, None]:
        moved = [x if d is None else x.movedim(d, 0) for x, d in zip(arrays, in_dims, strict=True)]
        return _Nullity.apply(*moved), None


def _nullity(*arrays: torch.Tensor) -> int:
    return int(_Nullity.apply(*[x.detach() for x in arrays]))


def _inv(x: torch.Tensor) -> torch.Tensor:
    """Return the inverse, and infinity for a matrix that has none: rules decide themselves what to do about it."""
    inverse, info = torch.linalg.inv_ex(x)
    return torch.where((info > 0)[..., None, None], math.inf, inverse)


def _pow() -> Callable[..., Any]:
    ruled = by_rule("pow")

    def pow(x1: Any, x2: Any, /) -> Any:
        """Raise ``x1`` to the power ``x2``. Natively right where the exponent is a number."""
        return ruled(*promoted(x1, x2)) if isinstance(x2, torch.Tensor) else xp.pow(x1, x2)

    return pow


_RULED = (
    "cumulative_prod linalg.det linalg.eig linalg.eigh linalg.slogdet linalg.solve linalg.svd linalg.vector_norm sign"
).split()
_COMPOSED = "linalg.eigvals linalg.eigvalsh linalg.matrix_norm linalg.svdvals linalg.trace".split()
_SHARED = "_linear_recurrence linalg._extreme_sum".split()

RULED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: by_rule(name) for name in _RULED} | {name: by_composition(name) for name in _COMPOSED} | {"pow": _pow()}
)
"""The functions with rules, by name, which is dotted in a submodule."""


def install(functions: Mapping[str, Callable[..., Any]], namespace: Any = NAMESPACE) -> None:
    """Put functions under their names into a namespace and its submodules."""
    for name, function in functions.items():
        *path, last = name.split(".")
        vars(_find(namespace, ".".join(path)) if path else namespace)[last] = function


install(MENDED)
install(RULED)
install({name: by_rule(name) for name in _SHARED})
install({"_constant": torch.Tensor.detach, "conj": torch.conj, "linalg._nullity": _nullity, "linalg.inv": _inv})
