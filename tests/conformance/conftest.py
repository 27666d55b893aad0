"""Settings that JAX reads when it is imported: it has to have double precision, and to compile little."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")
