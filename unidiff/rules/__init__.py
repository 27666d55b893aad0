"""The derivative rules of every function, one file per category of the array API standard.

Importing this package fills `RULES`; a rule file imports nothing but `unidiff.engine.extend`.
"""

from unidiff.engine.extend import RULES
from unidiff.rules import (
    batching,
    batching_indexing,
    control_flow,
    creation,
    data_type,
    einsum,
    elementwise,
    fft,
    indexing,
    linalg,
    linalg_decompositions,
    linalg_norms,
    linear_algebra,
    manipulation,
    searching,
    sets,
    sorting,
    special,
    special_compositions,
    special_native,
    special_supplied,
    statistical,
    utility,
)

__all__ = [
    "RULES",
    "batching",
    "batching_indexing",
    "control_flow",
    "creation",
    "data_type",
    "einsum",
    "elementwise",
    "fft",
    "indexing",
    "linalg",
    "linalg_decompositions",
    "linalg_norms",
    "linear_algebra",
    "manipulation",
    "searching",
    "sets",
    "sorting",
    "special",
    "special_compositions",
    "special_native",
    "special_supplied",
    "statistical",
    "utility",
]
