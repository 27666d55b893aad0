"""Automatic differentiation of any array API namespace, forward and reverse, in any nesting.

The public face for plugins: `EngineBackend`, `Library`, and `GivenWay` for libraries that follow NumPy's protocols.
"""

from unidiff.engine.array import GivenWay
from unidiff.engine.compiling.backend import CompilingBackend as EngineBackend
from unidiff.engine.tracing import Library

__all__ = ["EngineBackend", "GivenWay", "Library"]
