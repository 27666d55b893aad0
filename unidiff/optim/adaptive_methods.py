"""Methods that divide each element of the gradient by a running root mean square of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unidiff._typing import Array, Namespace
from unidiff.optim import scalars
from unidiff.optim.optimizer import Method, Slots, require, squared
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


@dataclass(frozen=True)
class RMSprop(Method):
    r"""RMSprop: the gradient over the root of a running mean of its square.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-2
        :math:`\gamma`.
    decay : float, default 0.99
        :math:`\alpha`.
    eps : float, default 1e-8
        :math:`\epsilon`.
    momentum : float, default 0
        :math:`\mu`.
    nesterov : bool, default False
        Whether the momentum is Nesterov's.
    centered : bool, default False
        Whether to subtract the square of the running mean of the gradient.
    weight_decay : float, default 0
        :math:`\lambda`: adds :math:`\lambda x` to the gradient.
    eps_in_root : bool, default False
        Whether :math:`\epsilon` is added to the mean square instead of to its root.
    initial : float, default 0
        The first mean square.
    bias_correction : bool, default False
        Whether the means are corrected for their start.
    accumulate : {"gradients", "steps"}, default "gradients"
        Whether the learning rate multiplies the momentum or what enters it; see `SGD`.

    Notes
    -----
    .. math::
        v_t = \alpha v_{t-1} + (1-\alpha)|g_t|^2, \qquad x_t = x_{t-1} - \gamma_t \frac{g_t}{\sqrt{v_t} + \epsilon}.

    Source: Tieleman and Hinton 2012; centered: Graves 2013.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.RMSprop(0.01)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.9, -1. ])
    """

    learning_rate: Rate = 1e-2
    decay: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    nesterov: bool = False
    centered: bool = False
    weight_decay: float = 0.0
    eps_in_root: bool = False
    initial: float = 0.0
    bias_correction: bool = False
    accumulate: str = "gradients"

    nonnegative: ClassVar[tuple[str, ...]] = ("eps", "weight_decay", "initial")
    fractions: ClassVar[tuple[str, ...]] = ("decay", "momentum")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "accumulate", lambda x: x in ("gradients", "steps"), "'gradients' or 'steps'")
        require(self, "nesterov", not self.nesterov or self.momentum > 0, "False without momentum")

    def slots(self) -> Mapping[str, str]:
        """Return the mean square, and the mean and the momentum where they are needed."""
        slots = {"v": "real"}
        if self.centered:
            slots["mean"] = "like"
        if self.momentum:
            slots["momentum"] = "like"
        return slots

    def fresh(self, backend: Any, p: Array) -> dict[str, Array]:
        """Return the slots of a leaf before the first step."""
        slots = super().fresh(backend, p)
        return slots | {"v": slots["v"] + self.initial} if self.initial else slots

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size and the correction of the means."""
        return {"step": -rate, "spread": 1.0 / scalars.complement(self.decay, t)}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new slots."""
        if self.weight_decay:
            g = g + p * self.weight_decay
        slots = {"v": s["v"] * self.decay + squared(xp, g) * (1.0 - self.decay)}
        variance = slots["v"] * h["spread"] if self.bias_correction else slots["v"]
        if self.centered:
            mean = slots["mean"] = s["mean"] * self.decay + g * (1.0 - self.decay)
            variance = variance - squared(xp, mean * h["spread"] if self.bias_correction else mean)
            variance = xp.maximum(variance, 0.0)  # which rounding may have taken below
        root = xp.sqrt(variance + self.eps) if self.eps_in_root else xp.sqrt(variance) + self.eps
        update = g / root
        if self.accumulate == "steps":
            update = update * h["step"]
        if self.momentum:
            momentum = slots["momentum"] = s["momentum"] * self.momentum + update
            update = update + momentum * self.momentum if self.nesterov else momentum
        return update * h["step"] if self.accumulate == "gradients" else update, slots


@dataclass(frozen=True)
class Adagrad(Method):
    r"""Adagrad: the gradient over the root of the sum of all its squares.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-2
        :math:`\gamma`.
    learning_rate_decay : float, default 0
        :math:`\eta`: the learning rate of step t is divided by :math:`1 + (t-1)\eta`.
    eps : float, default 1e-10
        :math:`\epsilon`.
    initial : float, default 0
        The sum before the first step.
    weight_decay : float, default 0
        :math:`\lambda`: adds :math:`\lambda x` to the gradient.
    eps_in_root : bool, default False
        Whether :math:`\epsilon` is added to the sum instead of to its root.

    Notes
    -----
    .. math::
        s_t = s_{t-1} + |g_t|^2, \qquad x_t = x_{t-1} - \gamma_t \frac{g_t}{\sqrt{s_t} + \epsilon}.

    Source: Duchi, Hazan and Singer 2011.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Adagrad(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.9, -1. ])
    """

    learning_rate: Rate = 1e-2
    learning_rate_decay: float = 0.0
    eps: float = 1e-10
    initial: float = 0.0
    weight_decay: float = 0.0
    eps_in_root: bool = False

    nonnegative: ClassVar[tuple[str, ...]] = ("learning_rate_decay", "eps", "initial", "weight_decay")

    def slots(self) -> Mapping[str, str]:
        """Return the sum of squares."""
        return {"sum": "real"}

    def fresh(self, backend: Any, p: Array) -> dict[str, Array]:
        """Return the sum before the first step."""
        slots = super().fresh(backend, p)
        return {"sum": slots["sum"] + self.initial} if self.initial else slots

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size."""
        rate = rate / (1.0 + (scalars.floating(t) - 1.0) * self.learning_rate_decay)
        return {"step": -rate}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new sum."""
        if self.weight_decay:
            g = g + p * self.weight_decay
        total = s["sum"] + squared(xp, g)
        root = xp.sqrt(total + self.eps) if self.eps_in_root else xp.sqrt(total) + self.eps
        return g * h["step"] / root, {"sum": total}


@dataclass(frozen=True)
class Adadelta(Method):
    r"""Adadelta: the gradient over its root mean square, times the root mean square of the steps.

    Parameters
    ----------
    learning_rate : float or schedule, default 1
        :math:`\gamma`.
    decay : float, default 0.9
        :math:`\rho`.
    eps : float, default 1e-6
        :math:`\epsilon`.
    weight_decay : float, default 0
        :math:`\lambda`: adds :math:`\lambda x` to the gradient.

    Notes
    -----
    .. math::
        v_t = \rho v_{t-1} + (1-\rho)|g_t|^2, \quad
        d_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}} g_t, \quad
        u_t = \rho u_{t-1} + (1-\rho)|d_t|^2, \quad x_t = x_{t-1} - \gamma_t d_t.

    Source: Zeiler 2012.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Adadelta(100.0)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(4)
    array([ 0.6838, -1.    ])
    """

    learning_rate: Rate = 1.0
    decay: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    nonnegative: ClassVar[tuple[str, ...]] = ("eps", "weight_decay")
    fractions: ClassVar[tuple[str, ...]] = ("decay",)

    def slots(self) -> Mapping[str, str]:
        """Return the mean squares of gradients and of steps."""
        return {"v": "real", "u": "real"}

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new mean squares."""
        if self.weight_decay:
            g = g + p * self.weight_decay
        v = s["v"] * self.decay + squared(xp, g) * (1.0 - self.decay)
        d = g * (xp.sqrt(s["u"] + self.eps) / xp.sqrt(v + self.eps))
        u = s["u"] * self.decay + squared(xp, d) * (1.0 - self.decay)
        return d * h["step"], {"v": v, "u": u}
