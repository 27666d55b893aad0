"""Results that agree in every bit."""

import numpy as np

import unidiff as ud


def same_bits(got, want):
    got_leaves, got_structure = ud.tree.flatten(got)
    want_leaves, want_structure = ud.tree.flatten(want)
    assert got_structure == want_structure
    for g, w in zip(got_leaves, want_leaves, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        assert np.asarray(g).tobytes() == np.asarray(w).tobytes()
