"""What a scenario is: a function, inputs, and what is known about its derivatives."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256
from typing import Any, TypeAlias

Number: TypeAlias = int | float | complex
Nested: TypeAlias = Number | Sequence["Nested"]
Function: TypeAlias = Callable[..., Any]
"""``function(xp, *arrays)``: written once, against the array API standard; returns an array or a tuple of arrays."""


class Rule(Enum):
    """The general rules of the derivative standard; the value says what the rule demands."""

    SMOOTH = "Where the function is differentiable, the derivative is the mathematical one, removable singularities included."
    KINK = "At a kink: the element of minimum norm of Clarke's generalized derivative, jointly over all arguments."
    SINGULAR = "Elsewhere: the common value of the one-sided limits if there is one, else NaN."
    CONSTANT = "Piecewise constant functions have derivative exactly 0, of the right shape, dtype and device."
    COMPLEX = "The VJP is the adjoint of the JVP in the real inner product Re <u, v>."
    ADJOINT = "JVP and VJP are adjoint to each other at every point."
    DTYPE = "Derivatives have the dtype of the primal."
    SHAPE = "0-d, empty and size-1 arrays are ordinary."
    ERRORS = "An exception raised inside the user's function passes through untouched and leaves later calls clean."
    RESULTS = "Results belong to the caller: they share no memory, and inputs are never changed."
    NESTING = "Derivatives nest in any order of modes, without perturbation confusion."


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy that can be asked of a class of functions: ``tolerance = factor * eps(dtype) * scale``.

    Parameters
    ----------
    name : str
        The class of functions.
    factor : float
        The factor for values and first derivatives; second derivatives get eight times as much.
    spread : bool
        Whether rounding errors spread over the whole result, so that the largest term sets the scale of all entries.
    reason : str
        Why the factor is what it is.
    """

    name: str
    factor: float
    spread: bool
    reason: str


EXACT = Accuracy("exact", 0.0, False, "Dyadic numbers are moved and added only, so nothing is rounded.")
ARITHMETIC = Accuracy("arithmetic", 8.0, False, "Correctly rounded operations, two or three in each step of the chain rule.")
TRANSCENDENTAL = Accuracy(
    "transcendental", 64.0, False, "Library functions are right to 2-4 units in float32, and meet in products."
)
REDUCTION = Accuracy("reduction", 32.0, True, "At most 8 + 2 sqrt(n) roundings of the largest term, for the sizes used here.")
FFT = Accuracy("fft", 64.0, True, "Every output is a sum over all inputs with rounded twiddle factors.")
LINALG = Accuracy("linalg", 4096.0, True, "Backward error 32 n times a condition number below 40.")


@dataclass(frozen=True, slots=True)
class Data:
    """One input: numbers that every floating-point dtype represents exactly, in row-major order, and their shape."""

    shape: tuple[int, ...]
    values: tuple[Number, ...]

    @property
    def is_complex(self) -> bool:
        """Whether the input is complex."""
        return any(isinstance(value, complex) for value in self.values)


@dataclass(frozen=True, slots=True)
class Draw:
    """A request for input data: distinct odd multiples of 1/16 between `low` and `high`.

    Such numbers are exact in every dtype and stay away from each other and from all multiples of 1/8, where kinks lie. With
    a seed each is moved by a multiple of 1/1024 below 1/64.
    """

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    is_complex: bool = False


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Draw:
    """Ask for a real input of this shape."""
    return Draw(shape, low, high)


def cplx(*shape: int, low: float = -2.0, high: float = 2.0) -> Draw:
    """Ask for a complex input of this shape."""
    return Draw(shape, low, high, is_complex=True)


Input: TypeAlias = Draw | Nested


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A function, its inputs and its derivatives.

    Parameters
    ----------
    id : str
        Permanent name ``category.function.variant``; it also seeds the inputs.
    function : callable
        ``function(xp, *arrays)``, returning an array or a tuple of arrays.
    given : tuple of Data and Draw
        The inputs, each as numbers or as the region to draw them from.
    rule : Rule
        The general rule that decides the derivative here.
    accuracy : Accuracy
        How accurate a result has to be.
    reference : callable or None
        What the oracle evaluates instead of `function`, where that cannot run on plain arrays of extended precision.
    like : callable or None
        A smooth function whose derivative at this point is, by the rule, the derivative wanted. Given at kinks.
    jacobian : tuple of tuples of float, or None
        The Jacobian wanted, rows by outputs and columns by inputs, where it is not finite.
    max_order : int
        Highest order of derivative the rule determines here.
    requires : frozenset of str
        Capabilities that a backend must claim, such as ``"mutation"``.
    seed : int
        Chooses the numbers drawn. 0 is what claims are about; the others move every drawn point within its region.
    origin : str
        The plugin that brings it, with its version; empty for the scenarios of the suite.

    Attributes
    ----------
    inputs : tuple of Data
        The point at which to differentiate.
    """

    id: str
    function: Function
    given: "tuple[Data | Draw, ...]"
    rule: Rule
    accuracy: Accuracy
    reference: Function | None = None
    like: Function | None = None
    jacobian: tuple[tuple[float, ...], ...] | None = None
    max_order: int = 2
    requires: frozenset[str] = field(default=frozenset())
    seed: int = 0
    origin: str = ""
    inputs: tuple[Data, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(_resolve(self.key, self.given, moved=bool(self.seed))))

    def at(self, seed: int) -> "Scenario":
        """Return the scenario with the numbers of another seed; a point that was chosen by hand stays where it is."""
        return self if seed == self.seed else replace(self, seed=seed)

    def direction(self, role: str, size: int) -> tuple[float, ...]:
        """Return the entries of a tangent or cotangent."""
        return probe(f"{self.key}|{role}", size)

    @property
    def key(self) -> str:
        """What seeds the numbers."""
        return f"{self.id}#{self.seed}" if self.seed else self.id

    @property
    def hand_picked(self) -> bool:
        """Whether the point was chosen for what happens there, rather than drawn."""
        return not any(isinstance(item, Draw) for item in self.given)

    @property
    def category(self) -> str:
        """The category of the array API standard."""
        return self.id.split(".")[0]

    @property
    def name(self) -> str:
        """The function of the standard that is tested."""
        return self.id.split(".")[1]

    @property
    def is_complex(self) -> bool:
        """Whether any input is complex."""
        return any(data.is_complex for data in self.inputs)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Names of the dtypes it is run in, the most accurate first."""
        return ("complex128", "complex64") if self.is_complex else ("float64", "float32")


def scenario(
    id: str,
    function: Function,
    *inputs: Input,
    accuracy: Accuracy = ARITHMETIC,
    rule: Rule | None = None,
    like: Function | None = None,
    jacobian: Sequence[Sequence[float]] | None = None,
    reference: Function | None = None,
    max_order: int | None = None,
    requires: Sequence[str] = (),
) -> Scenario:
    """Make a scenario from literal inputs and draws; a given `like` means a kink, a given `jacobian` a singular point."""
    given = tuple(item if isinstance(item, Draw) else _literal(item) for item in inputs)
    if rule is None:
        complex_inputs = any(item.is_complex for item in given)
        smooth = Rule.COMPLEX if complex_inputs else Rule.SMOOTH
        rule = Rule.SINGULAR if jacobian is not None else Rule.KINK if like is not None else smooth
    return Scenario(
        id=id,
        function=function,
        given=given,
        rule=rule,
        accuracy=accuracy,
        reference=reference,
        like=like,
        jacobian=None if jacobian is None else tuple(tuple(row) for row in jacobian),
        max_order=(2 if like is None and jacobian is None else 1) if max_order is None else max_order,
        requires=frozenset(requires),
    )


def probe(seed: str, size: int) -> tuple[float, ...]:
    """Return `size` odd multiples of 1/16 between -2 and 2 that depend on nothing but the seed."""
    return tuple((2 * (_hash(f"{seed}|{k}") % 32) - 31) / 16 for k in range(size))


def _hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def _resolve(key: str, given: Sequence[Data | Draw], *, moved: bool) -> Iterator[Data]:
    taken: set[float] = set()
    for position, item in enumerate(given):
        yield _draw(f"{key}|{position}", item, taken, moved=moved) if isinstance(item, Draw) else item


def _draw(key: str, request: Draw, taken: set[float], *, moved: bool) -> Data:
    """Take the numbers of the grid in the order of their hashes: the same on every machine, and no other case moves."""
    count = math.prod(request.shape) * (2 if request.is_complex else 1)
    grid = (k / 16 for k in range(math.ceil(16 * request.low), math.floor(16 * request.high) + 1) if k % 2)
    free = sorted((x for x in grid if x not in taken), key=lambda x: _hash(f"{key}|{x}"))[:count]
    if len(free) < count:
        raise ValueError(f"{key}: {count} numbers wanted of {len(free)} between {request.low} and {request.high}")
    taken.update(free)
    if moved:
        free = [x + (_hash(f"{key}|{x}|off") % 31 - 15) / 1024 for x in free]
    numbers: tuple[Number, ...] = tuple(free)
    if request.is_complex:
        numbers = tuple(complex(re, im) for re, im in zip(free[0::2], free[1::2], strict=True))
    return Data(request.shape, numbers)


def _literal(value: Nested) -> Data:
    """Flatten nested sequences; a complex number anywhere makes all of them complex."""
    if not isinstance(value, Sequence):
        return Data((), (value,))
    parts = [_literal(item) for item in value]
    numbers = tuple(number for part in parts for number in part.values)
    if any(isinstance(number, complex) for number in numbers):
        numbers = tuple(complex(number) for number in numbers)
    return Data((len(parts), *(parts[0].shape if parts else ())), numbers)
