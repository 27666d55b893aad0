"""Tells whether another distribution has mixed its files with unidiff's.

The distribution ``unidiff-array`` and the parser of unified diffs that is called ``unidiff`` both own the import name
``unidiff``; installed together, each overwrites files of the other. This module imports nothing else of unidiff, so that it
still works where that has happened.
"""

import base64
import csv
import hashlib
from importlib import metadata
from pathlib import Path

OWN = "unidiff-array"
FOREIGN = "unidiff"
REPAIR = f"pip uninstall --yes {FOREIGN} {OWN} && pip install {OWN}"


def foreign_distribution() -> str | None:
    """Return what is wrong if the other distribution of the same import name is installed, else None."""
    try:
        version = metadata.version(FOREIGN)
    except metadata.PackageNotFoundError:
        return None
    return (
        f"the distribution {FOREIGN!r} {version}, a parser of unified diffs, is installed beside {OWN!r}; both own the import "
        f"name 'unidiff' and overwrite each other's files. Keep one of them in an environment; to keep this one, run: {REPAIR}"
    )


def other_owners() -> list[str]:
    """Return the names of the distributions other than unidiff's own that have a top-level package ``unidiff``."""
    owners = metadata.packages_distributions().get("unidiff", [])
    return sorted({name for name in owners if name.lower().replace("_", "-") != OWN})


def changed_files() -> list[str]:
    """Return the files of unidiff's own distribution that are gone or differ from what was installed.

    An editable install records no hashes of the source, so nothing is reported for it.
    """
    try:
        distribution = metadata.distribution(OWN)
    except metadata.PackageNotFoundError:
        return []
    changed = []
    # The record itself, since from Python 3.12 on ``distribution.files`` leaves out what is gone.
    for path, recorded, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        mode, _, value = recorded.partition("=")
        if mode != "sha256" or not path.endswith(".py"):
            continue
        try:
            digest = hashlib.sha256(Path(str(distribution.locate_file(path))).read_bytes()).digest()
        except OSError:
            changed.append(path)
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != value:
            changed.append(path)
    return changed
