"""What a run found, as files: JSON with everything, CSV with a row for each codec and setting."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import Any

from archivae.evaluation.bd_rate import BdRate
from archivae.evaluation.curves import Comparison
from archivae.evaluation.measure import Measurement, Point, mean_points


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation: ``source`` as the user named it, every file measured, and pictures left out with the reason."""

    source: str
    fallbacks: bool
    measurements: tuple[Measurement, ...]
    skipped: Mapping[str, str]

    @property
    def points(self) -> list[Point]:
        """The means over pictures."""
        return mean_points(self.measurements)

    @property
    def pictures(self) -> list[str]:
        """The names of the measured pictures, each once."""
        return list(dict.fromkeys(measurement.picture for measurement in self.measurements))


def to_json(run: Run, comparisons: Sequence[Comparison]) -> bytes:
    """Everything. What is infinite or undefined is null; units are those of `Measurement`, `Point` and `BdRate`."""
    content = {
        "source": run.source,
        "fallbacks": run.fallbacks,
        "libraries": {name: version(name) for name in ("numpy", "pillow", "torch")},
        "pictures": len(run.pictures),
        "skipped": dict(run.skipped),
        "bd_rates": [_comparison(comparison) for comparison in comparisons],
        "points": [_plain(asdict(point)) for point in run.points],
        "files": [_plain(asdict(measurement)) for measurement in run.measurements],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def to_csv(run: Run) -> bytes:
    """The points, under the names of their fields; what is infinite or undefined is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [field.name for field in fields(Point)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_plain(asdict(point)) for point in run.points)
    return file.getvalue().encode()


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "codec": comparison.codec.name,
        "anchor": comparison.anchor.name,
        "anchor_measured": comparison.anchor.measured,
        "psnr": _bd_rate(comparison.by_psnr),
        "ms_ssim": _bd_rate(comparison.by_ms_ssim),
        "ssimulacra2": _bd_rate(comparison.by_ssimulacra2),
    }


def _bd_rate(rate: BdRate | None) -> dict[str, float] | None:
    return None if rate is None else _plain({"percent": rate.percent, "low_db": rate.low, "high_db": rate.high})


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Floats to six significant digits, far below what is measurable; None for those JSON cannot hold."""
    return {name: _rounded(value) if isinstance(value, float) else value for name, value in row.items()}


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
