"""Special functions with the values of ``jax.scipy.special``, or composed of those, and the derivatives of unidiff's rules."""

import functools
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp

from unidiff.rules import RULES, special_compositions
from unidiff.rules.einsum import checked
from unidiff_backends._jax.absorbing import absorbing_product
from unidiff_backends._jax.rules import jit, with_tangents

_PREFIX = "special."
_PASSED = ("erf", "erfc")
_VALUES = (
    *("betainc", "boxcox", "boxcox1p", "digamma", "entr", "erfcx", "erfinv", "exp1", "expi", "expit", "expn"),
    *("gamma", "gammainc", "gammaincc", "gammaln", "hyp1f1", "i0", "i0e", "i1", "i1e", "kl_div", "log_ndtr", "loggamma"),
    *("logit", "ndtr", "ndtri", "rel_entr", "xlog1py", "xlogy", "zeta"),
)
_NATIVE: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(jsp, name) for name in _VALUES if hasattr(jsp, name)},  # older versions have fewer
    "cbrt": jnp.cbrt,
    "exp2": jnp.exp2,
    "gammasgn": jsp.gammasgn,
    "log_expit": jax.nn.log_sigmoid,
    "psi": jsp.digamma,
}
_ORDERS = {"_sinc": 1, "iv": 0, "ive": 0, "polygamma": 0}
"""Where functions have an argument that stays a Python number if it is one."""


def _namespace() -> Any:
    namespace = ModuleType("unidiff_backends.jax")
    vars(namespace).update({name: getattr(jnp, name) for name in dir(jnp) if not name.startswith("_")})
    vars(namespace).update(special=ModuleType("unidiff_backends.jax.special"), _constant=jax.lax.stop_gradient)
    vars(namespace).update(__array_namespace_info__=jnp.__array_namespace_info__)
    return namespace


NAMESPACE = _namespace()
"""What rules compute with."""


def _xlogy(x: Any, y: Any) -> Any:
    """Return x log(y), linear in x also to JAX, as tangents and cotangents have to be, whose zeros count."""
    x, y = jnp.broadcast_arrays(x, y)
    return absorbing_product(x, jnp.log(y))


def _xlog1py(x: Any, y: Any) -> Any:
    x, y = jnp.broadcast_arrays(x, y)
    return absorbing_product(x, jnp.log1p(y))


def _floating(*args: Any) -> list[Any]:
    """Return numbers and arrays as arrays of their common dtype, which is a floating one."""
    dtype = jnp.result_type(*args, 1.0)
    return [jnp.asarray(x, dtype=dtype) for x in args]


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The special function ``{name}``; see `unidiff.special`."
    return function


@functools.lru_cache(maxsize=512)
def _operation(name: str, statics: tuple[Hashable, ...], options: tuple[tuple[str, Hashable], ...]) -> Callable[..., Any]:
    """Return a compiled function of the arrays among the arguments; ``statics`` has None in their places."""
    rule, keywords = RULES[_PREFIX + name], dict(options)
    positions = [i for i, x in enumerate(statics) if x is None]

    def filled(arrays: Any) -> list[Any]:
        args: list[Any] = list(statics)
        for i, x in zip(positions, arrays, strict=True):
            args[i] = x
        return args

    def value(*arrays: Any) -> Any:
        native, implementation = _NATIVE.get(name), rule.implementation
        args = filled(arrays)
        if native is not None:
            return native(*args, **keywords)
        assert implementation is not None
        return implementation(NAMESPACE, *args, **keywords)

    def push_through(position: int) -> Callable[..., Any]:
        jvp: Any = rule.jvps[position]

        def push(t: Any, ans: Any, *arrays: Any) -> Any:
            pushed = jvp(NAMESPACE, t, ans, *filled(arrays), **keywords)
            return jnp.broadcast_to(pushed, ans.shape).astype(ans.dtype)

        return push

    operation: Callable[..., Any] = jit(with_tangents(value, *map(push_through, positions)))
    return operation


def _by_rule(name: str) -> Callable[..., Any]:
    rule = RULES[_PREFIX + name]
    arguments, place = rule.arguments, _ORDERS.get(name)

    def function(*args: Any, **kwargs: Any) -> Any:
        if arguments is not None:
            args, kwargs = arguments(*args, **kwargs)
        statics: list[Hashable] = [None] * len(args)
        if place is not None and isinstance(args[place], (int, float)):
            statics[place] = args[place]
        arrays = _floating(*(x for x, static in zip(args, statics, strict=True) if static is None))
        return _operation(name, tuple(statics), tuple(kwargs.items()))(*arrays)

    return _named(function, name)


def _by_composition(name: str) -> Callable[..., Any]:
    implementation = RULES[_PREFIX + name].implementation
    assert implementation is not None

    def function(*args: Any, **kwargs: Any) -> Any:
        return implementation(NAMESPACE, *args, **kwargs)

    return _named(function, name)


def _apply_where(*args: Any, **kwargs: Any) -> Any:
    return special_compositions.apply_where(NAMESPACE, *args, **kwargs)


def _functions() -> dict[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {}
    for dotted, rule in RULES.items():
        name = dotted.removeprefix(_PREFIX)
        if name == dotted:
            continue
        if name in _PASSED:
            table[name] = getattr(jsp, name)
        elif rule.kind in ("elementwise", "general"):
            table[name] = _by_rule(name)
        else:
            table[name] = _NATIVE.get(name) or _by_composition(name)
    return table | {"apply_where": _named(_apply_where, "apply_where")}


SPECIAL: Mapping[str, Callable[..., Any]] = MappingProxyType(_functions())
"""The functions of `unidiff.rules.special`, by name."""

vars(NAMESPACE.special).update(SPECIAL, xlogy=_xlogy, xlog1py=_xlog1py)


def module(name: str) -> ModuleType:
    """Return the special functions as a module."""
    made = ModuleType(name, __doc__)
    vars(made).update({key: value for key, value in SPECIAL.items() if not key.startswith("_")})
    return made


def einsum(subscripts: str, /, *operands: Any) -> Any:
    """Einstein summation; JAX's own."""
    checked(subscripts, [x.shape for x in operands])
    return jnp.einsum(subscripts, *operands)
