"""A library whose functions record their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, wraps
from types import ModuleType
from typing import Any

from unidiff._typing import Namespace
from unidiff.engine.compiling.recording import LEAKED, Symbol, add_at_of, current, recorder_of
from unidiff.engine.namespace import SUBMODULES
from unidiff.engine.passes import Passes
from unidiff.engine.rule import Pass, Rule
from unidiff.engine.tracing import Library
from unidiff.errors import LeakedTracerError


def recording_library(plain: Passes) -> Library:
    """Return a library like that of a backend whose functions record their calls."""
    library = plain.library
    natives = {name: recorded(name, _get(plain.domain.raw, name)) for name in plain.domain.operations}

    def to_numpy(x: Any) -> Any:
        if type(x) is not Symbol:
            return library.to_numpy(x)
        return recorder_of(x).guard(x, library.to_numpy, "numpy.asarray(x)")

    def frozen(x: Any, lasting: bool) -> Any:
        if library.freeze is None:
            return x
        kept, thaw = library.freeze(x, lasting)
        if thaw is not None:
            thaw()
        return kept

    def freeze(x: Any, lasting: bool) -> tuple[Any, None]:
        recorder = current.get()
        if recorder is None or isinstance(x, library.scalar_types):
            return x, None
        if type(x) is not Symbol:
            x = Symbol(recorder, recorder.capture(x), x, known=False)
        return ordered_as(library, x, partial(frozen, lasting=lasting)), None

    def own(x: Any, shared: bool) -> Any:
        given = library.own
        return x if given is None else ordered_as(library, x, lambda y: given(y, shared))

    return replace(
        library,
        name=f"{library.name}_recorded",
        xp=_recording_namespace(library.xp),
        array_types=(Symbol, *library.array_types),
        to_numpy=to_numpy,
        to_device=None if library.to_device is None else recorded("_to_device", library.to_device),
        own=own,
        freeze=freeze,
        scatter_add=add_at_of(library),
        quiet=_quiet,
        natives=natives,
    )


def ordered_as(library: Library, x: Any, copied: Callable[[Any], Any]) -> Any:
    """Return an array, or where a copy that is made without recording has its elements in another order, that copy.

    Nothing that is recorded is changed, so there is no need of copies, but the order decides on how later sums are rounded.
    """
    if type(x) is not Symbol or library.layout(copied(x.example)) == library.layout(x.example):
        return x
    return recorder_of(x).record("copy", copied, (x,), {})


def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that notes its calls in the recording in progress."""

    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is not None:
            return recorder.record(name, function, args, kwargs)
        if Symbol in map(type, args):
            raise LeakedTracerError(LEAKED)
        return function(*args, **kwargs)

    call.__name__ = name.rpartition(".")[2]
    call.__doc__ = getattr(function, "__doc__", None)
    return call if isinstance(function, partial) else wraps(function)(call)


def _recorded_asarray(function: Callable[..., Any]) -> Callable[..., Any]:
    def asarray(obj: Any, /, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is None:
            return function(obj, **kwargs)
        if type(obj) is Symbol and kwargs.get("dtype") in (None, obj.dtype) and kwargs.get("device") in (None, obj.device):
            return Symbol(recorder, recorder.encode(obj).number, function(obj.example, copy=True), known=obj.known)
        return recorder.record("asarray", function, (obj,), kwargs)

    return asarray


@contextmanager
def _quiet() -> Iterator[None]:
    recorder = current.get()
    if recorder is None:
        yield
        return
    recorder.quiet_depth += 1
    try:
        yield
    finally:
        recorder.quiet_depth -= 1


def _get(namespace: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        namespace = getattr(namespace, part)
    return namespace


def _recording_namespace(xp: Namespace) -> ModuleType:
    module = ModuleType(f"{xp.__name__}_recorded")
    for prefix in (None, *SUBMODULES):
        source = xp if prefix is None else getattr(xp, prefix, None)
        if source is None:
            continue
        target = module if prefix is None else ModuleType(f"{module.__name__}.{prefix}")
        if prefix is not None:
            setattr(module, prefix, target)
        for name in dir(source):
            value = getattr(source, name)
            if isinstance(value, ModuleType) or name in ("__dict__", "__class__", "__name__"):
                continue
            is_function = callable(value) and not isinstance(value, type) and not name.startswith("_")
            dotted = f"{prefix}.{name}" if prefix else name
            if is_function and dotted != "asarray":
                value = recorded(dotted, value)
            setattr(target, name, _recorded_asarray(value) if dotted == "asarray" else value)
    return module


def marked(rule: Rule) -> Rule:
    """Return the rule with maps that tell the recording that it is they, not the user's function, that branch on values."""
    if rule.kind == "elementwise":
        return rule
    return replace(
        rule,
        jvps=tuple(map(_marking, rule.jvps)),
        vjps=tuple(map(_marking, rule.vjps)),
        implementation=None if rule.implementation is None else _marking(rule.implementation),
    )


def _marking(function: Pass | None) -> Pass | None:
    if function is None:
        return None

    @wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Any:
        recorder = current.get()
        if recorder is None:
            return function(*args, **kwargs)
        recorder.rule_depth += 1
        try:
            return function(*args, **kwargs)
        finally:
            recorder.rule_depth -= 1

    return marked
