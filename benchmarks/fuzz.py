"""Files gone wrong through the parsers and the decoder, by the number: never a crash, a hang or over 1 GiB.

    python -m benchmarks.fuzz [--mutants 1000000] [--decodes 10000] [--seed 0] [--out benchmarks/results/fuzz.json]
    python -m benchmarks.fuzz --guided CORPUS [libFuzzer's own options]

Mutants are made of small files of every coding (tests/fuzz/mutants.py) and numbered: `--seed N --mutants 1` makes the one
that a run complained of again. With --guided, atheris (`pip install atheris`) looks for bytes that reach new code, for ever.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.machine import RESULTS, write_json
from tests.fuzz.mutants import mutant, resealed, scarred, seeds
from tests.fuzz.targets import decodes, parses

HANGS_AFTER = 60.0  # seconds
MEMORY_LIMIT = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--decodes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "fuzz.json")
    parser.add_argument("--guided", type=Path, metavar="CORPUS", help="folder that atheris keeps what it finds in")
    arguments, of_atheris = parser.parse_known_args()
    if arguments.guided:
        guided(arguments.guided, of_atheris)
        return
    for data in seeds().values():  # compile what there is to compile
        assert decodes(data)
    before = peak_bytes()
    result = {
        "parsed, checksums right": run(arguments.mutants, arguments.seed, mutant, parses),
        "parsed, checksums as they were": run(arguments.mutants // 4, arguments.seed, scarred, parses),
        "decoded, checksums right": run(arguments.decodes, arguments.seed, mutant, decodes),
    }
    assert not result["parsed, checksums as they were"]["accepted"]
    memory = {"peak_mebibytes_before": before >> 20, "peak_mebibytes": peak_bytes() >> 20}
    assert peak_bytes() - before < MEMORY_LIMIT
    write_json(arguments.out, {**memory, **result})
    Console().print(as_table(result), memory)


def run(
    count: int, seed: int, change: Callable[[bytes, Random], bytes], target: Callable[[bytes], bool]
) -> dict[str, float]:
    """Put ``count`` mutants through ``target``. What is raised there ends the run, after the mutant's number."""
    kinds = list(seeds())
    accepted, slowest, began = 0, 0.0, time.perf_counter()
    for number in range(seed, seed + count):
        data = seeds()[kinds[number % len(kinds)]]
        broken = change(data, Random(number))
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        started = time.perf_counter()
        try:
            accepted += broken != data and target(broken)
        except BaseException:
            print(f"mutant {number} of {kinds[number % len(kinds)]!r}", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - started)
    faulthandler.cancel_dump_traceback_later()
    seconds = time.perf_counter() - began
    return {"tried": count, "accepted": accepted, "seconds": seconds, "slowest_seconds": slowest}


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
