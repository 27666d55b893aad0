"""Recordings of linear maps: what is to be transposed, as the rule of `unidiff.custom_jvp` is, must be linear.

A composition of affine operations is affine, and an affine map that gives zero at zero is linear. So every operation on the
arguments is looked at as it is recorded. It is affine in some of its arguments where their cotangent maps do not depend on the
values of these; what is not known of an operation, as of one with a rule that is given where it is used, is tried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unidiff.engine.marking import MarkTrace
from unidiff.engine.reverse import ReverseTrace
from unidiff.engine.tracing import NewLevel, Trace, TracedArray
from unidiff.errors import TracedConversionError

_OF_SHAPES = frozenset({"empty_like", "full_like", "ones_like", "zeros_like", "result_type", "can_cast"})
"""Operations that do not look at the elements of their first argument."""

_AFFINE = frozenset("add subtract multiply divide negative positive special.radian special.xlogy special.xlog1py".split())
"""Elementwise operations that are affine in arguments which their own derivative by them does not depend on. Others of such a
derivative are steps, or have none."""

_EITHER, _FIRST, _SECOND, _BOTH = ({0}, {1}), ({0},), ({1},), ({0, 1},)
_MULTILINEAR: Mapping[str, tuple[set[int], ...]] = {
    **{prefix + name: _EITHER for prefix in ("", "linalg.") for name in ("matmul", "tensordot", "vecdot")},
    **dict.fromkeys("_getitem _gather _scatter _scatter_at take take_along_axis repeat".split(), _FIRST),
    **dict.fromkeys(("_setitem", "_assign_at"), _BOTH),
    "linalg.cross": _EITHER,
    "linalg.solve": _SECOND,
    "where": ({1, 2},),
}
"""Operations whose cotangent maps need elements of arguments, and the arguments in which they are affine together."""


class Nonlinear(Exception):  # noqa: N818  # a signal within the engine, never seen by users
    """A map that is to be transposed is not linear; the operation that is not."""


class LinearTrace(ReverseTrace):
    """A recording that refuses operations which are not affine in what is recorded."""

    __slots__ = ()

    # The ways of a recording past `process` save time, which here would leave out the look at the operation.
    unary, both, first, pair, part = Trace.unary, Trace.both, Trace.first, Trace.pair, Trace.part

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Record an operation on at least one array of this recording, or raise where it is not affine in those."""
        own = tuple([i for i, x in enumerate(args) if isinstance(x, TracedArray) and x._trace is self])
        if not self._is_affine(op, args, kwargs, own):
            raise Nonlinear(op.name.strip("_"))
        return super().process(op, args, kwargs)

    def concrete(self, _x: TracedArray, purpose: str) -> Any:
        """Refuse: a number that is computed from the arguments is lost to the map."""
        raise Nonlinear(purpose)

    def _is_affine(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], own: tuple[int, ...]) -> bool:
        rule = op.rule
        if op.name in _OF_SHAPES:
            return True
        if rule.kind == "elementwise":
            needed = [n for i in own for n in rule.residuals[i]] if op.name in _AFFINE else [-1]
            return not any(n < 0 or n in own for n in needed)
        if rule.kind == "zero" or op.name == "sign":  # steps
            return False
        if not rule.variadic and None in [op.pulls[i] for i in own if i < len(op.pulls)]:
            return False
        if "astype" in op.name and self.domain.kind(args[1]) == "exact":
            return False
        if not rule.keep:  # no cotangent map needs the elements of anything
            return True
        if op.name in _MULTILINEAR:
            return any(group.issuperset(own) for group in _MULTILINEAR[op.name])
        return self._tried(op, args, kwargs, own)

    def _tried(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], own: tuple[int, ...]) -> bool:
        """Whether the cotangents of own arguments are the same for all values of these."""
        rule, domain = op.rule, self.domain
        values = [self.lower(x) for x in args]
        ans = op.function(*values, **kwargs)

        def pulled(marks: MarkTrace) -> list[Any]:
            given = [marks.mark(x) if i in own else domain.beside_traced(x) for i, x in enumerate(values)]
            marked, g = marks.mark(ans), _ones(domain, ans)
            if not rule.variadic:
                return [rule.vjps[i](domain.nested, g, marked, *given, **kwargs) for i in own if i < len(rule.vjps)]
            places = range(len(args)) if rule.places is None else rule.places(given, **kwargs)
            return [rule.vjps[0](domain.nested, g, places[i], marked, tuple(given), **kwargs) for i in own]

        return is_independent(domain, pulled)


def is_independent(domain: Any, function: Callable[[MarkTrace], Sequence[Any]]) -> bool:
    """Whether what a function returns depends on nothing that it marks, not by a branch of Python either."""
    with NewLevel() as level:
        marks = _Branchless(domain, level)
        try:
            return not marks.is_marked(list(function(marks)))
        except TracedConversionError:
            return False
        finally:
            marks.open = False


class _Branchless(MarkTrace):
    __slots__ = ()

    def concrete(self, _x: TracedArray, purpose: str) -> Any:
        raise TracedConversionError(purpose)


def _ones(domain: Any, like: Any) -> Any:
    if isinstance(like, (tuple, list)):
        return tuple(_ones(domain, y) for y in like)
    return domain.nested.ones(tuple(like.shape), dtype=like.dtype, device=domain.device(like))


def is_zero(domain: Any, x: Any) -> bool:
    """Whether an array is zero where it is finite, beneath all traces, in the recorded run where it is being recorded."""
    while isinstance(x, TracedArray):
        x = x._value
    library, x = (x.recorder.library, x.example) if hasattr(x, "recorder") else (domain.library, x)
    return not bool(library.xp.any((x != 0) & library.xp.isfinite(x)))
