"""Special functions with the values of `torch.special`, or composed of those, and the derivatives of unidiff's rules."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import MappingProxyType, ModuleType
from typing import Any

import array_api_compat.torch as xp
import torch

from unidiff.rules import RULES, special_compositions
from unidiff.rules.einsum import checked
from unidiff_backends._torch.binding import Call
from unidiff_backends._torch.custom import differentiating
from unidiff_backends._torch.incomplete_beta import betainc
from unidiff_backends._torch.mended import promoted
from unidiff_backends._torch.rules import NAMESPACE

_PREFIX = "special."
_PASSED = ("erf", "erfc", "erfinv", "exp2", "ndtr")
_VALUES = (
    *(
        "digamma",
        "entr",
        "erfcx",
        "expit",
        "gammainc",
        "gammaincc",
        "gammaln",
        "i0",
        "i0e",
        "i1",
        "i1e",
        "log_ndtr",
        "logit",
        "ndtri",
    ),
    *("psi", "xlog1py", "xlogy", "zeta"),
)


def _polygamma(n: Any, x: torch.Tensor) -> torch.Tensor:
    # PyTorch's own has 9 digits for n = 1, which is why digamma and gammaln, whose derivatives it is, take to the rules too.
    return special_compositions.polygamma(NAMESPACE, n.to(x.dtype) if isinstance(n, torch.Tensor) else n, x)


_NATIVE: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(torch.special, name) for name in _VALUES},
    **{name: getattr(torch.special, f"bessel_{name}") for name in ("j0", "j1", "y0", "y1")},
    **{name: getattr(torch.special, f"modified_bessel_{name}") for name in ("k0", "k1")},
    **{f"{name}e": getattr(torch.special, f"scaled_modified_bessel_{name}") for name in ("k0", "k1")},
    "betainc": betainc,
    "log_expit": torch.nn.functional.logsigmoid,
    "polygamma": _polygamma,
}
_ORDERED = ("_sinc", "iv", "ive", "polygamma")
"""Functions with an argument that stays a Python number."""


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The special function ``{name}``; see `unidiff.special`."
    return function


def _by_rule(name: str) -> Callable[..., Any]:
    rule = RULES[_PREFIX + name]
    arguments, implementation = rule.arguments, rule.implementation
    assert implementation is not None
    value = _NATIVE.get(name) or partial(implementation, NAMESPACE)
    promotes = rule.kind == "elementwise" and len(rule.jvps) > 1 and name not in _ORDERED

    def function(*args: Any, **kwargs: Any) -> Any:
        positional: Any = args
        if arguments is not None:
            positional, kwargs = arguments(*args, **kwargs)
        elif promotes:
            positional = promoted(*args)
        if not differentiating(positional):
            return value(*positional, **kwargs)
        return Call(rule, NAMESPACE, value, positional, kwargs).result()

    return _named(function, name)


def _by_composition(name: str) -> Callable[..., Any]:
    implementation = RULES[_PREFIX + name].implementation
    assert implementation is not None

    def function(*args: Any, **kwargs: Any) -> Any:
        return implementation(NAMESPACE, *args, **kwargs)

    return _named(function, name)


def _apply_where(*args: Any, **kwargs: Any) -> torch.Tensor:
    return special_compositions.apply_where(NAMESPACE, *args, **kwargs)


def _functions() -> dict[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {}
    for dotted, rule in RULES.items():
        name = dotted.removeprefix(_PREFIX)
        if name == dotted:
            continue
        if name in _PASSED:
            table[name] = getattr(torch.special, name)
        elif rule.kind in ("elementwise", "general"):
            table[name] = _by_rule(name)
        else:
            table[name] = _by_composition(name)
    return table | {"apply_where": _named(_apply_where, "apply_where")}


SPECIAL: Mapping[str, Callable[..., Any]] = MappingProxyType(_functions())
"""The functions of `unidiff.rules.special`, by name."""

NAMESPACE.special = ModuleType(f"{NAMESPACE.__name__}.special")
vars(NAMESPACE.special).update(SPECIAL)
vars(NAMESPACE)["__array_namespace_info__"] = xp.__array_namespace_info__


def module(name: str) -> ModuleType:
    """Return the special functions as a module."""
    made = ModuleType(name, __doc__)
    vars(made).update({key: value for key, value in SPECIAL.items() if not key.startswith("_")})
    return made


@wraps(torch.einsum)
def einsum(subscripts: str, /, *operands: torch.Tensor) -> torch.Tensor:
    """Einstein summation; PyTorch's own with operands of one dtype."""
    checked(subscripts, [x.shape for x in operands])
    return torch.einsum(subscripts, *(operands if len(operands) == 1 else promoted(*operands)))
