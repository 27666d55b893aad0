"""Functions whose derivative in PyTorch is wrong in a way that no composition of its functions cures: they get unidiff's rules.

Those rules are the data of `unidiff.rules`, which knows no array library. Here they compute with PyTorch's functions, the
mended ones where there are, so that they differentiate again.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import MappingProxyType, ModuleType
from typing import Any

import array_api_compat.torch as xp
import torch

from unidiff.engine.extend import is_complex
from unidiff.rules import RULES
from unidiff_backends._torch.batchable import solve
from unidiff_backends._torch.binding import Call
from unidiff_backends._torch.custom import differentiating
from unidiff_backends._torch.mended import MENDED, promoted
from unidiff_backends._torch.reverse import Tensors, functorch_active

_FACTORS = "The JVP rule takes the factors for constants, so that its own derivative is wrong."

RULED: Mapping[str, str] = MappingProxyType(
    {
        "cumulative_prod": "Where a factor is 0, the derivative of the JVP rule is wrong or NaN.",
        "linalg.cholesky": "The JVP takes the tangent's lower triangle instead of its Hermitian part.",
        "linalg.det": f"The derivative at a singular matrix is 0 instead of the adjugate. {_FACTORS}",
        "linalg.eig": "The JVP rule cannot be differentiated in reverse mode. Repeated eigenvalues do not share.",
        "linalg.eigh": "The derivative of the JVP rule is NaN or refused. Repeated eigenvalues do not share.",
        "linalg.qr": "The derivative of the complete decomposition of a tall matrix is refused.",
        "linalg.slogdet": f"The derivative at a singular matrix, where there is none, is not NaN. {_FACTORS}",
        "linalg.solve": _FACTORS,
        "linalg.svd": "Repeated singular values do not share, and one that is 0 has a derivative other than 0.",
        "linalg.vector_norm": "The second derivative at 0 is 0 or NaN, as the modes are nested.",
        "nextafter": "The derivative where both arguments are the same is 0 instead of 1 by the first.",
        "pow": "The derivative of the JVP rule is NaN at base 0, and the JVP at a negative base even for a constant exponent.",
    }
)
"""Functions with a rule of unidiff's, and why."""

_IN_FORWARD_MODE = frozenset({"cumulative_prod", "linalg.cholesky", "linalg.solve"})
"""Those of them that are right natively on PyTorch's tape, and take to the rule in transforms of `torch.func` only."""

COMPOSED: Mapping[str, str] = MappingProxyType(
    {
        "linalg.eigvals": "Repeated eigenvalues do not share.",
        "linalg.eigvalsh": "Repeated eigenvalues do not share.",
        "linalg.matrix_norm": "Repeated singular values do not share; at 0 the derivative of orders 2 and nuclear is not 0.",
        "linalg.svdvals": "Repeated singular values do not share, and one that is 0 has a derivative other than 0.",
    }
)
"""Functions that are composed of others, as a rule of unidiff's says, when they are differentiated, and why."""

_BATCHABLE = {"linalg.solve": solve}
"""Those whose values PyTorch gets wrong in a batch."""

_SHARED = ("_linear_recurrence", "linalg._extreme_sum", "linalg._smooth_svd")
"""Functions beyond the standard that rules share among themselves."""


def _copied(module: ModuleType, name: str) -> ModuleType:
    copy = ModuleType(name, module.__doc__)
    copy.__dict__.update({key: getattr(module, key) for key in dir(module) if not key.startswith("__")})
    return copy


NAMESPACE: Any = _copied(xp, "unidiff_backends.torch")
"""What rules compute with."""
NAMESPACE.linalg = _copied(xp.linalg, "unidiff_backends.torch.linalg")


def _find(namespace: Any, name: str) -> Any:
    for part in name.split(".") if name else ():
        namespace = getattr(namespace, part, None)
    return namespace


def install(functions: Mapping[str, Callable[..., Any]], namespace: Any) -> None:
    """Put functions into a namespace under their names, which are dotted in a submodule."""
    for name, function in functions.items():
        path, _, last = name.rpartition(".")
        vars(_find(namespace, path))[last] = function


def _by_rule(name: str) -> Callable[..., Any]:
    """Return a function that has the values of PyTorch's and the derivatives of unidiff's rule."""
    rule = RULES[name]
    implementation: Any = rule.implementation
    native = _BATCHABLE.get(name) or _find(xp, name) or partial(implementation, NAMESPACE)

    on_tape = name not in _IN_FORWARD_MODE

    def function(*args: Any, **kwargs: Any) -> Any:
        if functorch_active() or (on_tape and differentiating(args)):
            return Call(rule, NAMESPACE, native, args, kwargs).result()
        return native(*args, **kwargs)

    return function if isinstance(native, partial) else wraps(native)(function)


def _by_composition(name: str) -> Callable[..., Any]:
    """Return PyTorch's function, or where a derivative may be asked for its composition of others that the rule states."""
    native, compose = _find(xp, name), RULES[name].implementation
    assert compose is not None

    @wraps(native)
    def function(*args: Any, **kwargs: Any) -> Any:
        return compose(NAMESPACE, *args, **kwargs) if differentiating(args) else native(*args, **kwargs)

    return function


def _pow() -> Callable[..., Any]:
    ruled = _by_rule("pow")

    @wraps(xp.pow)
    def power(x1: Any, x2: Any, /) -> Any:
        # With a number as exponent all is well natively. Of a real and a complex tensor PyTorch's own derivatives are wrong.
        if not isinstance(x2, torch.Tensor) or not differentiating((x1, x2)):
            return xp.pow(x1, x2)
        return ruled(*promoted(x1, x2))

    return power


def _vector_norm() -> Callable[..., Any]:
    ruled = _by_rule("linalg.vector_norm")

    @wraps(xp.linalg.vector_norm)
    def vector_norm(x: torch.Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> torch.Tensor:
        if ord != 2 or axis == () or not differentiating((x,)):
            return ruled(x, axis=axis, keepdims=keepdims, ord=ord)
        # The most common one by composition, which is faster.
        squares = NAMESPACE.real(x * x.conj()) if x.is_complex() else x * x
        total = xp.sum(squares, axis=axis, keepdims=keepdims)
        origin = total == 0
        return torch.where(origin, 0, torch.sqrt(torch.where(origin, 1, total)))

    return vector_norm


def _qr() -> Callable[..., Any]:
    ruled, native = _by_rule("linalg.qr"), xp.linalg.qr

    @wraps(native)
    def qr(x: torch.Tensor, /, *, mode: str = "reduced") -> Any:
        return (ruled if mode == "complete" else native)(x, mode=mode)

    return qr


class _Nullity(torch.autograd.Function):  # type: ignore[misc]  # torch is Any to the type checker
    """A number that rules branch on, one for a whole batch: how many singular values of the worst matrix are close to 0."""

    @staticmethod
    def forward(x: torch.Tensor, det: torch.Tensor, inv: torch.Tensor) -> torch.Tensor:
        count: Any = RULES["linalg._nullity"].implementation
        return torch.tensor(count(NAMESPACE, x, det, inv))

    @staticmethod
    def setup_context(ctx: Any, _: Tensors, output: torch.Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(_: Any, in_dims: tuple[int | None, ...], *arrays: torch.Tensor) -> tuple[torch.Tensor, None]:
        moved = [x if d is None else x.movedim(d, 0) for x, d in zip(arrays, in_dims, strict=True)]
        return _Nullity.apply(*moved), None


def _nullity(*arrays: torch.Tensor) -> int:
    arrays = tuple([x.detach() for x in arrays])
    if functorch_active():
        return int(_Nullity.apply(*arrays))
    count: Any = RULES["linalg._nullity"].implementation
    return int(count(NAMESPACE, *arrays))


def _inv(x: torch.Tensor) -> torch.Tensor:
    """Return the inverse, and infinity for a matrix that has none: rules decide themselves what to do about it."""
    inverse, info = torch.linalg.inv_ex(x)
    return torch.where((info > 0)[..., None, None], math.inf, inverse)


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: _by_rule(name) for name in RULED}
    | {name: _by_composition(name) for name in COMPOSED}
    | {"pow": _pow(), "linalg.qr": _qr(), "linalg.vector_norm": _vector_norm()}
)
"""The functions of `RULED` and `COMPOSED`, by name."""

install(MENDED, NAMESPACE)
install(FUNCTIONS, NAMESPACE)
for _dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128):
    is_complex(NAMESPACE, torch.empty(0, dtype=_dtype))  # remembered, which it cannot be within a compiled function
install({name: _by_rule(name) for name in _SHARED}, NAMESPACE)
install({"_constant": torch.Tensor.detach, "linalg._nullity": _nullity, "linalg.inv": _inv}, NAMESPACE)
