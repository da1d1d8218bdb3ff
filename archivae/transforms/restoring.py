"""A restoration at work in a worker: what the steps that restore share, whatever they do with the picture then."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from archivae.images import Picture
from archivae.models.restore.pixels import Mask
from archivae.operations.restoration import AUTO, Restoration
from archivae.operations.restore import restore_picture
from archivae.stopwatch import timed
from archivae.transforms.item import Item
from archivae.transforms.masks import read_mask
from archivae.transforms.restorer_residency import RestorerSource


class Restoring:
    """Made once per worker: restorers stay; that of a task asked for outright is loaded at once."""

    def __init__(self, restoration: Restoration, source: RestorerSource, max_pixels: int) -> None:
        self._restoration = restoration
        self._max_pixels = max_pixels
        self._find = cache(source.restorer)
        if restoration.task != AUTO:
            self._find(restoration.task)

    def restore(self, item: Item, picture: Picture) -> tuple[Item, Picture]:
        """``item`` with what was done in its facts, and its picture restored; errors as of `restore_picture`."""
        restored = restore_picture(picture, self._restoration, self._find, self._mask(item))
        facts = replace(
            item.facts,
            tasks=tuple(step.task for step in restored.steps),
            strengths=tuple(step.strength for step in restored.steps),
        )
        return replace(item, facts=facts), restored.picture

    def _mask(self, item: Item) -> Mask | None:
        if not self._restoration.masks:
            return None
        with timed("io"):
            return read_mask(self._restoration.masks, item.source, self._max_pixels)
