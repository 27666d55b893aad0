"""Namespaces whose creation functions follow the device of arrays."""

from typing import Any

import array_api_compat.torch


def following(arrays: Any) -> Any:
    return array_api_compat.torch
