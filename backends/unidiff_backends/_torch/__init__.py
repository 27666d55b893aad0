"""The parts of the PyTorch backend: derivatives, the mended namespace, conversion."""
