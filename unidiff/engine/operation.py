"""A rule bound to a library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unidiff.engine.rule import Rule


class Operation:
    """A rule bound to a library: the function on plain arrays, and the one that also takes traced arrays.

    For elementwise rules ``needs`` picks what each argument's map needs from the values and the result, and ``crosses`` says
    whether a map needs the other argument.
    """

    __slots__ = (
        "crosses",
        "domain",
        "function",
        "keeps_ans",
        "keeps_first",
        "name",
        "needs",
        "pushes",
        "raw",
        "rule",
        "simple",
    )

    def __init__(self, domain: Any, rule: Rule, raw: Callable[..., Any]) -> None:
        self.domain = domain
        self.name = rule.name
        self.rule = rule
        self.raw = raw
        self.function: Callable[..., Any] = raw
        self.pushes = rule.vjps if rule.kind == "elementwise" else ()
        self.crosses = any(1 - i in positions for i, positions in enumerate(rule.residuals[:2]))
        self.simple = rule.kind == "general" and not rule.variadic and rule.outputs is None
        self.keeps_ans, self.keeps_first = -1 in rule.keep, 0 in rule.keep
        self.needs = tuple(_SELECTORS.get(positions) for positions in rule.residuals)


_SELECTORS: dict[tuple[int, ...], Callable[..., tuple[Any, ...]]] = {
    (): lambda a, b, y: (),
    (0,): lambda a, b, y: (a,),
    (1,): lambda a, b, y: (b,),
    (-1,): lambda a, b, y: (y,),
    (0, 1): lambda a, b, y: (a, b),
    (0, -1): lambda a, b, y: (a, y),
    (1, -1): lambda a, b, y: (b, y),
    (-1, 0): lambda a, b, y: (y, a),
    (-1, 1): lambda a, b, y: (y, b),
    (0, 1, -1): lambda a, b, y: (a, b, y),
    (-1, 0, 1): lambda a, b, y: (y, a, b),
}
