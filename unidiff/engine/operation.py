"""A rule bound to a library."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from unidiff.engine.rule import Rule


class Operation:
    """A rule bound to a library: the function on plain arrays, and the one that also takes traced arrays.

    The other attributes say what a recording asks of the rule each time: whether a call with one or two arrays takes the short
    way (`simple`), and whether the cotangent maps get the result, the first and the second argument as they are (`keeps_ans`,
    `keeps_first`, `keeps_second`), or not at all, because they name it with an underscore (`drops_ans`, `drops_arrays`).
    """

    __slots__ = (
        "domain",
        "drops_ans",
        "drops_arrays",
        "function",
        "keeps_ans",
        "keeps_first",
        "keeps_second",
        "name",
        "pulls",
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
        self.pulls = rule.pulls
        self.simple = rule.kind == "general" and not rule.variadic and rule.outputs is None
        self.keeps_ans, self.keeps_first, self.keeps_second = (i in rule.keep for i in (-1, 0, 1))
        before = 3 if rule.variadic else 2  # parameters of a cotangent map before the result
        self.drops_ans = not self.keeps_ans and _drops(rule, before)
        self.drops_arrays = rule.variadic and not self.keeps_first and _drops(rule, before + 1)


def _drops(rule: Rule, place: int) -> bool:
    """Whether no cotangent map uses the parameter at that place."""
    if rule.kind != "general":
        return False
    names = [list(inspect.signature(vjp).parameters) for vjp in rule.vjps if vjp is not None]
    return all(len(each) > place and each[place].startswith("_") for each in names)
