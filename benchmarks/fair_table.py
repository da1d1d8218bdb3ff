"""The README's table, from what `archivae evaluate` measured.

python -m benchmarks.fair_table benchmarks/results/kodak/rate_distortion.json
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archivae.evaluation import BdRate, Curve, compare, contests
from archivae.evaluation.codecs import CLASSIC, ArchivaeCodec
from archivae.evaluation.curves import RatePoint

FIELDS = ("bpp", "psnr", "ms_ssim", "ssimulacra2", "encode_seconds", "decode_seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="rate_distortion.json")
    found = json.loads(parser.parse_args().results.read_text())
    print("\n".join(table(found["points"])))


def table(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Markdown: each model, then what it saves against each rival by each measure, and everyone's seconds at 0.5 bpp."""
    curves = [_curve(name, points) for name in dict.fromkeys(point["codec"] for point in points)]
    lines = [
        "| | bytes at equal PSNR | at equal MS-SSIM | at equal SSIMULACRA 2 | seconds to encode | to decode |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    model = ""
    for contest in contests(c for c in compare(curves, []) if c.codec.ours):
        if contest.codec.label != model:
            model = contest.codec.label
            lines.append(f"| **{model}** against | | | | {_seconds(contest.codec.seconds())} |")
        rates = map(_percent, (contest.by_psnr, contest.by_ms_ssim, contest.by_ssimulacra2))
        lines.append(f"| {contest.rival} | {' | '.join(rates)} | {_seconds(contest.seconds)} |")
    return lines


def _curve(name: str, points: Sequence[Mapping[str, Any]]) -> Curve:
    codec = CLASSIC.get(name) or ArchivaeCodec(name, ())
    own = [RatePoint(*(_number(p.get(field)) for field in FIELDS)) for p in points if p["codec"] == name]
    return Curve(name, codec.label, tuple(sorted(own, key=lambda point: point.bpp)), True, codec.ours)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _percent(rate: BdRate | None) -> str:
    if rate is None:
        return "-"
    return f"**{rate.percent:+.1f} %**" if rate.percent < 0 else f"{rate.percent:+.1f} %"


def _seconds(both: tuple[float, float]) -> str:
    return " | ".join("-" if math.isnan(seconds) else f"{seconds:.3f}" for seconds in both)


if __name__ == "__main__":
    main()
