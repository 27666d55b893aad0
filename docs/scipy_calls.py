"""Calls of SciPy functions on one array of six numbers between 0 and 1, for the table of what differentiates.

Each takes the array API namespace of the array and the array. Functions of several arrays get several made from the one.
"""

from collections.abc import Callable
from typing import Any

import scipy
from scipy import cluster, constants, fft, integrate, interpolate, linalg, ndimage, optimize, signal, special, stats
from scipy.differentiate import derivative, hessian, jacobian
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

Call = Callable[[Any, Any], Any]
"""``call(xp, x)`` with ``x`` of shape (6,)."""

_ONE = (
    "cbrt cosdg cosm1 cotdg digamma ellipe ellipk ellipkm1 entr erf erfc erfcinv erfcx erfi erfinv exp1 exp10 exp2 expi expit"
    " expm1 exprel gamma gammaln i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e log1p log_expit log_ndtr loggamma logit ndtr ndtri psi"
    " rgamma sinc sindg spence tandg y0 y1 zetac"
).split()
_TWO = "huber kl_div rel_entr xlog1py xlogy agm hyp0f1".split()


def _one(function: Callable[..., Any]) -> Call:
    return lambda xp, x: function(x)


def _two(function: Callable[..., Any]) -> Call:
    return lambda xp, x: function(x, 1 + x**2)


SPECIAL: dict[str, Call] = {
    **{name: _one(getattr(special, name)) for name in _ONE},
    **{name: _two(getattr(special, name)) for name in _TWO},
    "bdtr": lambda xp, x: special.bdtr(xp.asarray(2.0), 5, x),
    "beta": lambda xp, x: special.beta(x, 1 + x**2),
    "betainc, in x": lambda xp, x: special.betainc(xp.asarray(2.0), xp.asarray(3.0), x),
    "betainc, in a": lambda xp, x: special.betainc(x, xp.asarray(3.0), xp.asarray(0.4)),
    "betaincc, in x": lambda xp, x: special.betaincc(xp.asarray(2.0), xp.asarray(3.0), x),
    "betaincinv, in y": lambda xp, x: special.betaincinv(xp.asarray(2.0), xp.asarray(3.0), x),
    "betaln": lambda xp, x: special.betaln(x, 1 + x**2),
    "boxcox, in x": lambda xp, x: special.boxcox(x, xp.asarray(0.4)),
    "boxcox, in lmbda": lambda xp, x: special.boxcox(xp.asarray(0.4), x),
    "boxcox1p, in x": lambda xp, x: special.boxcox1p(x, xp.asarray(0.4)),
    "chdtr, in x": lambda xp, x: special.chdtr(xp.asarray(3.0), x),
    "chdtrc, in x": lambda xp, x: special.chdtrc(xp.asarray(3.0), x),
    "chdtri, in p": lambda xp, x: special.chdtri(xp.asarray(3.0), x),
    "expn": lambda xp, x: special.expn(2, x),
    "fdtr, in x": lambda xp, x: special.fdtr(xp.asarray(2.0), xp.asarray(3.0), x),
    "fdtrc, in x": lambda xp, x: special.fdtrc(xp.asarray(2.0), xp.asarray(3.0), x),
    "gammainc, in x": lambda xp, x: special.gammainc(xp.asarray(2.0), x),
    "gammainc, in a": lambda xp, x: special.gammainc(x, xp.asarray(2.0)),
    "gammaincc, in x": lambda xp, x: special.gammaincc(xp.asarray(2.0), x),
    "gammaincinv, in y": lambda xp, x: special.gammaincinv(xp.asarray(2.0), x),
    "gammasgn": lambda xp, x: special.gammasgn(x),
    "gdtr, in x": lambda xp, x: special.gdtr(xp.asarray(2.0), xp.asarray(3.0), x),
    "hyp1f1, in z": lambda xp, x: special.hyp1f1(xp.asarray(1.5), xp.asarray(2.5), x),
    "inv_boxcox, in y": lambda xp, x: special.inv_boxcox(x, xp.asarray(0.4)),
    "inv_boxcox1p, in y": lambda xp, x: special.inv_boxcox1p(x, xp.asarray(0.4)),
    "iv, in z": lambda xp, x: special.iv(2.0, x),
    "jv, in z": lambda xp, x: special.jv(2.0, x),
    "log_softmax": lambda xp, x: special.log_softmax(x),
    "logsumexp": lambda xp, x: special.logsumexp(x),
    "logsumexp, axis and weights": lambda xp, x: special.logsumexp(xp.reshape(x, (2, 3)), axis=1, b=xp.reshape(x, (2, 3)) ** 2),
    "lpmv, in x": lambda xp, x: special.lpmv(1, 2, x),
    "multigammaln": lambda xp, x: special.multigammaln(x + 1, 2),
    "nbdtr, in p": lambda xp, x: special.nbdtr(2, 3, x),
    "pdtr, in m": lambda xp, x: special.pdtr(2, x),
    "pdtrc, in m": lambda xp, x: special.pdtrc(2, x),
    "poch": lambda xp, x: special.poch(x, 1 + x**2),
    "polygamma, in x": lambda xp, x: special.polygamma(1, x),
    "pseudo_huber, in r": lambda xp, x: special.pseudo_huber(xp.asarray(0.4), x),
    "radian": lambda xp, x: special.radian(x, 10 * x, 100 * x),
    "softmax": lambda xp, x: special.softmax(xp.reshape(x, (2, 3)), axis=1),
    "stdtr, in t": lambda xp, x: special.stdtr(xp.asarray(3.0), x),
    "stdtrit, in p": lambda xp, x: special.stdtrit(xp.asarray(3.0), x),
    "wrightomega": lambda xp, x: special.wrightomega(x),
    "zeta, in q": lambda xp, x: special.zeta(xp.asarray(2.5), x),
    "zeta, in x": lambda xp, x: special.zeta(1.5 + x, xp.asarray(1.0)),
}

STATS: dict[str, Call] = {
    "alexandergovern": lambda xp, x: _test(stats.alexandergovern(x[:3], x[3:])),
    "bartlett": lambda xp, x: _test(stats.bartlett(x[:3], x[3:])),
    "boxcox_llf": lambda xp, x: stats.boxcox_llf(0.5, x),
    "chatterjeexi": lambda xp, x: _test(stats.chatterjeexi(x, x**2)),
    "chisquare": lambda xp, x: _test(stats.chisquare(x / xp.sum(x))),
    "circmean": lambda xp, x: stats.circmean(x),
    "circstd": lambda xp, x: stats.circstd(x),
    "circvar": lambda xp, x: stats.circvar(x),
    "combine_pvalues, fisher": lambda xp, x: _test(stats.combine_pvalues(x, method="fisher")),
    "combine_pvalues, stouffer": lambda xp, x: _test(stats.combine_pvalues(x, method="stouffer")),
    "cramervonmises_2samp": lambda xp, x: _test(stats.cramervonmises_2samp(x[:3], x[3:])),
    "describe": lambda xp, x: stats.describe(x)[1:],
    "differential_entropy": lambda xp, x: stats.differential_entropy(x),
    "directional_stats": lambda xp, x: stats.directional_stats(xp.reshape(x, (2, 3))).mean_direction,
    "entropy": lambda xp, x: stats.entropy(x),
    "entropy, relative": lambda xp, x: stats.entropy(x, x**2),
    "epps_singleton_2samp": lambda xp, x: _test(stats.epps_singleton_2samp(xp.concat((x, x**2)), xp.concat((x**3, x**0.5)))),
    "f_oneway": lambda xp, x: _test(stats.f_oneway(x[:3], x[3:])),
    "false_discovery_control": lambda xp, x: stats.false_discovery_control(x / 10),
    "fligner": lambda xp, x: _test(stats.fligner(x[:3], x[3:])),
    "friedmanchisquare": lambda xp, x: _test(stats.friedmanchisquare(x, x**2, x[::-1])),
    "gmean": lambda xp, x: stats.gmean(x),
    "gstd": lambda xp, x: stats.gstd(x),
    "gzscore": lambda xp, x: stats.gzscore(x),
    "hmean": lambda xp, x: stats.hmean(x),
    "iqr": lambda xp, x: stats.iqr(x),
    "jarque_bera": lambda xp, x: _test(stats.jarque_bera(x)),
    "kruskal": lambda xp, x: _test(stats.kruskal(x[:3], x[3:])),
    "kstat": lambda xp, x: stats.kstat(x, 3),
    "kstatvar": lambda xp, x: stats.kstatvar(x, 2),
    "ks_1samp": lambda xp, x: _test(stats.ks_1samp(x, special.ndtr, method="asymp")),
    "kurtosis": lambda xp, x: stats.kurtosis(x),
    "kurtosistest": lambda xp, x: _test(stats.kurtosistest(xp.concat((x, x**2)))),
    "levene": lambda xp, x: _test(stats.levene(x[:3], x[3:])),
    "lmoment": lambda xp, x: stats.lmoment(x),
    "mannwhitneyu": lambda xp, x: _test(stats.mannwhitneyu(x[:3], x[3:], method="asymptotic")),
    "median_abs_deviation": lambda xp, x: stats.median_abs_deviation(x),
    "mode": lambda xp, x: stats.mode(x).mode,
    "moment": lambda xp, x: stats.moment(x, 3),
    "mood": lambda xp, x: _test(stats.mood(x[:3], x[3:])),
    "multivariate_normal.logpdf": lambda xp, x: stats.multivariate_normal.logpdf(xp.reshape(x, (3, 2)), [0.0, 0.0]),
    "norm.logpdf": lambda xp, x: stats.norm.logpdf(x),
    "normaltest": lambda xp, x: _test(stats.normaltest(xp.concat((x, x**2)))),
    "pearsonr": lambda xp, x: _test(stats.pearsonr(x, x**3)),
    "pmean": lambda xp, x: stats.pmean(x, 3),
    "power_divergence": lambda xp, x: _test(stats.power_divergence(x / xp.sum(x), lambda_=2 / 3)),
    "quantile": lambda xp, x: stats.quantile(x, xp.asarray(0.3)),
    "rankdata": lambda xp, x: stats.rankdata(x),
    "sem": lambda xp, x: stats.sem(x),
    "skew": lambda xp, x: stats.skew(x),
    "skewtest": lambda xp, x: _test(stats.skewtest(xp.concat((x, x**2)))),
    "spearmanr": lambda xp, x: _test(stats.spearmanr(x, x[::-1])),
    "tmax": lambda xp, x: stats.tmax(x),
    "tmean": lambda xp, x: stats.tmean(x, (0.3, 0.9)),
    "tmin": lambda xp, x: stats.tmin(x),
    "trim_mean": lambda xp, x: stats.trim_mean(x, 0.2),
    "tsem": lambda xp, x: stats.tsem(x),
    "tstd": lambda xp, x: stats.tstd(x),
    "ttest_1samp": lambda xp, x: _test(stats.ttest_1samp(x, 0.4)),
    "ttest_ind": lambda xp, x: _test(stats.ttest_ind(x[:3], x[3:])),
    "ttest_ind, unequal variances": lambda xp, x: _test(stats.ttest_ind(x[:3], x[3:], equal_var=False)),
    "ttest_ind_from_stats": lambda xp, x: _test(stats.ttest_ind_from_stats(x[0], x[1], 5, x[2], x[3], 6)),
    "ttest_rel": lambda xp, x: _test(stats.ttest_rel(x, x**2)),
    "tvar": lambda xp, x: stats.tvar(x),
    "variation": lambda xp, x: stats.variation(x),
    "wasserstein_distance": lambda xp, x: stats.wasserstein_distance(x[:3], x[3:]),
    "yeojohnson_llf": lambda xp, x: stats.yeojohnson_llf(0.5, x),
    "zmap": lambda xp, x: stats.zmap(x, x**2),
    "zscore": lambda xp, x: stats.zscore(x),
}


def _test(result: Any) -> tuple[Any, Any]:
    """Return the statistic and the p-value of a hypothesis test."""
    return result.statistic, result.pvalue


_TRANSFORMS = "dct dst fft fftn hfft idct idst ifft ifftn ihfft irfft irfftn rfft rfftn fftshift ifftshift".split()

FFT: dict[str, Call] = {
    **{name: _one(getattr(fft, name)) for name in _TRANSFORMS},
    "fft2": lambda xp, x: fft.fft2(xp.reshape(x, (2, 3))),
    "fht": lambda xp, x: fft.fht(x, dln=0.1, mu=0.5),
    "hfftn": lambda xp, x: fft.hfftn(xp.reshape(x, (2, 3))),
    "ihfftn": lambda xp, x: fft.ihfftn(xp.reshape(x, (2, 3))),
    "irfft2": lambda xp, x: fft.irfft2(xp.reshape(x, (2, 3))),
    "rfft2": lambda xp, x: fft.rfft2(xp.reshape(x, (2, 3))),
}

SIGNAL: dict[str, Call] = {
    "bilinear_zpk": lambda xp, x: signal.bilinear_zpk(x[:2], x[2:4], 1.0, 10.0)[0],
    "convolve, direct": lambda xp, x: signal.convolve(x, x[:3], method="direct"),
    "convolve, fft": lambda xp, x: signal.convolve(x, x[:3], method="fft"),
    "convolve2d": lambda xp, x: signal.convolve2d(xp.reshape(x, (2, 3)), xp.reshape(x[:4], (2, 2))),
    "correlate, fft": lambda xp, x: signal.correlate(x, x[:3], method="fft"),
    "deconvolve": lambda xp, x: signal.deconvolve(x, x[:3]),
    "detrend": lambda xp, x: signal.detrend(x),
    "detrend, constant": lambda xp, x: signal.detrend(x, type="constant"),
    "envelope": lambda xp, x: signal.envelope(x),
    "fftconvolve": lambda xp, x: signal.fftconvolve(x, x[:3]),
    "filtfilt": lambda xp, x: signal.filtfilt(xp.asarray([0.2, 0.3]), xp.asarray([1.0, 0.1]), x, padlen=2),
    "freqs": lambda xp, x: signal.freqs(x[:2], x[2:], worN=xp.asarray([0.5, 1.0]))[1],
    "freqz": lambda xp, x: signal.freqz(x[:3], x[3:], worN=4)[1],
    "freqz_zpk": lambda xp, x: signal.freqz_zpk(x[:2], x[2:4], 1.0, worN=4)[1],
    "group_delay": lambda xp, x: signal.group_delay((x[:3], x[3:]), w=4)[1],
    "hilbert": lambda xp, x: signal.hilbert(x),
    "hilbert2": lambda xp, x: signal.hilbert2(xp.reshape(x, (2, 3))),
    "lfilter": lambda xp, x: signal.lfilter(xp.asarray([0.2, 0.3]), xp.asarray([1.0, 0.1]), x),
    "lp2lp_zpk": lambda xp, x: signal.lp2lp_zpk(x[:2], x[2:5], 1.0, 2.0),
    "medfilt": lambda xp, x: signal.medfilt(x, 3),
    "minimum_phase": lambda xp, x: signal.minimum_phase(xp.concat((x, xp.flip(x))), n_fft=64),
    "oaconvolve": lambda xp, x: signal.oaconvolve(xp.concat((x, x**2, x, x**3, x, x)), x[:3]),
    "order_filter": lambda xp, x: signal.order_filter(x, xp.ones(3), 1),
    "resample": lambda xp, x: signal.resample(x, 9),
    "resample_poly": lambda xp, x: signal.resample_poly(x, 2, 1),
    "savgol_filter": lambda xp, x: signal.savgol_filter(x, 5, 2),
    "sosfilt": lambda xp, x: signal.sosfilt(xp.asarray([[0.2, 0.3, 0.1, 1.0, 0.1, 0.2]]), x),
    "upfirdn": lambda xp, x: signal.upfirdn(xp.asarray([1.0, 0.5]), x, up=2),
    "vectorstrength": lambda xp, x: signal.vectorstrength(x, 0.7),
    "welch": lambda xp, x: signal.welch(x, nperseg=6)[1],
    "wiener": lambda xp, x: signal.wiener(x, 3),
    "zpk2tf": lambda xp, x: signal.zpk2tf(x[:2], x[2:5], 1.0),
    "windows.hann": lambda xp, x: signal.windows.hann(6, xp=xp) * x,
    "windows.kaiser": lambda xp, x: signal.windows.kaiser(6, 2.0, xp=xp) * x,
}

INTEGRATE: dict[str, Call] = {
    "cubature": lambda xp, x: integrate.cubature(lambda p: xp.exp(p * x[0]), xp.zeros(1), xp.ones(1)).estimate,
    "cubature, of a parameter": lambda xp, x: (
        integrate.cubature(lambda p: xp.sin(p * x), xp.zeros(1), xp.ones(1), rtol=1e-12).estimate
    ),
    "cumulative_simpson": lambda xp, x: integrate.cumulative_simpson(x, dx=0.5),
    "cumulative_trapezoid": lambda xp, x: integrate.cumulative_trapezoid(x, xp.cumulative_sum(x)),
    "nsum": lambda xp, x: integrate.nsum(lambda k, p: 1 / k ** (2 + p), xp.asarray(1.0), xp.asarray(8.0), args=(x,)).sum,
    "quad": lambda xp, x: integrate.quad(lambda t: xp.exp(t * x[0]), 0.0, 1.0)[0],
    "romb": lambda xp, x: integrate.romb(x[:5]),
    "simpson": lambda xp, x: integrate.simpson(x, dx=0.5),
    "solve_ivp": lambda xp, x: integrate.solve_ivp(lambda t, y: -y, (0.0, 1.0), x).y,
    "tanhsinh": lambda xp, x: integrate.tanhsinh(lambda t, p: xp.exp(t * p), xp.zeros(6), xp.ones(6), args=(x,)).integral,
    "trapezoid": lambda xp, x: integrate.trapezoid(x, xp.cumulative_sum(x)),
}

INTERPOLATE: dict[str, Call] = {
    "Akima1DInterpolator": lambda xp, x: interpolate.Akima1DInterpolator(xp.arange(6.0), x)(xp.asarray([0.5, 2.5])),
    "CubicSpline, in the values": lambda xp, x: interpolate.CubicSpline(xp.arange(6.0), x)(xp.asarray([0.5, 2.5])),
    "CubicSpline, in the points": lambda xp, x: interpolate.CubicSpline(xp.arange(6.0), xp.arange(6.0) ** 2)(x),
    "PchipInterpolator": lambda xp, x: interpolate.PchipInterpolator(xp.arange(6.0), x)(xp.asarray([0.5, 2.5])),
    "RBFInterpolator": lambda xp, x: interpolate.RBFInterpolator(xp.reshape(xp.arange(6.0), (6, 1)), x)(xp.asarray([[0.5]])),
    "RegularGridInterpolator": lambda xp, x: interpolate.RegularGridInterpolator((xp.arange(6.0),), x)(xp.asarray([[0.5]])),
    "interp1d": lambda xp, x: interpolate.interp1d(xp.arange(6.0), x)(xp.asarray([0.5])),
    "make_interp_spline": lambda xp, x: interpolate.make_interp_spline(xp.arange(6.0), x)(xp.asarray([0.5])),
}

LINALG: dict[str, Call] = {
    "block_diag": lambda xp, x: linalg.block_diag(x, xp.reshape(x, (2, 3))),
    "cholesky": lambda xp, x: linalg.cholesky(_definite(xp, x)),
    "det": lambda xp, x: linalg.det(_definite(xp, x)),
    "eigh": lambda xp, x: linalg.eigh(_definite(xp, x))[0],
    "expm": lambda xp, x: linalg.expm(_definite(xp, x)),
    "fiedler": lambda xp, x: linalg.fiedler(x),
    "inv": lambda xp, x: linalg.inv(_definite(xp, x)),
    "norm": lambda xp, x: linalg.norm(x),
    "orthogonal_procrustes": lambda xp, x: linalg.orthogonal_procrustes(
        xp.reshape(x, (3, 2)), xp.reshape(x**2, (3, 2)) + xp.asarray([[0.0, 1.0], [0.5, 0.0], [0.0, 0.2]])
    ),
    "solve": lambda xp, x: linalg.solve(_definite(xp, x), x[:3]),
    "svdvals": lambda xp, x: linalg.svdvals(xp.reshape(x, (2, 3))),
}


def _definite(xp: Any, x: Any) -> Any:
    a = xp.reshape(x, (2, 3))
    return xp.matmul(xp.matrix_transpose(a), a) + xp.eye(3)


NDIMAGE: dict[str, Call] = {
    "center_of_mass": lambda xp, x: ndimage.center_of_mass(x),
    "convolve": lambda xp, x: ndimage.convolve(x, xp.asarray([1.0, 2.0, 1.0])),
    "gaussian_filter": lambda xp, x: ndimage.gaussian_filter(x, 1.0),
    "map_coordinates": lambda xp, x: ndimage.map_coordinates(x, xp.asarray([[0.5, 1.5]])),
    "sobel": lambda xp, x: ndimage.sobel(x),
    "sum": lambda xp, x: ndimage.sum(x),
    "zoom": lambda xp, x: ndimage.zoom(x, 2.0),
}

OPTIMIZE: dict[str, Call] = {
    "bracket_root": lambda xp, x: elementwise.bracket_root(lambda r, p: r**3 - p, xp.zeros(6), args=(x,)).bracket,
    "find_minimum": lambda xp, x: (
        elementwise.find_minimum(lambda r, p: (r - p) ** 2, (xp.full(6, -1.0), xp.full(6, 0.1), xp.full(6, 2.0)), args=(x,)).f_x
    ),
    "find_root": lambda xp, x: elementwise.find_root(lambda r, p: r**3 - p, (xp.zeros(6), xp.ones(6)), args=(x,)).x,
    "minimize": lambda xp, x: optimize.minimize(lambda r: float((r[0] - x[0]) ** 2), [0.0]).fun,
    "rosen": lambda xp, x: optimize.rosen(x),
    "rosen_der": lambda xp, x: optimize.rosen_der(x),
    "rosen_hess": lambda xp, x: optimize.rosen_hess(x),
    "rosen_hess_prod": lambda xp, x: optimize.rosen_hess_prod(x, x**2),
}

OTHERS: dict[str, Call] = {
    "cluster.hierarchy.linkage": lambda xp, x: cluster.hierarchy.linkage(xp.reshape(x, (3, 2))),
    "cluster.vq.kmeans2": lambda xp, x: cluster.vq.kmeans2(xp.reshape(x, (6, 1)), xp.reshape(x[:2], (2, 1)))[0],
    "cluster.vq.vq": lambda xp, x: cluster.vq.vq(xp.reshape(x, (3, 2)), xp.reshape(x[:4], (2, 2)) ** 2)[1],
    "cluster.vq.whiten": lambda xp, x: cluster.vq.whiten(xp.reshape(x, (3, 2))),
    "constants.convert_temperature": lambda xp, x: constants.convert_temperature(x, "Celsius", "Fahrenheit"),
    "constants.lambda2nu": lambda xp, x: constants.lambda2nu(x) / 1e9,
    "constants.nu2lambda": lambda xp, x: constants.nu2lambda(x) / 1e9,
    "differentiate.derivative": lambda xp, x: derivative(special.expit, x).df,
    "differentiate.hessian": lambda xp, x: hessian(optimize.rosen, x[:2]).ddf,
    "differentiate.jacobian": lambda xp, x: jacobian(xp.sin, x).df,
    "spatial.distance.cdist": lambda xp, x: scipy.spatial.distance.cdist(xp.reshape(x, (3, 2)), xp.reshape(x, (3, 2)) ** 2),
    "spatial.transform.RigidTransform": lambda xp, x: RigidTransform.from_exp_coords(x).as_matrix(),
    "spatial.transform.RigidTransform.apply": lambda xp, x: RigidTransform.from_exp_coords(x).inv().apply(x[:3]),
    "spatial.transform.Rotation.align_vectors": lambda xp, x: Rotation.align_vectors(
        xp.reshape(x, (2, 3)), xp.reshape(x**2, (2, 3))
    )[0].as_matrix(),
    "spatial.transform.Rotation.as_euler": lambda xp, x: Rotation.from_rotvec(x[:3]).as_euler("xyz"),
    "spatial.transform.Rotation.as_mrp": lambda xp, x: Rotation.from_rotvec(x[:3]).as_mrp(),
    "spatial.transform.Rotation.as_quat": lambda xp, x: Rotation.from_matrix(Rotation.from_rotvec(x[:3]).as_matrix()).as_quat(),
    "spatial.transform.Rotation.from_euler": lambda xp, x: Rotation.from_euler("xyz", x[:3]).as_matrix(),
    "spatial.transform.Rotation.from_mrp": lambda xp, x: Rotation.from_mrp(x[:3]).as_matrix(),
    "spatial.transform.Rotation.from_rotvec": lambda xp, x: (Rotation.from_rotvec(x[:3]) ** 1.5).apply(x[3:]),
    "spatial.transform.Rotation.magnitude": lambda xp, x: Rotation.from_quat(x[:4]).magnitude(),
    "spatial.transform.Rotation.mean": lambda xp, x: Rotation.from_rotvec(xp.reshape(x, (2, 3))).mean().as_matrix(),
    "spatial.transform.Slerp": lambda xp, x: Slerp(xp.asarray([0.0, 1.0]), Rotation.from_rotvec(xp.reshape(x, (2, 3))))(
        xp.asarray([0.3])
    ).as_matrix(),
}

MODULES: dict[str, dict[str, Call]] = {
    "scipy.special": SPECIAL,
    "scipy.stats": STATS,
    "scipy.fft": FFT,
    "scipy.signal": SIGNAL,
    "scipy.integrate": INTEGRATE,
    "scipy.interpolate": INTERPOLATE,
    "scipy.linalg": LINALG,
    "scipy.ndimage": NDIMAGE,
    "scipy.optimize": OPTIMIZE,
    "scipy": OTHERS,
}
