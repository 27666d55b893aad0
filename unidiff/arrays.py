"""Namespaces, creation, conversion between libraries, and devices."""

from typing import Any

from unidiff import registry
from unidiff import tree as trees
from unidiff._typing import Array, Device, DType, Namespace, Tree
from unidiff.derive import CompleteBackend
from unidiff.dispatch import dtype_name, find_backend
from unidiff.errors import DTypeError, MixedBackendsError, NotAnArrayError, UnidiffError

__all__ = ["array_namespace", "asarray", "device", "namespace", "stop_gradient", "to_backend", "to_device", "to_numpy"]

_of_type = registry.of_type
_SCALAR = registry.SCALAR
_NO_ARRAYS = (_SCALAR, None)


def array_namespace(*arrays: Array) -> Namespace:
    """Return the differentiable array API namespace of arrays.

    Parameters
    ----------
    *arrays : array
        Arrays of one library, plain or traced or both; Python numbers and None among them are ignored. A number that NumPy
        returns in the place of a 0-d array counts where there are no arrays.

    Returns
    -------
    module
        The functions of the array API standard, with the derivatives of unidiff's derivative standard.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If there is no array, or something else.
    unidiff.errors.MixedBackendsError
        If the arrays belong to several libraries.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> xp = ud.array_namespace(np.zeros(2), 1.0)
    >>> xp.exp(np.zeros(2))
    array([1., 1.])
    """
    kinds = {*map(_of_type, arrays)}
    if len(kinds) == 1 and kinds.isdisjoint(_NO_ARRAYS):  # the common case at the least cost
        (only,) = kinds
        return only.namespace(*arrays)
    found = None
    for x in arrays:
        kind = _of_type(x)
        if kind is _SCALAR or x is None:
            continue
        if kind is None:
            raise _not_an_array(x)
        if kind is found:
            continue
        if found is not None:
            raise MixedBackendsError(
                f"The arrays belong to {found.name!r} and {kind.name!r}; convert them to one library first, for example with "
                f"unidiff.to_backend(x, {found.name!r})."
            )
        found = kind
    if found is None:
        found = next(filter(None, map(registry.of_scalar, arrays)), None)
    if found is None:
        raise NotAnArrayError("There is no array among the arguments; use unidiff.namespace(name) to choose a library by name.")
    backend: CompleteBackend = found
    return backend.namespace(*(x for x in arrays if _of_type(x) is backend))


def namespace(name: str) -> Namespace:
    """Return the differentiable array API namespace of a backend by its name, as for creation functions.

    Parameters
    ----------
    name : str
        The name of a backend.

    Returns
    -------
    module

    Raises
    ------
    unidiff.errors.UnknownBackendError, unidiff.errors.BackendLoadError
        If there is no such backend, or it cannot be loaded.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.namespace("numpy").zeros(2)
    array([0., 0.])
    """
    return registry.named(name).namespace()


def asarray(obj: Any, backend: Any = None, dtype: DType = None, device: Device | None = None) -> Array:
    """Return an object as an array.

    Parameters
    ----------
    obj : array, number or nested sequence of numbers and arrays
        What to convert. Traced arrays in a sequence keep their derivative.
    backend : str, optional
        The backend of the result; by default that of the arrays in `obj`, else "numpy".
    dtype : str or dtype, optional
        The dtype of the result, by name or as a dtype of the backend.
    device : device, optional
        Where the result lives.

    Returns
    -------
    array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If the object is not made of numbers.
    unidiff.errors.DTypeError
        If there is no such dtype, or if the backend would change the dtype silently, as JAX does with 64-bit numbers unless
        they are enabled.
    unidiff.errors.DeviceError
        If there is no such device.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.asarray([1, 2], dtype="float64")
    array([1., 2.])
    """
    _, kind = find_backend((obj,), {})
    has_arrays = any(_of_type(x) is kind for x in trees.leaves(obj))
    if backend is None:
        target: CompleteBackend = kind
    else:
        target = registry.named(backend)
        if has_arrays and target.backend is not kind.backend:
            obj = to_backend(obj, target)
    result = target.asarray(obj, dtype=dtype, device=device)
    if target.kind(result.dtype) == "other":
        raise NotAnArrayError(f"{obj!r:.200} of type {type(obj).__qualname__} is not made of numbers.")
    wanted = dtype if dtype is not None else getattr(obj, "dtype", None)
    if wanted is not None:
        _require_dtype(target, result, dtype_name(wanted))
    return result


def _require_dtype(b: CompleteBackend, x: Array, wanted: str) -> None:
    if dtype_name(x.dtype) != wanted:
        raise DTypeError(
            f"The backend {b.name!r} made {dtype_name(x.dtype)} of {wanted}: enable that dtype in the library, "
            f"or ask for one that it has with dtype={dtype_name(x.dtype)!r}."
        )


def to_backend(tree: Tree, backend: Any, device: Device | None = None) -> Tree:
    """Convert the arrays of a pytree to another library, by DLPack.

    Nothing is copied between libraries whose arrays may be changed in place, where the devices allow it. Arrays that never
    change, such as JAX's, share no memory with arrays that may: what is written to those would be seen in them, and what
    runs asynchronously would see it at any time.

    Parameters
    ----------
    tree : pytree of array
        Plain arrays of any libraries; Python numbers stay as they are.
    backend : str
        The name of the backend to convert to.
    device : device, optional
        Where the results live; by default where the arrays are, if the library can use that device.

    Returns
    -------
    pytree of array
        May share memory with the arrays given where both libraries' arrays may be changed.

    Raises
    ------
    unidiff.errors.TracedConversionError
        If an array is being differentiated: the conversion would cut the derivative.
    unidiff.errors.DTypeError
        If the library would change the dtype.
    unidiff.errors.NotAnArrayError
        If a leaf is neither an array nor a number.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.to_backend({"w": np.ones(2), "n": 3}, "numpy")
    {'w': array([1., 1.]), 'n': 3}
    """
    target = registry.named(backend)

    def convert(x: Any) -> Any:
        source = _of_type(x)
        if source is _SCALAR:
            return x
        if source is None:
            raise _not_an_array(x)
        if source.backend is target.backend:
            return x if device is None else target.to_device(x, device)
        changes, may_change = source.info.capabilities.mutation, target.info.capabilities.mutation
        result = borrowed(source.copy(x) if changes and not may_change else x, target, device)
        return target.copy(result) if may_change and not changes else result

    return trees.map(convert, tree)


def borrowed(x: Array, target: CompleteBackend, device: Device | None = None) -> Array:
    """Return an array in another library, which shares memory with it wherever that is possible.

    For the length of a call in which neither of the two is written to, and at the end of which nothing runs on any more.
    """
    source = _backend_of(x)
    if source.backend is target.backend:
        return x
    result = _import(source, target, x, device)
    _require_dtype(target, result, dtype_name(x.dtype))
    return result


def _import(source: CompleteBackend, target: CompleteBackend, x: Array, device: Device | None) -> Array:
    try:
        return target.from_dlpack(x, device=device)
    except UnidiffError:
        raise
    except Exception:  # noqa: BLE001  # see below
        # Libraries refuse an export with errors of many types: for traced arrays, which to_numpy reports as such, and for
        # devices, dtypes and read-only memory that DLPack cannot hand over, which a copy through the host can.
        return target.asarray(source.to_numpy(x), device=device)


def to_numpy(tree: Tree) -> Tree:
    """Convert the arrays of a pytree to NumPy arrays, without a copy where they live in host memory.

    Parameters
    ----------
    tree : pytree of array
        Plain arrays of any libraries; Python numbers stay as they are.

    Returns
    -------
    pytree of numpy.ndarray
        May share memory with the arrays given.

    Raises
    ------
    unidiff.errors.TracedConversionError
        If an array is being differentiated.
    unidiff.errors.NotAnArrayError
        If a leaf is neither an array nor a number.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.to_numpy([np.ones(2), 1.0])
    [array([1., 1.]), 1.0]
    """
    return trees.map(lambda x: x if _of_type(x) is _SCALAR else _backend_of(x).to_numpy(x), tree)


def device(x: Array) -> Device:
    """Return the device of an array, plain or traced.

    Parameters
    ----------
    x : array

    Returns
    -------
    device
        The library's own device object or name.

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If `x` is not an array.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.device(np.ones(2))
    'cpu'
    """
    return _backend_of(x).device(x)


def to_device(tree: Tree, device: Device) -> Tree:
    """Move the arrays of a pytree to a device of their library; differentiable.

    Parameters
    ----------
    tree : pytree of array
        Arrays, plain or traced; Python numbers stay as they are.
    device : device or str
        The library's own device object or the name it has for it, such as ``"cuda:0"``.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.DeviceError
        If there is no such device.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.to_device(np.ones(2), "cpu")
    array([1., 1.])
    """
    return trees.map(lambda x: x if _of_type(x) is _SCALAR else _backend_of(x).to_device(x, device), tree)


def stop_gradient(tree: Tree) -> Tree:
    """Return the values of a pytree as constants: their derivative is zero.

    Parameters
    ----------
    tree : pytree
        Arrays, plain or traced; whatever else there is stays as it is.

    Returns
    -------
    pytree

    Raises
    ------
    unidiff.errors.UnsupportedOperationError
        If the backend cannot.

    Examples
    --------
    >>> import unidiff as ud
    >>> float(ud.grad(lambda x: x * ud.stop_gradient(x))(3.0))
    3.0
    """

    def stop(x: Any) -> Any:
        backend = _of_type(x)
        return x if backend is _SCALAR or backend is None else backend.stop_gradient(x)

    return trees.map(stop, tree)


def _backend_of(x: Any) -> CompleteBackend:
    backend = _of_type(x)
    if backend is _SCALAR or backend is None:
        raise _not_an_array(x)
    found: CompleteBackend = backend
    return found


def _not_an_array(x: Any) -> Exception:
    if hasattr(x, "__array_namespace__"):
        return registry.unknown_type(type(x))
    return NotAnArrayError(f"{x!r:.200} of type {type(x).__qualname__} is not an array of any backend; use asarray.")
