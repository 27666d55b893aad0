"""Automatic differentiation of any array API namespace, forward and reverse, in any nesting.

The public face for plugins: `EngineBackend` and `Library`.
"""

from unidiff.engine.compiling import CompilingBackend as EngineBackend
from unidiff.engine.tracing import Library

__all__ = ["EngineBackend", "Library"]
