"""The array API namespace of PyTorch with the derivatives of the derivative standard.

Everything is `array_api_compat.torch`'s own object except for the functions of `unidiff_backends._torch.mended`.
"""

from typing import Any

import array_api_compat.torch as _base

from unidiff_backends._torch.mended import MENDED as _MENDED

globals().update({name: value for name, value in vars(_base).items() if not name.startswith("_")})
globals().update(_MENDED)

__array_api_version__ = _base.__array_api_version__
__array_namespace_info__ = _base.__array_namespace_info__


def __getattr__(name: str) -> Any:
    # What array-api-compat itself forwards to torch.
    return getattr(_base, name)


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(dir(_base)))
