"""Methods that use the shape of a leaf: Adafactor factors its second moment, Muon makes its step orthogonal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unidiff._typing import Array, Namespace
from unidiff.errors import ShapeError
from unidiff.optim import scalars
from unidiff.optim.leaves import Leaves
from unidiff.optim.optimizer import Method, Slots, require
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["Adafactor", "Muon"]


@dataclass(frozen=True)
class Adafactor(Method):
    r"""Adafactor: the second moment of a matrix as the product of its row means and its column means.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-2
        :math:`\gamma`.
    decay : float, default 0.8
        :math:`\tau`; the second moment decays by :math:`1 - t^{-\tau}`.
    eps : float or None, default None
        :math:`\epsilon_1`; None for the machine epsilon of the dtype.
    smallest_scale : float, default 1e-3
        :math:`\epsilon_2`.
    clip : float or None, default 1
        :math:`d`: the greatest root mean square of a leaf's step, relative to its scale; None for no bound.
    weight_decay : float, default 1e-2
        :math:`\lambda`, decoupled.
    momentum : float, default 0
        Decay of a running mean of the steps, without correction; 0 for none.
    relative_step : bool, default True
        Whether the step size is :math:`\min(\gamma, 1/\sqrt t)` instead of :math:`\gamma`.
    scale_parameter : bool, default True
        Whether steps are multiplied by the root mean square of the leaf, at least :math:`\epsilon_2`.
    decay_with_rate : bool, default True
        Whether the weight decay is multiplied by the learning rate.
    eps_added : bool, default False
        Whether :math:`\epsilon_1` is added to each squared gradient, as in the paper, instead of bounding the mean of the row
        means and the root of the second moment from below.
    least_size : int, default 1
        Only leaves with two axes of at least this size are factored.
    largest_axes : bool, default False
        Whether the two largest axes are factored, instead of the last two.
    decay_offset : int, default 0
        How many steps later the decay of the second moment begins: t in it is the step minus that, at least 1.

    Notes
    -----
    With the means :math:`r_t` and :math:`c_t` of :math:`g_t^2` along rows and columns, decaying as above,

    .. math::
        \hat v_t = \frac{r_t c_t}{\operatorname{mean}(r_t)}, \quad
        u_t = \frac{g_t}{\sqrt{\hat v_t}}, \quad
        x_t = (1 - \gamma\lambda) x_{t-1} - \max(\epsilon_2, \operatorname{rms}(x_{t-1})) \min(\gamma, t^{-1/2})
        \frac{u_t}{\max(1, \operatorname{rms}(u_t)/d)}.

    Source: Shazeer and Stern 2018.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Adafactor(0.1, weight_decay=0.0)
    >>> x = np.asarray([[1.0, -1.0], [1.0, 1.0]])
    >>> optimizer.step(x, np.asarray([[4.0, 2.0], [2.0, 1.0]]), optimizer.init(x))[0].round(6)
    array([[ 0.9, -1.1],
           [ 0.9,  0.9]])
    """

    learning_rate: Rate = 1e-2
    decay: float = 0.8
    eps: float | None = None
    smallest_scale: float = 1e-3
    clip: float | None = 1.0
    weight_decay: float = 1e-2
    momentum: float = 0.0
    relative_step: bool = True
    scale_parameter: bool = True
    decay_with_rate: bool = True
    eps_added: bool = False
    least_size: int = 1
    largest_axes: bool = False
    decay_offset: int = 0

    elementwise: ClassVar[bool] = False
    complex_parameters: ClassVar[bool] = False
    nonnegative: ClassVar[tuple[str, ...]] = ("decay", "smallest_scale", "weight_decay", "least_size", "decay_offset")
    fractions: ClassVar[tuple[str, ...]] = ("momentum",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "eps", lambda x: x is None or x >= 0, "None or not negative")
        require(self, "clip", lambda x: x is None or x > 0, "None or positive")

    def slots(self) -> Mapping[str, str]:
        """Return the row means, the column means, and the second moment of leaves that are not factored."""
        slots = {"row": "real", "column": "real", "v": "real"}
        return slots | {"momentum": "like"} if self.momentum else slots

    def axes(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Return the axis of the row means and that of the column means, or None where a leaf is not factored."""
        if len(shape) < 2:
            return None
        order = sorted(range(len(shape)), key=shape.__getitem__)
        if shape[order[-2]] < self.least_size or 0 in shape:
            return None
        return (order[-1], order[-2]) if self.largest_axes else (len(shape) - 1, len(shape) - 2)

    def fresh(self, backend: Any, p: Array) -> dict[str, Array]:
        """Return the slots of a leaf before the first step; those that it does not need are empty."""
        shape, xp, device = tuple(p.shape), backend.namespace(), backend.device(p)
        axes, none = self.axes(shape), (0,)
        shapes = {"row": none, "column": none, "v": shape, "momentum": shape}
        if axes is not None:
            along = [tuple(1 if k == axis else n for k, n in enumerate(shape)) for axis in axes]
            shapes |= {"row": along[0], "column": along[1], "v": none}
        return {name: xp.zeros(shapes[name], dtype=p.dtype, device=device) for name in self.slots()}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return how much of a new square enters the second moment, the step size, and the weight decay."""
        t = scalars.floating(t)
        step = scalars.minimum(rate, 1.0 / scalars.sqrt(t)) if self.relative_step else rate
        decay = rate * self.weight_decay if self.decay_with_rate else self.weight_decay
        since = scalars.maximum(t - self.decay_offset, 1.0) if self.decay_offset else t
        return {"share": scalars.power(since, -self.decay), "step": -step, "decay": -decay}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new slots."""
        if 0 in p.shape:
            return p * 0.0, {name: x * 1.0 for name, x in s.items()}
        eps = float(xp.finfo(p.dtype).eps) if self.eps is None else self.eps
        square = g * g + eps if self.eps_added else g * g
        slots = {name: x * 1.0 for name, x in s.items()}

        def mixed(name: str, new: Array) -> Array:
            slots[name] = s[name] * (1.0 - h["share"]) + new * h["share"]
            return slots[name]

        axes = self.axes(tuple(p.shape))
        if axes is None:
            v = mixed("v", square)
        else:
            row = mixed("row", xp.mean(square, axis=axes[0], keepdims=True))
            column = mixed("column", xp.mean(square, axis=axes[1], keepdims=True))
            mean = xp.mean(row, axis=axes[1], keepdims=True)
            v = row / (mean if self.eps_added else xp.maximum(mean, eps)) * column
        update = g / xp.sqrt(v if self.eps_added else xp.maximum(v, eps * eps))
        if self.clip is not None:
            update = update / xp.maximum(_rms(xp, update) * (1.0 / self.clip), 1.0)
        update = update * h["step"]
        if self.scale_parameter:
            update = update * xp.maximum(_rms(xp, p), self.smallest_scale)
        if self.momentum:
            update = slots["momentum"] = s["momentum"] * self.momentum + update * (1.0 - self.momentum)
        return update + p * h["decay"] if self.weight_decay else update * 1.0, slots


def _rms(xp: Namespace, x: Array) -> Array:
    return xp.sqrt(xp.mean(x * x))


@dataclass(frozen=True)
class Muon(Method):
    r"""Muon: momentum, made nearly orthogonal by a Newton-Schulz iteration. Every leaf must be a matrix.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-3
        :math:`\gamma`.
    momentum : float, default 0.95
        :math:`\mu`.
    nesterov : bool, default True
        Whether the momentum is Nesterov's.
    weight_decay : float, default 0.1
        :math:`\lambda`, decoupled and multiplied by the learning rate.
    coefficients : tuple of three floats, or tuple of such tuples
        :math:`(a, b, c)` of the iteration :math:`X \leftarrow aX + b(XX^T)X + c(XX^T)^2X`, or those of each iteration.
    iterations : int, default 5
        How many of them, where all have the same coefficients.
    eps : float, default 1e-7
        The least Frobenius norm that the momentum is divided by.
    rms : float or None, default None
        None multiplies steps by :math:`\sqrt{\max(1, n_\text{out}/n_\text{in})}`, a number by that times
        :math:`\sqrt{\max(n_\text{out}, n_\text{in})}`; 0.2 gives steps of the size of `AdamW`.
    output_axis : {0, 1}, default 0
        Which axis of a matrix is that of the outputs.
    bias_correction : bool, default False
        Whether the momentum is corrected for its start, and `eps` added to the norm instead of bounding it.
    normalization : {"frobenius", "spectral", "aol", "schatten"}, default "frobenius"
        What the momentum is divided by before the iteration: its Frobenius norm, its greatest singular value, the root of the
        sums of the moduli of each row of :math:`XX^T`, or the root of the Frobenius norm of :math:`XX^T`.
    adaptive : bool, default False
        Whether steps are multiplied by the inner product of the momentum and its nearly orthogonal factor.

    Notes
    -----
    The iteration runs in the dtype of the parameter. With other parameters than matrices, `unidiff.optim.partition` gives those
    to another optimizer. Source: Jordan et al. 2024; Liu et al. 2025 for `rms`; Boissin et al. 2025 for "aol"; Bernstein and
    Newhouse 2024 for `adaptive`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Muon(0.1, weight_decay=0.0)
    >>> x = np.zeros((2, 2))
    >>> step = optimizer.step(x, np.asarray([[3.0, 0.0], [0.0, -3.0]]), optimizer.init(x))[0]
    >>> step.round(3)
    array([[-0.111,  0.   ],
           [ 0.   ,  0.111]])
    """

    learning_rate: Rate = 1e-3
    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.1
    coefficients: tuple[Any, ...] = (3.4445, -4.7750, 2.0315)
    iterations: int = 5
    eps: float = 1e-7
    rms: float | None = None
    output_axis: int = 0
    bias_correction: bool = False
    normalization: str = "frobenius"
    adaptive: bool = False

    elementwise: ClassVar[bool] = False
    complex_parameters: ClassVar[bool] = False
    nonnegative: ClassVar[tuple[str, ...]] = ("weight_decay", "iterations", "eps")
    fractions: ClassVar[tuple[str, ...]] = ("momentum",)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.coefficients if isinstance(self.coefficients, (tuple, list)) else ()
        rows = [tuple(row) if isinstance(row, (tuple, list)) else row for row in given]
        triples = rows if rows and all(isinstance(row, tuple) for row in rows) else [tuple(rows)]
        ok = all(len(row) == 3 and all(isinstance(x, (int, float)) for x in row) for row in triples)
        require(self, "coefficients", ok, "three numbers, or three for each iteration")
        object.__setattr__(self, "coefficients", tuple(rows))
        kinds = ("frobenius", "spectral", "aol", "schatten")
        require(self, "normalization", self.normalization in kinds, f"one of {', '.join(kinds)}")
        require(self, "iterations", self.iterations == int(self.iterations), "a whole number")
        require(self, "output_axis", lambda x: x in (0, 1), "0 or 1")
        require(self, "rms", lambda x: x is None or x > 0, "None or positive")

    def slots(self) -> Mapping[str, str]:
        """Return the momentum."""
        return {"momentum": "like"}

    def _accept(self, leaves: Leaves) -> None:
        super()._accept(leaves)
        for k, p in enumerate(leaves.params):
            if len(p.shape) != 2:
                raise ShapeError(
                    f"{leaves.path(k)} has the shape {tuple(p.shape)}, but Muon is for matrices: give other parameters to "
                    "another optimizer with unidiff.optim.partition."
                )

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size, the weight decay, and what gradient and momentum are multiplied by."""
        mu = self.momentum
        gradient, momentum = (1.0 - mu, mu) if self.nesterov else (0.0, 1.0)
        if self.bias_correction:
            gradient = gradient / scalars.complement(mu, t)
            momentum = momentum / scalars.complement(mu, t + 1 if self.nesterov else t)
        return {"step": -rate, "decay": -rate * self.weight_decay, "gradient": gradient, "momentum": momentum}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new momentum."""
        m = s["momentum"] * self.momentum + g * (1.0 - self.momentum)
        corrected = m * h["momentum"] + g * h["gradient"]
        direction = self._orthogonal(xp, corrected)
        if self.adaptive:
            direction = direction * xp.sum(corrected * direction)
        update = direction * self._scale(tuple(p.shape)) * h["step"]
        return update + p * h["decay"] if self.weight_decay else update, {"momentum": m}

    def _scale(self, shape: tuple[int, ...]) -> float:
        if 0 in shape:
            return 1.0
        outputs, inputs = shape[self.output_axis], shape[1 - self.output_axis]
        return math.sqrt(max(1.0, outputs / inputs)) if self.rms is None else self.rms * math.sqrt(max(outputs, inputs))

    def _orthogonal(self, xp: Namespace, x: Array) -> Array:
        if 0 in x.shape:
            return x * 1.0
        each = isinstance(self.coefficients[0], tuple)
        tall = x.shape[0] > x.shape[1]
        x = self._normalized(xp, x.mT if tall else x)
        for a, b, c in self.coefficients if each else (self.coefficients,) * int(self.iterations):
            gram = x @ x.mT
            x = x * a + (gram * b + (gram @ gram) * c) @ x
        return x.mT if tall else x

    def _normalized(self, xp: Namespace, x: Array) -> Array:
        """Return a wide matrix whose singular values are at most 1."""
        if self.normalization in {"frobenius", "spectral"}:
            norm = xp.sqrt(xp.sum(x * x)) if self.normalization == "frobenius" else xp.linalg.matrix_norm(x, ord=2)
            return x / (norm + self.eps if self.bias_correction else xp.maximum(norm, self.eps))
        gram = x @ x.mT
        square = xp.sum(xp.abs(gram), axis=1, keepdims=True) if self.normalization == "aol" else xp.sqrt(xp.sum(gram * gram))
        return x / xp.sqrt(xp.maximum(square, self.eps))
