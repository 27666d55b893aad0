"""Ways to differentiate a function of one scalar by the PyTorch backend, each of which can be nested in each other."""

import pytest

torch = pytest.importorskip("torch")

from unidiff_backends.torch import TorchBackend  # noqa: E402  # after the check that torch is there

BACKEND = TorchBackend()
F64 = torch.float64


def tensor(value, dtype=F64):
    return torch.tensor(value, dtype=dtype)


# Three ways to differentiate a function of one scalar, each a function again.
def by_grad(g):
    return lambda x: BACKEND.value_and_grad(lambda y: (g(y),), (x,))[1][0]


def by_vjp(g):
    def derivative(x):
        (y,), pullback = BACKEND.vjp(lambda y: (g(y),), (x,))
        return pullback((torch.ones_like(y),))[0]

    return derivative


def by_jvp(g):
    return lambda x: BACKEND.jvp(lambda y: (g(y),), (x,), (torch.ones_like(x),))[1][0]


def by_jacfwd(g):
    return lambda x: BACKEND.jacfwd(lambda y: (g(y),), (x,))[1][0][0]


def by_jacrev(g):
    return lambda x: BACKEND.jacrev(lambda y: (g(y),), (x,))[1][0][0]


MODES = {"grad": by_grad, "vjp": by_vjp, "jvp": by_jvp, "jacfwd": by_jacfwd, "jacrev": by_jacrev}


def nested(modes, g):
    for mode in modes:
        g = MODES[mode](g)
    return g


def in_functorch(function):
    """Evaluate inside a functorch level that the function does not depend on, so that the other implementation runs."""
    results = []
    torch.func.jvp(lambda t: (results.append(function()), t)[1], (tensor(0.0),), (tensor(1.0),))
    return results[0]
