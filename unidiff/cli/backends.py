"""``unidiff backends``: what is installed, and what each backend can do."""

import argparse
import json
import re
from collections.abc import Sequence
from typing import Any

from unidiff import errors, registry
from unidiff.backend import BackendInfo
from unidiff.cli.commands import Run
from unidiff.cli.console import Console, make_console
from unidiff.requirements import installed, parse

FLAGS = {
    "vmap": "vmap",
    "jit": "jit",
    "control_flow": "control flow on values",
    "mutation": "item assignment",
    "threads": "threads",
}
"""The capabilities that a backend has or has not, and what they are called."""


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table of what works on which backend")
    parser.add_argument("--devices", action="store_true", help="ask each library for the devices of this machine (imports it)")
    return run


def run(args: argparse.Namespace) -> int:
    """List the backends."""
    infos = registry.backends(installed=False)
    if args.markdown:
        print(markdown(list(infos.values())))
        return 0
    records = [describe(info, with_devices=args.devices) for info in infos.values()]
    if args.json:
        print(json.dumps(records, indent=2))
    else:
        show(records, make_console(), with_devices=args.devices)
    return 0


def library_versions(info: BackendInfo) -> dict[str, str | None]:
    """Return the installed version, or None, of each distribution that a backend requires; of alternatives of the one found."""
    versions: dict[str, str | None] = {}
    for requirement in info.requires:
        found = {name: installed(name) for name, _ in parse(requirement)}
        name = next((name for name, version in found.items() if version is not None), next(iter(found)))
        versions[name] = found[name]
    return versions


def device_name(device: Any) -> str:
    """Return what a device is called: of ``library.Device('name')``, the text of a device without one of its own, the name."""
    text = str(device)
    call = re.fullmatch(r"[\w.]+\((['\"])(.*)\1\)", text)
    return call[2] if call else text


def describe(info: BackendInfo, *, with_devices: bool = False) -> dict[str, Any]:
    """Return what is known of a backend as plain data; its library is imported only to list devices.

    Parameters
    ----------
    info : BackendInfo
        The backend.
    with_devices : bool
        Whether to list the devices of this machine.

    Returns
    -------
    dict
        Ready for JSON. ``status`` is "installed", "not installed" or "wrong version".
    """
    versions = library_versions(info)
    unmet = registry.unmet_requirements(info)
    missing = None in versions.values()
    capabilities = info.capabilities
    record: dict[str, Any] = {
        "name": info.name,
        "library": info.library,
        "arrays": list(info.arrays),
        "status": "installed" if not unmet else "not installed" if missing else "wrong version",
        "versions": versions,
        "unmet": list(unmet),
        "install": info.install,
        "api_version": info.api_version,
        "modes": sorted(capabilities.modes),
        "max_order": capabilities.max_order,
        "accuracy": capabilities.accuracy,
        "dtypes": sorted(capabilities.dtypes),
        "device_kinds": sorted(capabilities.devices),
        **{flag: getattr(capabilities, flag) for flag in FLAGS},
    }
    if with_devices and not unmet:
        try:
            record["devices"] = [device_name(device) for device in registry.get_backend(info.name).devices()]
        except errors.BackendLoadError as error:
            record["status"], record["unmet"] = "broken", [str(error)]
    return record


def show(records: Sequence[dict[str, Any]], console: Console, *, with_devices: bool) -> None:
    """Print a table of what is installed, and how to install the rest."""
    rows = []
    for record in records:
        if record["status"] == "installed":
            versions = " ".join(f"{name} {version}" for name, version in record["versions"].items())
            devices = record["devices"] if with_devices else record["device_kinds"]
            if not record["arrays"]:
                versions, devices = f"{versions} by name, arrays of any library".strip(), ["as the arrays"]
            able = [*record["modes"], *(name for flag, name in FLAGS.items() if record[flag])]
            if record["accuracy"] < 1:
                able.append(f"errors of the order {order(record['accuracy'])}")
            rows.append([record["name"], versions, ", ".join(devices), ", ".join(able)])
    console.table(["backend", "version", "devices" if with_devices else "kinds of devices", "capabilities"], rows)
    for record in records:
        if record["status"] != "installed":
            reasons = "; ".join(record["unmet"])
            console.print(f"{record['name']}: {record['status']} ({reasons})")
            if record["install"] and record["status"] != "broken":
                console.print(f"    {record['install']}")
    for plugin in registry.broken():
        console.print(f"{plugin.name}: broken ({plugin.phase} of {plugin.origin}), see 'unidiff doctor'")
    if not with_devices:
        console.print("'unidiff backends --devices' asks each library for the devices of this machine.")


def order(accuracy: float) -> str:
    """Return the order of the errors that an accuracy of `Capabilities` stands for."""
    return f"eps**{accuracy:.2g}" if accuracy else "1"


def markdown(infos: Sequence[BackendInfo]) -> str:
    """Return a Markdown table with a row for each capability and a column for each backend."""
    header = ["", *(info.name for info in infos)]
    rows = [[title, *(cell(info.capabilities) for info in infos)] for title, cell in CELLS.items()]
    lines = [header, ["---"] + [":---:"] * len(infos), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def yes(value: bool) -> str:
    """Return the mark for what works and what does not."""
    return "yes" if value else "no"


CELLS: dict[str, Any] = {
    "forward mode": lambda c: "native" if "forward" in c.modes else "derived",
    "reverse mode": lambda c: "native" if "reverse" in c.modes else "derived",
    "exact derivatives": lambda c: yes(c.exact),
    "highest order of derivative": lambda c: "any" if c.max_order is None else str(c.max_order),
    "dtypes": lambda c: ", ".join(sorted(c.dtypes)),
    "kinds of devices": lambda c: ", ".join(sorted(c.devices)),
    "Python control flow on values": lambda c: yes(c.control_flow),
    "item assignment inside the function": lambda c: yes(c.mutation),
    "derivatives in several threads": lambda c: yes(c.threads),
    "`vmap`": lambda c: yes(c.vmap),
    "`jit`": lambda c: yes(c.jit),
}
"""The rows of the Markdown table: a title and what to say of the `Capabilities` of a backend."""
