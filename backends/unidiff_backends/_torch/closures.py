"""Closure conversion: a function of tensors as one that has the tensors it holds among its arguments.

The function is built again with other tensors in the places of those it holds, in closures, globals, attributes and
containers. Whether it holds any elsewhere, as a graph does, is found out by a trial; such a function, which is linear, becomes
the product with its matrix.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch

from unidiff_backends._torch.convert import constant, is_traced
from unidiff_backends._torch.reverse import Tensors, functorch_active

_functorch = torch._C._functorch

TensorFunction = Callable[..., Tensors]


def closure_convert(f: TensorFunction, args: Tensors) -> tuple[TensorFunction, Tensors] | None:
    """Return a linear function as one of the tensors it holds and of its arguments, and these; None where none is traced."""
    if not functorch_active():
        if not torch.is_grad_enabled():
            return None
        if not any(x.requires_grad for x in (*args, *f(*[x.detach() for x in args]))):
            return None
    held = _Held(f)
    if not _does_the_same(f, held, args):
        return _by_matrix(f, args)
    return (held.converted, held.tensors) if any(map(is_traced, (*args, *held.tensors))) else None


def _does_the_same(f: TensorFunction, held: "_Held", args: Tensors) -> bool:
    """Whether a function built again works, and holds nothing of a transform any more."""
    given = tuple(map(constant, args))
    expected = [_first_slice(y) for y in f(*given)]
    try:
        outs = held.converted(*map(_first_slice, (*held.tensors, *given)))
    except Exception:  # noqa: BLE001  # whatever comes of tensors in places where others are expected
        return False
    if len(outs) != len(expected) or any(map(is_traced, outs)):
        return False
    return all(_is_close(_first_slice(x), y) for x, y in zip(outs, expected, strict=True))


def _first_slice(x: torch.Tensor) -> torch.Tensor:
    """Return the values of a tensor, of the first slice under vectorizing maps, as one of no transform."""
    while _functorch.is_functorch_wrapped_tensor(x):
        inner = _functorch.get_unwrapped(x)
        x = inner.select(_functorch.maybe_get_bdim(x), 0) if _functorch.is_batchedtensor(x) else inner
    return x.detach()


def _is_close(x: torch.Tensor, y: torch.Tensor) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    scale = float(torch.finfo(x.dtype).eps) ** 0.5
    size = float(y.abs().nan_to_num().max()) if y.numel() else 0.0
    return bool(torch.allclose(x, y, rtol=scale, atol=scale * size, equal_nan=True))


# --- by building the function again


class _Held:
    """The tensors of transforms that a function holds, and the function with others in their places."""

    def __init__(self, f: Any) -> None:
        self.f = f
        self._parents: dict[int, list[Any]] = {}
        self._alive: list[Any] = []
        found: dict[int, torch.Tensor] = {}
        pending, seen = [f], {id(f)}
        while pending:
            x = pending.pop()
            self._alive.append(x)  # identities are not used again
            for part in _parts(x):
                if isinstance(part, torch.Tensor):
                    if not is_traced(part):
                        continue
                    found[id(part)] = part
                elif type(part) in _ATOMS or isinstance(part, (type, ModuleType)):
                    continue
                self._parents.setdefault(id(part), []).append(id(x))
                if id(part) not in seen and not isinstance(part, torch.Tensor):
                    seen.add(id(part))
                    pending.append(part)
        self.tensors = tuple(found.values())
        self._places = {key: k for k, key in enumerate(found)}
        self._holders = self._above(list(found))

    def _above(self, pending: list[int]) -> set[int]:
        holders: set[int] = set()
        while pending:
            for parent in self._parents.get(pending.pop(), ()):
                if parent not in holders:
                    holders.add(parent)
                    pending.append(parent)
        return holders

    def converted(self, *tensors: torch.Tensor) -> Tensors:
        """Call the function with the first tensors in the places of those that it holds."""
        count = len(self.tensors)
        return tuple(self._rebuilt(self.f, tensors[:count], {})(*tensors[count:]))

    def _rebuilt(self, x: Any, tensors: Tensors, made: dict[int, Any]) -> Any:
        key = id(x)
        if key in self._places:
            return tensors[self._places[key]]
        if key not in self._holders:
            return x
        if key in made:
            return made[key]
        again = partial(self._rebuilt, tensors=tensors, made=made)
        if isinstance(x, CellType):
            made[key] = cell = CellType()
            cell.cell_contents = again(x.cell_contents)
            return cell
        if isinstance(x, FunctionType):
            names = {name: again(value) for name, value in _globals(x)}
            closure = tuple(map(again, x.__closure__)) if x.__closure__ else None
            made[key] = f = FunctionType(x.__code__, {**x.__globals__, **names}, x.__name__, again(x.__defaults__), closure)
            f.__kwdefaults__ = again(x.__kwdefaults__)
            f.__dict__.update(x.__dict__)
            return f
        if isinstance(x, MethodType):
            made[key] = MethodType(again(x.__func__), again(x.__self__))
        elif isinstance(x, partial):
            made[key] = partial(again(x.func), *again(x.args), **again(x.keywords))
        elif isinstance(x, (tuple, list)):
            items = list(map(again, x))
            made[key] = x._make(items) if hasattr(x, "_make") else type(x)(items)
        elif isinstance(x, dict):
            made[key] = new = x.copy()
            new.update((name, again(value)) for name, value in x.items())
        else:
            made[key] = new = object.__new__(type(x))
            new.__dict__.update(again(vars(x)))
        return made[key]


_ATOMS = frozenset({bool, int, float, complex, str, bytes, type(None), slice, range, type(Ellipsis), CodeType})


def _parts(x: Any) -> Iterator[Any]:
    """Yield what an object is made of, as `_Held` builds it again."""
    if isinstance(x, CellType):
        try:
            yield x.cell_contents
        except ValueError:
            return
    elif isinstance(x, FunctionType):
        yield from x.__closure__ or ()
        yield from (x.__defaults__, x.__kwdefaults__)
        yield from (value for _, value in _globals(x))
    elif isinstance(x, MethodType):
        yield from (x.__func__, x.__self__)
    elif isinstance(x, partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, (tuple, list)):
        yield from x
    elif isinstance(x, dict):
        yield from x.values()
    elif type(getattr(x, "__dict__", None)) is dict:
        yield vars(x)


_LIBRARIES = frozenset({"torch", "unidiff", "unidiff_backends", "array_api_compat", "functools"})


def _globals(f: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the globals that a function of the user names."""
    names = f.__globals__
    if str(names.get("__name__")).partition(".")[0] not in _LIBRARIES:
        for name in _names(f.__code__):
            if name in names:
                yield name, names[name]


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found |= _names(inner)
    return found


# --- by the matrix


def _by_matrix(f: TensorFunction, args: Tensors) -> tuple[TensorFunction, Tensors]:
    """Return the product with the matrix of the function over the real numbers, and that matrix."""
    likes = [(tuple(x.shape), x.dtype, x.numel() * (1 + x.is_complex())) for x in args]
    ends = list(accumulate(size for _, _, size in likes))
    basis = torch.eye(ends[-1], dtype=torch.float64, device=args[0].device)

    def flat(v: torch.Tensor) -> torch.Tensor:
        return torch.cat([_real(y).to(torch.float64) for y in f(*_vectors(v, likes, ends))])

    columns = torch.func.vmap(flat)(basis)

    def product(matrix: torch.Tensor, *xs: torch.Tensor) -> Tensors:
        v = torch.cat([_real(x).to(torch.float64) for x in xs])
        return tuple(_vectors(v @ matrix, likes, ends))

    return product, (columns,)


def _real(x: torch.Tensor) -> torch.Tensor:
    return (torch.stack([x.real, x.imag], -1) if x.is_complex() else x).reshape(-1)


def _vectors(v: torch.Tensor, likes: Sequence[tuple[Any, ...]], ends: Sequence[int]) -> list[torch.Tensor]:
    """Return tensors of the kinds that `likes` says from their real coordinates."""
    found = []
    for (shape, dtype, size), end in zip(likes, ends, strict=True):
        part = v[end - size : end]
        if dtype.is_complex:
            pairs = part.reshape(-1, 2)
            part = torch.complex(pairs[:, 0], pairs[:, 1])
        found.append(part.to(dtype).reshape(shape))
    return found
