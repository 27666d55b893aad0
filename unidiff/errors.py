"""The errors unidiff raises.

Every misuse of the API raises a subclass of `UnidiffError` that is also the built-in type a Python user expects, so both
``except unidiff.errors.DTypeError`` and ``except TypeError`` work. An exception raised inside the user's own function is
never wrapped.
"""

__all__ = [
    "ArgumentError",
    "BackendLoadError",
    "DTypeError",
    "DerivativeMismatchError",
    "DeviceError",
    "InPlaceError",
    "LeakedTracerError",
    "MissingRuleError",
    "MixedBackendsError",
    "MixedDevicesError",
    "NonScalarOutputError",
    "NotAnArrayError",
    "NotDifferentiableError",
    "PluginError",
    "ShapeError",
    "TracedConversionError",
    "TreeError",
    "UnidiffError",
    "UnknownBackendError",
    "UnsupportedOperationError",
]


class UnidiffError(Exception):
    """Base class of every error that unidiff raises."""


class ArgumentError(UnidiffError, ValueError):
    """An argument of a transform is out of range or malformed, such as an `argnums` beyond the arguments."""


class NotAnArrayError(UnidiffError, TypeError):
    """A leaf that must be an array or a Python number is something else."""


class DTypeError(UnidiffError, TypeError):
    """A dtype cannot be differentiated, does not match, or is not available on the backend."""


class ShapeError(UnidiffError, ValueError):
    """The shape of a tangent, cotangent or array does not fit."""


class TreeError(UnidiffError, ValueError):
    """Two pytrees that must have one structure differ."""


class NonScalarOutputError(UnidiffError, TypeError):
    """`grad` was asked of a function whose output is not one real array of shape ``()``."""


class UnknownBackendError(UnidiffError, ValueError):
    """No installed plugin provides the backend of this name, or no backend knows arrays of this type."""


class BackendLoadError(UnidiffError, ImportError):
    """A plugin is registered but its backend could not be loaded; the original error is its ``__cause__``."""


class PluginError(UnidiffError, ValueError):
    """A plugin registered something that does not satisfy the contract."""


class MixedBackendsError(UnidiffError, TypeError):
    """Arrays of more than one array library were passed to one call."""


class DeviceError(UnidiffError, ValueError):
    """A device does not exist on the backend, or a result cannot live there."""


class MixedDevicesError(DeviceError):
    """Arrays on more than one device were passed to one call."""


class UnsupportedOperationError(UnidiffError, NotImplementedError):
    """A backend lacks an operation; the message names backend, operation, reason and what to use instead."""


class MissingRuleError(UnsupportedOperationError):
    """The engine knows the function but has no derivative rule of the kind that was asked for."""


class NotDifferentiableError(UnidiffError, TypeError):
    """The function has no derivative with respect to a traced argument (``from_dlpack``, for example)."""


class TracedConversionError(UnidiffError, TypeError):
    """A traced array was to be turned into a plain number or array, which would cut the derivative."""


class InPlaceError(UnidiffError, RuntimeError):
    """An in-place change would not reach every array that shares the memory, so it is refused."""


class LeakedTracerError(UnidiffError, RuntimeError):
    """A traced array was used after, or outside, the transform that made it."""


class DerivativeMismatchError(UnidiffError, AssertionError):
    """A derivative disagrees with its numerical reference; the message is a report."""
