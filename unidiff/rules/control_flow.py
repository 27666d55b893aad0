"""What control flow leaves in a program."""

from __future__ import annotations

from typing import Any

from unidiff.engine.extend import BATCHERS, IRREVERSIBLE_LOOP, Array, Namespace, UnsupportedOperationError, rule


def _refuse(xp: Namespace, g: Array, ans: Any, x: Any) -> Array:
    raise UnsupportedOperationError(IRREVERSIBLE_LOOP)


rule(
    "_irreversible",
    jvp=lambda xp, t, ans, x: xp._irreversible(t),
    vjp=_refuse,
    view=True,
    implementation=lambda xp, x: x,
)
BATCHERS["_irreversible"] = lambda xp, call, flags, x: call(x)
