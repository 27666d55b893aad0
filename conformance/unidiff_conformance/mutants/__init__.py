"""A zoo of backends that are wrong, each in one way, and the check that is meant to catch each.

``python -m unidiff_conformance.mutants`` runs these checks and prints the table.
"""
