"""What to say about a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["known"]


def known(name: Any, names: Iterable[str]) -> str:
    """Return the names there are, the nearest ones first."""
    names = list(names)
    near = get_close_matches(name.lower(), names, n=2, cutoff=0.5) if isinstance(name, str) else []
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{meant}known are {', '.join(names)}"
