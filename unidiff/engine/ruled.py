"""Operations with derivative rules that are given where they are used, instead of in a rule file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unidiff._typing import Array, Arrays
from unidiff.engine.operation import Operation
from unidiff.engine.rule import Rule, general_pull
from unidiff.engine.tracing import dispatch


def with_rules(backend: Any, f: Callable[..., Arrays], push: Callable[..., Arrays], pull: Callable[..., Arrays]) -> Any:
    """Return a function of arrays that is evaluated by `f` and differentiated by the two rules.

    ``push(tangents, primals, outs)`` returns the tangents of the outputs and ``pull(cotangents, primals, outs)`` the
    cotangents of the primals. Both get arrays of the enclosing traces, so what they compute is differentiated again.
    """
    domain = backend.domain

    def called(function: Callable[..., Arrays], *groups: Sequence[Any]) -> tuple[Any, ...]:
        """Call a user's function with arrays as users see them; return what it gives as traces hold it."""
        return tuple(map(backend._lift, function(*(tuple(map(backend.shown, arrays)) for arrays in groups))))

    def filled(parts: Sequence[Any], like: Sequence[Any]) -> tuple[Any, ...]:
        zeros = domain.library.xp.zeros
        return tuple(
            zeros(tuple(x.shape), dtype=x.dtype, device=domain.device(x)) if part is None else part
            for part, x in zip(parts, like, strict=True)
        )

    def jvp(_xp: Any, tangents: Sequence[Any], ans: Any, arrays: Sequence[Array]) -> tuple[Any, ...]:
        return called(push, filled(tangents, arrays), arrays, ans)

    def vjp(_xp: Any, g: Any, place: Any, ans: Any, arrays: Sequence[Array]) -> Any:
        # All arguments share one evaluation of the rule, which is done for the first of them.
        position, latest = place
        cotangents, parts = latest[0]
        if cotangents is not g:
            parts = called(pull, filled(g, ans), arrays, ans)
            latest[0] = (g, parts)
        return parts[position]

    def places(arrays: Sequence[Array]) -> list[Any]:
        latest: list[Any] = [(None, None)]
        return [(k, latest) for k in range(len(arrays))]

    rule = Rule(
        name="with_rules",
        kind="general",
        jvps=(jvp,),
        vjps=(vjp,),
        pulls=(general_pull(vjp),),
        variadic=True,
        places=places,
        keep=frozenset({-1, 0}),
        outputs=0,
    )
    operation = Operation(domain, rule, lambda *arrays: called(lambda shown: f(*shown), arrays))
    operation.function = lambda *arrays: dispatch(domain, operation, arrays, {})
    return operation.function
