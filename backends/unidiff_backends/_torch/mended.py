"""Functions of the namespace whose native value or derivative falls short of the derivative standard.

Each is a composition of PyTorch's own operations whose derivatives are right, so that it works in both modes, to any order
and under ``torch.func.vmap``. Where a formula breaks down at isolated points, those are moved elsewhere before the formula is
evaluated and not only afterwards: a branch that `torch.where` discards still contributes ``0 * inf = nan`` to a derivative.
`MENDED` lists them all; whatever is neither in it nor in `unidiff_backends._torch.rules`, for what cannot be composed, is
`array_api_compat.torch`'s very own object.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeAlias

import array_api_compat.torch as xp
import torch

from unidiff_backends._torch.batchable import BATCHABLE
from unidiff_backends._torch.convert import asarray, common_dtype
from unidiff_backends._torch.custom import differentiating
from unidiff_backends._torch.reverse import functorch_active
from unidiff_backends._torch.sets import SETS

Operand: TypeAlias = torch.Tensor | complex | bool


def _if_differentiated(native: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the native one, whose values it has, unless a derivative may be asked for."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def mended(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs) if differentiating(args) else native(*args, **kwargs)

        return mended

    return decorate


def promoted(*operands: Operand) -> list[torch.Tensor]:
    """Return the operands as tensors of their common dtype; Python numbers do not widen the tensors' dtype."""
    dtype = common_dtype(operands)
    device = next(x.device for x in operands if isinstance(x, torch.Tensor))
    return [x.to(dtype) if isinstance(x, torch.Tensor) else torch.full((), x, dtype=dtype, device=device) for x in operands]


@_if_differentiated(xp.abs)
def abs(x: torch.Tensor, /) -> torch.Tensor:  # noqa: A001  # the name in the standard
    """Magnitude. Natively the derivative at NaN is 0; it is NaN."""
    if not x.is_floating_point():
        return xp.abs(x)
    y = x.detach()
    # Added to 0, since the product with the sign is -0 at -0.
    return torch.addcmul(torch.zeros((), dtype=x.dtype, device=x.device), x, torch.where(torch.isnan(y), y, torch.sign(y)))


@_if_differentiated(xp.maximum)
def maximum(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Maximum element by element. Natively the derivatives by both arguments are 1 where one of them is NaN; they are NaN."""
    return _with_nan(xp.maximum(x1, x2))


@_if_differentiated(xp.minimum)
def minimum(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Minimum element by element; see `maximum`."""
    return _with_nan(xp.minimum(x1, x2))


def _with_nan(y: torch.Tensor) -> torch.Tensor:
    """Return ``y`` with the derivative NaN where it is NaN."""
    constant = y.detach()
    return y * torch.where(torch.isnan(constant), constant, 1) if y.is_floating_point() else y


@_if_differentiated(xp.atan2)
def atan2(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Arc tangent of ``x1 / x2``. At the origin there is no derivative: NaN, natively in forward mode only."""
    x1, x2 = promoted(x1, x2)
    origin = (x1 == 0) & (x2 == 0)
    # The derivative of sqrt(s * s) at 0 is inf * 0.
    s = torch.where(origin, x1, 1)
    t = torch.where(origin, x2, 1)
    # A factor of one, unlike a summand of zero, leaves the sign of zeros alone.
    return torch.atan2(x1, x2) * torch.where(origin, 1 + torch.sqrt(s * s) + torch.sqrt(t * t), 1)


def clip(x: torch.Tensor, /, min: Operand | None = None, max: Operand | None = None) -> torch.Tensor:
    """Limit ``x`` to ``[min, max]``.

    At a bound, ``x`` and the bound share the derivative: one half each, one third where both bounds are there. Natively that
    depends on PyTorch's version.
    """
    plain = not (isinstance(min, torch.Tensor) or isinstance(max, torch.Tensor) or differentiating((x,)))
    if plain or not x.is_floating_point() or (min is None and max is None):
        return xp.clip(x, min, max)
    if max is None:
        return maximum(*promoted(x, min))
    if min is None:
        return minimum(*promoted(x, max))
    x, low, high = promoted(x, min, max)
    clipped = minimum(torch.maximum(x, low), high)
    if not isinstance(min, torch.Tensor) and not isinstance(max, torch.Tensor) and min != max:
        return clipped
    coincide = (x == low) & (low == high) & torch.isfinite(x)
    return torch.where(coincide, x + ((low - x) + (high - x)) / 3, clipped)


@_if_differentiated(xp.copysign)
def copysign(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Magnitude of ``x1`` with the sign of ``x2``. At ``x1 == 0`` the second derivative natively is NaN in some modes."""
    magnitude, sign = promoted(x1, x2)
    if not sign.is_floating_point():
        return xp.copysign(magnitude, sign)
    magnitude = torch.abs(magnitude)
    return torch.where(torch.signbit(sign), -magnitude, magnitude)


def floor_divide(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Quotient rounded towards minus infinity. Natively there is no derivative at all; it is zero."""
    return xp.floor_divide(_constant(x1), _constant(x2))


@_if_differentiated(xp.hypot)
def hypot(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Hypotenuse. At the origin the derivative is zero, natively NaN; at infinities, where it is the maximum, natively NaN."""
    x1, x2 = promoted(x1, x2)
    infinite1, infinite2 = torch.isinf(x1), torch.isinf(x2)
    infinite = infinite1 | infinite2
    special = infinite | ((x1 == 0) & (x2 == 0))
    largest = torch.maximum(torch.where(infinite1, torch.abs(x1), 0), torch.where(infinite2, torch.abs(x2), 0))
    inside = xp.hypot(torch.where(special, 1, x1), torch.where(infinite, 1, x2))
    return torch.where(special, largest, inside)


@_if_differentiated(xp.logaddexp)
def logaddexp(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Logarithm of ``exp(x1) + exp(x2)``.

    At infinities, where it is the maximum, the derivative natively is NaN, as is the second one where the arguments are far
    apart.
    """
    x1, x2 = promoted(x1, x2)
    infinite = torch.isinf(x1) | torch.isinf(x2)
    a, b = torch.where(infinite, 0, x1), torch.where(infinite, 0, x2)
    larger = a >= b
    # Both branches are the same smooth function, so that their derivatives agree where they meet.
    inside = torch.where(larger, a, b) + torch.log1p(torch.exp(torch.where(larger, b - a, a - b)))
    return torch.where(infinite, torch.maximum(x1, x2), inside)


def imag(x: torch.Tensor, /) -> torch.Tensor:
    """Imaginary part; see `real`."""
    return xp.imag(_owned_in_forward_mode(x))


def real(x: torch.Tensor, /) -> torch.Tensor:
    """Real part. Natively a view, which forward mode refuses to take of products if the tangent is that of a scalar."""
    return xp.real(_owned_in_forward_mode(x))


def _owned_in_forward_mode(x: torch.Tensor) -> torch.Tensor:
    return x.clone() if x.is_complex() and functorch_active() else x


def remainder(x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Remainder of the division, with the sign of ``x2``. Natively there is no derivative if ``x1`` is a number."""
    return xp.remainder(*promoted(x1, x2)) if not isinstance(x1, torch.Tensor) else xp.remainder(x1, x2)


def sign(x: torch.Tensor, /) -> torch.Tensor:
    """Sign, or for complex numbers the direction.

    Natively NaNs and complex zeros are put in place, which cannot be batched and spoils the derivative of the JVP.
    """
    if x.is_complex():
        origin = x == 0
        return torch.where(origin, 0, x / torch.abs(torch.where(origin, 1, x)))
    return torch.where(torch.isnan(x), x.detach(), torch.sign(x)) if x.is_floating_point() else torch.sign(x)


def std(
    x: torch.Tensor, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: bool = False
) -> torch.Tensor:
    """Return the standard deviation.

    For constant ``x`` the second derivative natively depends on the modes that are nested; a fractional correction is refused.
    """
    if correction == int(correction) and not differentiating((x,)):
        return xp.std(x, axis=axis, correction=correction, keepdims=keepdims)
    variance = xp.var(x, axis=axis, correction=correction, keepdims=keepdims)
    constant = variance == 0
    return torch.where(constant, 0, torch.sqrt(torch.where(constant, 1, variance)))


def where(condition: torch.Tensor, x1: Operand, x2: Operand, /) -> torch.Tensor:
    """Choose element by element. Natively a real array gets a complex cotangent if the other one is complex."""
    if isinstance(x1, torch.Tensor) and isinstance(x2, torch.Tensor):
        if x1.dtype != x2.dtype:
            x1, x2 = promoted(x1, x2)
        return torch.where(condition, x1, x2)
    return xp.where(condition, x1, x2)


def full(
    shape: int | tuple[int, ...], fill_value: Operand, *, dtype: torch.dtype | None = None, device: Any = None
) -> torch.Tensor:
    """Tensor filled with a value. Natively the derivative with respect to a tensor is refused, or lost in forward mode."""
    if not isinstance(fill_value, torch.Tensor):
        return xp.full(shape, fill_value, dtype=dtype, device=device)
    return fill_value.to(dtype=dtype, device=device).broadcast_to(shape if isinstance(shape, tuple) else (shape,)).clone()


def full_like(x: torch.Tensor, /, fill_value: Operand, *, dtype: torch.dtype | None = None, device: Any = None) -> torch.Tensor:
    """Tensor of the shape of ``x`` filled with a value; see `full`."""
    if not isinstance(fill_value, torch.Tensor):
        return xp.full_like(x, fill_value, dtype=dtype, device=device)
    return full(tuple(x.shape), fill_value, dtype=dtype or x.dtype, device=device or x.device)


def linspace(
    start: Operand,
    stop: Operand,
    /,
    num: int,
    *,
    dtype: torch.dtype | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> torch.Tensor:
    """Evenly spaced numbers. Natively the derivative by a tensor is lost in reverse mode and refused in forward mode."""
    if not isinstance(start, torch.Tensor) and not isinstance(stop, torch.Tensor):
        return xp.linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
    first, last = promoted(start, stop)
    intervals = num - 1 if endpoint else num
    weight = torch.arange(num, dtype=first.dtype, device=first.device) / (intervals or 1)
    # Weighted, not stepped: both ends are exact.
    return (first * (1 - weight) + last * weight).to(dtype=dtype, device=device)


def _constant(x: Operand) -> Operand:
    return x.detach() if isinstance(x, torch.Tensor) else x


MENDED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    dict(SETS)
    | dict(BATCHABLE)
    | {
        function.__name__: function
        for function in (
            abs,
            asarray,
            atan2,
            clip,
            copysign,
            floor_divide,
            full,
            full_like,
            hypot,
            imag,
            linspace,
            logaddexp,
            maximum,
            minimum,
            real,
            remainder,
            sign,
            std,
            where,
        )
    }
)
"""The functions of this module, of `unidiff_backends._torch.sets` and of `unidiff_backends._torch.batchable`, by name."""
