"""A stand-in for CuPy over NumPy, for machines without a GPU: what CuPy does differently from NumPy, it does as CuPy does.

There are two devices. Results are allocated on the current one, copies too, and an operand on the other one is an error (as on
hardware without peer access), so that a hidden move between devices fails. No array is converted to NumPy's, or made of one,
but by ``asnumpy`` and ``asarray``. Functions that CuPy lacks are lacking. Names and signatures are those of version 14.
"""

import sys
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace

import numpy as np

LACKS = frozenset(
    """
    asmatrix block bmat busday_count busday_offset datetime_as_string datetime_data einsum_path frompyfunc fromregex geomspace
    get_include getbufsize geterr geterrcall histogram_bin_edges info insert is_busday isnat matvec nanpercentile nanquantile
    nested_iters polyder polydiv polyint setbufsize seterr seterrcall show_runtime spacing test unstack vecdot vecmat
    """.split()
)
LACKS_LINALG = frozenset("diagonal matrix_norm multi_dot outer svdvals tensordot test trace vecdot vector_norm".split())
LACKS_SPECIAL = frozenset("betaincc iv ive hyp1f1 jv erfi hyp0f1 spence wrightomega".split())
DEVICES = 2
MODULES = ("cupy", "cupy.cuda", "cupy.cuda.device", "cupy.fft", "cupy.linalg", "cupyx", "cupyx.scipy", "cupyx.scipy.special")
state = SimpleNamespace(current=0, to_host=0, devices=DEVICES, error=None)


class CUDARuntimeError(RuntimeError):
    pass


class Device:
    """A device, which is the current one in its context; it has no hash."""

    __hash__ = None

    def __init__(self, device=None):
        if device is None:
            device = state.current
        self.id = device.id if isinstance(device, Device) else int(device)

    def __eq__(self, other):
        return self.id == other.id if isinstance(other, Device) else NotImplemented

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def __enter__(self):
        self.before, state.current = [*getattr(self, "before", []), state.current], self.id
        return self

    def __exit__(self, *exception):
        state.current = self.before.pop()


class ndarray:
    __module__ = "cupy"
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, value, device=None, base=None):
        self._value, self.base = value, base
        self.device = Device(state.current if device is None else device)

    shape = property(lambda self: self._value.shape)
    dtype = property(lambda self: self._value.dtype)
    ndim = property(lambda self: self._value.ndim)
    size = property(lambda self: self._value.size)
    nbytes = property(lambda self: self._value.nbytes)
    T = property(lambda self: ndarray(self._value.T, self.device, self))
    real = property(lambda self: ndarray(self._value.real, self.device, self))
    imag = property(lambda self: ndarray(self._value.imag, self.device, self))

    def copy(self):
        return ndarray(np.array(self._value))  # on the current device

    def astype(self, dtype, copy=True):
        return self if self.dtype == dtype and not copy else ndarray(_of(self).astype(dtype))

    def get(self):
        state.to_host += 1
        return np.array(self._value)

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):  # numbers of NumPy are operands, arrays are not
        return _lifted(ufunc)(*inputs, **kwargs) if method == "__call__" else NotImplemented

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self._value.__dlpack__()

    def __dlpack_device__(self):
        return (2, self.device.id)

    def __len__(self):
        return len(self._value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    __index__ = __int__

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __repr__(self):
        return repr(self._value)

    def __getitem__(self, key):
        part = _of(self)[_key(key)]
        return ndarray(np.asarray(part), base=self if isinstance(part, np.ndarray) and part.base is not None else None)

    def __setitem__(self, key, value):
        _of(self)[_key(key)] = _of(value)

    def reshape(self, *shape):
        return ndarray(_of(self).reshape(*shape), base=self)

    def ravel(self):
        return self.reshape(-1)

    def max(self, axis=None, keepdims=False):
        return _lifted(np.max)(self, axis=axis, keepdims=keepdims)

    def swapaxes(self, a, b):
        return ndarray(_of(self).swapaxes(a, b), base=self)


def _of(x):
    """Return the value of an operand of a kernel."""
    if isinstance(x, ndarray):
        if x.device.id != state.current:
            raise ValueError(f"Array device must be same as the current device: {x.device.id} != {state.current}")
        return x._value
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return x


def _key(key):
    return tuple(map(_of, key)) if isinstance(key, tuple) else _of(key)


def _values(x):
    if isinstance(x, (list, tuple)) and any(isinstance(item, ndarray) for item in x):
        return type(x)(map(_values, x))
    return _of(x)


def _arrays(y, args):
    if isinstance(y, (list, tuple)):
        items = [_arrays(item, args) for item in y]
        return type(y)(*items) if hasattr(y, "_fields") else type(y)(items)
    if not isinstance(y, (np.ndarray, np.generic)):
        return y
    y = np.asarray(y)
    base = next((x for x in args if isinstance(x, ndarray) and np.may_share_memory(x._value, y)), None)
    return ndarray(y, base=base)


def _lifted(function):
    def call(*args, **kwargs):
        with np.errstate(all="ignore"):  # a GPU warns of nothing
            y = function(*map(_values, args), **{name: _of(value) for name, value in kwargs.items()})
        return _arrays(y, args)

    call.__name__ = getattr(function, "__name__", "call")
    return call


def _operator(name, ufunc, reflected=False):
    def operate(self, other):
        if getattr(type(other), "__array_ufunc__", ...) is None:  # NEP 13
            return NotImplemented
        return _lifted(ufunc)(other, self) if reflected else _lifted(ufunc)(self, other)

    return operate


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_name, _ufunc, reflected=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))
for _name, _ufunc in {"neg": np.negative, "abs": np.abs, "invert": np.invert}.items():
    setattr(ndarray, f"__{_name}__", lambda self, _ufunc=_ufunc: _lifted(_ufunc)(self))
ndarray.__pos__ = lambda self: self


def array(obj, dtype=None, copy=True, order="K"):
    if isinstance(obj, ndarray):
        if obj.device.id != state.current:
            return ndarray(np.array(obj._value, dtype=dtype))
        return obj.astype(obj.dtype if dtype is None else dtype, copy=copy)
    if isinstance(obj, (list, tuple)) and _has_arrays(obj):
        return ndarray(np.asarray([array(item, dtype)._value for item in obj], dtype=dtype))
    return ndarray(np.array(obj, dtype=dtype))


def _has_arrays(obj):
    return any(isinstance(item, ndarray) or (isinstance(item, (list, tuple)) and _has_arrays(item)) for item in obj)


def asarray(obj, dtype=None, order=None):
    return array(obj, dtype=dtype, copy=False)


def asnumpy(x):
    return x.get() if isinstance(x, ndarray) else np.asarray(x)


def from_dlpack(x, *, device=None, copy=None):
    kind, number = x.__dlpack_device__()
    if kind != 2:
        raise RuntimeError("CPU tensors are not supported")
    return ndarray(np.from_dlpack(SimpleNamespace(__dlpack__=x.__dlpack__, __dlpack_device__=lambda: (1, 0))), number, base=x)


def solve(a, b):
    if b.ndim == 1:
        if a.shape[-1] != b.size:
            raise ValueError("a must have (..., M, M) shape and b must have (M,) for one-dimensional b")
        return _lifted(lambda a, b: np.linalg.solve(a, np.broadcast_to(b, a.shape[:-1])[..., None])[..., 0])(a, b)
    if a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    return _lifted(np.linalg.solve)(a, b)


def repeat(a, repeats, axis=None):
    if isinstance(repeats, ndarray) and repeats.ndim == 0:
        raise ValueError("repeats has no length")
    return _lifted(np.repeat)(a, repeats, axis)


def add_at(a, indices, b):
    np.add.at(_of(a), _key(indices), _of(b))


def device_count():
    if state.error is not None:
        raise CUDARuntimeError(state.error)
    return state.devices


def _module(name, source, lacks=frozenset(), **own):
    module = ModuleType(name)
    for key in dir(source):
        value = getattr(source, key)
        if key.startswith("_") or key in lacks or isinstance(value, ModuleType):
            continue
        is_function = callable(value) and not isinstance(value, type)
        setattr(module, key, _lifted(value) if is_function else value)
    vars(module).update(own)
    return module


def modules():
    """Return the modules of the stand-in by name."""
    import scipy.special

    plain = {
        name: getattr(np, name)
        for name in ("result_type", "can_cast", "finfo", "iinfo", "dtype", "issubdtype", "promote_types")
    }
    plain["result_type"] = lambda *xs: np.result_type(*(x._value if isinstance(x, ndarray) else x for x in xs))
    add = _lifted(np.add)
    add.at = add_at
    runtime = SimpleNamespace(getDeviceCount=device_count, getDevice=lambda: state.current, CUDARuntimeError=CUDARuntimeError)
    cuda = ModuleType("cupy.cuda")
    vars(cuda).update(runtime=runtime, Device=Device, Stream=type("Stream", (), {}))
    cuda.device = ModuleType("cupy.cuda.device")
    cuda.device.Device = Device
    own = {"array": array, "asarray": asarray, "asnumpy": asnumpy, "from_dlpack": from_dlpack, "repeat": repeat, "add": add}
    linalg = _module("cupy.linalg", np.linalg, LACKS_LINALG, solve=solve)
    named = linalg.eig
    linalg.eig = lambda x: tuple(named(x))
    fft = _module("cupy.fft", np.fft, frozenset({"test"}))
    cupy = _module("cupy", np, LACKS, **plain, **own, ndarray=ndarray, cuda=cuda, linalg=linalg, fft=fft, __version__="14.2.0")
    special = _module("cupyx.scipy.special", scipy.special, LACKS_SPECIAL)
    cupyx, scipy_ = ModuleType("cupyx"), ModuleType("cupyx.scipy")
    cupyx.scipy, scipy_.special = scipy_, special
    found = (cupy, cuda, cuda.device, fft, linalg, cupyx, scipy_, special)
    for module in (cupy, cuda, cupyx, scipy_):
        module.__path__ = []
    return dict(zip(MODULES, found, strict=True))


@contextmanager
def installed(*, devices=DEVICES, error=None):
    """Make a context in which the stand-in is what ``import cupy`` gives; what it made importable is forgotten afterwards."""
    ours = ("cupy", "cupyx", "array_api_compat.cupy", "unidiff_backends.cupy", "unidiff_backends._cupy")
    with ExitStack() as stack:
        before = {name: module for name, module in sys.modules.items() if name.startswith(ours)}
        for name in before:
            del sys.modules[name]
        sys.modules.update(modules())
        state.devices, state.error = devices, error
        stack.callback(sys.modules.update, before)
        stack.callback(lambda: [sys.modules.pop(name) for name in list(sys.modules) if name.startswith(ours)])
        stack.callback(vars(state).update, vars(state) | {"devices": DEVICES, "error": None})
        yield sys.modules["cupy"]
