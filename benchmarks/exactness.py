"""Does a file made in any way decode in every other way to the same integers? The first promise of an archive.

    python -m benchmarks.exactness [--pictures FOLDER] [--quick] [--work FOLDER] [--out FILE]

Ways are data types, thread counts, kernels and devices (benchmarks/configurations.py), each a process of its own.
Every one encodes 4 pictures at 2 qualities, the first also all 24 at 5; every one decodes all of these files. The
restored latents must be the same to the last bit, and pixels within 2 levels of those of the first. The exit code is 1
if any is not. `--work` keeps what was done in a folder, and a second run does only what is missing there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from archivae.models import DEFAULT_MODEL
from benchmarks.configurations import Configuration, all_configurations
from benchmarks.exactness_worker import Plan, read_plan
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import KODAK, find_pictures

ROOT = Path(__file__).resolve().parent.parent
SHARED_PICTURES, SHARED_QUALITIES = 4, (25.0, 75.0)
DEEP_QUALITIES = (0.0, 25.0, 50.0, 75.0, 100.0)
WITHIN_LEVELS = 2
ENCODED, DECODED = "encoded", "decoded"


@dataclass(frozen=True)
class Verdict:
    """What one configuration made of all files.

    ``unlike``: of the files that it encoded itself, how many are not those of the reference, byte for byte.
    ``mismatches``: files whose integers it did not restore as the reference did, with the reason; ``levels``: how far
    its furthest pixel is from the reference's.
    """

    name: str
    encoded: int
    unlike: int
    decoded: int
    mismatches: Mapping[str, str]
    levels: int
    seconds: float

    @property
    def good(self) -> bool:
        return self.decoded > 0 and not self.mismatches and self.levels <= WITHIN_LEVELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=KODAK)
    parser.add_argument("--quick", action="store_true", help="one picture at one quality")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--work", type=Path, help="a folder to keep, for a run that can be taken up again")
    parser.add_argument("--out", type=Path, default=RESULTS / "exactness.json")
    arguments = parser.parse_args()
    configurations = all_configurations()
    plan = make_plan(arguments.pictures, arguments.model, arguments.quick, configurations[0])
    with tempfile.TemporaryDirectory(prefix="archivae-exactness-") as temporary:
        verdicts = prove(plan, configurations, arguments.work or Path(temporary), arguments.jobs)
    Console().print(as_table(verdicts))
    if not arguments.quick:
        write_json(arguments.out, as_result(plan, verdicts))
    sys.exit(not all(verdict.good for verdict in verdicts))


def make_plan(pictures: Path, model: str, quick: bool, reference: Configuration) -> Plan:
    """What is encoded, at which qualities."""
    if quick:
        jobs = ((str(find_pictures(pictures, 1)[0]), SHARED_QUALITIES[0]),)
        return Plan(model, reference.name, jobs, ())
    some, every = (map(str, find_pictures(pictures, count)) for count in (SHARED_PICTURES, None))
    shared, deep = tuple(product(some, SHARED_QUALITIES)), tuple(product(every, DEEP_QUALITIES))
    return Plan(model, reference.name, shared, deep)


def prove(plan: Plan, configurations: Sequence[Configuration], folder: Path, jobs: int = 1) -> list[Verdict]:
    """Encode in all ``configurations``, decode in all, compare; ``jobs`` processes at once. The reference comes first."""
    for part in (ENCODED, DECODED, "files", "reference"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if (folder / "plan.json").exists() and read_plan(folder) != plan:
        raise SystemExit(f"{folder} holds another run: give an empty folder with --work")
    plan.write(folder)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda configuration: work("encode", configuration, folder), configurations))
        work("decode", configurations[0], folder)  # the others compare their pixels with its
        list(pool.map(lambda configuration: work("decode", configuration, folder), configurations[1:]))
    return [judge(configuration.name, plan.reference, folder) for configuration in configurations]


def work(direction: str, configuration: Configuration, folder: Path) -> None:
    """One process, unless what it would write is there already."""
    if (folder / f"{direction}d" / f"{configuration.name}.json").exists():
        return
    print(f"{direction} {configuration.name}", flush=True)
    words = [sys.executable, "-m", "benchmarks.exactness_worker", direction, configuration.name, str(folder.resolve())]
    subprocess.run(words, check=True, cwd=ROOT, env=os.environ | configuration.environment)


def judge(name: str, reference: str, folder: Path) -> Verdict:
    """One configuration beside the reference."""
    written, expected_written = (read(folder, ENCODED, who)["files"] for who in (name, reference))
    decoded, expected = (read(folder, DECODED, who)["files"] for who in (name, reference))
    return Verdict(
        name,
        encoded=len(written),
        unlike=sum(file != expected_written[job] for job, file in written.items()),
        decoded=len(decoded),
        mismatches=mismatches(decoded, expected),
        levels=max((found["levels"] for found in decoded.values() if "levels" in found), default=0),
        seconds=sum(read(folder, part, name)["seconds"] for part in (ENCODED, DECODED)),
    )


def mismatches(decoded: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, str]:
    """Files that were not decoded, or to other integers than expected; a file that nobody can decode counts too."""
    wrong = {}
    for file, right in expected.items():
        found = decoded.get(file, {"problem": "not decoded"})
        if "problem" in found:
            wrong[file] = found["problem"]
        elif found["restored"] != right.get("restored"):
            wrong[file] = f"restored to {found['restored']}, the reference to {right.get('restored')}"
    return wrong


def read(folder: Path, part: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / part / f"{name}.json").read_text())
    return content


def as_result(plan: Plan, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Everything, as it is written."""
    return {
        "reference": plan.reference,
        "encoded_in_every_configuration": len(plan.shared),
        "encoded_in_the_reference": len({*plan.shared, *plan.deep}),
        "distinct_files": verdicts[0].decoded,
        "mismatches": sum(len(verdict.mismatches) for verdict in verdicts),
        "furthest_levels": max(verdict.levels for verdict in verdicts),
        "configurations": [asdict(verdict) for verdict in verdicts],
    }


def as_table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts, for people."""
    title = f"{verdicts[0].decoded} distinct files decoded in every configuration"
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    table.add_column("configuration", no_wrap=True)
    for column in ("unlike", "mismatches", "levels", "seconds", ""):
        table.add_column(column, justify="right")
    for v in verdicts:
        unlike, seconds = f"{v.unlike} of {v.encoded}", f"{v.seconds:.0f}"
        outcome = "good" if v.good else "[red]WRONG"
        table.add_row(v.name, unlike, str(len(v.mismatches)), str(v.levels), seconds, outcome)
    return table


if __name__ == "__main__":
    main()
