"""Functions with derivative rules of the user's own, on every backend."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial, update_wrapper
from inspect import Signature, signature
from types import MethodType
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays
from unidiff.errors import ArgumentError, MissingRuleError
from unidiff.transforms.rule_call import Like, RuleCall

__all__ = ["custom_jvp", "custom_vjp"]


class _Custom:
    """A function that carries its rule; the base of `custom_jvp` and `custom_vjp`."""

    _remedy: str

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()
    ) -> None:
        if not callable(fun):
            raise ArgumentError(f"The function that gets a rule must be callable, but it is {fun!r:.200}.")
        update_wrapper(self, fun)
        self.fun = fun
        self.nondiff_argnums: tuple[int, ...] = _all(
            int, nondiff_argnums, "nondiff_argnums", "an integer or a sequence of integers"
        )
        self.nondiff_argnames: tuple[str, ...] = _all(
            str, nondiff_argnames, "nondiff_argnames", "a name or a sequence of names"
        )
        self._signature: Signature | None = None
        self.linear: dict[Any, list[bool]] = {}

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}>"

    @property
    def name(self) -> str:
        return getattr(self.fun, "__name__", repr(self.fun))

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return all arguments by position, keywords and defaults among them."""
        if self._signature is None:
            try:
                self._signature = signature(self.fun)
            except (TypeError, ValueError):  # functions written in C may have none
                self._signature = Signature()
        parameters = self._signature.parameters
        if not kwargs and len(args) >= len(parameters):
            return args
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise ArgumentError(
                f"{self.name} has a rule for arguments by position, but {', '.join(bound.kwargs)} can be passed by keyword "
                "only."
            )
        return bound.args

    def fixed(self, count: int) -> tuple[int, ...]:
        """Return the positions of the arguments that are not differentiated."""
        names = list(self._signature.parameters) if self._signature is not None else []
        unknown = [name for name in self.nondiff_argnames if name not in names]
        if unknown:
            raise ArgumentError(f"nondiff_argnames has {unknown[0]!r}, but {self.name} has no such argument.")
        fixed = {*self.nondiff_argnums, *map(names.index, self.nondiff_argnames)}
        if any(not -count <= n < count for n in fixed):
            raise ArgumentError(f"nondiff_argnums={self.nondiff_argnums} is out of range: {self.name} got {count} arguments.")
        return tuple(sorted(n % count for n in fixed))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the function; transforms use its rule."""
        if not self._has_rule():
            raise MissingRuleError(f"{self.name} has no rule yet: {self._remedy}")
        args = self._positional(args, kwargs)
        call = RuleCall(self, args)
        if not call.arrays:
            return self.fun(*args)
        return call.build(self._operation(call)(*call.arrays))

    def _has_rule(self) -> bool:
        raise NotImplementedError

    def _operation(self, call: RuleCall) -> Callable[..., Arrays]:
        raise NotImplementedError


def _all(kind: type, given: Any, name: str, what: str) -> tuple[Any, ...]:
    """Return one value of a type, or a sequence of them, as a tuple, or raise ArgumentError."""
    values = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    if any(not isinstance(value, kind) or isinstance(value, bool) for value in values):
        raise ArgumentError(f"{name} must be {what}, but it is {given!r:.200}.")
    return values


class custom_jvp(_Custom):  # noqa: N801  # a decorator
    """Give a function a forward-mode rule of its own; the signatures are those of JAX.

    Reverse mode uses the transpose of the rule, which must be linear in the tangents. The rule is differentiated itself for
    higher orders. Where no derivative is taken the function just runs.

    Parameters
    ----------
    fun : callable
        The function. Takes and returns pytrees of arrays and Python numbers. Keyword arguments and defaults are resolved to
        positions by its signature.
    nondiff_argnums : int or sequence of int
        Arguments that are not differentiated and may be anything, such as functions; the rule gets them first.
    nondiff_argnames : str or sequence of str
        The same by name.

    Methods
    -------
    defjvp(rule)
        Set the rule, ``rule(*nondiff_args, primals, tangents) -> (primal_out, tangent_out)``; returns it. The tangents of
        integer and boolean arguments are zeros; in `tangent_out` they may be None.
    defjvps(*rules)
        Set one rule ``rule(t, ans, *primals) -> tangent_out`` for each argument, None for a derivative that is zero.

    Raises
    ------
    unidiff.errors.MissingRuleError
        If the function is called before it has a rule.
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If the rule returns tangents of another structure, shape or dtype than the output, or another output than the function
        where both are evaluated; the message names the leaf.
    unidiff.errors.LeakedTracerError
        If the function uses an array that is being differentiated or mapped over and is not among its arguments.
    unidiff.errors.NonlinearRuleError
        If reverse mode is asked for, and the rule is not linear in the tangents: it multiplies two of them, branches on one,
        takes its absolute value, or adds what does not depend on them. In forward mode such a rule gives what it gives.

    Notes
    -----
    When a derivative is taken the rule is called in place of the function; PyTorch calls the function, and the rule when the
    derivative is asked for, in reverse mode twice: the second time to see that it is linear. So does JAX, without values.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> @ud.custom_jvp
    ... def log1pexp(x):
    ...     xp = ud.array_namespace(x)
    ...     return xp.log(1 + xp.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     xp = ud.array_namespace(x)
    ...     return log1pexp(x), t * (1 - 1 / (1 + xp.exp(x)))
    >>> float(ud.grad(log1pexp)(np.asarray(100.0)))
    1.0
    """

    _remedy = "give it one with its method defjvp or defjvps."
    _rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule ``rule(*nondiff_args, primals, tangents) -> (primal_out, tangent_out)`` and return it."""
        if not callable(rule):
            raise ArgumentError(f"The rule of {self.name} must be callable, but it is {rule!r:.200}.")
        self._rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Set one rule ``rule(t, ans, *primals) -> tangent_out`` for each argument; None stands for zero."""
        if self.nondiff_argnums or self.nondiff_argnames:
            raise ArgumentError("defjvps is for functions whose arguments are all differentiated; use defjvp.")

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            if len(rules) != len(primals):
                raise ArgumentError(
                    f"{self.name} was called with {len(primals)} arguments, but defjvps got {len(rules)} rules."
                )
            ans = self(*primals)
            parts = [r(t, ans, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            if not parts:
                return ans, tree.map(_zeros_like, ans)
            total = parts[0]
            for part in parts[1:]:
                total = tree.map(lambda x, y: x + y, total, part)
            return ans, total

        self._rule = rule

    def _has_rule(self) -> bool:
        return self._rule is not None

    def _operation(self, call: RuleCall) -> Callable[..., Arrays]:
        assert self._rule is not None
        rule = partial(self._rule, *call.fixed)

        def flat(primals: Arrays, tangents: Sequence[Array | None]) -> tuple[Arrays, Sequence[Array | None]]:
            result = rule(call.dynamic(primals), call.tangents(tangents))
            out, tangent_out = _pair(result, f"The rule of {self.name} must return (primal_out, tangent_out)")
            outs = call.outputs(out, f"The rule of {self.name}")
            found = call.aligned(tangent_out, out, "tangent_out")
            like, paths = [Like(call.backend, y) for y in outs], tree.paths(call.out, "tangent_out")
            return outs, [call.fit(t, y, path, required=True) for t, y, path in zip(found, like, paths, strict=True)]

        return call.backend.custom_jvp(call.flat(), flat)  # type: ignore[no-any-return]  # backends are duck-typed


class custom_vjp(_Custom):  # noqa: N801  # a decorator
    """Give a function a reverse-mode rule of its own; the signatures are those of JAX.

    Forward mode uses the transpose of the backward function, which must be linear in the cotangent for that. The rule is
    differentiated itself for higher orders. Where no derivative is taken the function just runs.

    Parameters
    ----------
    fun : callable
        The function. Takes and returns pytrees of arrays and Python numbers. Keyword arguments and defaults are resolved to
        positions by its signature.
    nondiff_argnums : int or sequence of int
        Arguments that are not differentiated and may be anything, such as functions; `fwd` gets them where `fun` does, `bwd`
        gets them first.
    nondiff_argnames : str or sequence of str
        The same by name.

    Methods
    -------
    defvjp(fwd, bwd)
        Set the rule: ``fwd(*args) -> (out, residuals)`` and ``bwd(*nondiff_args, residuals, cotangent) -> cotangents``, a tuple
        with one entry for each differentiated argument. None in it, in the place of an argument or of a part of it, is zero.
        Residuals are any pytree. Cotangents follow the convention of unidiff, ``Re <u, v>``, on every backend.

    Raises
    ------
    unidiff.errors.MissingRuleError
        If the function is called before it has a rule.
    unidiff.errors.TreeError, unidiff.errors.ShapeError, unidiff.errors.DTypeError
        If the rule returns cotangents of another structure, shape or dtype than the arguments, or another output than the
        function where both are evaluated; the message names the leaf.
    unidiff.errors.LeakedTracerError
        If the function uses an array that is being differentiated or mapped over and is not among its arguments.
    unidiff.errors.NonlinearRuleError
        If forward mode is asked for, and `bwd` is not linear in the cotangent, as the one below is not.

    Notes
    -----
    When a derivative is taken `fwd` is called in place of the function, once. PyTorch calls it again where the derivative is
    itself differentiated, or taken within a transform of ``torch.func``.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> @ud.custom_vjp
    ... def clip_gradient(x, limit):
    ...     return x
    >>> def fwd(x, limit):
    ...     return x, limit
    >>> def bwd(limit, ct):
    ...     return ud.array_namespace(ct).clip(ct, -limit, limit), None
    >>> clip_gradient.defvjp(fwd, bwd)
    >>> ud.grad(lambda x: (clip_gradient(x, 0.5) ** 2).sum())(np.asarray([0.1, 3.0]))
    array([0.2, 0.5])
    """

    _remedy = "give it one with its method defvjp."
    _fwd: Callable[..., Any] | None = None
    _bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set ``fwd(*args) -> (out, residuals)`` and ``bwd(*nondiff_args, residuals, cotangent) -> cotangents``."""
        for function, name in ((fwd, "fwd"), (bwd, "bwd")):
            if not callable(function):
                raise ArgumentError(f"{name} of {self.name} must be callable, but it is {function!r:.200}.")
        self._fwd, self._bwd = fwd, bwd

    def _has_rule(self) -> bool:
        return self._fwd is not None

    def _operation(self, call: RuleCall) -> Callable[..., Arrays]:
        fwd, bwd = self._fwd, self._bwd
        assert fwd is not None
        assert bwd is not None
        likes: list[Like] = []

        def forward(*primals: Array) -> tuple[Arrays, tuple[Any, ...]]:
            out, residuals = _pair(fwd(*call.full(primals)), f"The function fwd of {self.name} must return (out, residuals)")
            outs = call.outputs(out, f"The function fwd of {self.name}")
            likes[:] = [Like(call.backend, y) for y in outs]
            leaves, spec = tree.flatten(residuals)
            return outs, (*leaves, spec)

        def backward(residuals: Sequence[Any], cotangents: Sequence[Array | None]) -> Sequence[Array | None]:
            cts = [y.zeros() if ct is None else ct for ct, y in zip(cotangents, likes, strict=True)]
            kept = tree.unflatten(residuals[-1], residuals[:-1])
            pulled = bwd(*call.fixed, kept, tree.unflatten(call.out, cts))
            return call.cotangents(pulled, f"The function bwd of {self.name}")

        return call.backend.custom_vjp(call.flat(), forward, backward)  # type: ignore[no-any-return]  # backends are duck-typed


def _pair(result: Any, demand: str) -> tuple[Any, Any]:
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise ArgumentError(f"{demand}, but it returned {result!r:.200}.")
    return result[0], result[1]


def _zeros_like(x: Any) -> Any:
    backend = registry.of_type(x)
    return 0.0 if backend is registry.SCALAR else backend.zeros_like(x)
