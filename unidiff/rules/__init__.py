"""The derivative rules of every function, one file per category of the array API standard.

Importing this package fills `RULES`; a rule file imports nothing but `unidiff.engine.extend`.
"""

from unidiff.engine.extend import RULES
from unidiff.rules import batching, elementwise, indexing, linear_algebra, manipulation, statistical

__all__ = ["RULES", "batching", "elementwise", "indexing", "linear_algebra", "manipulation", "statistical"]
