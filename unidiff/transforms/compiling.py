"""Compiled functions: recorded or compiled once for each kind of call, then run without Python's overhead."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from operator import index
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, Arrays, Tree
from unidiff.calls import not_an_output
from unidiff.derive import CompleteBackend
from unidiff.dispatch import find_backend, scalar_dtype
from unidiff.errors import ArgumentError, NotAnArrayError, UnsupportedOperationError

__all__ = ["jit"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR
_TYPES = registry.TYPES


def jit(
    f: Callable[..., Any],
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    *,
    compiler: str | None = None,
    backend: Any = None,
) -> Callable[..., Any]:
    """Return a function that computes the same as a function, compiled for each kind of call.

    On NumPy, and every library that unidiff's engine differentiates, the function is recorded once for each signature (the
    tree, shapes, dtypes, devices and memory layouts of its arguments, and its static arguments) as a straight-line program of
    the library's own calls: derivatives taken, constants evaluated, equal calls made one, unused ones removed, and memory used
    again. The program computes the same bits as the function itself. On JAX this is ``jax.jit`` of the function, the same
    compiled program. On torch the function runs as it is unless `compiler` asks for ``torch.compile``.

    The function is to be a function of its arguments. What else it does, such as printing, is done when it is recorded. What
    it takes from its surroundings (closures, globals, attributes, containers) is looked up anew on the engine's libraries:
    arrays are read in each call, and where anything else is another object than it was the function is recorded anew. JAX
    takes all of these as they were at the first call.

    Parameters
    ----------
    f : callable
        Takes pytrees of arrays and Python numbers; returns a pytree. Real and complex Python numbers are arrays to it, of the
        dtype that the arrays of the call have; integers, booleans and other leaves of the result are fixed for each kind of
        call (JAX makes arrays of them).
    static_argnums : int or sequence of int
        Positional arguments that are not arrays but fixed for each kind of call; they must be hashable.
    static_argnames : str or sequence of str
        The same by name.
    compiler : str, optional
        On torch the backend of ``torch.compile``, such as "inductor" or "aot_eager". Where it fails, a warning says so once and
        the function runs as it is.
    backend : str, optional
        The backend where no array tells it; "numpy" by default.

    Returns
    -------
    callable
        Takes the arguments of `f`. Its method ``lower(*args, **kwargs)`` returns the program for these arguments, without
        running it, as an object with the method ``as_text()``.

    Raises
    ------
    unidiff.errors.ArgumentError
        If a static argument is not hashable, or `static_argnums` does not fit.
    unidiff.errors.TracedConversionError
        If `f` branches on the value of an array, or needs it for a shape: use `unidiff.cond`, ``xp.where`` or a static
        argument.
    unidiff.errors.InPlaceError
        If `f` changes an argument in place.
    unidiff.errors.ImpureFunctionError
        If `f` makes random numbers.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> gradient = ud.jit(ud.grad(lambda x: (x**3).sum()))
    >>> gradient(np.asarray([1.0, 2.0]))
    array([ 3., 12.])
    >>> print(gradient.lower(np.asarray([1.0, 2.0])))
    inputs %1: float64[2]
    constant %6: float64[2] = array([3., 3.])
    %7: float64[2] = pow(%1, 2)
    %8: float64[2] = mul(%6, %7)
    return %8
    """
    if not callable(f):
        raise ArgumentError(f"The function to compile must be callable, but it is {f!r:.200}.")
    jitted = _Jitted(f, static_argnums, static_argnames, compiler, backend)
    bare, types, is_dynamic = jitted.bare, _TYPES, not (jitted.numbers or jitted.names)

    @wraps(f)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        if is_dynamic and not kwargs:  # bare arrays, the common case, cost one look-up for each
            function = bare.get(tuple([types.get(type(x)) for x in args]))
            if function is not None:
                try:
                    return function(*args)
                except Exception as error:
                    jitted.translate(error)
                    raise
        return jitted.call(args, kwargs)

    compiled.lower = jitted.lower  # type: ignore[attr-defined]  # a function with a method, as jax.jit returns
    return compiled


class _Jitted:
    """A function with all its compiled forms.

    Attributes
    ----------
    bare : dict
        For calls with bare arrays only, by the backends of the arguments: what to call with them.
    """

    def __init__(self, f: Callable[..., Any], numbers: Any, names: Any, compiler: str | None, backend: Any) -> None:
        self.f, self.compiler, self.backend = f, compiler, backend
        self.numbers, self.names = _static(f, numbers, names)
        self.bare: dict[Any, Callable[..., Any]] = {}
        self.native: dict[CompleteBackend, Callable[..., Any] | None] = {}
        self.forms: dict[Any, _Form] = {}

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call the function, compiled for such arguments."""
        self._check_static(args, kwargs)
        b, kind = find_backend(self._dynamic(args, kwargs), {}, self.backend)
        native = self._native(b)
        is_bare = not kwargs and args and all(_TYPES.get(type(x)) is kind for x in args)
        if native is not None:
            if is_bare and not (self.numbers or self.names):
                self.bare[(kind,) * len(args)] = native
            try:
                return native(*args, **kwargs)
            except Exception as error:
                self.translate(error)
                raise
        form, arrays = self._form(b, kind, args, kwargs)
        if is_bare and not (self.numbers or self.names):
            self.bare[(kind,) * len(args)] = form
        return form(*arrays)

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Return the program for these arguments."""
        self._check_static(args, kwargs)
        b, kind = find_backend(self._dynamic(args, kwargs), {}, self.backend)
        native = self._native(b)
        if native is not None and hasattr(native, "lower"):
            return native.lower(*args, **kwargs)
        form, arrays = self._form(b, kind, args, kwargs)
        if hasattr(form.flat, "lower"):
            return form.flat.lower(*arrays)
        raise UnsupportedOperationError(f"The backend {b.name!r} runs the function as it is: there is no program to show.")

    def translate(self, error: Exception) -> None:
        """Raise what unidiff says in place of an error of a library that compiles functions itself."""
        for b in self.native:
            translated = getattr(b.backend, "jit_error", lambda _error: None)(error)
            if translated is not None:
                raise translated from error

    def _native(self, b: CompleteBackend) -> Callable[..., Any] | None:
        """Return the function compiled by a library that takes pytrees itself, None where it does not."""
        if b not in self.native:
            make = getattr(b.backend, "jit_of_trees", None)
            options = {"static_argnums": self.numbers, "static_argnames": self.names, "compiler": self.compiler}
            self.native[b] = None if make is None or "jit" not in b.native else make(self.f, **options)
        return self.native[b]

    def _dynamic(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        positional = [x for i, x in enumerate(args) if not self._is_static(i, len(args))]
        return (*positional, *(x for name, x in kwargs.items() if name not in self.names))

    def _is_static(self, position: int, count: int) -> bool:
        return position in self.numbers or position - count in self.numbers

    def _check_static(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        static = [(f"argument {i}", x) for i, x in enumerate(args) if self._is_static(i, len(args))]
        static += [(f"argument {name!r}", x) for name, x in kwargs.items() if name in self.names]
        for where, x in static:
            try:
                hash(x)
            except TypeError:
                raise ArgumentError(
                    f"The static {where} is {x!r:.200} of type {type(x).__qualname__}, which cannot be hashed. Pass a tuple in "
                    "place of a list, and arrays as arguments that are not static."
                ) from None

    def _form(self, b: CompleteBackend, kind: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple["_Form", Arrays]:
        """Return the function as one of arrays only, for calls of this kind, and the arrays of this call."""
        held = _Static({i: x for i, x in enumerate(args) if self._is_static(i, len(args))})
        held_names = _Static({name: x for name, x in kwargs.items() if name in self.names})
        positional = [x for i, x in enumerate(args) if i not in held.values]
        named = {name: x for name, x in kwargs.items() if name not in held_names.values}
        leaves, spec = tree.flatten((positional, named))
        arrays = [x for x in leaves if _of_type(x) is kind]
        dynamic: list[Any] = []
        fixed: list[Any] = []
        for k, x in enumerate(leaves):
            if _of_type(x) is kind:
                dynamic.append(x)
                fixed.append(None)
            elif isinstance(x, (float, complex)):  # also those of NumPy that are subclasses
                device = b.device(arrays[0]) if arrays else None
                dynamic.append(b.asarray(x, dtype=scalar_dtype(b, x, arrays), device=device))
                fixed.append(None)
            elif _of_type(x) is _SCALAR:
                fixed.append((type(x), x))
            else:
                raise NotAnArrayError(
                    f"{tree.paths(spec, 'An argument: ')[k]} is {x!r:.200} of type {type(x).__qualname__}, neither an array nor"
                    " a number. Name the argument in static_argnums or static_argnames."
                )
        key = (b, spec, tuple(fixed), held, held_names)
        form = self.forms.get(key)
        if form is None:
            form = self.forms.setdefault(key, _Form(self.f, b, kind, key, self.compiler))
        return form, tuple(dynamic)


class _Static:
    """Static arguments, equal where they are equal and of equal types."""

    def __init__(self, values: dict[Any, Any]) -> None:
        self.values = values
        self.key = tuple((name, type(x), x) for name, x in values.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class _Form:
    """A function of arrays only, compiled by a backend, for calls of one kind."""

    __slots__ = ("flat",)

    def __init__(self, f: Callable[..., Any], b: CompleteBackend, kind: Any, key: Any, compiler: str | None) -> None:
        _, spec, fixed, held, held_names = key

        def function(*arrays: Array) -> tuple[Arrays, Any]:
            given = iter(arrays)
            leaves = [next(given) if x is None else x[1] for x in fixed]
            positional, named = tree.unflatten(spec, leaves)
            rest = iter(positional)
            count = len(positional) + len(held.values)
            args = [held.values[i] if i in held.values else next(rest) for i in range(count)]
            return _split(b, kind, f(*args, **named, **held_names.values))

        self.flat = b.jit(function, has_aux=True, compiler=compiler)

    def __call__(self, *arrays: Array) -> Tree:
        outs, rest = self.flat(*arrays)
        if rest is None:
            return outs[0]
        return _join(outs, *rest) if rest else tuple(outs)


def _split(b: CompleteBackend, kind: Any, result: Tree) -> tuple[Arrays, Any]:
    """Return the arrays of a result, and its tree with everything else, None for a bare array and () for a tuple of arrays."""
    own = (kind, b)  # arrays that are recorded are of a kind of their own where the backend was named
    if _of_type(result) in own:
        return (result,), None
    if type(result) is tuple and all(_of_type(x) in own for x in result):
        return result, ()
    leaves, spec = tree.flatten(result)
    for k, x in enumerate(leaves):
        if isinstance(_of_type(x), CompleteBackend) and _of_type(x) not in own:
            raise not_an_output(b, x, tree.paths(spec, "output")[k])
    others = [None if _of_type(x) in own else (x,) for x in leaves]
    return tuple(x for x in leaves if _of_type(x) in own), (spec, others)


def _join(outs: Arrays, spec: Any, others: Sequence[Any]) -> Tree:
    arrays = iter(outs)
    return tree.unflatten(spec, [next(arrays) if x is None else x[0] for x in others])


def _static(f: Callable[..., Any], numbers: Any, names: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the static positions and names, each completed by the other as far as the signature tells."""
    try:
        positions = {index(n) for n in (numbers if isinstance(numbers, Sequence) else (numbers,))}
    except TypeError:
        raise ArgumentError(f"static_argnums must be an integer or a sequence of integers, but it is {numbers!r}.") from None
    known = {names} if isinstance(names, str) else set(names)
    if not all(isinstance(name, str) for name in known):
        raise ArgumentError(f"static_argnames must be a string or a sequence of strings, but it is {names!r}.")
    try:
        parameters = list(signature(f).parameters.values())
    except (TypeError, ValueError):
        return tuple(sorted(positions)), tuple(sorted(known))
    kinds = [p.kind for p in parameters]
    taken = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if Parameter.VAR_POSITIONAL not in kinds and (wrong := [n for n in positions if not -len(taken) <= n < len(taken)]):
        raise ArgumentError(f"static_argnums names the argument {wrong[0]}, but the function takes {len(taken)} by position.")
    everything = {p.name for p in parameters}
    if Parameter.VAR_KEYWORD not in kinds and (unknown := sorted(known - everything)):
        raise ArgumentError(f"static_argnames names {unknown[0]!r}, but the function has no such argument.")
    for i, p in enumerate(taken):
        if i in positions or (Parameter.VAR_POSITIONAL not in kinds and i - len(taken) in positions) or p.name in known:
            positions.add(i)
            if p.kind is Parameter.POSITIONAL_OR_KEYWORD:
                known.add(p.name)
    return tuple(sorted(n for n in positions if n >= 0 or Parameter.VAR_POSITIONAL in kinds)), tuple(sorted(known))
