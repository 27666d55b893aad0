"""Checks that a function of one's own has the right derivatives, and the same ones, on every backend."""

from unidiff.testing.checks import AGREEMENT, check_derivatives
from unidiff.testing.parametrization import parametrize_backends
from unidiff.testing.reports import Agreement, BackendReport, DerivativeReport

__all__ = ["AGREEMENT", "Agreement", "BackendReport", "DerivativeReport", "check_derivatives", "parametrize_backends"]
