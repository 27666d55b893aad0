"""Run the benchmarks: ``python -m benchmarks [--programs ...] [--peers ...] [--quick]``."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environment

RESULTS = Path(__file__).parent / "results"
STUDIES = ("chain", "memory", "import")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare unidiff with its peers.")
    parser.add_argument("--programs", nargs="*", metavar="NAME", help="programs or groups to run (default: all)")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="peers to compare (default: all that are installed)")
    parser.add_argument("--studies", nargs="*", choices=STUDIES, help="studies to run (default: all, or none with --programs)")
    parser.add_argument("--quick", action="store_true", help="few samples: rougher figures in a fraction of the time")
    parser.add_argument("--small", action="store_true", help="small inputs: shows that all runs, the figures mean nothing")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="what to measure (default: cpu)")
    parser.add_argument("--list", action="store_true", help="list programs and peers and stop")
    parser.add_argument("--profile", metavar="PROGRAM", help="profile --peers (default: unidiff) on one program and stop")
    parser.add_argument("--page", type=Path, help="also write the tables as a page, such as docs/benchmarks.md")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for benchmarks.json and benchmarks.png")
    return parser


def _installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def _choose(parser: argparse.ArgumentParser, wanted: Sequence[str] | None, known: Sequence[str], what: str) -> list[str]:
    if unknown := set(wanted or ()) - set(known):
        parser.error(f"unknown {what}: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return list(known if wanted is None else dict.fromkeys(wanted))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 1 where a peer failed or disagreed."""
    environment.pin()  # before anything imports NumPy
    from benchmarks import measure, picture, report, studies
    from benchmarks.peers import PEERS
    from benchmarks.profiling import profile
    from benchmarks.programs import all_programs

    parser = _parser()
    options = parser.parse_args(arguments)
    programs = all_programs(small=options.small)
    groups = list(dict.fromkeys(program.group for program in programs.values()))
    if options.list:
        print("programs:", *(f"{program.name} ({program.group})" for program in programs.values()), sep="\n  ")
        print("peers:", *PEERS, sep="\n  ")
        return 0
    if options.profile:
        for peer in _choose(parser, options.peers or ["unidiff"], list(PEERS), "peer"):
            profile(_choose(parser, [options.profile], list(programs), "program")[0], peer)
        return 0
    chosen = _choose(parser, options.programs, [*programs, *groups], "program or group")
    peers = _choose(parser, options.peers, [name for name, peer in PEERS.items() if _installed(peer.library)], "peer")
    effort = measure.Effort(clock=options.clock)
    if options.quick or options.small:
        effort = measure.Effort(sample=0.01, peer=0.15, least=2, most=9, clock=options.clock)
    selected = {name: program for name, program in programs.items() if name in chosen or program.group in chosen}
    wanted = options.studies if options.studies is not None else (STUDIES if options.programs is None else ())
    longest = 10_000 if options.small else 100_000 if options.quick else 1_000_000
    lengths = [length for length in (1_000, 10_000, 100_000, 1_000_000) if length <= longest]

    def progress(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    results = measure.measure(selected, peers, effort, small=options.small, progress=progress)
    chain = studies.study_chain(peers, lengths) if "chain" in wanted else []
    memory = studies.study_memory(peers) if "memory" in wanted else []
    imports = studies.study_import(5 if options.quick else 15) if "import" in wanted else None
    report.print_report(results, chain, memory, imports)
    report.write_json(options.output / "benchmarks.json", environment.describe(), results, chain, memory, imports)
    if options.page is not None:
        given = "--quick " if options.quick else ""
        report.write_page(options.page, environment.describe(), results, chain, memory, imports, options=given)
    drawn = picture.draw(options.output / "benchmarks.png", results, chain)
    print(f"written: {options.output / 'benchmarks.json'}" + (f", {options.output / 'benchmarks.png'}" if drawn else ""))
    return 1 if any(result.failures for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
