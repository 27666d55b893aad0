"""Optimizer steps on tensors: PyTorch's fused kernels, and the reference kernel on lists of tensors by "foreach" operations."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, methodcaller
from typing import Any

import torch

from unidiff_backends._torch.reverse import functorch_active

__all__ = ["step"]

Tensors = Sequence[torch.Tensor]
_PLAIN = {torch.Tensor, torch.nn.Parameter}
_requires_grad, _dtype, _device = attrgetter("requires_grad"), attrgetter("dtype"), attrgetter("device")


def step(
    method: Any, params: Tensors, grads: Tensors, slots: Mapping[str, Tensors], scalars: Mapping[str, float], *, donate: bool
) -> Any:
    """Return ``(params, slots)`` after a step, or NotImplemented; see `unidiff.backend.Backend`."""
    columns = [params, grads, *slots.values()]
    if not method.elementwise or not _untraced(columns):
        return NotImplemented
    fused = _FUSED.get(type(method).__name__)
    if fused is None or not all(map(methodcaller("is_contiguous"), chain(*columns))):
        fused = _foreach
    kinds = set(zip(map(_dtype, params), map(_device, params), strict=True))
    if any(dtype.is_complex for dtype, _ in kinds) or set(map(_device, grads)) != {device for _, device in kinds}:
        return NotImplemented
    donate = donate and len(set(map(id, chain(params, *slots.values())))) == len(params) * (1 + len(slots))
    if len(kinds) == 1:
        return fused(method, params, grads, slots, scalars, donate)
    return _by_kind(fused, method, params, grads, slots, scalars, donate)


def _untraced(columns: Sequence[Tensors]) -> bool:
    """Tell whether nothing records what happens to these tensors."""
    if torch.compiler.is_compiling() or functorch_active() or any(set(map(type, column)) - _PLAIN for column in columns):
        return False
    return not (torch.is_grad_enabled() and any(map(_requires_grad, chain(*columns))))


def _by_kind(
    fused: Callable[..., Any],
    method: Any,
    params: Tensors,
    grads: Tensors,
    slots: Mapping[str, Tensors],
    scalars: Mapping[str, float],
    donate: bool,
) -> Any:
    """Apply a kernel to the tensors of each dtype and device by themselves."""
    groups: dict[Any, list[int]] = {}
    for k, p in enumerate(params):
        groups.setdefault((p.dtype, p.device), []).append(k)
    moved, new = list(params), {name: list(xs) for name, xs in slots.items()}
    for group in groups.values():
        ps, gs = ([xs[k] for k in group] for xs in (params, grads))
        held = {name: [xs[k] for k in group] for name, xs in slots.items()}
        result = fused(method, ps, gs, held, scalars, donate)
        for target, source in ((moved, result[0]), *((new[name], result[1][name]) for name in new)):
            for k, x in zip(group, source, strict=True):
                target[k] = x
    return moved, new


def _adam(
    method: Any, params: Tensors, grads: Tensors, slots: Mapping[str, Tensors], scalars: Mapping[str, float], donate: bool
) -> Any:
    """Make a step by PyTorch's fused Adam, where it is the same method."""
    if any(getattr(method, name, usual) != usual for name, usual in _USUAL.items()):
        return _foreach(method, params, grads, slots, scalars, donate)
    moved, new = _writable(params, slots, donate)
    kernel = torch._fused_adamw_ if method.decoupled else torch._fused_adam_
    count = torch.full((), scalars["count"], dtype=torch.float32, device=params[0].device)
    with torch.no_grad():
        kernel(
            moved,
            list(grads),
            new["m"],
            new["v"],
            new.get("v_max", []),
            [count] * len(moved),
            lr=scalars["rate"],
            beta1=method.b1,
            beta2=method.b2,
            weight_decay=method.weight_decay,
            eps=method.eps,
            amsgrad="v_max" in new,
            maximize=False,
        )
    return moved, new


def _writable(params: Tensors, slots: Mapping[str, Tensors], donate: bool) -> tuple[list[Any], dict[str, list[Any]]]:
    if donate:
        return list(params), {name: list(xs) for name, xs in slots.items()}
    clone = methodcaller("clone")
    with torch.no_grad():
        return list(map(clone, params)), {name: list(map(clone, xs)) for name, xs in slots.items()}


def _foreach(
    method: Any, params: Tensors, grads: Tensors, slots: Mapping[str, Tensors], scalars: Mapping[str, float], donate: bool
) -> Any:
    """Make a step by the kernel of the method, on lists instead of tensors."""
    with torch.no_grad():
        p = TensorList(params)
        update, new = method.kernel(_Lists, TensorList(grads), p, {name: TensorList(x) for name, x in slots.items()}, scalars)
        if donate:
            torch._foreach_add_(p.tensors, update.tensors)
        else:
            p = p + update
    return p.tensors, {name: x.tensors for name, x in new.items()}


class TensorList:
    """Tensors of one dtype as one operand: the part of an array that kernels of optimizers use."""

    __slots__ = ("tensors",)

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = list(tensors)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of all tensors."""
        return self.tensors[0].dtype

    def __add__(self, other: Any) -> "TensorList":
        return TensorList(torch._foreach_add(self.tensors, _plain(other)))

    def __sub__(self, other: Any) -> "TensorList":
        return TensorList(torch._foreach_sub(self.tensors, _plain(other)))

    def __mul__(self, other: Any) -> "TensorList":
        return TensorList(torch._foreach_mul(self.tensors, _plain(other)))

    def __truediv__(self, other: Any) -> "TensorList":
        return TensorList(torch._foreach_div(self.tensors, _plain(other)))

    def __gt__(self, other: float) -> "TensorList":
        return TensorList([x > other for x in self.tensors])

    def __lt__(self, other: float) -> "TensorList":
        return TensorList([x < other for x in self.tensors])


def _plain(other: Any) -> Any:
    return other.tensors if isinstance(other, TensorList) else other


class _Lists:
    """The functions of the array API that kernels of elementwise optimizers use, on lists of real tensors."""

    @staticmethod
    def isdtype(dtype: torch.dtype, kind: str) -> bool:
        """Tell whether a dtype is of a kind; only real floating ones come here."""
        return kind == "real floating" and dtype.is_floating_point

    @staticmethod
    def sqrt(x: TensorList) -> TensorList:
        """Return the square root."""
        return TensorList(torch._foreach_sqrt(x.tensors))

    @staticmethod
    def abs(x: TensorList) -> TensorList:
        """Return the modulus."""
        return TensorList(torch._foreach_abs(x.tensors))

    @staticmethod
    def sign(x: TensorList) -> TensorList:
        """Return the sign; that of NaN is NaN in the standard, and 0 in PyTorch."""
        return TensorList([torch.where(torch.isnan(t), t, torch.sign(t)) for t in x.tensors])

    @staticmethod
    def maximum(x: TensorList, y: Any) -> TensorList:
        """Return the greater one."""
        return TensorList(torch._foreach_maximum(x.tensors, _plain(y)))

    @staticmethod
    def minimum(x: TensorList, y: Any) -> TensorList:
        """Return the lesser one."""
        return TensorList(torch._foreach_minimum(x.tensors, _plain(y)))

    @staticmethod
    def zeros_like(x: TensorList) -> TensorList:
        """Return zeros."""
        return TensorList([torch.zeros_like(t) for t in x.tensors])

    @staticmethod
    def where(condition: TensorList, x: TensorList, y: TensorList) -> TensorList:
        """Return elements of x where the condition holds, else those of y."""
        triples = zip(condition.tensors, x.tensors, y.tensors, strict=True)
        return TensorList([torch.where(c, a, b) for c, a, b in triples])


_USUAL = {"eps_root": 0.0, "corrected_maximum": False, "correct_first": True, "correct_second": True}
"""What the hyperparameters are by which a method may differ from PyTorch's."""
_FUSED: Mapping[str, Callable[..., Any]] = {"Adam": _adam, "AdamW": _adam, "AMSGrad": _adam}
