"""Builds the namespaces of a domain from the library's own and the rules."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial, wraps
from types import ModuleType
from typing import Any

from unidiff._typing import Namespace
from unidiff.engine.domain import Domain
from unidiff.engine.elementwise import binary, unary
from unidiff.engine.gathering import GATHERING
from unidiff.engine.indexing import INDEXING
from unidiff.engine.operation import Operation
from unidiff.engine.placement import placed
from unidiff.engine.rule import Rule
from unidiff.engine.tracing import Library, TracedArray, dispatch, wrap_constant
from unidiff.errors import ArgumentError, MissingRuleError, NotDifferentiableError

SUBMODULES = ("linalg", "fft", "special")
_UNRULED_PASS = ("__array_namespace_info__",)


def build_namespaces(domain: Domain, rules: Mapping[str, Rule]) -> tuple[Namespace, Namespace, Namespace]:
    """Return the namespaces ``raw``, ``plain`` and ``traced`` and fill ``domain.operations``."""
    library = domain.library
    raw, plain, traced = (_module(f"unidiff.engine.{face}.{domain.name}") for face in ("raw", "plain", "traced"))
    _copy_untraceable(library, (raw, plain, traced), rules)
    for name, rule in rules.items():
        implementation = _raw(domain, rule, raw)
        if implementation is None:
            continue
        operation = Operation(domain, rule, _flat(rule, implementation))
        function = _documented(_function(domain, operation, implementation), implementation, name)
        operation.function = _flat(rule, function)
        domain.operations[name] = operation
        _set(raw, name, implementation)
        if rule.kind == "creation" and not name.endswith("_like"):
            function = placed(domain, function)
        _set(plain, name, function)
        _set(traced, name, wrapping(domain, function) if rule.kind == "creation" else function)
    asarray = placed(domain, _conversion(domain, plain), converts=True)
    _set(plain, "asarray", asarray)
    _set(traced, "asarray", wrapping(domain, asarray))
    for face in (plain, traced):
        if hasattr(face, "astype"):
            _set(face, "astype", _uncopied(face.astype))
        _refuse_unruled(domain, library.xp, face)
    return raw, plain, traced


def _module(name: str) -> ModuleType:
    """Return a new module, also where there is one of the name: a domain that was made before keeps its own."""
    module = sys.modules[name] = ModuleType(name, "A namespace of the array API standard.")
    for submodule in SUBMODULES:
        full = f"{name}.{submodule}"
        sys.modules[full] = ModuleType(full)
        setattr(module, submodule, sys.modules[full])
    return module


def _set(module: ModuleType, dotted: str, value: Any) -> None:
    *path, name = dotted.split(".")
    for part in path:
        module = getattr(module, part)
    setattr(module, name, value)


def _get(namespace: Namespace, dotted: str) -> Any:
    for part in dotted.split("."):
        namespace = getattr(namespace, part, None)
    return namespace


def _copy_untraceable(library: Library, faces: tuple[ModuleType, ...], rules: Mapping[str, Rule]) -> None:
    """Copy constants, dtypes and what else is not a function into every face."""
    xp = library.xp
    for name in dir(xp):
        value = getattr(xp, name)
        if name in rules or isinstance(value, ModuleType):
            continue
        if name in _UNRULED_PASS or not (name.startswith("_") or (callable(value) and not isinstance(value, type))):
            for face in faces:
                setattr(face, name, value)
    for face in faces:
        face.__dict__["__array_api_version__"] = getattr(xp, "__array_api_version__", "2025.12")
    _copy_raw_functions(xp, faces[0], rules)


def _copy_raw_functions(xp: Namespace, raw: ModuleType, rules: Mapping[str, Rule]) -> None:
    for prefix, source in ((None, xp), *((s, getattr(xp, s, None)) for s in SUBMODULES)):
        for name in dir(source) if source is not None else ():
            value = getattr(source, name)
            dotted = f"{prefix}.{name}" if prefix else name
            if callable(value) and not name.startswith("_") and dotted not in rules:
                _set(raw, dotted, value)


def _raw(domain: Domain, rule: Rule, raw: ModuleType) -> Callable[..., Any] | None:
    """Return the function on plain arrays: the library's own, else the rule's implementation over the raw namespace."""
    library = domain.library
    found: Callable[..., Any] | None
    found = library.natives.get(rule.name) or _get(library.xp, rule.name) or _indexing(library, rule.name)
    if found is None and rule.implementation is not None:
        found = partial(rule.implementation, raw)
    return found


def _indexing(library: Library, name: str) -> Callable[..., Any] | None:
    function = INDEXING.get(name) or GATHERING.get(name)
    return None if function is None else partial(function, library)


def _flat(rule: Rule, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with the arrays of a packed variadic rule as separate arguments."""
    if not rule.packed:
        return function

    def flat(*arrays: Any, **kwargs: Any) -> Any:
        return function(list(arrays), **kwargs)

    return flat


def _documented(function: Callable[..., Any], original: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Give the function the name, docstring and signature of the one it stands for."""
    short = name.rpartition(".")[2]
    function.__name__ = function.__qualname__ = short
    function.__doc__ = getattr(original, "__doc__", None)
    if not isinstance(original, partial):
        function.__wrapped__ = original  # type: ignore[attr-defined]  # what inspect.signature follows
    return function


def _function(domain: Domain, op: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
    rule = op.rule
    if rule.kind == "elementwise" and len(rule.vjps) == 1:
        return unary(domain, op)
    if rule.kind == "elementwise" and len(rule.vjps) == 2:
        return binary(domain, op)
    if rule.kind == "composite" or (rule.kind == "creation" and rule.implementation is not None):
        return _composite(domain, rule, original)
    if rule.kind in ("nondifferentiable", "creation"):
        return _refusing(domain, op, original)
    return _general(domain, op, original)


def _general(domain: Domain, op: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of a rule; one array or two, and nothing else, take the short way."""
    otherwise = _any_call(domain, op, original)
    traced, untraceable = domain.array_class, domain.untraceable
    pairs = len(op.rule.jvps) == 2 and None not in op.rule.jvps
    if op.rule.arguments is not None or not op.rule.jvps:
        return otherwise

    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1:
            (x,) = args
            if type(x) is traced and (not kwargs or untraceable.issuperset(map(type, kwargs.values()))):
                return x._trace.first(op, x, (), kwargs)
        elif pairs and len(args) == 2 and not kwargs:
            x1, x2 = args
            if type(x1) is traced:
                if type(x2) in domain.operands or (type(x2) is traced and x1._trace is x2._trace):
                    return x1._trace.pair(op, x1, x2)
            elif type(x2) is traced and type(x1) in domain.operands:
                return x2._trace.pair(op, x1, x2)
        return otherwise(*args, **kwargs)

    return function


def _any_call(domain: Domain, op: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
    arguments, traced, untraceable = op.rule.arguments, domain.array_class, domain.untraceable
    most = _most_positional(op.rule)
    variadic = op.rule.variadic
    operands = tuple(i for i, push in enumerate(op.rule.jvps) if push is not None)

    def function(*args: Any, **kwargs: Any) -> Any:
        positional, keywords = arguments(*args, **kwargs) if arguments else (args, kwargs)
        constants, given = _constant_keywords(op.name, keywords) if keywords else keywords, positional
        if variadic and {*map(type, positional)} == {traced}:
            trace = positional[0]._trace
            if all(x._trace is trace for x in positional):
                return trace.process(op, positional, constants)
        if variadic:
            positional = domain.with_arrays(positional, range(len(positional)))
        elif positional and (len(operands) > 1 or type(positional[0]) in _SEQUENCES):
            positional = domain.with_arrays(positional, operands)
        if (
            positional
            and type(positional[0]) is traced
            and len(positional) <= most
            and untraceable.issuperset(map(type, positional[1:]))
        ):
            return positional[0]._trace.first(op, positional[0], positional[1:], constants)
        for arg in positional:
            if isinstance(arg, TracedArray):
                if len(positional) > most:
                    raise ArgumentError(_POSITIONAL.format(op.name, most))
                return dispatch(domain, op, positional, constants)
        unchanged = constants is keywords and positional is given
        return original(*args, **kwargs) if unchanged else op.raw(*positional, **constants)

    return function


_SEQUENCES = frozenset({list, tuple})
_POSITIONAL = "{} takes {} positional arguments; give options by keyword, as the array API standard has them."


def _most_positional(rule: Rule) -> float:
    """Return how many positional arguments the derivatives of a function take."""
    maps = [m for m in (*rule.jvps, *rule.vjps) if m is not None]
    if rule.variadic or not maps:
        return math.inf
    kinds = [[p.kind for p in inspect.signature(m).parameters.values()] for m in maps]
    if any(inspect.Parameter.VAR_POSITIONAL in each for each in kinds):
        return math.inf
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return max(sum(kind in named for kind in each) for each in kinds) - len(_BEFORE)


_BEFORE = ("xp", "t", "ans")  # what a map takes before the arguments of the call


def _constant_keywords(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with constants unwrapped; arrays that carry a derivative are positional."""
    for value in kwargs.values():
        if isinstance(value, TracedArray):
            if value._trace.level:
                raise NotDifferentiableError(f"{name} takes no traced array as a keyword argument.")
            return {key: _unwrap_constant(value) for key, value in kwargs.items()}
    return kwargs


def _composite(domain: Domain, rule: Rule, original: Callable[..., Any]) -> Callable[..., Any]:
    arguments, implementation = rule.arguments, rule.implementation
    assert implementation is not None

    def function(*args: Any, **kwargs: Any) -> Any:
        positional, keywords = arguments(*args, **kwargs) if arguments else (args, kwargs)
        for arg in positional:
            if isinstance(arg, TracedArray) or (type(arg) is list and _contains_traced(arg)):
                if domain.recorded is not None and _is_of(domain.recorded, arg):
                    return _get(domain.recorded.plain, rule.name)(*args, **kwargs)
                lists = [i for i, x in enumerate(positional) if type(x) is list]
                positional = domain.with_arrays(positional, lists) if lists else positional
                if all(map(_is_constant, positional)):
                    return wrap_constant(domain, original(*map(_unwrap_constant, args), **_unwrapped_options(kwargs)))
                return wrap_constant(domain, implementation(domain.nested, *positional, **keywords))
        return original(*args, **kwargs)

    return function


def _refusing(domain: Domain, op: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with an error for traced arguments; constants are unwrapped."""
    rule = op.rule
    reason = rule.reason or "it makes an array from Python numbers, so the derivative would be lost"

    def function(*args: Any, **kwargs: Any) -> Any:
        traced = [x for x in (*args, *kwargs.values()) if isinstance(x, TracedArray)]
        if not traced:
            return original(*args, **kwargs)
        if any(x._trace.level for x in traced):
            raise NotDifferentiableError(f"{op.name} does not take a traced array: {reason}.")
        plain = [_unwrap_constant(x) for x in args]
        return wrap_constant(domain, original(*plain, **{k: _unwrap_constant(v) for k, v in kwargs.items()}))

    return function


def _unwrap_constant(x: Any) -> Any:
    if isinstance(x, list):
        return list(map(_unwrap_constant, x))
    return x._value if isinstance(x, TracedArray) else x


def _unwrapped_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {key: _unwrap_constant(value) for key, value in kwargs.items()}


def _is_of(domain: Any, x: Any) -> bool:
    """Whether an array, or one in a list, is a traced one of the domain."""
    return any(_is_of(domain, item) for item in x) if isinstance(x, list) else type(x) is domain.array_class


def _is_constant(x: Any) -> bool:
    """Whether an argument carries no derivative: an array that does not, a list of such, or what is neither."""
    if isinstance(x, list):
        return all(map(_is_constant, x))
    return not x._trace.level if isinstance(x, TracedArray) else not (isinstance(x, tuple) or callable(x))


def wrapping(domain: Domain, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with plain arrays that it gives wrapped as constants."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrap_constant(domain, function(*args, **kwargs))

    return wrapped


def _refuse_unruled(domain: Domain, xp: Namespace, face: ModuleType) -> None:
    """Let functions of the library that have no rule work on plain arrays and raise on traced ones."""
    sources = [(face, xp), *((getattr(face, s), getattr(xp, s, None)) for s in SUBMODULES)]
    for module, source in sources:
        for name in dir(source) if source is not None else ():
            value = getattr(source, name)
            if not name.startswith("_") and callable(value) and not hasattr(module, name):
                setattr(module, name, _unruled(domain, value, name))


def _unruled(domain: Domain, function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, TracedArray) and x._trace.level for x in (*args, *kwargs.values())):
            raise MissingRuleError(
                f"the backend {domain.name!r} has no derivative rule for {name!r}. Write it with functions of the array API"
                " standard, or give it a rule with unidiff.custom_jvp or unidiff.custom_vjp."
            )
        return function(*map(_unwrap_constant, args), **{k: _unwrap_constant(v) for k, v in kwargs.items()})

    guarded.unruled = True  # type: ignore[attr-defined]  # a plugin may have another function for it
    return guarded


def _conversion(domain: Domain, xp: Namespace) -> Callable[..., Any]:
    def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
        """Convert to an array; nested sequences that contain traced arrays are stacked, so that the derivative is kept."""
        if isinstance(obj, TracedArray):
            return _as_traced(xp, obj, obj.dtype if dtype is None else dtype, device, copy)
        if isinstance(obj, (list, tuple)) and _contains_traced(obj):
            if copy is False:
                raise ArgumentError("a nested sequence becomes an array only by a copy; leave copy=False out")
            parts = [asarray(item, dtype=dtype, device=device) for item in obj]
            common = xp.result_type(*parts)
            return xp.stack([part if part.dtype == common else xp.astype(part, common) for part in parts])
        return domain.library.xp.asarray(obj, dtype=dtype, device=device, copy=copy)

    return asarray


def _uncopied(astype: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``astype`` such that it gives a traced array itself back where that needs no copy and none is wanted."""

    @wraps(astype)
    def converted(x: Any, dtype: Any, /, **options: Any) -> Any:
        if options and isinstance(x, TracedArray) and options.pop("copy", True) is False and x.dtype == dtype and not options:
            return x
        return astype(x, dtype, **options)

    return converted


def _as_traced(xp: Namespace, x: Any, dtype: Any, device: Any, copy: bool | None) -> Any:
    moves = device is not None and device != x.device
    if copy is False and (moves or x.dtype != dtype):
        raise ArgumentError(f"an array of dtype {x.dtype} on {x.device} needs a copy to change that; leave copy=False out")
    if moves:
        x = xp._to_device(x, device)
    result = xp.astype(x, dtype) if copy or x.dtype != dtype else x
    if not x._domain.is_scalar(result):
        return result
    array = xp.astype(result, dtype)  # an array, which in-place operators change, of what may be an immutable scalar
    array._memory = object()
    return array


def _contains_traced(obj: Any) -> bool:
    if isinstance(obj, (list, tuple)):
        return not _NUMBERS.issuperset(map(type, obj)) and any(map(_contains_traced, obj))
    return isinstance(obj, TracedArray)


_NUMBERS = frozenset({bool, int, float, complex})
