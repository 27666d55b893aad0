"""Which elements of the outputs depend on which elements of the inputs, by the structure of a program.

A dependence trace is a forward pass whose tangents are indicators: not negative, and positive where there is a dependence. They
go through sums and movements of elements as tangents do; no operation subtracts, and none multiplies by a value, so nothing
cancels and no derivative that is zero by chance hides a dependence. Functions of which nothing finer is known make every
element of the result depend on every element of the arguments. The pattern is thus a superset of that of the Jacobian for the
path that Python's own branches take at these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unidiff.engine.forward import ForwardTrace, push_of

_BOTH = ("", "linalg.")
_MOVES = frozenset(
    "reshape permute_dims moveaxis expand_dims squeeze flip roll concat stack broadcast_to repeat tile tril triu sum mean"
    " cumulative_sum _getitem _setitem _gather _scatter _scatter_at _assign_at take take_along_axis astype real _to_device"
    " matrix_transpose linalg.matrix_transpose fft.fftshift fft.ifftshift".split()
)
"""Functions whose Jacobian is constant and has no negative entries."""
_PRODUCTS = frozenset(p + name for p in _BOTH for name in ("matmul", "tensordot", "vecdot", "outer"))
_ELEMENT_BY_ELEMENT = frozenset({"abs", "clip", "conj", "copysign", "imag", "where", "special._sinc"})
_REDUCTIONS = frozenset({"max", "min", "prod", "std", "var", "special.logsumexp", "linalg.vector_norm"})
_ALONG_AXIS = frozenset({"cumulative_prod", "special.softmax", "special.log_softmax"})


class DependenceTrace(ForwardTrace):
    """One pass; the node of a traced array is its indicator for the inputs that are being followed."""

    __slots__ = ()

    def _push(self, op: Any, values: list[Any], tangents: list[Any], ans: Any, kwargs: Mapping[str, Any]) -> Any:
        if all(t is None for t in tangents):
            return None
        if op.name in _MOVES:
            return super()._push(op, values, tangents, ans, kwargs)
        if op.name in _PRODUCTS:
            return self._product(op, values, tangents, ans, kwargs)
        if op.rule.kind == "elementwise" or op.name in _ELEMENT_BY_ELEMENT:
            return self._sum([self._spread(t, ans) for t in tangents if t is not None])
        if op.name in _REDUCTIONS:
            options = {key: kwargs[key] for key in ("axis", "keepdims") if key in kwargs}
            return self.xp.sum(self._real(tangents[0]), **options)
        if op.name in _ALONG_AXIS and values[0].ndim:
            along = self.xp.sum(self._real(tangents[0]), axis=kwargs.get("axis"), keepdims=True)
            return self._spread(along, ans)
        total = self._sum([self.xp.sum(self._real(t)) for t in tangents if t is not None])
        if isinstance(ans, (tuple, list)):
            return tuple(self._spread(total, y) for y in ans)
        return self._spread(total, ans)

    def _product(self, op: Any, values: list[Any], tangents: list[Any], ans: Any, kwargs: Mapping[str, Any]) -> Any:
        """Multiply indicators by ones, or by the magnitude of a constant, whose zeros are structural."""
        xp, parts = self.xp, []
        for position, t in enumerate(tangents):
            if t is not None:
                weights = [
                    xp.abs(x) if other is None else xp.ones_like(self._real(x))
                    for x, other in zip(values[:2], tangents[:2], strict=True)
                ]
                parts.append(push_of(op, position)(xp, self._real(t), ans, *weights, *values[2:], **kwargs))
        return self._sum(parts)

    def _real(self, x: Any) -> Any:
        return self.xp.real(x) if self.domain.kind(x.dtype) == "complex" else x

    def _spread(self, t: Any, like: Any) -> Any:
        return self.xp.broadcast_to(self._real(t), like.shape)

    def _sum(self, parts: Sequence[Any]) -> Any:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total
