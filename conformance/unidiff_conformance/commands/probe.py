"""``unidiff conformance probe``: the capabilities that a backend is observed to have."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import unidiff as ud
from unidiff_conformance import claims
from unidiff_conformance.commands import CONFORMANT, ENVIRONMENT, NON_CONFORMANT
from unidiff_conformance.environment import prepare
from unidiff_conformance.trial import MismatchError

HIGHEST = 4


def execute(options: argparse.Namespace) -> int:
    """Print for each backend what was observed, ready for its plugin, and where its claims differ."""
    prepare(options.backends)
    code = CONFORMANT
    for name in options.backends:
        try:
            backend = ud.get_backend(name)
        except (ud.errors.BackendLoadError, ud.errors.UnknownBackendError) as error:
            print(error, file=sys.stderr)
            code = ENVIRONMENT
            continue
        try:
            found = observe(backend)
        except Exception as error:  # noqa: BLE001  # a backend that is wrong may raise anything
            print(f"{name} failed while it was probed: {error!r}; 'unidiff conformance run {name}' tells more", file=sys.stderr)
            code = code or NON_CONFORMANT
            continue
        claimed = {key: getattr(backend.info.capabilities, key) for key in found}
        differing = [key for key, value in found.items() if value != claimed[key]]
        verdict = f"{len(differing)} claims differ from what was observed" if differing else "as it claims"
        print(f"# {name}, on this machine: {verdict}\nunidiff.Capabilities(")
        for key, value in found.items():
            note = f"  # claimed: {_shown(claimed[key])}" if key in differing else ""
            print(f"    {key}={_shown(value)},{note}")
        print(
            f"    devices={_shown(backend.info.capabilities.devices)},  # as claimed: those of other machines are not seen\n)"
        )
        if differing:
            code = code or NON_CONFORMANT
    return code


def observe(backend: Any) -> dict[str, Any]:
    """Return the capabilities that can be observed on this machine; devices that it lacks cannot."""
    dtype = "float32"
    order = next((n - 1 for n in range(1, HIGHEST + 1) if not claims.nests(backend, dtype, n)), None)
    return {
        "modes": claims.native_modes(backend),
        "max_order": order,
        "dtypes": frozenset(name for name in claims.FLOATING if claims.differentiates(backend, name)),
        "vmap": "vmap" in backend.native,
        "jit": "jit" in backend.native,
        "control_flow": claims.branches(backend, dtype),
        "mutation": claims.assigns(backend, dtype),
        "threads": _holds(claims.agree_in_threads, backend, dtype),
        "accuracy": claims.observed_accuracy(backend),
    }


def _holds(check: Callable[[Any, str], None], backend: Any, dtype: str) -> bool:
    try:
        check(backend, dtype)
    except MismatchError:
        return False
    return True


def _shown(value: Any) -> str:
    return f"frozenset({{{', '.join(map(repr, sorted(value)))}}})" if isinstance(value, frozenset) else repr(value)
