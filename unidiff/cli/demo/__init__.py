"""``unidiff demo``: two problems written once, solved on every installed backend, compared and reported."""
