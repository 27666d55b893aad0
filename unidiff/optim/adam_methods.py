"""Adam and its relatives: first and second moments of the gradient, corrected for their start from zero."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unidiff._typing import Array, Namespace
from unidiff.optim import scalars
from unidiff.optim.optimizer import Method, Slots, squared
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["Adam", "AdamW", "Adamax"]


@dataclass(frozen=True)
class Adam(Method):
    r"""Adam: steps in the direction of the mean gradient over the root of its mean square.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-3
        :math:`\gamma`.
    b1, b2 : float, default 0.9, 0.999
        Decay of the first and of the second moment.
    eps : float, default 1e-8
        :math:`\epsilon`, outside of the root.
    eps_root : float, default 0
        :math:`\epsilon_r`, within the root. It must be positive where a step is differentiated at a gradient of 0.
    weight_decay : float, default 0
        :math:`\lambda`: adds :math:`\lambda x` to the gradient (L2 regularization); `AdamW` decouples it.

    Notes
    -----
    .. math::
        m_t &= \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) |g_t|^2, \\
        x_t &= x_{t-1} - \gamma_t \frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t) + \epsilon_r} + \epsilon}.

    For complex parameters the second moment is that of the modulus, so the method does not depend on the phase of the
    coordinates. (Libraries that take the real and the imaginary part for two parameters follow another path.)
    Source: Kingma and Ba 2015, algorithm 1.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Adam(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> x, state = optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))
    >>> x.round(6), sorted(state)
    (array([ 0.9, -1. ]), ['m', 'step', 'v'])
    """

    learning_rate: Rate = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    eps_root: float = 0.0
    weight_decay: float = 0.0

    nonnegative: ClassVar[tuple[str, ...]] = ("eps", "eps_root", "weight_decay")
    fractions: ClassVar[tuple[str, ...]] = ("b1", "b2")

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is added to the update, not to the gradient."""
        return False

    def slots(self) -> Mapping[str, str]:
        """Return the moments."""
        return {"m": "like", "v": "real"}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size with the correction of the first moment, and the correction of the second."""
        values = {
            "step": -rate / scalars.complement(self.b1, t),
            "spread": 1.0 / scalars.complement(self.b2, t),
            "decay": -rate * self.weight_decay,
            "rate": rate,
            "count": scalars.floating(t),
        }
        return values, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new moments."""
        g = self.regularized(g, p)
        m, v = self.moments(xp, g, s)
        update = m * h["step"] / (xp.sqrt(self.corrected(v, h["spread"])) + self.eps)
        return self.decayed(update, p, h), {"m": m, "v": v}

    def regularized(self, g: Array, p: Array) -> Array:
        """Return the gradient with the weight decay that is not decoupled."""
        return g + p * self.weight_decay if self.weight_decay and not self.decoupled else g

    def decayed(self, update: Array, p: Array, h: Mapping[str, Any]) -> Array:
        """Return the update with the weight decay that is decoupled."""
        return update + p * h["decay"] if self.weight_decay and self.decoupled else update

    def moments(self, xp: Namespace, g: Array, s: Slots) -> tuple[Array, Array]:
        """Return the moments with a new gradient."""
        return s["m"] * self.b1 + g * (1.0 - self.b1), s["v"] * self.b2 + squared(xp, g) * (1.0 - self.b2)

    def corrected(self, v: Array, spread: Scalar) -> Array:
        """Return what the root is taken of."""
        return v * spread + self.eps_root if self.eps_root else v * spread


@dataclass(frozen=True)
class AdamW(Adam):
    r"""Adam with decoupled weight decay: :math:`-\gamma_t \lambda x_{t-1}` is added to Adam's update.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root
        See `Adam`.
    weight_decay : float, default 1e-2
        :math:`\lambda`, multiplied by the learning rate, schedule included. (The paper multiplies it by the schedule's factor
        alone: `unidiff.optim.weight_decay` after `Adam` in a `unidiff.optim.chain` does.)

    Notes
    -----
    Source: Loshchilov and Hutter 2019, algorithm 2.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.AdamW(0.1, weight_decay=0.5)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.85, -0.95])
    """

    weight_decay: float = 1e-2

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is added to the update: always."""
        return True


@dataclass(frozen=True)
class Adamax(Method):
    r"""Adamax: Adam with an infinity norm for the second moment.

    Parameters
    ----------
    learning_rate : float or schedule, default 2e-3
        :math:`\gamma`.
    b1, b2 : float, default 0.9, 0.999
        Decay of the first moment and of the norm.
    eps : float, default 1e-8
        :math:`\epsilon`.
    weight_decay : float, default 0
        :math:`\lambda`.
    decoupled : bool, default False
        Whether the decay is added to the update, times the learning rate, instead of to the gradient.

    Notes
    -----
    .. math::
        u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon), \qquad
        x_t = x_{t-1} - \frac{\gamma_t}{1-\beta_1^t} \frac{m_t}{u_t}.

    Source: Kingma and Ba 2015, algorithm 2, which has no :math:`\epsilon`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Adamax(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.9, -1. ])
    """

    learning_rate: Rate = 2e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False

    nonnegative: ClassVar[tuple[str, ...]] = ("eps", "weight_decay")
    fractions: ClassVar[tuple[str, ...]] = ("b1", "b2")

    def slots(self) -> Mapping[str, str]:
        """Return the first moment and the norm."""
        return {"m": "like", "u": "real"}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size and the decay."""
        return {"step": -rate / scalars.complement(self.b1, t), "decay": -rate * self.weight_decay}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update, the first moment and the norm."""
        if self.weight_decay and not self.decoupled:
            g = g + p * self.weight_decay
        m = s["m"] * self.b1 + g * (1.0 - self.b1)
        u = xp.maximum(s["u"] * self.b2, xp.abs(g) + self.eps)
        update = m * h["step"] / u
        if self.weight_decay and self.decoupled:
            update = update + p * h["decay"]
        return update, {"m": m, "u": u}
