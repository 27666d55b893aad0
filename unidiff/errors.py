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
    "ImpureFunctionError",
    "InPlaceError",
    "LeakedTracerError",
    "MissingRuleError",
    "MixedBackendsError",
    "MixedDevicesError",
    "NonScalarOutputError",
    "NonlinearRuleError",
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


class NonlinearRuleError(UnidiffError, ValueError):
    """A custom rule has to be transposed for the mode that was asked for, but it is not linear."""


class NotDifferentiableError(UnidiffError, TypeError):
    """The function has no derivative with respect to a traced argument (``from_dlpack``, for example)."""


class TracedConversionError(UnidiffError, TypeError):
    """A traced array was to be turned into a plain number or array, which would cut the derivative."""


class InPlaceError(UnidiffError, RuntimeError):
    """An in-place change would not reach every array that shares the memory, so it is refused."""


class ImpureFunctionError(UnidiffError, RuntimeError):
    """A function that is to be compiled uses values that differ from call to call and are not its arguments."""


class LeakedTracerError(UnidiffError, RuntimeError):
    """A traced array was used after, or outside, the transform that made it."""


class DerivativeMismatchError(UnidiffError, AssertionError):
    """A derivative disagrees with its numerical reference; the message is a report."""


# What several backends have to say.

IRREVERSIBLE_LOOP = (
    "reverse mode cannot go through unidiff.while_loop, nor through unidiff.fori_loop with bounds that are not known "
    "beforehand: it would have to keep every step, and their number is unknown. Use unidiff.scan, or unidiff.fori_loop "
    "with integers as bounds, or forward mode (unidiff.jvp, unidiff.jacfwd)."
)
VALUE_OF_A_SLICE = (
    "the function needs the value of an array that has one for each slice, to branch on it, as a Python number, or for the "
    "shape of a result as x[mask] has it. Inside vmap use xp.where(condition, a, b), unidiff.cond or unidiff.while_loop, or "
    "loop over the slices."
)
CLOSED_OVER = (
    "the function of a custom rule uses an array of a transform that is not among its arguments: the rule says nothing about "
    "the derivative with respect to it. Pass it as an argument and let the rule cover it, or cut it off with"
    " unidiff.stop_gradient."
)
NONLINEAR = (
    "{what} has to be transposed here, so it must be linear, but {found}. Give the function a rule for this mode, or write the"
    " rule such that it is a sum of what is multiplied with them."
)
