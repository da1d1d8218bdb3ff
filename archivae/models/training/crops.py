"""The crops of a plan: damaged or not, and large ones at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archivae.models.training.copies import damaged_copy
from archivae.models.training.data import Batch, CropSampler, Pixels
from archivae.models.training.plan import TrainingPlan
from archivae.models.training.workers import Workers


class PlannedCrops:
    """Draws what each step of ``plan`` sees of ``pictures``, (H, W, 3) uint8; those too small for a crop are not used.

    Raises UsageError if no picture is large enough, or ``workers`` cannot share a batch.
    """

    def __init__(self, plan: TrainingPlan, pictures: Sequence[Pixels], workers: Workers) -> None:
        self.usual = CropSampler(pictures, plan.crop, plan.seed, plan.damaged, damaged_copy)
        self._share = workers.share(plan.batch)
        self._large_from = plan.large_crops_from
        self._large: CropSampler | None = None
        if plan.large_crop:
            self._large = CropSampler(pictures, plan.large_crop, plan.seed, plan.damaged, damaged_copy)
            self._large_share = workers.share(plan.large_batch)

    def batches(self, steps: range) -> Iterator[Batch]:
        """The batches of ``steps``, each drawn while the one before it is in use."""
        turn = min(max(steps.start, self._large_from), steps.stop)
        yield from self.usual.batches(range(steps.start, turn), self._share)
        if self._large is not None:
            yield from self._large.batches(range(turn, steps.stop), self._large_share)
