"""What a function uses beside its arguments: so that a compiled one never works with what has changed since.

A program holds the arrays that a function got from elsewhere by reference and reads them in each run, so their elements may
change. Everything else that Python code can rebind is watched: the cells of closures, the globals that the code names and the
attributes of modules that it names, the code, default arguments, attributes and rules of functions, bound objects with their
attributes and the functions of their classes, lists, dictionaries, sets and tuples in any of these, and other functions in the
same way. Where one of them is another object than when the function was recorded, it is recorded anew.

An array that is not among these was made while the function ran, by calls of the library that are not recorded. It is a
constant of the program if a second recording makes an equal one, and then the elements of all watched arrays are compared in
each run, because it may have been made of them. Otherwise, as with random numbers, the function cannot be compiled.

What the function itself changes while it is recorded, as a counter of its calls, is not watched. Not seen are
the state of objects that are implemented outside Python, and what a function reads from files, clocks or the network. Random
numbers are refused.
"""

from __future__ import annotations

import dis
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache, partial
from operator import is_
from pathlib import PurePath
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from unidiff.engine.compiling.recording import Recorder
from unidiff.engine.tracing import SCALARS, Library, TracedArray
from unidiff.errors import ArgumentError, ImpureFunctionError

WATCHED = 20_000
"""The most objects that are watched for one function."""

_ATOMS = frozenset({*SCALARS, str, bytes, type(None), range, slice, type(Ellipsis), CodeType})
_EMPTY = object()
_HOLDERS = frozenset(
    {
        ("argparse", "Namespace"),
        ("collections", "ChainMap"),
        ("collections", "UserDict"),
        ("collections", "UserList"),
        ("types", "SimpleNamespace"),
    }
)
"""Classes of the standard library that hold what users put into them."""
_IMPURE = (
    "a function under unidiff.jit used {}: the compiled function would repeat the values of its first call for ever. Make them"
    " outside of the function and pass them as arguments."
)


_CHECK = """\
def unchanged():
    try:
        holds = {tests}
    except (AttributeError, ValueError):  # an attribute is gone, or a cell is empty now
        holds = False
    return (holds or not differs()){contents}
"""


class Surroundings:
    """What a function uses beside its arguments, as it is now.

    Parameters
    ----------
    f : callable
        The function.
    library : Library
        The library of its arrays.

    Attributes
    ----------
    unchanged : callable
        Says whether all of it is as it was.
    """

    def __init__(self, f: Any, library: Library) -> None:
        self.library = library
        self.trusted = sys.stdlib_module_names | {"unidiff", "unidiff_backends", "array_api_compat", "optree", "scipy"}
        self.trusted |= {kind.__module__.partition(".")[0] for kind in library.array_types}
        self.arrays: dict[int, Any] = {}
        self.cells: list[tuple[CellType, Any]] = []
        self.entries: list[tuple[Mapping[str, Any], str, Any]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self.sequences: list[tuple[Any, tuple[Any, ...]]] = []
        self.mappings: list[tuple[Mapping[Any, Any], dict[Any, Any]]] = []
        self.contents: list[tuple[Any, bytes]] = []
        self._seen: dict[int, Any] = {}
        pending = [f]
        while pending:
            x = pending.pop()
            if type(x) in _ATOMS or id(x) in self._seen:
                continue
            if len(self._seen) >= WATCHED:
                raise ArgumentError(
                    f"a function under unidiff.jit uses more than {WATCHED} objects beside its arguments, too many to watch for"
                    " changes. Pass what it works with as arguments."
                )
            self._seen[id(x)] = x
            pending += self._parts(x)
        self.random = self._random_state()
        self.unchanged = self._check()

    def _is_trusted(self, module: str | None) -> bool:
        """Whether a module is one that does not change while a program runs: Python's, unidiff's, or an installed one."""
        if module is None:
            return False
        root = module.partition(".")[0]
        return root in self.trusted or _is_installed(root)

    def _parts(self, x: Any) -> Iterator[Any]:
        """Watch what belongs to an object and yield it."""
        if isinstance(x, self.library.array_types):
            self.arrays[id(x)] = x
        elif isinstance(x, (TracedArray, ModuleType)):
            return
        elif isinstance(x, FunctionType):
            yield from self._function(x)
        elif isinstance(x, MethodType):
            yield from (x.__func__, x.__self__)
        elif isinstance(x, partial):
            yield from (x.func, x.args, x.keywords)
        elif isinstance(x, (dict, MappingProxyType)):
            self.mappings.append((x, dict(x)))
            yield from x.values()
        elif isinstance(x, (list, tuple, set, frozenset, deque)):
            if not isinstance(x, (tuple, frozenset)):
                self.sequences.append((x, tuple(x)))
            yield from x
        elif isinstance(x, type):
            if not self._is_trusted(x.__module__):
                yield from self._class(x)
        else:
            yield from self._object(x)

    def _function(self, f: FunctionType) -> Iterator[Any]:
        trusted = self._is_trusted(f.__globals__.get("__name__"))  # __module__ may be that of a function it wraps
        for cell in f.__closure__ or ():
            value = _content(cell)
            if not trusted:
                self.cells.append((cell, value))
            if value is not _EMPTY:
                yield value
        if trusted:
            yield vars(f).get("__wrapped__")  # which an object may hold, as that of a compiled function does
            return
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            value = getattr(f, name)
            if value is not None:
                self.attributes.append((f, name, value))
                yield value
        yield from self._entries(vars(f), lambda name, _: not name.startswith("__"))
        for path in _global_paths(f.__code__):
            yield from self._path(f.__globals__, path)

    def _entries(self, names: Mapping[str, Any], wanted: Callable[[str, Any], bool]) -> Iterator[Any]:
        """Watch some of the attributes that an object has by name, and yield them."""
        for name, value in [*names.items()]:
            if wanted(name, value):
                self.entries.append((names, name, value))
                yield value

    def _path(self, names: dict[str, Any], path: tuple[str, ...]) -> Iterator[Any]:
        """Watch a global and, of modules that may change, the attributes that the code takes of it."""
        value = names.get(path[0], _EMPTY)
        if value is _EMPTY:  # one of Python's own names
            return
        self.entries.append((names, path[0], value))
        for name in path[1:]:
            if not isinstance(value, ModuleType) or self._is_trusted(value.__name__):
                break
            self.attributes.append((value, name, getattr(value, name, _EMPTY)))
            value = getattr(value, name, _EMPTY)
        if value is not _EMPTY:
            yield value

    def _class(self, cls: type) -> Iterator[Any]:
        for base in cls.__mro__:
            if self._is_trusted(base.__module__):
                continue
            for name, value in vars(base).items():
                if name.startswith("__") and name != "__call__":
                    continue
                self.entries.append((vars(base), name, value))
                if isinstance(value, (staticmethod, classmethod)):
                    yield value.__func__
                elif isinstance(value, property):
                    yield value.fget
                else:
                    yield value

    def _object(self, x: Any) -> Iterator[Any]:
        inner = getattr(x, "__wrapped__", None)
        if inner is not None:
            yield inner
            yield from self._entries(getattr(x, "__dict__", {}), lambda _, value: callable(value))  # such as a rule
        if self._is_trusted(type(x).__module__) and (type(x).__module__, type(x).__name__) not in _HOLDERS:
            return
        yield type(x)
        state = getattr(x, "__dict__", None)
        if type(state) is dict:
            self.mappings.append((state, dict(state)))
            yield from state.values()
        for cls in type(x).__mro__:
            slots = vars(cls).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else tuple(slots):
                value = getattr(x, name, _EMPTY)
                self.attributes.append((x, name, value))
                if value is not _EMPTY:
                    yield value

    def forget_changes(self, before: Surroundings) -> None:
        """Watch no longer what the function itself has changed since then, as a counter of its calls."""
        saved: dict[Any, Any] = {id(cell): value for cell, value in before.cells}
        saved |= {(id(x), name): value for x, name, value in (*before.entries, *before.attributes)}
        held: dict[int, Any] = {id(x): list(map(id, items)) for x, items in before.sequences}
        held |= {id(x): [(key, id(value)) for key, value in items.items()] for x, items in before.mappings}
        self.cells = [(cell, v) for cell, v in self.cells if saved.get(id(cell), v) is v]
        self.entries = [(x, name, v) for x, name, v in self.entries if saved.get((id(x), name), v) is v]
        self.attributes = [(x, name, v) for x, name, v in self.attributes if saved.get((id(x), name), v) is v]
        self.sequences = [(x, v) for x, v in self.sequences if held.get(id(x)) in (None, list(map(id, v)))]
        self.mappings = [(x, v) for x, v in self.mappings if held.get(id(x)) in (None, [(key, id(y)) for key, y in v.items()])]
        self.unchanged = self._check()

    def _check(self) -> Callable[[], bool]:
        """Return a function that says whether everything is as it was: at once where every single object is the same one."""
        names: dict[str, Any] = {"same": is_, "differs": self._differs, "has_contents": self._has_contents}
        tests = []
        for k, (cell, value) in enumerate(self.cells):
            names |= {f"c{k}": cell, f"v{k}": value}
            tests.append(f"c{k}.cell_contents is v{k}" if value is not _EMPTY else "False")
        for k, (entries, name, value) in enumerate(self.entries):
            names |= {f"d{k}": entries, f"e{k}": value}
            tests.append(f"d{k}.get({name!r}) is e{k}")
        for k, (x, name, value) in enumerate(self.attributes):
            names |= {f"a{k}": x, f"w{k}": value}
            tests.append(f"getattr(a{k}, {name!r}) is w{k}" if value is not _EMPTY else f"not hasattr(a{k}, {name!r})")
        for k, (sequence, items) in enumerate(self.sequences):
            names |= {f"s{k}": sequence, f"i{k}": items}
            tests.append(f"len(s{k}) == {len(items)} and all(map(same, s{k}, i{k}))")
        for k, (mapping, saved) in enumerate(self.mappings):
            names |= {f"m{k}": mapping, f"k{k}": tuple(saved), f"u{k}": tuple(saved.values())}
            names_only = all(type(key) is str for key in saved)  # equal ones are the same one
            keys = f"tuple(m{k}) == k{k}" if names_only else f"len(m{k}) == {len(saved)} and all(map(same, m{k}, k{k}))"
            tests.append(f"{keys} and all(map(same, m{k}.values(), u{k}))")
        source = _CHECK.format(tests=" and ".join(tests) or True, contents=" and has_contents()" if self.contents else "")
        exec(source, names)  # noqa: S102  # our own code
        check: Callable[[], bool] = names["unchanged"]
        return check

    def _has_contents(self) -> bool:
        return all(_bytes(self.library, x) == data for x, data in self.contents)

    def _differs(self) -> bool:
        for cell, value in self.cells:
            if (now := _content(cell)) is not value and not _equal(now, value):
                return True
        for names, name, value in self.entries:
            if (now := names.get(name, _EMPTY)) is not value and not _equal(now, value):
                return True
        if self.attributes and any(
            (now := getattr(x, name, _EMPTY)) is not value and not _equal(now, value) for x, name, value in self.attributes
        ):
            return True
        for sequence, items in self.sequences:
            if len(sequence) != len(items) or not all(map(is_, sequence, items)):
                return True
        for mapping, saved in self.mappings:
            if mapping.keys() != saved.keys() or not all(mapping[key] is value for key, value in saved.items()):
                return True
        return False

    def settle(self, recorder: Recorder, fresh: list[int], second: Recorder) -> None:
        """Make constants of arrays that the function makes by unrecorded calls, or raise where they differ between two runs."""
        first, other = recorder.program.captured, second.program.captured
        for number in fresh:
            x, y = first[number], other.get(number)
            if y is x:
                continue  # an object that lives somewhere out of sight; it is read anew in each run
            if y is None or x.shape != y.shape or x.dtype != y.dtype or _bytes(self.library, x) != _bytes(self.library, y):
                raise ImpureFunctionError(_IMPURE.format("an array that is another one in each run, such as random numbers"))
            recorder.program.constants[number] = first.pop(number)
        if recorder.program.constants:
            mutable = [x for x in self.arrays.values() if not isinstance(x, self.library.scalar_types)]
            self.contents = [(x, _bytes(self.library, x)) for x in mutable]
            self.unchanged = self._check()

    def _random_state(self) -> Any:
        objects = list(self._seen.values())
        own = [x.getstate() for x in objects if isinstance(x, random.Random)]
        return random.getstate(), own, self.library.random_state(objects)

    def check_random(self) -> None:
        """Raise where the function has drawn random numbers since this was made."""
        if self._random_state() != self.random:
            raise ImpureFunctionError(_IMPURE.format("random numbers"))

    def fresh_arrays(self, recorder: Recorder) -> list[int]:
        """Return the numbers of arrays in a recording that are not among what the function used beside its arguments."""
        return [number for number, x in recorder.program.captured.items() if id(x) not in self.arrays]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _equal(x: Any, y: Any) -> bool:
    """Whether two objects are the same number or string."""
    return type(x) is type(y) and type(x) in _ATOMS and repr(x) == repr(y)


def _bytes(library: Library, x: Any) -> bytes:
    return library.to_numpy(x).tobytes()  # type: ignore[no-any-return]  # NumPy's method


@cache
def _is_installed(root: str) -> bool:
    """Whether a module was installed, rather than written where it is."""
    path = getattr(sys.modules.get(root), "__file__", None) or ""
    return not _INSTALLED.isdisjoint(PurePath(path).parts)


_INSTALLED = frozenset({"site-packages", "dist-packages"})


@lru_cache(4096)
def _global_paths(code: CodeType) -> set[tuple[str, ...]]:
    """Return the globals that code names, each with the attributes that are taken of it at once."""
    paths: set[tuple[str, ...]] = set()
    path: tuple[str, ...] = ()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            path = (instruction.argval,)
            paths.add(path)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and path:
            path = (*path, instruction.argval)
            paths.add(path)
        elif instruction.opname not in ("CACHE", "PUSH_NULL", "EXTENDED_ARG"):
            path = ()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            paths |= _global_paths(constant)
    return paths
