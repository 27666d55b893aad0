"""``unidiff doctor``: finds what is wrong with the installation and the plugins, and says what to do."""

import argparse
import traceback
from dataclasses import dataclass

from unidiff import errors, registry
from unidiff.backend import BackendInfo
from unidiff.cli import commands, installation
from unidiff.cli.backends import device_name, library_versions
from unidiff.cli.commands import Run
from unidiff.cli.console import Console, make_console
from unidiff.plugins import BrokenPlugin, Contribution

KINDS = ("commands", "scenarios", "oracles", "report_sections")
"""What plugins add besides backends; see `unidiff.contributions`."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: fine, absent, untested, or wrong; what was found, and details such as a traceback."""

    state: str
    subject: str
    text: str
    details: str = ""


def configure(parser: argparse.ArgumentParser) -> Run:
    """Add the arguments of the command."""
    parser.add_argument("name", nargs="?", help="look only at this backend or plugin")
    return run


def run(args: argparse.Namespace) -> int:
    """Print the findings; the exit code is 1 if anything is wrong."""
    findings = examine_installation() if args.name is None else []
    findings += examine_contributions(args.name)
    findings += examine_backends(args.name)
    if args.name is not None and not findings:
        known = ", ".join([*registry.backends(installed=False), *(plugin.name for plugin in registry.broken())])
        findings = [Finding("wrong", args.name, f"there is no such backend or plugin; known are {known}")]
    console = make_console()
    for finding in findings:
        report(finding, console)
    wrong = sum(finding.state == "wrong" for finding in findings)
    console.print()
    console.print(f"{wrong} problem{'' if wrong == 1 else 's'} found." if wrong else "No problems found.")
    return 1 if wrong else 0


def report(finding: Finding, console: Console) -> None:
    """Print one finding with its details indented."""
    console.print(f"{finding.state:7} {finding.subject}: {finding.text}")
    for line in finding.details.rstrip().splitlines():
        console.print(f"        {line}")


def examine_installation() -> list[Finding]:
    """Look for distributions that share unidiff's import name, for changed files and for commands that cannot be used."""
    subject = installation.OWN
    findings = []
    foreign = installation.foreign_distribution()
    if foreign is not None:
        findings.append(Finding("wrong", subject, foreign))
    for owner in installation.other_owners():
        if owner != installation.FOREIGN:
            text = f"the distribution {owner!r} has a package 'unidiff' too and may have overwritten files"
            findings.append(Finding("wrong", subject, text))
    changed = installation.changed_files()
    if changed:
        text = f"files differ from what was installed; repair with: pip install --force-reinstall --no-deps {subject}"
        findings.append(Finding("wrong", subject, text, "\n".join(changed)))
    findings += [Finding("wrong", "commands", problem) for problem in commands.taken()]
    return findings or [Finding("fine", subject, "the files are its own")]


def examine_contributions(name: str | None) -> list[Finding]:
    """Import what plugins add besides backends, and report what cannot be imported."""
    findings = []
    for kind in KINDS:
        for contribution in registry.contributions(kind):
            if contribution.failure is None and name in (None, contribution.name):  # a failure is that of a broken plugin
                findings += examine_contribution(kind.replace("_", " "), contribution, asked=name is not None)
    return findings


def examine_contribution(kind: str, contribution: Contribution, *, asked: bool) -> list[Finding]:
    """Import what a plugin adds; what works is worth a line only if it was asked for."""
    try:
        contribution.load()
    except errors.PluginError as error:
        text = "".join(traceback.format_exception(error))
        return [Finding("wrong", contribution.name, f"among the {kind} of plugins: {error}", text)]
    return [Finding("fine", contribution.name, f"{kind} of {contribution.origin}: {contribution.help}")] if asked else []


def examine_backends(name: str | None) -> list[Finding]:
    """Load the backends, all or the one of this name, and report those and the plugins that fail."""
    infos = registry.backends(installed=False)
    findings = [examine_backend(info, asked=name is not None) for info in infos.values() if name in (None, info.name)]
    reported = {finding.subject for finding in findings}
    findings += [broken(plugin) for plugin in registry.broken() if name in (None, plugin.name) and plugin.name not in reported]
    return findings


def examine_backend(info: BackendInfo, *, asked: bool) -> Finding:
    """Check the versions a backend requires and load it; one that is not installed is wrong only if it was asked for."""
    versions = library_versions(info)
    unmet = registry.unmet_requirements(info)
    if unmet:
        remedy = f"; install it with: {info.install}" if info.install else ""
        absent = None in versions.values() and not asked
        return Finding("absent" if absent else "wrong", info.name, "; ".join(unmet) + remedy)
    try:
        devices = registry.get_backend(info.name).devices()
    except errors.BackendLoadError:
        return next(broken(plugin) for plugin in registry.broken() if (plugin.name, plugin.phase) == (info.name, "load"))
    installed = " ".join(f"{library} {version}" for library, version in versions.items())
    if not info.arrays:
        return Finding("fine", info.name, f"{installed} chosen by name, for arrays of any library".strip())
    untested = registry.untested_versions(info)
    if untested:
        return Finding("untested", info.name, f"{installed}; {'; '.join(untested)}")
    return Finding("fine", info.name, f"{installed} on {', '.join(map(device_name, devices))}".strip())


def broken(plugin: BrokenPlugin) -> Finding:
    """Describe a plugin that failed, with its traceback."""
    text = f"the plugin of {plugin.origin or 'an unknown distribution'} failed in the phase {plugin.phase!r}: {plugin.error!r}"
    return Finding("wrong", plugin.name, text, plugin.traceback)
