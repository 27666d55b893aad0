"""Mended functions of PyTorch under ``torch.compile``, in one graph, with the derivatives that they have eagerly."""

import pytest

torch = pytest.importorskip("torch")

from unidiff_backends import torch_namespace as xp  # noqa: E402  # after the check that torch is there
from unidiff_backends._torch import private  # noqa: E402  # after the check that torch is there

X = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
Y = torch.tensor([0.7, 1.0, -1.5], dtype=torch.float64)
A = torch.tensor([[2.0, 0.3], [0.3, 1.5]], dtype=torch.float64)

FUNCTIONS = {
    "compositions": (
        lambda x: (
            xp.abs(x) * xp.maximum(x, Y) + xp.hypot(x, Y) * xp.clip(x, 0.6, 1.5) + xp.copysign(x, Y) * xp.atan2(x, Y)
            + xp.logaddexp(x, Y) * xp.std(x) + xp.sign(x) * xp.remainder(x, 0.7) + xp.asarray([x[0], 1.0, x[2]])
        ),
        X,
    ),
    "rules of vectors": (
        lambda x: xp.pow(x, A[0, 1:]) * xp.linalg.vector_norm(x, ord=3) + xp.nextafter(x, Y) * xp.cumulative_prod(x),
        X,
    ),
    "rules of matrices": (
        lambda a: xp.linalg.eigh(a)[0] * xp.linalg.svdvals(a) + xp.linalg.slogdet(a)[1] + xp.linalg.matrix_norm(a, ord="nuc")
        + xp.linalg.solve(a, a[0, :]) + xp.linalg.cholesky(a)[:, 0],
        A,
    ),
}  # fmt: skip


def gradient(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore")  # PyTorch's own, of its compiler
def test_one_graph(name):
    f, x = FUNCTIONS[name]
    torch._dynamo.reset()
    compiled = torch.compile(f, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), f(x), rtol=1e-14, atol=0)
    torch.testing.assert_close(gradient(compiled, x), gradient(f, x), rtol=1e-14, atol=1e-15)


def test_private_names_are_there_and_a_missing_one_is_named():
    assert private.absent() == []
    with pytest.raises(ImportError, match=r"torch\._C\._nothing, no_module\.x, on which the backend 'torch' relies"):
        private.check(("torch._C._nothing", "torch.nn.Module", "no_module.x"))
