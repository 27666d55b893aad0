"""Maps that are to be transposed, as the rule of `unidiff.custom_jvp` is, must be linear.

PyTorch does not tell how a result depends on what it is made of. So a map is applied to a vector of mixed signs and sizes and
to -2 times it, which multiplies all that a linear map computes without rounding. Then ``<u, L t> = <L* u, t>`` must hold, with
the transpose of the derivative at 0. Where it fails, which may also be by rounding, the derivative at ``t`` is compared.
"""

from collections.abc import Callable, Sequence

import torch

from unidiff.errors import NONLINEAR, NonlinearRuleError
from unidiff_backends._torch import reverse
from unidiff_backends._torch.reverse import Tensors

_functorch = torch._C._functorch


def require_linear(
    linear: Callable[..., Tensors], zeros: Tensors, cotangents: Sequence[torch.Tensor], pulled: Tensors, what: str
) -> None:
    """Raise for a map that is not linear; `pulled` is what its transpose gives for the cotangents."""
    with torch.no_grad():
        t = tuple([_mixed(x) for x in zeros])
        image = linear(*t)
        if _differ(linear(*[-2 * x for x in t]), [-2 * y for y in image]):
            raise NonlinearRuleError(NONLINEAR.format(what=what, found="it is not -2 times as large for -2 times as much"))
        left, size = _inner(cotangents, image)
        right, other = _inner(pulled, t)
        tolerance = torch.finfo(left.dtype).eps ** 0.25 * (size + other)
        if not _any(torch.logical_not(torch.abs(left - right) <= tolerance)):  # NaN counts as a difference
            return
        if _differ(reverse.vjp(linear, t)[1](cotangents), pulled):
            raise NonlinearRuleError(NONLINEAR.format(what=what, found="its derivative depends on them"))


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """Return numbers of both signs and of different sizes."""
    k = torch.arange(x.numel(), device=x.device, dtype=torch.float64).reshape(x.shape)
    real = torch.frac(k * 0.6180339887) - 0.45
    return (torch.complex(real, torch.frac(k * 0.4142135624) - 0.55) if x.is_complex() else real).to(x.dtype)


def _differ(xs: Sequence[torch.Tensor], ys: Sequence[torch.Tensor]) -> bool:
    """Whether tensors differ where the second ones are finite, by more than sums in another order may."""
    return any(
        _any((x - y).abs() > torch.finfo(y.dtype).eps ** 0.5 * y.abs().nan_to_num(0.0, 0.0, 0.0).amax())
        for x, y in zip(xs, ys, strict=True)
        if y.numel()
    )


def _inner(xs: Sequence[torch.Tensor], ys: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inner product of two vectors over the real numbers, and the sum of the sizes of what it adds up."""
    total = size = torch.zeros(())
    for x, y in zip(xs, ys, strict=True):
        part = torch.real(x.conj() * y) if x.is_complex() else x * y
        total, size = total + part.sum(), size + part.abs().sum()
    return total, size


def _any(x: torch.Tensor) -> bool:
    x = x.any()
    while _functorch.is_functorch_wrapped_tensor(x):
        x = _functorch.get_unwrapped(x)
    return bool(x.any())
