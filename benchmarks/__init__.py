"""Measured comparisons of unidiff with its peers; ``python -m benchmarks --help`` tells how to run them."""
