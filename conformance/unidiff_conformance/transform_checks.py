"""Checks of what a backend does with a function besides differentiating it: batching, compiling, and every derivation."""

import re
from copy import copy
from typing import Any

import numpy as np

from unidiff_conformance.scenario import Scenario
from unidiff_conformance.trial import Trial

_DATA_DEPENDENT = re.compile(
    r"\.nonzero\.|\.unique_|getitem\.mask-|program\.branch\.|program\.loop\.newton|\.repeat\.|argmin\.as-index|argmax\.as-index"
)
"""Scenarios that need a value to branch, or for the shape of a result, which neither a batch nor a compiled program has."""


def is_static(scenario: Scenario) -> bool:
    """Say whether the function takes the same steps, of the same shapes, whatever the values are."""
    return not _DATA_DEPENDENT.search(scenario.id)


def check_batched(t: Trial) -> None:
    """In a batch with another point, whichever comes first, a point has the value and the cotangents that it has alone."""
    pull = lambda *xs: tuple(t.backend.vjp(t.function, xs)[1](t.cotangents))  # noqa: E731 - called below
    for place in range(2):
        pairs = [(here, there) if place == 0 else (there, here) for here, there in zip(t.inputs, t.elsewhere, strict=True)]
        stacked = t.arrays([np.stack(pair) for pair in pairs])
        for function, like, expected, what in (
            (t.function, t.oracle.value, t.value, "batched outputs"),
            (pull, t.inputs, t.pulled, "batched input cotangents"),
        ):
            outs = t.backend.vmap(function, stacked, [True] * len(stacked), 2)
            t.check([out[place, ...] for out in outs], like, expected, f"{what}, slice {place} of 2,")


def check_compiled(t: Trial) -> None:
    """The compiled function and its compiled pullback, called at another point first, give here what they give otherwise."""
    value = t.backend.jit(t.function)
    pull = t.backend.jit(lambda *xs: tuple(t.backend.vjp(t.function, xs)[1](t.cotangents)))
    others = t.arrays(t.elsewhere)
    value(*others), pull(*others)
    for call in ("a second call", "a third call"):
        t.check(value(*t.primals), t.oracle.value, t.value, f"compiled outputs of {call}")
        t.check(pull(*t.primals), t.inputs, t.pulled, f"compiled input cotangents of {call}")


def check_derived(t: Trial) -> None:
    """With all but one of its own operations hidden, what is derived from the one that is left is right."""
    native = t.backend.native
    for kept in ("vjp", "jvp"):
        if kept in native:
            _check_derivations(t, kept, t.backend.hiding(native - {kept}))


def _check_derivations(t: Trial, kept: str, backend: Any) -> None:
    hidden = copy(t)
    hidden.backend = backend
    try:
        _, pushed = backend.jvp(hidden.function, t.primals, t.tangents)
        hidden.check(pushed, t.oracle.value, t.pushed, f"output tangents, from {kept},")
        _, linear = backend.linearize(hidden.function, t.primals)
        hidden.check(linear(t.tangents), t.oracle.value, t.pushed, f"output tangents of linearize, from {kept},")
        _, pullback = backend.vjp(hidden.function, t.primals)
        hidden.check(pullback(t.cotangents), t.inputs, t.pulled, f"input cotangents, from {kept},")
        _, gradient = backend.value_and_grad(hidden.weighted, t.primals)
        hidden.check(gradient, t.inputs, t.pulled, f"gradient, from {kept},")
    finally:
        t.worst = max(t.worst, hidden.worst)
