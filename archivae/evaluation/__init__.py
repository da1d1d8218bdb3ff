"""Codecs against each other: measured on whole files, compared by BD-rate, drawn as rate-distortion curves."""

from archivae.evaluation.bd_rate import BdRate, bd_rate
from archivae.evaluation.codecs import Codec, parse_codecs
from archivae.evaluation.curves import Comparison, Contest, Curve, compare, contests, measured_curves, reference_curves
from archivae.evaluation.measure import Measurement, Point, mean_points, measure_picture, warm_up

__all__ = [
    "BdRate",
    "Codec",
    "Comparison",
    "Contest",
    "contests",
    "Curve",
    "Measurement",
    "Point",
    "bd_rate",
    "compare",
    "mean_points",
    "measure_picture",
    "measured_curves",
    "parse_codecs",
    "reference_curves",
    "warm_up",
]
