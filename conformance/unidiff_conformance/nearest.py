"""What may have been meant by a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], number: int = 3) -> list[str]:
    """Return the known names that are most like a name; none if none is."""
    return get_close_matches(name, list(known), n=number)


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question to put after a name that is unknown; empty if no known one is like it."""
    near = nearest(name, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
