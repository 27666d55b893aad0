"""The array API namespace of PyTorch with the derivatives of the derivative standard.

Everything is `array_api_compat.torch`'s own object except for the functions of `unidiff_backends._torch.mended`,
`unidiff_backends._torch.rules` and `unidiff_backends._torch.special`.
"""

import sys
from types import ModuleType
from typing import Any

import array_api_compat.torch as _base

from unidiff_backends._torch.mended import MENDED as _MENDED
from unidiff_backends._torch.rules import FUNCTIONS as _RULED
from unidiff_backends._torch.rules import install as _install
from unidiff_backends._torch.special import einsum
from unidiff_backends._torch.special import module as _special

globals().update({name: value for name, value in vars(_base).items() if not name.startswith("_")} | {"einsum": einsum})
special = _special(f"{__name__}.special")
linalg = ModuleType(f"{__name__}.linalg", _base.linalg.__doc__)
linalg.__dict__.update({name: value for name, value in vars(_base.linalg).items() if not name.startswith("__")})
_install(_MENDED, sys.modules[__name__])
_install(_RULED, sys.modules[__name__])

__array_api_version__ = _base.__array_api_version__
__array_namespace_info__ = _base.__array_namespace_info__


def __getattr__(name: str) -> Any:
    # What array-api-compat itself forwards to torch.
    return getattr(_base, name)


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(dir(_base)))
