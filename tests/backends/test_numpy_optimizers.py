"""Kernels of optimizers as lists of NumPy's functions: the bits of the kernel itself, in place and not."""

from dataclasses import dataclass

import numpy as np
import pytest

import unidiff as ud

pytest.importorskip("unidiff_backends")
from unidiff_backends._numpy import optimizers
from unidiff_backends._numpy.kernel_program import UnknownOperationError, record

random = np.random.default_rng(0)


@dataclass(frozen=True)
class Rule(ud.optim.Method):
    """A method with one kernel of many, which exchange what they keep in awkward ways."""

    learning_rate: float = 0.1
    kind: str = "plain"

    def slots(self):
        return {"a": "like", "b": "like"}

    def kernel(self, xp, g, p, s, h):
        a, b = s["a"], s["b"]
        return {
            "plain": lambda: (g * h["step"], {"a": a * 0.5 + g, "b": b + g * g}),
            "late use": lambda: (self._late(a * 0.5 + g, a, g), {"a": a * 0.5 + g, "b": b}),
            "exchanged": lambda: (g * h["step"], {"a": b + 0.0, "b": a + g}),
            "swapped": lambda: (g * h["step"], {"a": b, "b": a}),
            "the gradient": lambda: (g - a, {"a": g, "b": b}),
            "one result twice": lambda: self._twice(a + g),
            "comparisons": lambda: (xp.where(g > a, g, xp.zeros_like(g)) - abs(b), {"a": xp.maximum(a, g), "b": -g}),
            "scalars on the left": lambda: (1.0 - g, {"a": 2.0 / (a * a + 1.0), "b": 1.0 + b}),
            "a branch": lambda: (g if float(xp.sum(g)) > 1e9 else -g, {"a": a, "b": b}),
        }[self.kind]()

    @staticmethod
    def _late(new, a, g):
        return new * a - g / (a * a + 1.0)

    @staticmethod
    def _twice(x):
        return x * 0.5, {"a": x, "b": x}


KINDS = [
    "plain", "late use", "exchanged", "swapped", "the gradient", "one result twice", "comparisons", "scalars on the left",
    "a branch",
]  # fmt: skip


@pytest.mark.parametrize("donate", [False, True], ids=["kept", "given up"])
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_the_kernel(kind, donate, monkeypatch):
    monkeypatch.setattr(optimizers, "_BLOCK_BYTES", 8 * 1000)  # so that there are several blocks, and a shorter last one
    rule = Rule(kind=kind)
    shape = (61, 71)
    params, grads, state = random.normal(size=shape), random.normal(size=shape), rule.init(np.zeros(shape))
    state |= {"a": random.normal(size=shape), "b": random.normal(size=shape)}
    update, slots = rule.kernel(np, grads, params, {name: state[name].copy() for name in "ab"}, {"step": -0.1})
    expected = {"p": params + update, **{name: np.array(x) for name, x in slots.items()}}
    held = (params, {**state}) if donate else (params.copy(), {**state})
    before = [params.copy(), state["a"].copy(), state["b"].copy()]
    new, after = rule.step(held[0], grads, held[1], donate=donate)
    np.testing.assert_array_equal(new, expected["p"])
    np.testing.assert_array_equal(after["a"], expected["a"])
    np.testing.assert_array_equal(after["b"], expected["b"])
    arrays = [new, after["a"], after["b"], grads]
    assert not any(np.shares_memory(x, y) for i, x in enumerate(arrays) for y in arrays[:i])
    if not donate:
        for x, y in zip((held[0], state["a"], state["b"]), before, strict=True):
            np.testing.assert_array_equal(x, y)


def test_adam_needs_two_buffers_and_no_copies():
    adam = ud.optim.Adam(0.1)
    values, _ = adam.scalars(3, 0.1, {})
    program = record(adam, ["m", "v"], values, np.dtype("float32"))
    assert program.buffers == 2
    assert program.copies == []
    assert len(program.steps) == 13


def test_what_is_no_list_of_functions_is_refused():
    for kind in ("swapped", "the gradient"):
        with pytest.raises(UnknownOperationError):
            record(Rule(kind=kind), ["a", "b"], {"step": -0.1}, np.dtype("float64"))
