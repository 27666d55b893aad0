"""The contract between unidiff and an array library: the one file a plugin author reads.

A plugin consists of two modules. The entry module, named in the entry-point group ``unidiff``, is light: it implements the
hook ``unidiff_register_backends`` and yields a `BackendInfo`, which is pure data and imports no framework. The other module
holds the class that ``BackendInfo.factory`` names; it is imported on first use, called without arguments, and its instance is
the backend. Core flattens pytrees before it calls a backend, so a backend only ever sees flat sequences of arrays.

Required of a backend are the methods of `Backend` and at least one of ``vjp`` and ``jvp``. Whatever else is missing is derived
in `unidiff.derive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from unidiff._typing import Array, Device, Namespace

API_VERSION = 1
"""The version of this contract; a plugin states the version it was written for in ``BackendInfo.api_version``."""

OPTIONAL_OPERATIONS = (
    "value_and_grad",
    "linearize",
    "jacfwd",
    "jacrev",
    "stop_gradient",
    "vmap",
    "jit",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "host_callback",
    "cond",
    "while_loop",
    "scan",
    "taylor",
    "dependence",
    "with_rules",
    "linear_solve",
    "optimizer_step",
)
"""Operations a backend may provide natively; the signatures are those of `unidiff.derive.CompleteBackend`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend claims; every claim is tested in both directions by the conformance suite.

    Parameters
    ----------
    modes : frozenset of {"forward", "reverse"}
        Modes of differentiation with a native implementation; the other one is derived.
    max_order : int or None
        Highest order of derivative by nesting; None where any order works.
    dtypes : frozenset of str
        Names of the dtypes that can be differentiated.
    devices : frozenset of str
        Kinds of devices, such as ``"cpu"`` and ``"cuda"``.
    vmap, jit : bool
        Whether `unidiff.vmap` and `unidiff.jit` work.
    control_flow : bool
        Whether Python control flow may depend on values while a derivative is taken.
    mutation : bool
        Whether arrays can be assigned to (``x[i] = y``) inside a differentiated function.
    threads : bool
        Whether derivatives may be taken from several threads at once.
    accuracy : float
        How many of the digits of a dtype a first derivative has: its error is of the order ``eps**accuracy``. 1 where rounding
        alone limits it, p / (p + 1) for difference quotients of accuracy p, 0 where no digit is right. Below 1 a function
        may be called more than once.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.Capabilities(modes=frozenset({"reverse"}), max_order=1).exact
    True
    """

    modes: frozenset[str] = frozenset({"forward", "reverse"})
    max_order: int | None = None
    dtypes: frozenset[str] = frozenset({"float32", "float64", "complex64", "complex128"})
    devices: frozenset[str] = frozenset({"cpu"})
    vmap: bool = False
    jit: bool = False
    control_flow: bool = True
    mutation: bool = True
    threads: bool = True
    accuracy: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether derivatives are right up to rounding, at kinks and singular points, too."""
        return self.accuracy == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """What a plugin says about a backend without importing its framework.

    Parameters
    ----------
    name : str
        The name users type, a Python identifier, such as ``"torch"``.
    api_version : int
        The version of the contract the plugin was written for.
    factory : str
        ``"package.module:Class"``; imported on first use and called without arguments.
    arrays : tuple of str
        Names of the root modules of its array types, such as ``("jax", "jaxlib")``; empty for a backend that is chosen by
        name only.
    excludes : tuple of str
        Dotted names of classes, or of modules with all their classes, that are no arrays of the standard although their root
        module is among `arrays`, such as ``"numpy.matrix"``, whose ``*`` is another operation.
    library : str
        The array library the backend differentiates, for tables and messages.
    requires : tuple of str
        Requirement specifiers, such as ``("torch>=2.4",)``, checked against installed metadata without an import. Of
        alternatives, as in ``"cupy-cuda12x>=13.3 | cupy-cuda13x>=13.6"``, one is enough.
    install : str
        The command that installs what is missing.
    tested : tuple of str
        Requirement specifiers of the versions that the plugin was tested with, such as ``("torch>=2.6,<2.14",)``; others may
        work, and ``unidiff doctor`` tells.
    test_environment : tuple of str
        Environment variables, such as ``("JAX_ENABLE_X64=1",)``, without which the library cannot do, or does slowly, what the
        tests of derivatives need. Test tools set them before the library is imported; unidiff itself never does.
    capabilities : Capabilities
        What the backend can do.

    Examples
    --------
    >>> import unidiff as ud
    >>> info = ud.BackendInfo(name="mine", api_version=1, factory="my_package:MyBackend", arrays=("my_arrays",))
    >>> info.capabilities.modes == {"forward", "reverse"}
    True
    """

    name: str
    api_version: int
    factory: str
    arrays: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    library: str = ""
    requires: tuple[str, ...] = ()
    install: str = ""
    tested: tuple[str, ...] = ()
    test_environment: tuple[str, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A program as text, for `unidiff.jit`'s method ``lower``.

    Parameters
    ----------
    text : str
        The program, one line for each call.
    source : str
        The code that runs.
    recorded : int
        How many calls were recorded.
    calls : int
        How many of them are left.
    reused : int
        How many of these compute into memory that an earlier value no longer needs.
    """

    text: str
    source: str = ""
    recorded: int = 0
    calls: int = 0
    reused: int = 0

    def as_text(self) -> str:
        """Return the program as text."""
        return self.text

    def __str__(self) -> str:
        return self.text


@runtime_checkable
class Backend(Protocol):
    """What a plugin's class provides. All functions take and return flat sequences of arrays.

    Besides these methods a backend has at least one of::

        def vjp(self, f, primals, *, has_aux=False) -> (outs, pullback)        # or (outs, pullback, aux)
        def jvp(self, f, primals, tangents, *, has_aux=False) -> (outs, tangents_out)  # or (outs, tangents_out, aux)

    ``f`` takes the primals as positional arguments and returns a tuple of arrays, or, with ``has_aux``, a pair of tuples
    ``(outs, aux)`` whose second member is returned undifferentiated and free of any tracing. ``outs``, ``tangents_out``,
    ``aux`` and what ``pullback(cotangents)`` returns are tuples of plain arrays with the dtype, shape and device of what they
    belong to: a cotangent for a primal is never None, and float32 stays float32. ``f`` is called exactly once. ``pullback``
    may be called any number of times. Nested calls differentiate each other to any order that the capabilities claim.

    Results belong to the caller: where arrays can be changed, no result is a view of a primal, tangent, cotangent, constant or
    other result. (One of these arrays handed through as it is does no harm; core copies it.)

    Native ``jacfwd`` and ``jacrev`` are asked for real primals and real outputs only.

    A backend without array types of its own (empty ``BackendInfo.arrays``) is chosen by name and differentiates arrays of any
    library. It has a method ``over(host)`` that returns it bound to the backend of the arrays, a
    `unidiff.derive.CompleteBackend`; core binds it to the backend of the arrays of each call, and to the default backend where
    there are none. Only what ``over`` returns has to have the methods below; it has a method ``over`` itself.

    A backend with a native ``jit`` may also have ``jit_of_trees(f, *, static_argnums, static_argnames, compiler)``, for a
    library whose compiler takes functions of pytrees itself: `unidiff.jit` then calls what it returns, at no cost of its own,
    unless that is None. With it goes ``jit_error(error)``, which returns unidiff's error for one of the library's about values
    that are not known while a function is traced, or None.
    What ``jit`` returns may have a method ``lower(*arrays)`` that returns a `Lowered`, or an object like it.
    An attribute ``jit_watches = True`` says that it follows every change of what the function uses beside its arguments, such
    as closures and globals: solvers then keep what they have compiled for their next call with the same function.

    A backend of traced arrays should have ``closure_convert(f, args)``, by which solutions of linear systems are differentiated
    with respect to arrays that their operator uses beside its argument; see `unidiff.derive.CompleteBackend`. Without, the
    iterations of the solvers are differentiated.

    A backend whose library compiles whatever it runs may have a method ``uncompiled()`` that returns a context manager: within
    it programs run operation by operation, with the same results. Test tools use it where they run thousands of small programs
    once each.

    A faster step of the optimizers of `unidiff.optim` is optional::

        def optimizer_step(self, method, params, grads, slots, scalars, *, donate) -> (params, slots) or NotImplemented

    ``params`` and ``grads`` are lists of arrays of one length, ``slots`` maps the name of a kind of memory to the list
    of its arrays, and ``scalars`` a dict of the Python floats that this step needs. What the step is, leaf by leaf, the method
    says: ``method.kernel(namespace, grad, param, {name: slot}, scalars)`` returns what is added to the parameter, and the new
    slots. Where ``method.elementwise`` holds, leaves may be joined and cut. ``method.fixed`` is a hashable key of all that the
    kernel depends on beside its arguments; ``type(method).__name__`` and the fields of the dataclass tell a native kernel
    whether it is the same method. What it cannot reproduce to rounding it returns as NotImplemented, such as traced arrays, and
    the reference is used. Results own their memory, unless ``donate`` allows to reuse that of ``params`` and ``slots``.

    Complex convention: ``pullback`` is the adjoint of the Jacobian in the real inner product ``Re <u, v>``, so the gradient
    of a real function is ``df/dx + i df/dy``.
    """

    info: BackendInfo

    def namespace(self, *arrays: Array) -> Namespace:
        """Return the differentiable array API namespace for these arrays, plain or traced; without arrays, for creation."""

    def device(self, x: Array) -> Device:
        """Return the device of ``x``, also where ``x`` is traced."""

    def to_device(self, x: Array, device: Device) -> Array:
        """Return ``x`` on the device; differentiable. Raises `unidiff.errors.DeviceError` for an unknown one."""

    def devices(self) -> Sequence[Device]:
        """Return the devices that exist on this machine."""

    def asarray(self, obj: Any, *, dtype: Any = None, device: Device | None = None) -> Array:
        """Return ``obj`` (number, nested sequence, NumPy array, own array) as an array; ``dtype`` may be a name or a dtype."""

    def from_dlpack(self, x: Array, *, device: Device | None = None) -> Array:
        """Return an array of this library made from another library's, without a copy where the devices allow it."""

    def to_numpy(self, x: Array) -> Any:
        """Return a plain array as a NumPy array."""
