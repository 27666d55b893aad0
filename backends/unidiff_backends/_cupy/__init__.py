"""What only the CuPy backend needs."""
