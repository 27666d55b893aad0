"""``jax.numpy.linalg`` with the derivatives of the derivative standard."""

import jax.numpy as jnp

globals().update({name: value for name, value in vars(jnp.linalg).items() if not name.startswith("_")})
