"""Linear algebra on operators, which are functions of pytrees: solvers, spectra and estimates that never form a matrix."""
