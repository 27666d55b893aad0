"""Problems of Moré, Garbow and Hillstrom (ACM TOMS 7, 1981) as residuals, with starts and known least sums of squares."""

import numpy as np
import scipy.optimize

import unidiff as ud


def stack(x, *values):
    return ud.array_namespace(x).stack(values)


def constant(x, values):
    return ud.asarray(np.asarray(values, dtype=np.dtype(str(x.dtype).rpartition(".")[2])), backend=ud.get_backend(x))


def rosenbrock(x):
    return stack(x, 10 * (x[1] - x[0] ** 2), 1 - x[0])


def freudenstein_roth(x):
    return stack(x, -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1])


def powell_badly_scaled(x):
    xp = ud.array_namespace(x)
    return stack(x, 1e4 * x[0] * x[1] - 1, xp.exp(-x[0]) + xp.exp(-x[1]) - 1.0001)


def brown_badly_scaled(x):
    return stack(x, x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2)


def beale(x):
    return stack(x, *(y - x[0] * (1 - x[1] ** (k + 1)) for k, y in enumerate((1.5, 2.25, 2.625))))


def jennrich_sampson(x):
    xp = ud.array_namespace(x)
    return stack(x, *(2 + 2 * i - (xp.exp(i * x[0]) + xp.exp(i * x[1])) for i in range(1, 11)))


def helical_valley(x):
    xp = ud.array_namespace(x)
    theta = xp.atan2(x[1], x[0]) / (2 * np.pi)  # on the branch from -1/2 to 1/2, which holds the path from the start
    theta = theta + xp.astype(x[0] < 0, theta.dtype) * xp.astype(x[1] < 0, theta.dtype)
    return stack(x, 10 * (x[2] - 10 * theta), 10 * (xp.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2])


def bard(x):
    y = constant(x, [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16)
    v = 16 - u
    return y - (x[0] + constant(x, u) / (constant(x, v) * x[1] + constant(x, np.minimum(u, v)) * x[2]))


def gaussian(x):
    xp = ud.array_namespace(x)
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    y, t = constant(x, [*half, 0.3989, *half[::-1]]), constant(x, (7 - np.arange(15.0)) / 2)
    return x[0] * xp.exp(-x[1] * (t - x[2]) ** 2 / 2) - y


def meyer(x):
    xp = ud.array_namespace(x)
    y = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
    return x[0] * xp.exp(x[1] / (constant(x, 45 + 5 * np.arange(1.0, 17)) + x[2])) - constant(x, y)


def box_3d(x):
    xp, t = ud.array_namespace(x), constant(x, 0.1 * np.arange(1.0, 11))
    return xp.exp(-t * x[0]) - xp.exp(-t * x[1]) - x[2] * (xp.exp(-t) - xp.exp(-10 * t))


def powell_singular(x):
    return stack(x, x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2)


def wood(x):
    return stack(
        x,
        10 * (x[1] - x[0] ** 2),
        1 - x[0],
        90**0.5 * (x[3] - x[2] ** 2),
        1 - x[2],
        10**0.5 * (x[1] + x[3] - 2),
        0.1**0.5 * (x[1] - x[3]),
    )


def kowalik_osborne(x):
    y = constant(x, [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = constant(x, [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])


def brown_dennis(x):
    xp, t = ud.array_namespace(x), constant(x, np.arange(1.0, 21) / 5)
    return (x[0] + t * x[1] - xp.exp(t)) ** 2 + (x[2] + x[3] * xp.sin(t) - xp.cos(t)) ** 2


def penalty(x):
    xp = ud.array_namespace(x)
    return xp.concat([1e-5**0.5 * (x - 1), xp.reshape(xp.sum(x * x) - 0.25, (1,))])


def variably_dimensioned(x):
    xp = ud.array_namespace(x)
    s = xp.reshape(xp.sum(constant(x, np.arange(1.0, x.shape[0] + 1)) * (x - 1)), (1,))
    return xp.concat([x - 1, s, s * s])


def brown_almost_linear(x):
    xp, n = ud.array_namespace(x), x.shape[0]
    return xp.concat([x[:-1] + xp.sum(x) - (n + 1), xp.reshape(xp.prod(x) - 1, (1,))])


def osborne(x):
    xp, t = ud.array_namespace(x), constant(x, 10 * np.arange(33.0))
    y = [844, 908, 932, 936, 925, 908, 881, 850, 818, 784, 751, 718, 685, 658, 628, 603, 580, 558, 538, 522, 506, 490, 478, 467]
    y = constant(x, np.asarray([*y, 457, 448, 438, 431, 424, 420, 414, 411, 406]) / 1000)
    return y - (x[0] + x[1] * xp.exp(-t * x[3]) + x[2] * xp.exp(-t * x[4]))


def biggs_exp6(x):
    xp, t = ud.array_namespace(x), constant(x, 0.1 * np.arange(1.0, 14))
    y = xp.exp(-t) - 5 * xp.exp(-10 * t) + 3 * xp.exp(-4 * t)
    return x[2] * xp.exp(-t * x[0]) - x[3] * xp.exp(-t * x[1]) + x[5] * xp.exp(-t * x[4]) - y


def watson(x):
    xp, n = ud.array_namespace(x), x.shape[0]
    t, k = np.arange(1.0, 30)[:, None] / 29, np.arange(n)
    slopes = np.where(k > 0, k * t ** np.maximum(k - 1, 0), 0.0)
    inner = constant(x, slopes) @ x - (constant(x, t**k) @ x) ** 2 - 1
    return xp.concat([inner, x[:1], x[1:2] - x[:1] ** 2 - 1])


def trigonometric(x):
    xp, n = ud.array_namespace(x), x.shape[0]
    return n - xp.sum(xp.cos(x)) + constant(x, np.arange(1.0, n + 1)) * (1 - xp.cos(x)) - xp.sin(x)


def neighbours(x):
    """Return the entries before and after each one, zero outside."""
    xp, zero = ud.array_namespace(x), 0 * x[:1]
    return xp.concat([zero, x[:-1]]), xp.concat([x[1:], zero])


def discrete_boundary_value(x):
    (before, after), h = neighbours(x), 1 / (x.shape[0] + 1)
    t = constant(x, h * np.arange(1.0, x.shape[0] + 1))
    return 2 * x - before - after + h * h * (x + t + 1) ** 3 / 2


def broyden_tridiagonal(x):
    before, after = neighbours(x)
    return (3 - 2 * x) * x - before - 2 * after + 1


def chebyquad(x):
    xp, n = ud.array_namespace(x), x.shape[0]
    last, here, means = 0 * x + 1, 2 * x - 1, []
    for k in range(1, n + 1):
        means.append(xp.mean(here) + (1 / (k * k - 1) if k % 2 == 0 else 0.0))
        last, here = here, 2 * (2 * x - 1) * here - last
    return xp.stack(means)


# residuals, start, the least sum of squares that is found from there by MINPACK (for two of them not the least of all, 0)
PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1], 0),
    "freudenstein-roth": (freudenstein_roth, [0.5, -2], 48.98425368),
    "powell-badly-scaled": (powell_badly_scaled, [0, 1], 0),
    "brown-badly-scaled": (brown_badly_scaled, [1, 1], 0),
    "beale": (beale, [1, 1], 0),
    "jennrich-sampson": (jennrich_sampson, [0.3, 0.4], 124.36218236),
    "helical-valley": (helical_valley, [-1, 0, 0], 0),
    "bard": (bard, [1, 1, 1], 8.214877307e-3),
    "gaussian": (gaussian, [0.4, 1, 0], 1.127932770e-8),
    "meyer": (meyer, [0.02, 4000, 250], 87.94585517),
    "box-3d": (box_3d, [0, 10, 20], 0),
    "powell-singular": (powell_singular, [3, -1, 0, 1], 0),
    "wood": (wood, [-3, -1, -3, -1], 0),
    "kowalik-osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 3.075056039e-4),
    "brown-dennis": (brown_dennis, [25, 5, -5, -1], 85822.20163),
    "penalty": (penalty, [1, 2, 3, 4], 2.249977502e-5),
    "variably-dimensioned": (variably_dimensioned, [1 - k / 10 for k in range(1, 11)], 0),
    "osborne": (osborne, [0.5, 1.5, -1, 0.01, 0.02], 5.464894697e-5),
    "biggs-exp6": (biggs_exp6, [1, 2, 1, 1, 1, 1], 0),
    "watson": (watson, [0] * 6, 2.287670053e-3),
    "penalty-10": (penalty, list(range(1, 11)), 7.087651467e-5),
    "trigonometric": (trigonometric, [0.1] * 10, 2.795056122e-5),
    "discrete-boundary-value": (discrete_boundary_value, [k / 11 * (k / 11 - 1) for k in range(1, 11)], 0),
    "broyden-tridiagonal": (broyden_tridiagonal, [-1] * 10, 0),
    "chebyquad": (chebyquad, [k / 9 for k in range(1, 9)], 3.516873726e-3),
    "brown-almost-linear": (brown_almost_linear, [0.5] * 10, None),
}


def sum_of_squares(residuals):
    def f(x):
        r = residuals(x)
        return ud.array_namespace(r).sum(r * r)

    return f


PEERS = {
    "bfgs": "BFGS", "l-bfgs": "L-BFGS-B", "l-bfgs-b": "L-BFGS-B", "trust-ncg": "trust-ncg", "trust-exact": "trust-exact",
    "cg": "CG",
}  # fmt: skip


def with_scipy(f, x0, method, tol, **options):
    extra = {"hess": ud.jit(ud.hessian(f))} if method.startswith("trust") else {}
    options = {"gtol": tol, "maxiter": 1000} | options | ({"ftol": 0} if method == "l-bfgs" else {})
    with np.errstate(all="ignore"):  # SciPy evaluates where the function overflows
        f = ud.jit(ud.value_and_grad(f))
        return scipy.optimize.minimize(f, x0, method=PEERS[method], jac=True, options=options, **extra)
