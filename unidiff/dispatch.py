"""Decides which backend a call belongs to, and what Python numbers become in it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unidiff import registry, tree
from unidiff._typing import Array, DType
from unidiff.derive import CompleteBackend
from unidiff.errors import DTypeError, MixedBackendsError, MixedDevicesError

__all__ = ["dtype_name", "find_backend", "not_differentiable", "on_one_device", "scalar_dtype"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR
_COMPLEX = {"float32": "complex64", "float64": "complex128"}
_REAL = {"complex64": "float32", "complex128": "float64"}


def dtype_name(dtype: DType) -> str:
    """Return the standard's name of a dtype: of ``"float32"``, of a dtype object, or of a class as NumPy's namespace has."""
    return getattr(dtype, "__name__", None) or str(dtype).rpartition(".")[2]


def find_backend(args: Sequence[Any], kwargs: Mapping[str, Any], name: Any = None) -> tuple[CompleteBackend, Any]:
    """Return the backend of the arrays in a call, whatever pytrees they are in.

    Parameters
    ----------
    args, kwargs : sequence, mapping
        The arguments.
    name : str or Backend or None
        The backend that the caller asked for. It decides where no array does, and may be one that takes arrays of any
        library (empty ``arrays`` in its `BackendInfo`); otherwise it must be the one of the arrays.

    Returns
    -------
    backend : CompleteBackend
        What differentiates the call.
    kind : CompleteBackend
        What `registry.of_type` says of its arrays; another one than `backend` only where that was chosen by name.

    Raises
    ------
    unidiff.errors.MixedBackendsError, unidiff.errors.MixedDevicesError
        If the arrays belong to several backends or devices.
    """
    if name is None and not kwargs:
        # What follows is the common case, bare arrays and numbers, at the cost of one dictionary look-up for each.
        kinds = {*map(_of_type, args)}
        kinds.discard(_SCALAR)
        if not kinds:
            return _without_arrays(None)
        if len(kinds) == 1 and None not in kinds:
            (found,) = kinds
            if len(args) > 1:
                _check_devices(found, args, args, kwargs)
            return found, found
    return _find_in_trees(args, kwargs, name)


def _find_in_trees(args: Sequence[Any], kwargs: Mapping[str, Any], name: Any) -> tuple[CompleteBackend, Any]:
    leaves = tree.leaves((tuple(args), dict(kwargs)))
    kinds = [kind for kind in map(_of_type, leaves) if isinstance(kind, CompleteBackend)]
    hostless = [kind for kind in kinds if not kind.info.arrays]
    if not hostless and any(kind is not kinds[0] for kind in kinds):
        traced = [_of_type(x) for x in leaves if hasattr(type(x), "__unidiff_backend__")]
        hostless = [kind for kind in traced if all(_takes(kind, other) for other in kinds)]
    if hostless and name is None:  # traced arrays of a backend that was chosen by name, beside plain ones of its host
        name = hostless[0]
        kinds = [kind for kind in kinds if kind is not name] or hostless
    if any(kind is not kinds[0] for kind in kinds):
        where = "; ".join(f"{path} is {kind.name}" for path, kind in _arrays(args, kwargs))
        raise MixedBackendsError(
            f"One call takes arrays of one library, but here {where}. "
            f"Convert them first, for example with unidiff.to_backend(x, {kinds[0].name!r})."
        )
    if kinds:
        _check_devices(kinds[0], leaves, args, kwargs)
    if name is None and kinds:
        return kinds[0], kinds[0]
    if not kinds:
        return _without_arrays(name)
    backend = registry.named(name)
    if kinds[0] is not backend and not _takes(backend, kinds[0]):
        raise MixedBackendsError(
            f"backend={name!r} was asked for, but the arrays belong to {kinds[0].name!r}. Leave backend out, or convert the "
            f"arrays with unidiff.to_backend(x, {backend.name!r})."
        )
    return registry.over(backend, kinds[0]), kinds[0]


def _without_arrays(name: Any) -> tuple[CompleteBackend, Any]:
    backend = registry.named(registry.DEFAULT if name is None else name)
    return backend, _of_type(backend.asarray(0.0)) if name is not None else backend


def _takes(backend: CompleteBackend, other: CompleteBackend) -> bool:
    """Say whether a backend that was chosen by name works on arrays that belong to another one by their type."""
    roots = backend.info.arrays
    return not roots or not set(roots).isdisjoint(other.info.arrays)


def _arrays(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, CompleteBackend]]:
    for path, leaf in _named_leaves(args, kwargs):
        kind = _of_type(leaf)
        if isinstance(kind, CompleteBackend):
            yield path, kind


def _named_leaves(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    named = [(f"argument {i}", x) for i, x in enumerate(args)] + [(f"argument {key!r}", x) for key, x in kwargs.items()]
    for name, x in named:
        leaves, spec = tree.flatten(x)
        yield from zip(tree.paths(spec, name), leaves, strict=True)


def _check_devices(b: CompleteBackend, leaves: Iterable[Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    first = None
    for x in leaves:
        if _of_type(x) is b:
            device = b.device(x)
            if device is first:
                continue
            if first is None:
                first = device
            elif device is not None and device != first:
                break
    else:
        return
    where = "; ".join(f"{path} is on {b.device(x)}" for path, x in _named_leaves(args, kwargs) if _of_type(x) is b)
    raise MixedDevicesError(
        f"One call takes arrays on one device, but here {where}. Move them first with unidiff.to_device(x, {str(first)!r})."
    )


def on_one_device(b: CompleteBackend, x: Array, y: Array) -> bool:
    """Say whether two arrays of a backend live on one device; what has no device yet goes with any."""
    mine, other = b.device(x), b.device(y)
    return mine is None or other is None or bool(mine == other)


def not_differentiable(x: Array, where: str) -> DTypeError:
    """Return the error for an array whose dtype is neither real nor complex floating."""
    return DTypeError(
        f"{where[:1].upper()}{where[1:]} has the dtype {dtype_name(x.dtype)}, which cannot be differentiated: convert it to a "
        "floating dtype with xp.astype, or leave it out of argnums."
    )


def scalar_dtype(b: CompleteBackend, x: complex, arrays: Iterable[Array]) -> str | None:
    """Return the name of the dtype that a Python number has among these arrays; None for the default of the library."""
    if isinstance(x, int):
        return None
    names = {dtype_name(a.dtype) for a in arrays if b.is_differentiable(a)}
    reals = {_REAL.get(name, name) for name in names}
    if not reals:
        return None
    real = reals.pop() if len(reals) == 1 else "float64"
    return _COMPLEX.get(real, "complex64") if isinstance(x, complex) else real
