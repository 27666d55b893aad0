"""Special functions, which are beyond the array API standard, on every backend.

Names, arguments and values are those of `scipy.special`; derivatives follow unidiff's derivative standard, to any order, on
plain and on traced arrays. The same functions are in the submodule ``special`` of every namespace.

Examples
--------
>>> import numpy as np, unidiff as ud
>>> x = np.asarray([1.0, 1.0])
>>> ud.grad(ud.special.logsumexp)(x)
array([0.5, 0.5])
"""

from unidiff.special.bessel import i0, i0e, i1, i1e, iv, ive, sinc
from unidiff.special.entropy import entr, kl_div, rel_entr, xlog1py, xlogy
from unidiff.special.error import erf, erfc, erfcinv, erfcx, erfinv, log_ndtr, ndtr, ndtri
from unidiff.special.exponential import expit, log_expit, log_softmax, logit, logsumexp, softmax
from unidiff.special.gamma_functions import beta, betaln, digamma, gamma, gammaln, multigammaln, polygamma
from unidiff.special.incomplete import betainc, betaincc, gammainc, gammaincc
from unidiff.special.piecewise import apply_where

__all__ = [
    "apply_where",
    "beta",
    "betainc",
    "betaincc",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "expit",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "iv",
    "ive",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "rel_entr",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]
