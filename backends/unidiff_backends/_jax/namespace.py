"""The array API namespace of the JAX backend: ``jax.numpy``, mended where it deviates from the derivative standard.

Functions that agree with the standard are the very objects of ``jax.numpy``.
"""

import jax.numpy as jnp

from unidiff_backends._jax import linalg

globals().update({name: value for name, value in vars(jnp).items() if not name.startswith("_")})
globals().update(linalg=linalg, __array_namespace_info__=jnp.__array_namespace_info__)
