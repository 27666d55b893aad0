"""The parts of the JAX backend."""
