"""Optimizers with the names, arguments, defaults and variants of other libraries.

``presets.torch`` and ``presets.optax`` build the optimizers of `unidiff.optim` that follow the same path as those of that name
in these libraries, called with the same arguments.

Examples
--------
>>> import unidiff as ud
>>> ud.optim.presets.torch.RMSprop().decay, ud.optim.presets.optax.rmsprop(1e-3).decay
(0.99, 0.9)
"""

from unidiff.optim.presets import optax as optax  # the alias says that the module is public
from unidiff.optim.presets import torch as torch
