"""The regularized incomplete beta function, which PyTorch lacks; its value only."""

from typing import Any

import torch

from unidiff.rules.special_compositions import betaln
from unidiff_backends._torch.rules import NAMESPACE

_TERMS = 10_000  # the continued fraction takes about sqrt(max(a, b)) of them


class _Pointwise(torch.autograd.Function):  # type: ignore[misc]  # torch is Any to the type checker
    """The function of tensors of one shape, with a batch as further elements: it branches on when all have converged."""

    @staticmethod
    def forward(a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return _value(a, b, x)

    @staticmethod
    def setup_context(ctx: Any, _: Any, output: torch.Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int | None, ...], *arrays: torch.Tensor) -> tuple[torch.Tensor, int]:
        moved = [x if d is None else x.movedim(d, 0) for x, d in zip(arrays, in_dims, strict=True)]
        return _Pointwise.apply(*torch.broadcast_tensors(*moved)), 0


def _value(a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    a, b, x = (torch.where(valid, y, 0.5) for y in (a, b, x))
    swapped = x > (a + 1) / (a + b + 2)  # the fraction converges fast below the mode: I_x(a, b) = 1 - I_(1-x)(b, a)
    a, b = torch.where(swapped, b, a), torch.where(swapped, a, b)
    power, rest = torch.where(swapped, torch.log1p(-x), torch.log(x)), torch.where(swapped, torch.log(x), torch.log1p(-x))
    fraction = _fraction(a, b, torch.where(swapped, 1 - x, x))
    density = torch.exp(a * power + b * rest - betaln(NAMESPACE, a, b)) / a
    # At the ends a logarithm is infinite and the power vanishes.
    part = torch.where(power == -torch.inf, 0, density / fraction)
    return torch.where(valid, torch.where(swapped, 1 - part, part), torch.nan)


def _fraction(a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Evaluate 1 + d_1 / (1 + d_2 / (1 + ...)) of DLMF 8.17.22 by the algorithm of Lentz, as Thompson and Barnett have it."""
    tiny = torch.finfo(x.dtype).tiny
    total = torch.ones_like(x)
    c, d = torch.ones_like(x), torch.zeros_like(x)
    for k in range(1, _TERMS):
        m = k // 2
        if k % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 + term * d
        d = 1 / torch.where(d == 0, tiny, d)
        c = 1 + term / c
        c = torch.where(c == 0, tiny, c)
        total = total * c * d
        if bool(((c * d - 1).abs() <= torch.finfo(x.dtype).eps).all()):
            break
    return total


def betainc(a: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the regularized incomplete beta function of tensors of one dtype, a constant."""
    value: torch.Tensor = _Pointwise.apply(*torch.broadcast_tensors(a.detach(), b.detach(), x.detach()))
    return value
