"""One check for every rule, over NumPy and over the strict implementation of the standard.

The oracle is central differences of the library's own function on NumPy, along every real direction of every argument. It
knows nothing of the rules, and what it gives is the Jacobian, against which tangents, cotangents and second derivatives are
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat.numpy as np_xp
import array_api_strict
import numpy as np
import pytest
from unidiff_backends.numpy import NumpyBackend

from unidiff.backend import BackendInfo
from unidiff.engine import EngineBackend, Library
from unidiff.rules import RULES

STEP = 1e-3


def _strict() -> EngineBackend:
    library = Library(
        name="strict",
        xp=array_api_strict,
        array_types=(type(array_api_strict.asarray(1.0)),),
        to_numpy=np.asarray,
        to_device=lambda x, device: x.to_device(device),
        own=lambda x, shared: array_api_strict.asarray(x, copy=True) if shared else x,
        quiet=lambda: np.errstate(all="ignore"),
    )
    info = BackendInfo(name="strict", api_version=1, factory="tests:strict", arrays=("array_api_strict",))
    return EngineBackend(info, library, RULES)


_ENGINES: dict[str, Callable[[], EngineBackend]] = {"numpy": NumpyBackend, "strict": _strict}
_made: dict[str, EngineBackend] = {}


def _engine(name: str) -> EngineBackend:
    if name not in _made:
        _made[name] = _ENGINES[name]()
    return _made[name]


@pytest.fixture(params=list(_ENGINES))
def engine(request: pytest.FixtureRequest) -> EngineBackend:
    return _engine(request.param)


@pytest.fixture
def numpy_engine() -> EngineBackend:
    return _engine("numpy")


def outputs(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, (tuple, list)) else (y,)


def inexact(array: Any) -> bool:
    return bool(np.issubdtype(np.asarray(array).dtype, np.inexact))


class Derivatives:
    """A function, its arguments and the derivatives the engine gives, as NumPy arrays."""

    def __init__(self, engine: EngineBackend, function: Callable[..., Any], inputs: Sequence[Any], dtype: Any = None) -> None:
        self.engine, self.function = engine, function
        self.inputs = [np.asarray(x) for x in inputs]
        if dtype is not None:
            single = {"f": np.float32, "c": np.complex64}
            self.inputs = [x.astype(single[x.dtype.kind]) for x in self.inputs]

    def call(self, *arrays: Any) -> tuple[Any, ...]:
        return outputs(self.function(self.engine.namespace(*arrays), *arrays))

    def arrays(self, values: Sequence[Any]) -> list[Any]:
        return [self.engine.asarray(v) for v in values]

    def numpy(self, values: Sequence[Any]) -> list[Any]:
        return [self.engine.to_numpy(v) for v in values]

    def jvp(self, tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        outs, pushed = self.engine.jvp(self.call, self.arrays(self.inputs), self.arrays(tangents))
        return self.numpy(outs), self.numpy(pushed)

    def vjp(self, cotangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        outs, pull = self.engine.vjp(self.call, self.arrays(self.inputs))
        return self.numpy(outs), self.numpy(pull(self.arrays(cotangents)))

    def gradient(self, *, scale: float = 1.0) -> Any:
        """Return the gradient of the sum of the real parts of a function of one array with one result."""
        xp = self.engine.namespace()

        def loss(x: Any) -> tuple[Any]:
            (y,) = self.call(x)
            return (scale * xp.sum(xp.real(y) if xp.isdtype(y.dtype, "complex floating") else y),)

        _, (g,) = self.engine.value_and_grad(loss, self.arrays(self.inputs))
        return self.engine.to_numpy(g)

    # --- second order, of half the sum of squares: its derivatives are not constant where the function is linear

    def loss(self, *arrays: Any) -> tuple[Any]:
        xp = self.engine.namespace(*arrays)
        parts = [xp.sum(xp.real(y * xp.conj(y))) if xp.isdtype(y.dtype, "complex floating") else xp.sum(y * y)
                 for y in self.call(*arrays)]  # fmt: skip
        return (0.5 * sum(parts[1:], parts[0]),)

    def second(self, outer: str, inner: str, v: Sequence[Any], w: Sequence[Any]) -> float:
        """Return the second derivative of the loss along v and w, by the two modes."""
        engine, xs, vs, ws = self.engine, self.arrays(self.inputs), self.arrays(v), self.arrays(w)

        def along_w(*xs: Any) -> tuple[Any]:
            if inner == "fwd":
                return tuple(engine.jvp(self.loss, xs, ws)[1])
            _, grads = engine.value_and_grad(self.loss, xs)
            return (self.inner_product(grads, ws),)

        if outer == "fwd":
            (result,) = engine.jvp(along_w, xs, vs)[1]
        else:
            _, grads = engine.value_and_grad(along_w, xs)
            result = self.inner_product(grads, vs)
        return float(engine.to_numpy(result))

    def inner_product(self, us: Sequence[Any], vs: Sequence[Any]) -> Any:
        xp = self.engine.namespace(*us)
        parts = [xp.sum(xp.real(u * xp.conj(v))) if xp.isdtype(u.dtype, "complex floating") else xp.sum(u * v)
                 for u, v in zip(us, vs, strict=True)]  # fmt: skip
        return sum(parts[1:], parts[0])


def directions(inputs: Sequence[Any]) -> list[list[Any]]:
    """Return every real direction: a unit in one element of one argument, and i where that is complex."""
    units = []
    for position, x in enumerate(inputs):
        for index in np.ndindex(x.shape):
            for unit in (1.0, 1j) if x.dtype.kind == "c" else (1.0,):
                direction = [np.zeros_like(z) for z in inputs]
                direction[position][index] = unit
                units.append(direction)
    return units


def differences(function: Callable[..., Any], inputs: Sequence[Any], direction: Sequence[Any]) -> list[Any]:
    """Return the derivative along the direction by central differences of fourth order."""

    def at(h: float) -> list[Any]:
        return [np.asarray(y) for y in outputs(function(np_xp, *(x + h * d for x, d in zip(inputs, direction, strict=True))))]

    near, far = ((at(k * STEP), at(-k * STEP)) for k in (1, 2))
    return [(8 * (a - b) - (c - d)) / (12 * STEP) for a, b, c, d in zip(*near, *far, strict=True)]


def draw(values: Sequence[Any], seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=v.shape) + (1j * rng.normal(size=v.shape) if v.dtype.kind == "c" else 0) for v in values]
    return [d.astype(v.dtype) for d, v in zip(drawn, values, strict=True)]


def dot(us: Sequence[Any], vs: Sequence[Any]) -> float:
    return float(sum(np.sum(np.real(np.conj(u) * v)) for u, v in zip(us, vs, strict=True)))


def check_first_order(engine: EngineBackend, function: Callable[..., Any], inputs: Sequence[Any], dtype: Any) -> None:
    case = Derivatives(engine, function, inputs, dtype)
    exact = [x.astype(np.result_type(x.dtype, np.float64)) for x in case.inputs]
    values = [np.asarray(y) for y in outputs(function(np_xp, *case.inputs))]
    tangents, cotangents = draw(case.inputs, 1), draw(values, 2)
    outs, pushed = case.jvp(tangents)
    outs_reverse, pulled = case.vjp(cotangents)
    rtol, atol = (1e-7, 1e-9) if dtype is None else (1e-4, 1e-5)
    for y, out, out_reverse in zip(values, outs, outs_reverse, strict=True):
        assert out.dtype == out_reverse.dtype == y.dtype
        np.testing.assert_allclose(out, y, rtol=1e-14 if dtype is None else 1e-6, atol=0 if dtype is None else 1e-6)
        np.testing.assert_array_equal(out_reverse, out)
    for t, y in zip(pushed, values, strict=True):
        assert (t.shape, t.dtype) == (y.shape, y.dtype)
    for g, x in zip(pulled, case.inputs, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
    expected = [t.astype(np.result_type(t.dtype, np.float64)) for t in differences(function, exact, tangents)]
    for t, e in zip(pushed, expected, strict=True):
        np.testing.assert_allclose(t, e, rtol=rtol, atol=atol)
    for unit in directions(exact):
        np.testing.assert_allclose(
            dot(pulled, unit), dot(cotangents, differences(function, exact, unit)), rtol=rtol, atol=10 * atol
        )
    np.testing.assert_allclose(dot(pulled, tangents), dot(cotangents, pushed), rtol=1e-11 if dtype is None else 1e-4, atol=atol)


def check_second_order(engine: EngineBackend, function: Callable[..., Any], inputs: Sequence[Any]) -> None:
    case = Derivatives(engine, function, inputs)
    v, w = draw(case.inputs, 3), draw(case.inputs, 4)

    def along_w(h: float) -> float:
        moved = Derivatives(engine, function, [x + h * d for x, d in zip(case.inputs, v, strict=True)])
        values, pushed = moved.jvp(w)
        return dot(values, pushed)

    expected = (8 * (along_w(STEP) - along_w(-STEP)) - (along_w(2 * STEP) - along_w(-2 * STEP))) / (12 * STEP)
    for outer in ("fwd", "rev"):
        for inner in ("fwd", "rev"):
            result = case.second(outer, inner, v, w)
            np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-9, err_msg=f"{outer} over {inner}")


@pytest.fixture(params=["first order", "single precision", "second order"])
def check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return ``check(engine, function, inputs)``."""
    if request.param == "second order":
        return check_second_order
    dtype = np.float32 if request.param == "single precision" else None
    return lambda engine, function, inputs: check_first_order(engine, function, inputs, dtype)


@pytest.fixture
def derivatives() -> type[Derivatives]:
    return Derivatives


@pytest.fixture
def real() -> Callable[..., Any]:
    return _real


def _real(*shape: int, seed: int = 0) -> Any:
    """Return distinct numbers at least 0.1 apart and away from zero, in random order."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    steps = (np.arange(size) - size / 2 + 0.5 + rng.uniform(-0.3, 0.3, size)) * 0.45
    steps = steps + np.sign(steps) * 0.2
    return rng.permutation(steps).reshape(shape)


def _complex(*shape: int, seed: int = 0) -> Any:
    return _real(*shape, seed=seed) + 1j * _real(*shape, seed=seed + 100)


def make(specification: Any, seed: int) -> Any:
    """Return the input that a table names: a shape, ``("complex", *shape)``, or the values themselves as an array."""
    if not isinstance(specification, tuple):
        return np.asarray(specification)
    if specification[:1] == ("complex",):
        return _complex(*specification[1:], seed=seed)
    return _real(*specification, seed=seed)


@pytest.fixture
def inputs() -> Callable[..., list[Any]]:
    return lambda *specifications: [make(s, 7 * i) for i, s in enumerate(specifications)]
