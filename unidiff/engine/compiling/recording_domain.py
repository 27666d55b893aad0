"""The domain whose plain arrays are recorded: what users see there is what they see where nothing is compiled."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any

from unidiff._typing import Array, Device, DType
from unidiff.engine.array import BINARY, UNARY
from unidiff.engine.compiling.program import ADD_AT, replaced
from unidiff.engine.compiling.recording import Symbol, current
from unidiff.engine.compiling.recording_library import recorded
from unidiff.engine.domain import Domain
from unidiff.engine.indexing import add_at
from unidiff.engine.namespace import SUBMODULES, wrapping
from unidiff.engine.tracing import SCALARS, Library, Trace, TracedArray, wrap_constant


class RecordingDomain(Domain):
    """A domain whose plain arrays are symbols."""

    def is_scalar(self, value: Any) -> bool:
        """Whether an immutable scalar is beneath all traces and symbols."""
        while isinstance(value, TracedArray):
            value = value._value
        return isinstance(value.example if type(value) is Symbol else value, self.library.scalar_types)

    @property
    def opened(self) -> list[Trace] | None:  # type: ignore[override]  # of the recording in progress
        """The transforms of the recording in progress."""
        recorder = current.get()
        return None if recorder is None else recorder.opened

    def natively(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Note a call of the library's own function, which rounds as it does where nothing is compiled.

        NotImplemented where a transform works on an argument, a buffer is given, or the result is not made of arrays only.
        """
        recorder = current.get()
        if recorder is None or kwargs.get("out") is not None or _is_traced((args, kwargs)):
            return NotImplemented
        args, kwargs = replaced(args, self._plain), replaced(dict(kwargs), self._plain)
        arrays = recorder.library.array_types
        try:
            example = function(*replaced(args, recorder.example), **replaced(kwargs, recorder.example))
        except Exception:  # noqa: BLE001  # what is wrong is said by the function of the same meaning
            return NotImplemented
        if not all(isinstance(x, arrays) for x in (example if isinstance(example, (tuple, list)) else (example,))):
            return NotImplemented
        module = getattr(function, "__module__", None) or ""
        name = f"{module.rpartition('.')[2]}.{function.__name__}" if module.endswith(("linalg", "fft")) else function.__name__
        return wrap_constant(self, recorder.record(name, function, args, kwargs))

    @staticmethod
    def _plain(x: Any) -> Any:
        return x._value if isinstance(x, TracedArray) else x

    def one(self, dtype: DType, device: Device) -> Array:
        """Return the 0-d array that seeds a gradient, anew for each recording."""
        return self.library.xp.ones((), dtype=dtype, device=device)

    def add_at(self, buffer: Array, key: Any, values: Array) -> None:
        """Add into a part of an array; where the library cannot, what stands in for it goes by the indices' values."""
        if type(buffer) is not Symbol or self.library.scatter_add is not None:
            super().add_at(buffer, key, values)
        else:
            buffer.recorder.update(ADD_AT, buffer, key, values, partial(add_at, buffer.recorder.library))


def complete(domain: Domain, plain: Domain) -> None:
    """Give the domain the functions and operators that users have where nothing is compiled."""
    _show_results(domain, domain.traced)
    for name in (*BINARY, *UNARY):
        _install_operator(domain, plain.library, name, getattr(operator, f"__{name}__"))
    _adopt_functions(domain, plain)


def _install_operator(domain: Domain, plain: Library, name: str, operate: Callable[..., Any]) -> None:
    """Let an operator between plain arrays be the library's own, which may round unlike its function, as for scalars."""
    cls: Any = domain.array_class
    operate, arrays = recorded((BINARY | UNARY)[name], operate), plain.array_types
    operands = {cls, *arrays, *SCALARS} - {complex}  # Python makes a number of it and a scalar

    def kind(x: Any) -> type:
        return next((each for each in arrays if isinstance(x, each)), type(x))

    def own(method: str, *, swapped: bool) -> Callable[..., Any]:
        function = getattr(cls, method)

        @wraps(function)
        def operator_of(*args: Any) -> Any:
            if not operands.issuperset(map(kind, args)) or any(type(x) is cls and x._trace.level for x in args):
                return function(*args)
            values = [x._value if type(x) is cls else x for x in args]
            return wrap_constant(domain, operate(*(values[::-1] if swapped else values)))

        return operator_of

    methods = {f"__{name}__": False, f"__r{name}__": True} if name in BINARY else {f"__{name}__": False}
    for method, swapped in methods.items():
        if hasattr(cls, method):
            setattr(cls, method, own(method, swapped=swapped))


def _show_results(domain: Domain, face: ModuleType) -> None:
    """Let the functions that users call return constants also where all arrays they are given are from outside."""
    for name, value in list(vars(face).items()):
        if name in SUBMODULES and isinstance(value, ModuleType):
            _show_results(domain, value)
        elif not name.startswith("_") and callable(value) and not isinstance(value, type):
            setattr(face, name, wrapping(domain, value))


def _adopt_functions(domain: Domain, plain: Domain) -> None:
    """Where a namespace has functions of the library's own that give way to traced arrays, let them do so here, too."""
    for face in ("plain", "traced"):
        for prefix in (None, *SUBMODULES):
            target, source = (getattr(each, face) for each in (domain, plain))
            if prefix is not None:
                target, source = getattr(target, prefix, None), getattr(source, prefix, None)
            for name, function in vars(target).items() if target is not None else ():
                found = getattr(source, name, None)
                if hasattr(function, "unruled") and found is not None and not hasattr(found, "unruled"):
                    setattr(target, name, _giving_way(function, found))


def _giving_way(function: Callable[..., Any], found: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(found)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (found if _is_traced((args, kwargs)) else function)(*args, **kwargs)

    return call


def _is_traced(x: Any) -> bool:
    """Whether an array of a transform is in an argument."""
    if isinstance(x, TracedArray):
        return x._trace.level > 0
    if isinstance(x, (tuple, list)):
        return any(map(_is_traced, x))
    return isinstance(x, dict) and any(map(_is_traced, x.values()))
