"""Taylor mode: every traced array is a truncated power series in one variable.

The coefficients of a result follow from the tangent maps of the rules alone. With ``y = g(x)``, ``y' = g'(x) x'`` holds between
power series, and the tangent map of the rule, evaluated on series, is the right side: coefficient k of y is coefficient k - 1
of that, over k. The right side needs y itself only up to coefficient k - 1, so series are computed on demand, coefficient by
coefficient, and equal operations on equal series are one series (of the derivatives of a sine two are computed, not n). Where
the tangent map is bilinear, as for a product, or does not depend on the arguments, the coefficients are those of a convolution,
or of the function applied to each.

The cost of an operation thus grows with the square of the order, where that of nested forward mode doubles with each order.
D. McIlroy, "Power series, power serious", J. Funct. Prog. 9 (1999); A. Griewank and A. Walther, "Evaluating Derivatives", ch.
13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unidiff._typing import Array
from unidiff.engine.forward import push_of
from unidiff.engine.shapes import match
from unidiff.engine.tracing import LEAKED, Trace, TracedArray, share_memory, wrap_constant
from unidiff.errors import LeakedTracerError

_BILINEAR = frozenset(
    prefix + name for prefix in ("", "linalg.") for name in ("multiply", "matmul", "tensordot", "vecdot", "outer")
)


class Series:
    """Coefficients that are computed when they are asked for; None is zero.

    Parameters
    ----------
    first : array
        Coefficient 0.
    compute : callable
        ``compute(k)`` returns coefficient k, given those before it.
    """

    __slots__ = ("compute", "derivative", "known", "sources")

    def __init__(self, first: Any, compute: Callable[[int], Any]) -> None:
        self.known = [first]
        self.compute = compute
        self.derivative: TracedArray | None = None
        self.sources: Any = None

    @classmethod
    def of(cls, known: Sequence[Any]) -> Series:
        """Return the series of which these coefficients are known, and no more are needed."""
        series = cls(known[0], known.__getitem__)
        series.known[:] = known
        return series

    def get(self, k: int) -> Any:
        """Return coefficient k."""
        while len(self.known) <= k:
            self.known.append(self.compute(len(self.known)))
        return self.known[k]


class SeriesTrace(Trace):
    """One Taylor expansion; the value of a traced array is coefficient 0, its node the `Series`."""

    __slots__ = ("depth", "open", "order", "seen")

    def __init__(self, domain: Any, level: int, base: bool) -> None:
        super().__init__(domain, level, base)
        self.open = True
        self.order = 0
        self.depth = 0
        self.seen: dict[Any, Any] = {}

    def variable(self, primal: Array, tangent: Array) -> TracedArray:
        """Return the input ``primal + t * tangent``."""
        self.domain.accepts(primal)
        tangent = self.lower(tangent)
        value = self.lower(primal)
        return self._array(value, Series(value, lambda k: tangent if k == 1 else None))

    def close(self) -> None:
        """Refuse further operations on arrays of this expansion."""
        self.open = False
        self.seen.clear()

    def process(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Evaluate the operation and make the series of its result."""
        if not self.open:
            raise LeakedTracerError(LEAKED)
        key = self._key(op, args, kwargs)
        if self.depth and key is not None and key in self.seen:
            return self.seen[key]
        values = [self.lower(arg) for arg in args]
        ans = self.evaluate(op, values, kwargs)
        if op.rule.kind == "zero":
            return wrap_constant(self.domain, ans)
        result = self._result(op, args, values, ans, kwargs)
        if key is not None:
            self.seen[key] = result
        if not self.depth:
            # What the user computes is complete before it is used, so that no chain of operations becomes a recursion.
            with self.domain.library.quiet():
                for part in result if isinstance(result, (tuple, list)) else (result,):
                    if part._trace is self:
                        part._node.get(self.order)
        if op.rule.view and not isinstance(ans, (tuple, list)) and not self.domain.is_scalar(ans):
            share_memory(args[0], result)
        return result

    def _key(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return what tells equal operations; None where that cannot be told."""
        parts = tuple(id(x._node) if self._own(x) else (type(x), x) if isinstance(x, (int, float)) else id(x) for x in args)
        key = (op.name, parts, tuple(kwargs.items()))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _own(self, x: Any) -> bool:
        return isinstance(x, TracedArray) and x._trace is self

    def _array(self, value: Any, series: Series) -> TracedArray:
        return self.domain.array_class(value, self, series)  # type: ignore[no-any-return]  # the domain's own class

    def _result(self, op: Any, args: Any, values: list[Any], ans: Any, kwargs: Mapping[str, Any]) -> Any:
        if isinstance(ans, (tuple, list)):
            push = _Later(lambda: self._push(op, args, boxed, kwargs))
            series = [Series(y, self._integral(lambda i=i: push()[i], y)) for i, y in enumerate(ans)]  # type: ignore[misc]  # i is bound early
            outputs = [self._output(y, s) for y, s in zip(ans, series, strict=True)]
            boxed = type(ans)(*outputs) if hasattr(ans, "_fields") else type(ans)(outputs)
            return boxed
        own = [i for i, arg in enumerate(args) if self._own(arg)]
        if self._is_linear(op, own):
            compute = self._linear(op, args, values, ans, kwargs)
        elif op.name in _BILINEAR and len(own) == 2:
            compute = self._convolution(op, args, ans, kwargs)
        elif op.name == "divide" and 1 in own:
            compute = self._quotient(args, values, ans)
        else:
            compute = self._integral(_Later(lambda: self._push(op, args, result, kwargs)), ans)
        series_of_result = Series(ans, compute)
        if op.name == "divide" and 1 in own:
            series_of_result.compute = lambda k: compute(k, series_of_result)  # type: ignore[call-arg]  # the quotient's recurrence
        series_of_result.sources = args  # keeps the ids in `seen` from being used again
        result = self._output(ans, series_of_result)
        return result

    def _output(self, value: Any, series: Series) -> Any:
        exact = self.domain.kind(value.dtype) == "exact"
        return wrap_constant(self.domain, value) if exact else self._array(value, series)

    def _is_linear(self, op: Any, own: list[int]) -> bool:
        """Whether the derivative by these arguments depends on no array that has one: cotangent maps need none of them."""
        rule = op.rule
        if rule.kind == "elementwise":
            return all(not rule.residuals[i] for i in own) or (len(own) == 1 and op.name in _BILINEAR)
        if rule.variadic:
            return not rule.keep
        if op.name in _BILINEAR:
            return len(own) == 1
        return all(0 <= i < len(rule.jvps) and rule.jvps[i] is None for i in rule.keep)

    def _linear(self, op: Any, args: Any, values: list[Any], ans: Any, kwargs: Mapping[str, Any]) -> Callable[[int], Any]:
        def compute(k: int) -> Any:
            parts = [arg._node.get(k) if self._own(arg) else None for arg in args]
            return self._tangent(self.xp, op, parts, values, ans, ans, kwargs)

        return compute

    def _tangent(self, xp: Any, op: Any, tangents: list[Any], args: Any, ans: Any, like: Any, kwargs: Mapping[str, Any]) -> Any:
        """Return the tangent of the result for tangents of the arguments, None for zero."""
        if op.rule.variadic:
            if all(t is None for t in tangents):
                return None
            total = op.rule.jvps[0](xp, tuple(tangents), ans, tuple(args), **kwargs)
        else:
            total = None
            for position, t in enumerate(tangents):
                jvp = None if t is None else push_of(op, position)
                if jvp is not None:
                    part = jvp(xp, t, ans, *args, **kwargs)
                    total = _plus(total, part)
        return total if total is None or isinstance(total, (tuple, list)) else match(xp, total, like)

    def _convolution(self, op: Any, args: Any, ans: Any, kwargs: Mapping[str, Any]) -> Callable[[int], Any]:
        function = op.raw if self.base else op.function
        a, b = args[0]._node, args[1]._node

        def compute(k: int) -> Any:
            total = None
            for j in range(k + 1):
                x, y = a.get(j), b.get(k - j)
                if x is not None and y is not None:
                    total = _plus(total, function(x, y, **kwargs))
            return total if total is None else match(self.xp, total, ans)

        return compute

    def _quotient(self, args: Any, values: list[Any], ans: Any) -> Callable[..., Any]:
        """Return the recurrence ``y_k = (a_k - sum_{j<k} y_j b_{k-j}) / b_0``."""
        numerator = args[0]._node if self._own(args[0]) else None
        denominator = args[1]._node

        def compute(k: int, y: Series) -> Any:
            total = None if numerator is None else numerator.get(k)
            for j in range(k):
                left, right = y.known[j], denominator.get(k - j)
                if left is not None and right is not None:
                    total = _plus(total, -(left * right))
            return total if total is None else match(self.xp, total / values[1], ans)

        return compute

    def _integral(self, push: Callable[[], Any], like: Any) -> Callable[[int], Any]:
        """Return coefficients from those of the derivative."""

        def compute(k: int) -> Any:
            derivative = push()
            if derivative is None:
                return None
            if self._own(derivative):
                coefficient = derivative._node.get(k - 1)
            elif k > 1:
                return None
            else:
                coefficient = self.lower(derivative)
            return None if coefficient is None else match(self.xp, coefficient / k, like)

        return compute

    def _push(self, op: Any, args: Any, ans: Any, kwargs: Mapping[str, Any]) -> Any:
        """Return the derivative of the result as a series, from the tangent maps evaluated on series."""
        tangents = [self._derivative(arg) if self._own(arg) else None for arg in args]
        lifted = [arg if isinstance(arg, TracedArray) else self.domain.beside_traced(arg) for arg in args]
        self.depth += 1
        try:
            return self._tangent(self.domain.nested, op, tangents, lifted, ans, ans, kwargs)
        finally:
            self.depth -= 1

    def _derivative(self, x: TracedArray) -> TracedArray | None:
        series = x._node
        if series.derivative is None:
            first = series.get(1)
            if first is None:
                zeros = self.domain.library.xp.zeros
                first = zeros(tuple(x._value.shape), dtype=x._value.dtype, device=self.domain.device(x._value))
            derivative = Series(first, lambda k: _times(k + 1, series.get(k + 1)))
            series.derivative = self._array(first, derivative)
        found: TracedArray = series.derivative
        return found


class _Later:
    """A value that is computed once, when it is first asked for."""

    __slots__ = ("compute", "value")

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute: Callable[[], Any] | None = compute
        self.value: Any = None

    def __call__(self) -> Any:
        if self.compute is not None:
            self.value = self.compute()
            self.compute = None
        return self.value


def _plus(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, (tuple, list)):
        return tuple(_plus(x, y) for x, y in zip(a, b, strict=True))
    return a + b


def _times(factor: int, x: Any) -> Any:
    return None if x is None else factor * x
