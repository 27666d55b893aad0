"""Adam with other corrections of its moments: a second moment that never shrinks, Nesterov's momentum, rectification."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unidiff._typing import Array, Namespace
from unidiff.optim import scalars
from unidiff.optim.adam_methods import Adam
from unidiff.optim.optimizer import Slots, require
from unidiff.optim.scalars import Rate, Scalar

__all__ = ["AMSGrad", "NAdam", "RAdam"]


@dataclass(frozen=True)
class AMSGrad(Adam):
    r"""AMSGrad: Adam with a second moment that never shrinks.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root, weight_decay
        See `Adam`.
    corrected_maximum : bool, default False
        Whether the maximum is taken of the corrected second moments, :math:`\max_i v_i/(1-\beta_2^i)`, instead of correcting
        the maximum, :math:`\max_i v_i / (1-\beta_2^t)`. The two follow different paths.
    correct_first, correct_second : bool, default True
        Whether the first and the second moment are corrected for their start from zero at all.
    decoupled_weight_decay : bool, default False
        Whether the weight decay is that of `AdamW`.

    Notes
    -----
    Source: Reddi et al. 2018, algorithm 2, which corrects nothing.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.AMSGrad(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.9, -1. ])
    """

    corrected_maximum: bool = False
    correct_first: bool = True
    correct_second: bool = True
    decoupled_weight_decay: bool = False

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is added to the update."""
        return self.decoupled_weight_decay

    def slots(self) -> Mapping[str, str]:
        """Return the moments and the greatest second moment."""
        return {"m": "like", "v": "real", "v_max": "real"}

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the scalars of `Adam`, without the corrections that are not wanted."""
        values, memory = super().scalars(t, rate, memory)
        kept = ({} if self.correct_first else {"step": -rate}) | ({} if self.correct_second else {"spread": 1.0})
        return values | kept, memory

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new moments."""
        m, v = self.moments(xp, self.regularized(g, p), s)
        if self.corrected_maximum:
            v_max = xp.maximum(s["v_max"], v * h["spread"])
            root = xp.sqrt(v_max + self.eps_root)
        else:
            v_max = xp.maximum(s["v_max"], v)
            root = xp.sqrt(self.corrected(v_max, h["spread"]))
        return self.decayed(m * h["step"] / (root + self.eps), p, h), {"m": m, "v": v, "v_max": v_max}


@dataclass(frozen=True)
class NAdam(Adam):
    r"""NAdam: Adam with Nesterov's momentum.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root, weight_decay
        See `Adam`; the learning rate is 2e-3 by default.
    momentum_decay : float or None, default 4e-3
        :math:`\psi`; None for a momentum that is :math:`\beta_1` from the start, the limit of a great :math:`\psi`.
    decoupled_weight_decay : bool, default False
        Whether the weight decay is that of `AdamW`.

    Notes
    -----
    With :math:`\mu_t = \beta_1 (1 - 0.96^{t\psi}/2)`,

    .. math::
        x_t = x_{t-1} - \gamma_t \Big(\frac{1-\mu_t}{1-\prod_{i\le t}\mu_i} g_t
        + \frac{\mu_{t+1}}{1-\prod_{i\le t+1}\mu_i} m_t\Big) \Big/ \Big(\sqrt{v_t/(1-\beta_2^t)} + \epsilon\Big).

    Source: Dozat 2016.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.NAdam(0.1, momentum_decay=None)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.852632, -1.      ])
    """

    learning_rate: Rate = 2e-3
    momentum_decay: float | None = 4e-3
    decoupled_weight_decay: bool = False

    memory: ClassVar[Mapping[str, float]] = {"product": 1.0}

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is added to the update."""
        return self.decoupled_weight_decay

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "momentum_decay", lambda x: x is None or x >= 0, "None or not negative")

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the coefficients of the gradient and of the first moment; the memory is the product of all momenta."""
        now, following = self._momentum(t), self._momentum(t + 1)
        product = memory["product"] * now
        values = {
            "gradient": -rate * (1.0 - now) / (1.0 - product),
            "moment": -rate * following / (1.0 - product * following),
            "spread": 1.0 / scalars.complement(self.b2, t),
            "decay": -rate * self.weight_decay,
        }
        return values, {"product": product}

    def _momentum(self, t: Scalar) -> Scalar:
        if self.momentum_decay is None:
            return self.b1
        return self.b1 * (1.0 - 0.5 * scalars.power(0.96, t * self.momentum_decay))

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new moments."""
        g = self.regularized(g, p)
        m, v = self.moments(xp, g, s)
        update = (g * h["gradient"] + m * h["moment"]) / (xp.sqrt(self.corrected(v, h["spread"])) + self.eps)
        return self.decayed(update, p, h), {"m": m, "v": v}


@dataclass(frozen=True)
class RAdam(Adam):
    r"""RAdam: Adam that goes without the second moment until its variance is known well enough, and then rectifies it.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root, weight_decay
        See `Adam`.
    threshold : float, default 5
        Rectify where :math:`\rho_t` is greater.
    corrected_eps : bool, default False
        Whether :math:`\epsilon` is added to the root of the corrected second moment, as in `Adam`, instead of to the root of
        the uncorrected one.
    decoupled_weight_decay : bool, default False
        Whether the weight decay is that of `AdamW`.
    nesterov : bool, default False
        Whether :math:`\hat m_t` is :math:`\beta_1 m_t/(1-\beta_1^{t+1}) + (1-\beta_1) g_t/(1-\beta_1^t)`, as in `NAdam`.

    Notes
    -----
    With :math:`\rho_\infty = 2/(1-\beta_2) - 1` and :math:`\rho_t = \rho_\infty - 2t\beta_2^t/(1-\beta_2^t)`, the step is

    .. math::
        \gamma_t \hat m_t \sqrt{\frac{(\rho_t-4)(\rho_t-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho_t}}
        \frac{\sqrt{1-\beta_2^t}}{\sqrt{v_t} + \epsilon} \quad \text{where } \rho_t > 5, \text{ else } \gamma_t \hat m_t.

    Source: Liu et al. 2020.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> optimizer = ud.optim.RAdam(0.1)
    >>> x = np.asarray([1.0, -1.0])
    >>> optimizer.step(x, np.asarray([4.0, 0.0]), optimizer.init(x))[0].round(6)
    array([ 0.6, -1. ])
    """

    threshold: float = 5.0
    corrected_eps: bool = False
    decoupled_weight_decay: bool = False
    nesterov: bool = False

    @property
    def decoupled(self) -> bool:
        """Whether the weight decay is added to the update."""
        return self.decoupled_weight_decay

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "threshold", lambda x: x >= 4, "at least 4, where the rectification begins to be real")

    def scalars(self, t: Scalar, rate: Scalar, memory: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
        """Return the step size and what makes the denominator 1 where nothing is rectified."""
        rest = scalars.complement(self.b2, t)
        longest = 2.0 / (1.0 - self.b2) - 1.0
        length = longest - 2.0 * t * (1.0 - rest) / rest
        rectified = length > self.threshold if longest > self.threshold else False
        known = scalars.where(rectified, length, 5.0)
        share = (known - 4.0) * (known - 2.0) * longest / (((longest - 4.0) * (longest - 2.0) or 1.0) * known)
        factor = scalars.sqrt(scalars.maximum(share, 0.0))
        if not self.corrected_eps:
            factor = factor * scalars.sqrt(rest)
        step = -rate * scalars.where(rectified, factor, 1.0)
        first = scalars.complement(self.b1, t)
        values = {
            "step": step / first,
            "gradient": step * (1.0 - self.b1) / first,
            "moment": step * self.b1 / scalars.complement(self.b1, t + 1),
            "spread": 1.0 / rest if self.corrected_eps else 1.0,
            "weight": scalars.where(rectified, 1.0, 0.0),
            "rest": scalars.where(rectified, self.eps, 1.0),
            "decay": -rate * self.weight_decay,
        }
        return values, dict(memory)

    def kernel(self, xp: Namespace, g: Array, p: Array, s: Slots, h: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        """Return the update and the new moments."""
        g = self.regularized(g, p)
        m, v = self.moments(xp, g, s)
        step = m * h["moment"] + g * h["gradient"] if self.nesterov else m * h["step"]
        update = step / (xp.sqrt(self.corrected(v, h["spread"])) * h["weight"] + h["rest"])
        return self.decayed(update, p, h), {"m": m, "v": v}
