"""Einstein summation: values against NumPy's, derivatives against differences."""

import itertools

import numpy as np
import pytest

from unidiff import errors
from unidiff.rules import RULES
from unidiff.rules.einsum import parse

C = "complex"
CASES = {
    "ij,jk->ik": ((2, 3), (3, 2)),
    "ij,jk": ((2, 3), (3, 2)),
    "i,i": ((3,), (3,)),
    "i,i->": ((3,), (3,)),
    "i,j->ij": ((2,), (3,)),
    "i,j->ji": ((2,), (3,)),
    "ii": ((3, 3),),
    "ii->i": ((3, 3),),
    "iij->ji": ((2, 2, 3),),
    "iii->i": ((2, 2, 2),),
    "ij->ji": ((2, 3),),
    "ba": ((2, 3),),
    "ij->": ((2, 3),),
    "ij->j": ((2, 3),),
    "ij,ij->": ((2, 3), (2, 3)),
    "bij,bij->b": ((2, 2, 2), (2, 2, 2)),
    "bij,bij->bi": ((2, 2, 3), (2, 2, 3)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 1)),
    "...ij,...jk->...ik": ((2, 2, 3), (3, 2)),
    "...ij,jk": ((2, 1, 2, 3), (3, 2)),
    "i...,...i->...": ((2, 3), (3, 2)),
    "...,...->...": ((2, 1), (3,)),
    "ij,ij->ij": ((1, 3), (2, 3)),
    ",i->i": ((), (3,)),
    "i,i,i->i": ((3,), (3,), (3,)),
    "i,i,i": ((3,), (3,), (3,)),
    "ij,jk,kl->il": ((2, 3), (3, 2), (2, 2)),
    "ij,jk,kl,lm,mn->in": ((2, 3), (3, 2), (2, 2), (2, 3), (3, 1)),
    "aab,bcc->ac": ((2, 2, 3), (3, 2, 2)),
    "abc,ad,be,cf->def": ((2, 2, 2), (2, 2), (2, 1), (2, 2)),
    "ij,jk->k": ((0, 3), (3, 2)),
    " i j , j k -> i k ": ((2, 2), (2, 2)),
}


@pytest.mark.parametrize("subscripts", CASES)
def test_real(subscripts, engine, check, inputs):
    check(engine, lambda xp, *arrays: xp.einsum(subscripts, *arrays), inputs(*CASES[subscripts]))


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ii->i", "i,i", "...ij,...jk->...ik", "ij,jk,kl->il"])
def test_complex(subscripts, engine, check, inputs):
    check(engine, lambda xp, *arrays: xp.einsum(subscripts, *arrays), inputs(*((C, *shape) for shape in CASES[subscripts])))


def test_real_and_complex_operands(engine, check, inputs):
    check(engine, lambda xp, a, b: xp.einsum("ij,jk->ik", a, b), inputs((2, 3), (C, 3, 2)))


@pytest.mark.parametrize("subscripts", CASES)
def test_the_traced_value_is_that_of_numpy(subscripts, engine, derivatives, inputs):
    arrays = inputs(*CASES[subscripts])
    case = derivatives(engine, lambda xp, *arrays: xp.einsum(subscripts, *arrays), arrays)
    ((value,), _) = case.jvp([np.zeros_like(x) for x in arrays])
    expected = np.einsum(subscripts, *arrays)
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)


class Recording:
    """A namespace that remembers the sizes of all results."""

    def __init__(self, xp):
        self.xp, self.sizes = xp, []

    def __getattr__(self, name):
        def function(*args, **kwargs):
            result = getattr(self.xp, name)(*args, **kwargs)
            self.sizes.append(result.size)
            return result

        return function


def test_long_contractions_stay_small(numpy_engine):
    """A ring of matrices closed by a vector at both ends: contracted in the order given, a million elements are in between."""
    rng = np.random.default_rng(0)
    letters = "abcdefghij"
    pairs = [a + b for a, b in itertools.pairwise(letters)]
    matrices = [rng.normal(size=(1000, 2)), *(rng.normal(size=(2, 2)) for _ in pairs[1:-1]), rng.normal(size=(2, 1000))]
    vector = rng.normal(size=1000)
    subscripts = "j," + ",".join(pairs) + ",a->"
    xp = Recording(numpy_engine.domain.raw)
    value = RULES["einsum"].implementation(xp, subscripts, vector, *matrices, vector)
    np.testing.assert_allclose(value, vector @ np.linalg.multi_dot(matrices) @ vector, rtol=1e-10)
    assert max(xp.sizes) <= 2000


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", ((2, 3),), "names 2 operands, 1 were given"),
        ("ij->ij", ((2,),), "does not fit an operand with 1 axes"),
        ("i->i", ((2, 2),), "does not fit an operand with 2 axes"),
        ("ij,jk->ik", ((2, 3), (2, 2)), "lengths 3 and 2"),
        ("ij->ik", ((2, 3),), "has one that no operand has"),
        ("ij->ii", ((2, 3),), "repeats a label"),
        ("i1->i", ((2, 3),), "labels of axes are letters"),
        ("...i...->i", ((2, 3),), "labels of axes are letters"),
    ],
)
def test_malformed_subscripts_raise(engine, subscripts, shapes, message):
    xp = engine.namespace()
    arrays = [engine.asarray(np.ones(shape)) for shape in shapes]
    with pytest.raises(errors.ArgumentError, match=message):
        engine.vjp(lambda *x: (xp.einsum(subscripts, *x),), arrays)


def test_parsing_orders_implicit_output():
    assert parse("c...a,b...", (3, 2)) == ((("c", "...0", "a"), ("b", "...0")), ("...0", "a", "b", "c"))
    assert parse("...ij->j...i", (4,))[1] == ("j", "...1", "...0", "i")


def test_derivatives_under_vmap(engine):
    rng = np.random.default_rng(0)
    a, b = engine.asarray(rng.normal(size=(3, 2, 4))), engine.asarray(rng.normal(size=(4, 2)))
    xp = engine.namespace()

    def gradient(a):
        return engine.value_and_grad(lambda a: (xp.sum(xp.einsum("ij,jk,ik->i", a, b, xp.matmul(a, b)) ** 2),), (a,))[1]

    (mapped,) = engine.vmap(gradient, (a,), (True,), 3)
    for k in range(3):
        np.testing.assert_allclose(engine.to_numpy(mapped)[k], engine.to_numpy(gradient(a[k, ...])[0]), rtol=1e-11)
