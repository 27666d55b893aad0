"""Tests of one's own that run once on every backend."""

from collections.abc import Callable, Mapping
from typing import Any


def parametrize_backends(*only: str, skip: Mapping[str, str] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Make of a pytest test one test for each installed backend, by the arguments ``unidiff_backend`` and ``unidiff_xp``.

    Parameters
    ----------
    only : str
        Names of backends; all that are installed and have arrays by default.
    skip : mapping of str to str, optional
        Backends that are skipped, and why.

    Returns
    -------
    callable
        A decorator. The test takes ``unidiff_backend``, the name, or ``unidiff_xp``, the namespace, or both.

    Raises
    ------
    ImportError
        If pytest is not installed.

    Examples
    --------
    >>> import unidiff as ud
    >>> @ud.testing.parametrize_backends(skip={"jax": "assigns to its argument"})
    ... def test_loss(unidiff_xp):
    ...     assert unidiff_xp.sum(unidiff_xp.ones(2)) == 2
    """
    import pytest

    return pytest.mark.unidiff_backends(*only, skip=dict(skip or {}))
