"""unidiff's own additions: special functions, `einsum`, `apply_where`."""

from collections.abc import Iterator
from functools import partial
from math import inf, nan
from typing import Any

import numpy as np

import unidiff as ud
from unidiff_conformance.scenario import REDUCTION, TRANSCENDENTAL, Accuracy, Function, Scenario, cplx, real, scenario

SPECIAL = Accuracy("special", 1024.0, False, "Libraries compute these to a few hundred units, worst in single precision.")

# function of one argument: where it is smooth
_UNARY: dict[str, tuple[float, float]] = {
    "digamma": (0.5, 4.0),
    "entr": (0.2, 3.0),
    "erf": (-2.0, 2.0),
    "erfc": (-2.0, 2.0),
    "erfcinv": (0.3, 1.7),
    "erfcx": (-1.0, 2.0),
    "erfinv": (-0.8, 0.8),
    "expit": (-3.0, 3.0),
    "gamma": (0.5, 4.0),
    "gammaln": (0.5, 4.0),
    "i0": (-2.0, 2.0),
    "i0e": (0.3, 3.0),
    "i1": (-2.0, 2.0),
    "i1e": (0.3, 3.0),
    "log_expit": (-3.0, 3.0),
    "log_ndtr": (-2.0, 2.0),
    "logit": (0.2, 0.8),
    "ndtr": (-2.0, 2.0),
    "ndtri": (0.2, 0.8),
    "sinc": (-2.0, 2.0),
}
_BINARY: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "beta": ((0.5, 3.0), (0.5, 3.0)),
    "betaln": ((0.5, 3.0), (0.5, 3.0)),
    "kl_div": ((0.3, 3.0), (0.3, 3.0)),
    "rel_entr": ((0.3, 3.0), (0.3, 3.0)),
    "xlog1py": ((-2.0, 2.0), (-0.6, 2.0)),
    "xlogy": ((-2.0, 2.0), (0.3, 3.0)),
}
# function with parameters that have no derivative, the parameters, and where it is smooth in its last argument
_PARAMETRIC: dict[str, tuple[tuple[float, ...], tuple[float, float]]] = {
    "betainc": ((1.5, 2.5), (0.2, 0.8)),
    "betaincc": ((1.5, 2.5), (0.2, 0.8)),
    "gammainc": ((1.5,), (0.3, 3.0)),
    "gammaincc": ((1.5,), (0.3, 3.0)),
    "iv": ((2,), (0.3, 2.0)),
    "ive": ((2,), (0.3, 2.0)),
    "polygamma": ((1,), (0.5, 4.0)),
}


def _call(name: str, *parameters: float) -> Function:
    return lambda xp, *arrays: getattr(ud.special, name)(*parameters, *arrays)


def _exact(name: str, *parameters: float) -> Function:
    def evaluate(_: Any, *arrays: Any) -> Any:
        from unidiff_conformance.special_reference import special  # needs mpmath, as stored vectors do not

        return special(name)(*parameters, *arrays)

    return evaluate


def _logsumexp(x: Any, axis: Any = None) -> Any:
    top = np.max(np.real(x), axis=axis, keepdims=True)
    return np.squeeze(top, axis=axis) + np.log(np.sum(np.exp(x - top), axis=axis))


def _softmax(x: Any, axis: Any = None) -> Any:
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def _elementwise() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=SPECIAL)
    for name, (low, high) in _UNARY.items():
        yield make(f"special.{name}.vector", _call(name), real(2, low=low, high=high), reference=_exact(name))
    for name, ranges in _BINARY.items():
        first, second = (real(2, low=low, high=high) for low, high in ranges)
        yield make(f"special.{name}.vectors", _call(name), first, second, reference=_exact(name))
    for name, (parameters, (low, high)) in _PARAMETRIC.items():
        function, reference = _call(name, *parameters), _exact(name, *parameters)
        yield make(f"special.{name}.vector", function, real(2, low=low, high=high), reference=reference)
    gammas = lambda xp, a: ud.special.multigammaln(a, 2)
    yield make("special.multigammaln.vector", gammas, real(2, low=1.0, high=4.0),
               reference=lambda xp, a: _exact("multigammaln")(xp, a, 2))  # fmt: skip


def _sums() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=REDUCTION)
    functions: dict[str, Function] = {
        "logsumexp": _logsumexp,
        "softmax": _softmax,
        "log_softmax": lambda x, axis=None: np.log(_softmax(x, axis)),
    }
    for name, function in functions.items():
        call = lambda xp, x, name=name, **options: getattr(ud.special, name)(x, **options)
        wanted = lambda xp, x, function=function, **options: function(x, **options)
        for variant, options in (("all", {}), ("axis", {"axis": 1}), ("axes", {"axis": (0, 1)})):
            yield make(f"special.{name}.{variant}", partial(call, **options), real(2, 3), reference=partial(wanted, **options))
    yield make("special.logsumexp.complex", lambda xp, x: ud.special.logsumexp(x), cplx(2),
               reference=lambda xp, x: _logsumexp(x))  # fmt: skip
    total = lambda xp, x: ud.special.logsumexp(x)
    for variant, point, value, slopes in (
        ("minus-infinity", [-inf, 0.0], 0.0, [0.0, 1.0]),
        ("all-minus-infinity", [-inf, -inf], -inf, [0.5, 0.5]),
        ("two-infinities", [inf, 1.0, inf], inf, [0.5, 0.0, 0.5]),
    ):
        constant = lambda xp, x, value=value: np.asarray(value, x.dtype)
        yield scenario(f"special.logsumexp.{variant}", total, point, jacobian=[slopes], reference=constant)


def _points() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=SPECIAL)
    for name, variant, point, slope in (
        ("entr", "at-0", 0.0, inf),
        ("erf", "infinity", inf, 0.0),
        ("erfinv", "ends", 1.0, inf),
        ("expit", "infinity", inf, 0.0),
        ("expit", "infinity-below", -inf, 0.0),
        ("gammaln", "pole", -1.0, nan),
        ("logit", "ends-0", 0.0, inf),
        ("logit", "ends-1", 1.0, inf),
    ):
        yield make(f"special.{name}.{variant}", _call(name), [point], jacobian=[[slope]], reference=_exact(name))
    yield make("special.i0e.at-0", _call("i0e"), [0.0], like=lambda xp, x: 0 * x, reference=_exact("i0e"))
    yield make("special.sinc.at-0", _call("sinc"), [0.0], reference=_exact("sinc"))
    for name in ("xlogy", "xlog1py"):
        by_y = lambda xp, y, name=name: getattr(ud.special, name)(0.0, y)
        yield make(f"special.{name}.zero-factor", by_y, [0.5, 0.0], like=lambda xp, y: 0 * y, reference=lambda xp, y: 0 * y)
    yield make("special.xlogy.zero-zero", _call("xlogy"), [0.0], [0.0], jacobian=[[-inf, 0.0]], reference=_exact("xlogy"))


def _others() -> Iterator[Scenario]:
    for variant, subscripts, inputs in (
        ("matmul", "ij,jk->ik", (real(2, 3), real(3, 2))),
        ("trace", "ii->", (real(3, 3),)),
        ("three", "i,ij,j->", (real(2), real(2, 2), real(2))),
        ("ellipsis", "...i,i->...", (real(2, 3), real(3))),
        ("complex", "i,i->", (cplx(2), cplx(2))),
    ):
        call = lambda xp, *arrays, subscripts=subscripts: ud.einsum(subscripts, *arrays)
        wanted = lambda xp, *arrays, subscripts=subscripts: np.einsum(subscripts, *arrays)
        yield scenario(f"special.einsum.{variant}", call, *inputs, reference=wanted, accuracy=REDUCTION)
    root = lambda xp, x: ud.special.apply_where(x > 0, x, xp.sqrt)
    like = lambda xp, x: xp.stack([0 * x[0], x[1] / 4, x[2] / 2])
    exactly = lambda xp, x: np.sqrt(x)
    yield scenario("special.apply_where.one-function", root, [0.0, 4.0, 1.0], like=like, reference=exactly)
    both = lambda xp, x: ud.special.apply_where(x > 0, x, xp.log, lambda x: 2 * x)
    parts = lambda xp, x: xp.where(x > 0, np.log(np.abs(x)), 2 * x)
    yield scenario("special.apply_where.two-functions", both, real(4), reference=parts, accuracy=TRANSCENDENTAL)


SCENARIOS = (*_elementwise(), *_sums(), *_points(), *_others())
