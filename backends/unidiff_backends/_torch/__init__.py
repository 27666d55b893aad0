"""The parts of the PyTorch backend: derivatives, the mended namespace, conversion."""

from unidiff_backends._torch.private import check

check()
