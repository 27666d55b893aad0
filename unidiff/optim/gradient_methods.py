"""Gradient descent, heavy-ball momentum in both conventions, Nesterov's momentum, averaging, and methods that use signs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unidiff._typing import Array, Namespace
from unidiff.optim import scalars
from unidiff.optim.optimizer import Method, Slots, require
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["ASGD", "SGD", "Lion", "Rprop"]


@dataclass(frozen=True)
class SGD(Method):
    r"""Gradient descent, with or without momentum.

    Parameters
    ----------
    learning_rate : float or schedule
        :math:`\gamma`.
    momentum : float, default 0
        :math:`\mu` in [0, 1); 0 is plain gradient descent.
    nesterov : bool, default False
        Whether to take the gradient step from where the momentum leads.
    dampening : float, default 0
        :math:`\tau`: how much less than whole a gradient enters the momentum. The first one enters whole.
    weight_decay : float, default 0
        :math:`\lambda`: adds :math:`\lambda x` to the gradient (L2 regularization).
    accumulate : {"gradients", "steps"}, default "gradients"
        What the momentum is made of; see Notes.

    Notes
    -----
    With "gradients" the learning rate multiplies the momentum, with "steps" it multiplies the gradient:

    .. math::
        v_t &= \mu v_{t-1} + (1-\tau) g_t, & x_t &= x_{t-1} - \gamma_t v_t, & \text{(gradients)} \\
        v_t &= \mu v_{t-1} - \gamma_t (1-\tau) g_t, & x_t &= x_{t-1} + v_t. & \text{(steps)}

    With a constant learning rate both are one method. Under a schedule they differ: with "gradients" a change of the learning
    rate acts on the whole momentum at once, with "steps" what was gained at the old rate is kept and decays. Nesterov's form
    takes :math:`g_t + \mu v_t`, or :math:`-\gamma_t g_t + \mu v_t`, for :math:`v_t` in the update of x.

    Source: Polyak 1964; Nesterov 1983; Sutskever et al. 2013.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.SGD(0.1, momentum=0.5)
    >>> params = {"w": np.asarray([1.0, 2.0])}
    >>> state = optimizer.init(params)
    >>> params, state = optimizer.step(params, {"w": np.asarray([1.0, 0.0])}, state)
    >>> params, state["step"]
    ({'w': array([0.9, 2. ])}, 1)
    """

    learning_rate: Rate
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0
    weight_decay: float = 0.0
    accumulate: str = "gradients"

    nonnegative: ClassVar[tuple[str, ...]] = ("weight_decay",)
    fractions: ClassVar[tuple[str, ...]] = ("momentum",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "accumulate", lambda x: x in ("gradients", "steps"), "'gradients' or 'steps'")
        require(self, "dampening", lambda x: 0 <= x <= 1, "a number in [0, 1]")
        require(
            self,
            "nesterov",
            not self.nesterov or (self.momentum > 0 and self.dampening == 0),
            "False without momentum or with dampening",
        )

    def slots(self) -> Mapping[str, str]:
        """Return the momentum, if there is any."""
        return {"momentum": "like"} if self.momentum else {}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size, and how much of a gradient enters the momentum."""
        return {"step": -rate, "share": scalars.where(t == 1, 1.0, 1.0 - self.dampening)}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new momentum."""
        del xp
        if self.weight_decay:
            g = g + p * self.weight_decay
        if self.accumulate == "steps":
            g = g * h["step"]
        if self.momentum:
            v = s["momentum"] * self.momentum + (g * h["share"] if self.dampening else g)
            g = g + v * self.momentum if self.nesterov else v
        update = g * h["step"] if self.accumulate == "gradients" else g
        return update, {"momentum": v} if self.momentum else {}


@dataclass(frozen=True)
class ASGD(Method):
    r"""Averaged gradient descent: steps that become shorter, and the mean of the parameters.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-2
        :math:`\gamma`.
    decay : float, default 1e-4
        :math:`\lambda`.
    power : float, default 0.75
        :math:`\alpha`.
    begin : float, default 1e6
        :math:`t_0`, the step from which on parameters are averaged.
    weight_decay : float, default 0
        Adds this multiple of x to the gradient.

    Notes
    -----
    With :math:`\eta_1 = \gamma_1` and :math:`\eta_{t+1} = \gamma_t / (1 + \lambda \gamma_t t)^\alpha`,

    .. math::
        x_t = (1 - \lambda \eta_t) x_{t-1} - \eta_t g_t, \qquad
        \bar x_t = \bar x_{t-1} + (x_t - \bar x_{t-1}) / \max(1, t - 1 - t_0).

    The mean is ``state["average"]``. Source: Polyak and Juditsky 1992; Xu 2011.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.ASGD(0.5, decay=0.0, begin=0)
    >>> x = np.asarray([4.0])
    >>> state = optimizer.init(x)
    >>> for g in (2.0, 2.0, 2.0):
    ...     x, state = optimizer.step(x, np.asarray([g]), state)
    >>> x, state["average"]
    (array([1.]), array([1.5]))
    """

    learning_rate: Rate = 1e-2
    decay: float = 1e-4
    power: float = 0.75
    begin: float = 1e6
    weight_decay: float = 0.0

    nonnegative: ClassVar[tuple[str, ...]] = ("decay", "power", "begin", "weight_decay")
    memory: ClassVar[Mapping[str, float]] = {"eta": 0.0, "mu": 1.0}

    def slots(self) -> Mapping[str, str]:
        """Return the mean of the parameters."""
        return {"average": "like"}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size, the decay and the share of the new parameters in the mean; the memory is those of the next."""
        eta, count = scalars.where(t == 1, rate, memory["eta"]), scalars.floating(t)
        following = rate / scalars.power(1.0 + count * rate * self.decay, self.power)
        values = {"step": -eta, "decay": -eta * self.decay, "share": memory["mu"]}
        return values, {"eta": following, "mu": 1.0 / scalars.maximum(count - self.begin, 1.0)}

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new mean."""
        del xp
        if self.weight_decay:
            g = g + p * self.weight_decay
        update = p * h["decay"] + g * h["step"]
        return update, {"average": s["average"] + (p + update - s["average"]) * h["share"]}


@dataclass(frozen=True)
class Rprop(Method):
    r"""Resilient propagation: each element has a step size of its own, and only the sign of its gradient counts.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-2
        The first step size; that of a schedule at step 0. A later change of the schedule, or a `scale`, multiplies the steps.
    shrink, grow : float, default 0.5, 1.2
        Factors of a step size where the sign of the gradient has changed, and where it has not.
    smallest, largest : float, default 1e-6, 50
        Bounds of the step sizes.

    Notes
    -----
    Where the sign changes, the element stays where it is in this step, and its gradient counts as 0 in the next.
    Source: Riedmiller and Braun 1993, without weight backtracking.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Rprop(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([30.0, 0.0]), optimizer.init(x))[0]
    array([ 0.9, -1. ])
    """

    learning_rate: Rate = 1e-2
    shrink: float = 0.5
    grow: float = 1.2
    smallest: float = 1e-6
    largest: float = 50.0

    complex_parameters: ClassVar[bool] = False
    nonnegative: ClassVar[tuple[str, ...]] = ("smallest", "largest")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "shrink", lambda x: 0 < x < 1, "a number between 0 and 1")
        require(self, "grow", lambda x: x > 1, "a number greater than 1")
        require(self, "largest", self.largest >= self.smallest, "at least 'smallest'")

    def slots(self) -> Mapping[str, str]:
        """Return the last gradient and the step sizes."""
        return {"gradient": "like", "size": "like"}

    def fresh(self, backend: Any, p: Array) -> dict[str, Array]:
        """Return no gradient, and the first step size for all elements."""
        return {"gradient": backend.zeros_like(p), "size": backend.ones_like(p) * self.rate(0)}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return what the sizes are multiplied by: the learning rate over the first one."""
        del t
        first = self.rate(0)
        return {"step": -1.0 * (rate / first) if first else 0.0}, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update, the gradient and the step sizes."""
        del p
        agreement, size = xp.sign(g * s["gradient"]), s["size"]
        size = xp.where(agreement > 0, size * self.grow, xp.where(agreement < 0, size * self.shrink, size))
        size = xp.minimum(xp.maximum(size, self.smallest), self.largest)
        g = xp.where(agreement < 0, xp.zeros_like(g), g)
        return xp.sign(g) * size * h["step"], {"gradient": g, "size": size}


@dataclass(frozen=True)
class Lion(Method):
    r"""Evolved sign momentum.

    Parameters
    ----------
    learning_rate : float or schedule, default 1e-4
        :math:`\gamma`; three to ten times smaller than Adam's.
    b1, b2 : float, default 0.9, 0.99
        How much of the momentum is in the direction, and how much of it is kept.
    weight_decay : float, default 1e-3
        :math:`\lambda`, decoupled.

    Notes
    -----
    .. math::
        c_t &= \beta_1 m_{t-1} + (1-\beta_1) g_t, & m_t &= \beta_2 m_{t-1} + (1-\beta_2) g_t, \\
        x_t &= x_{t-1} - \gamma_t(\operatorname{sign}(c_t) + \lambda x_{t-1}),

    with :math:`\operatorname{sign}(z) = z/|z|` for complex parameters. Source: Chen et al. 2023.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.Lion(0.1, weight_decay=0.0)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([30.0, -2.0]), optimizer.init(x))[0]
    array([ 0.9, -0.9])
    """

    learning_rate: Rate = 1e-4
    b1: float = 0.9
    b2: float = 0.99
    weight_decay: float = 1e-3

    nonnegative: ClassVar[tuple[str, ...]] = ("weight_decay",)
    fractions: ClassVar[tuple[str, ...]] = ("b1", "b2")

    def slots(self) -> Mapping[str, str]:
        """Return the momentum."""
        return {"momentum": "like"}

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new momentum."""
        m = s["momentum"]
        direction = xp.sign(m * self.b1 + g * (1.0 - self.b1))
        if self.weight_decay:
            direction = direction + p * self.weight_decay
        return direction * h["step"], {"momentum": m * self.b2 + g * (1.0 - self.b2)}
