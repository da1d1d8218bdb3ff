"""The rate-distortion plot: PSNR, MS-SSIM and, where measured, SSIMULACRA 2 over bits per pixel.

ArchiVAE's models stand before all others.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archivae.evaluation.curves import Curve, rival_of

LOWEST_BPP, HIGHEST_BPP = 0.08, 2.6
_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0)

# Strong and apart for ours, quieter for what was measured beside them, thin and muted for what others published: the
# eye goes where the weight is. Hues and dashes stay apart for colour-blind readers (after Okabe and Ito).
_OURS = ("#0b57d0", "#c2185b", "#00796b", "#6a1b9a")
_MEASURED = ("#e69f00", "#56b4e9", "#d55e00", "#009e73", "#cc79a7")

# The published curves worth a line, by colour and dash: learned codecs purple, standards grey. Others lie on or between
# these and stand in the tables alone.
_PUBLISHED = {
    "hpcm-large": ("#7b5ea7", "-"),
    "paper-elic2022_mse": ("#7b5ea7", "--"),
    "compressai-mbt2018-mean_mse_ans_cuda-8bit": ("#7b5ea7", ":"),
    "vtm": ("#222222", "-"),
    "bpg_444_x265_ycbcr": ("#222222", "--"),
    "jpeg2000": ("#222222", ":"),
    "avif": ("#888888", "-"),
    "webp": ("#888888", "--"),
    "jxl": ("#888888", "-."),
    "jpeg": ("#888888", ":"),
}
_INK, _FAINT, _DIM = "#222222", "#e4e4e4", "#666666"

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same plot everywhere
    "font.size": 10,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "archivae",  # without it each run names its parts anew, and a committed plot changes for nothing
}

_Style = dict[str, Any]
_Points = Sequence[tuple[float, float]]


def draw(curves: Sequence[Curve], title: str, kind: Literal["svg", "png"]) -> bytes:
    """The plot as a file, the same bytes for the same curves. ``curves``: those of this run and published ones."""
    shown = [curve for curve in curves if curve.measured or curve.name in _PUBLISHED]
    first = {rival_of(curve): curve for curve in reversed(shown)}
    rivals = [curve for curve in shown if first[rival_of(curve)] is curve]
    styles = dict(zip(map(rival_of, rivals), _styles(rivals), strict=True))
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(13, 5.6), layout="constrained")
        panels = {"PSNR in RGB (dB)": Curve.by_psnr, "MS-SSIM (dB)": Curve.by_ms_ssim}
        if any(curve.by_ssimulacra2() for curve in shown):
            panels["SSIMULACRA 2"] = Curve.by_ssimulacra2
        left, *others = figure.subplots(1, len(panels))
        for axes, (quality, measure) in zip((left, *others), panels.items(), strict=True):
            for name, points in _at_their_best(shown, measure).items():
                _line(axes, name, points, styles[name])
            _dress(axes, quality)
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=_INK)
        if not all(curve.measured for curve in shown):
            left.set_title("with points: measured in this run; without: published", loc="left", fontsize=9, color=_DIM)
        _legend(figure, left, rivals)
        return _file(figure, kind)


def _styles(curves: Sequence[Curve]) -> Iterator[_Style]:
    ours, measured = cycle(_OURS), cycle(_MEASURED)
    for curve in curves:
        if curve.ours:
            yield {"color": next(ours), "lw": 3.0, "marker": "o", "ms": 6.5, "mec": "white", "mew": 1.2, "zorder": 5}
        elif curve.measured:
            yield {"color": next(measured), "lw": 1.8, "marker": "o", "ms": 4, "zorder": 4}
        else:
            colour, dash = _PUBLISHED[curve.name]
            yield {"color": colour, "ls": dash, "lw": 1.2, "zorder": 3}


def _at_their_best(curves: Sequence[Curve], measure: Callable[[Curve], _Points]) -> dict[str, _Points]:
    """The points of each rival: of its variants those of the one that is highest by ``measure``."""
    best: dict[str, _Points] = {}
    for curve in curves:
        points, rival = measure(curve), rival_of(curve)
        if rival not in best or _height(points) > _height(best[rival]):
            best[rival] = points
    return best


def _line(axes: Axes, name: str, points: _Points, style: _Style) -> None:
    if points:
        rates, qualities = zip(*points, strict=True)
        axes.plot(rates, qualities, label=name, **style)


def _dress(axes: Axes, quality: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(LOWEST_BPP, HIGHEST_BPP)
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(MaxNLocator(12, steps=(1, 2, 5, 10), integer=True))
    axes.set_ylim(*_span(axes))
    axes.set_xlabel("Bits per pixel, whole file (log scale)")
    axes.set_ylabel(quality)
    axes.grid(color=_FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _span(axes: Axes) -> tuple[float, float]:
    """The qualities of what lies within the shown rates, with a little air."""
    points = np.concatenate([line.get_xydata() for line in axes.lines] or [np.array([[1.0, 30.0]])])
    seen = points[(points[:, 0] >= LOWEST_BPP) & (points[:, 0] <= HIGHEST_BPP), 1]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
    air = 0.04 * (high - low) + 0.1
    return low - air, high + air


def _legend(figure: Figure, axes: Axes, curves: Sequence[Curve]) -> None:
    """Beside the panels, in the order in which the curves lie one above the other, ours first."""
    lines = {line.get_label(): line for line in axes.lines}
    ranked = sorted(curves, key=lambda curve: (not curve.ours, -_height(curve.by_psnr())))
    handles = [lines[name] for name in map(rival_of, ranked) if name in lines]
    figure.legend(handles=handles, loc="outside right center", frameon=False, handlelength=3.2)


def _height(points: _Points) -> float:
    """Quality at half a bit per pixel, by straight lines."""
    if not points:
        return -math.inf
    rates, qualities = zip(*points, strict=True)
    return float(np.interp(0.5, rates, qualities))


def _file(figure: Figure, kind: Literal["svg", "png"]) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return file.getvalue()
