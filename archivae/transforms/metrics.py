"""What a job counts. All metrics lie in the namespace ``archivae``."""

from __future__ import annotations

from apache_beam.metrics import Metrics

NAMESPACE = "archivae"
_MICROSECONDS = 1_000_000


def counter(name: str) -> Metrics.DelegatingCounter:
    return Metrics.counter(NAMESPACE, name)


class StepMetrics:
    """Counters and distributions of a step that works on pictures, made once per DoFn.

    Counters: ``pictures``, ``pixels``, ``bytes_in``, ``bytes_out``. Distributions: ``batch_size`` and, in microseconds,
    ``microseconds_<part>`` for the parts of `archivae.stopwatch`.
    """

    def __init__(self, step: str) -> None:
        self._step = step
        self.pictures = counter(f"{step}_pictures")
        self.pixels = counter(f"{step}_pixels")
        self.bytes_in = counter(f"{step}_bytes_in")
        self.bytes_out = counter(f"{step}_bytes_out")
        self.batch_size = Metrics.distribution(NAMESPACE, f"{step}_batch_size")

    def add_seconds(self, seconds: dict[str, float]) -> None:
        """Record what `archivae.stopwatch.take_seconds` gave."""
        for part, spent in seconds.items():
            name = f"{self._step}_microseconds_{part.replace(' ', '_')}"
            Metrics.distribution(NAMESPACE, name).update(int(spent * _MICROSECONDS))
