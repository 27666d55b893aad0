"""What NumPy's functions, called on traced arrays, are in terms of the differentiable namespace; one file per concern."""
