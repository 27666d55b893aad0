"""The clauses of the derivative standard: what the derivative of every function is, at every point.

The clauses are the tables of the TOML files beside this one. From them come ``docs/derivative-standard.md``, what
``--explain`` says about a scenario, and the tables of ``unidiff deviations``.
"""

from unidiff_conformance.standard.clause import EDITION, Clause, clause_of, clauses

__all__ = ["EDITION", "Clause", "clause_of", "clauses"]
