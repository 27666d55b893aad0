"""The conformance suite of unidiff: whether all backends have the same derivatives, and the right ones.

A scenario (`unidiff_conformance.scenario`) is a function written once against the array API standard, with inputs and what
the derivative standard says about it. Oracles (`unidiff_conformance.oracles`) compute what is wanted without any backend.
Checks (`unidiff_conformance.checks`) take derivatives in every mode, and ``python -m unidiff_conformance`` runs them all.
"""
