"""Files gone wrong through the parsers and the decoder, by the number: never a crash, a hang or over 300 MiB more than idle.

    python -m benchmarks.fuzz [--mutants 1000000] [--minutes M] [--seed 0] [--out benchmarks/results/fuzz_outside.json]
    python -m benchmarks.fuzz --guided CORPUS [libFuzzer's own options]

Mutants are made of small files of every coding (tests/fuzz/mutants.py) and of all else that is read from an archive or a
policy (tests/fuzz/outside.py), and numbered: `--seed N --mutants 1` makes the one
that a run complained of again. With --guided, atheris (`pip install atheris`) looks for bytes that reach new code, for ever.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.machine import RESULTS, write_json
from tests.fuzz.mutants import mutant, resealed, scarred, seeds
from tests.fuzz.outside import KINDS, outside_mutant
from tests.fuzz.targets import decodes, parses

HANGS_AFTER = 60.0  # seconds
MEMORY_LIMIT_MEBIBYTES = 300


Target = tuple[Callable[[int], bytes], Callable[[bytes], bool]]
"""From a number to a mutant, and what it is put through."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, however many were tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "fuzz_outside.json")
    parser.add_argument("--guided", type=Path, metavar="CORPUS", help="folder that atheris keeps what it finds in")
    arguments, of_atheris = parser.parse_known_args()
    if arguments.guided:
        guided(arguments.guided, of_atheris)
        return
    for data in seeds().values():  # compile what there is to compile
        assert decodes(data)
    for name, kind in KINDS.items():
        assert kind.reads(kind.seed()) or name == "lease"
    idle = peak_bytes()
    tallies = run(arguments.mutants, arguments.minutes, arguments.seed)
    grown = (peak_bytes() - idle) >> 20
    total = sum(tally.tried for tally in tallies.values())
    wrong = tallies["parsed, checksums as they were"].accepted
    summary = {
        "tried": total,
        "crashes": 0,
        "accepted_wrong": wrong,
        "idle_mebibytes": idle >> 20,
        "grown_mebibytes": grown,
    }
    result = {name: asdict(tally) for name, tally in tallies.items()}
    write_json(arguments.out, {**summary, "targets": result})
    Console().print(as_table(result), summary)
    assert not wrong
    assert grown < MEMORY_LIMIT_MEBIBYTES


def targets() -> dict[str, tuple[int, Target]]:
    """All that is done, by name, with how many mutants it gets at each turn."""
    kinds = list(seeds())

    def of_a_picture(change: Callable[[bytes, Random], bytes]) -> Callable[[int], bytes]:
        return lambda number: change(seeds()[kinds[number % len(kinds)]], Random(number))

    def of(kind: str) -> Callable[[int], bytes]:
        return lambda number: outside_mutant(kind, Random(number))

    found: dict[str, tuple[int, Target]] = {
        "parsed, checksums right": (120, (of_a_picture(mutant), parses)),
        "parsed, checksums as they were": (260, (of_a_picture(scarred), parses)),
        "decoded, checksums right": (4, (of_a_picture(mutant), decodes)),
    }
    return found | {name: (1, (of(name), kind.reads)) for name, kind in KINDS.items()}


@dataclass
class Tally:
    """Of one target: mutants tried, those it took, seconds in all and for the slowest."""

    tried: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0


def run(count: int, minutes: float, seed: int) -> dict[str, Tally]:
    """Put ``count`` mutants through the targets by turns. What is raised there ends the run, after the mutant's number."""
    shares = targets()
    tallies = {name: Tally() for name in shares}
    began = time.monotonic()
    while sum(tally.tried for tally in tallies.values()) < count and time.monotonic() - began < 60 * minutes:
        for name, (share, target) in shares.items():
            for _ in range(share):
                try_one(name, seed + tallies[name].tried, target, tallies[name])
    faulthandler.cancel_dump_traceback_later()
    return tallies


def try_one(name: str, number: int, target: Target, tally: Tally) -> None:
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    make, read = target
    began = time.perf_counter()
    try:
        broken = make(number)
        started = time.perf_counter()
        tally.accepted += broken != unharmed(name, number) and read(broken)
    except BaseException:
        print(f"mutant {number} of {name!r}", file=sys.stderr)
        raise
    ended = time.perf_counter()
    tally.tried += 1
    tally.seconds += ended - began
    tally.slowest_seconds = max(tally.slowest_seconds, ended - started)


def unharmed(name: str, number: int) -> bytes:
    """What a mutant was made of."""
    return KINDS[name].seed() if name in KINDS else list(seeds().values())[number % len(seeds())]


def peak_bytes() -> int:
    """Resident memory at its peak so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def guided(corpus: Path, words: list[str]) -> None:
    """Have atheris choose the bytes; checksums are put right before the parsers see them."""
    import atheris

    corpus.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (corpus / name.replace(" ", "-")).write_bytes(data)
    atheris.instrument_func(parses)
    for module in [module for name, module in sys.modules.items() if name.startswith("archivae.bitstream.")]:
        for name, found in list(vars(module).items()):
            if getattr(found, "__module__", "") == module.__name__ and hasattr(found, "__code__"):
                setattr(module, name, atheris.instrument_func(found))
    atheris.Setup([sys.argv[0], str(corpus), *words], lambda data: parses(resealed(data)))
    atheris.Fuzz()


def as_table(result: dict[str, dict[str, float]]) -> Table:
    """The figures, for people."""
    table = Table("mutants", "tried", "accepted", "a second", "slowest, s", box=box.SIMPLE)
    for name, found in result.items():
        rate = found["tried"] / found["seconds"] if found["seconds"] else 0.0
        table.add_row(
            name, f"{found['tried']:,}", f"{found['accepted']:,}", f"{rate:,.0f}", f"{found['slowest_seconds']:.3f}"
        )
    return table


if __name__ == "__main__":
    main()
