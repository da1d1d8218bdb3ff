"""Colours that a file tells by numbers (ITU-T H.273), not by a profile: where they aren't sRGB's, that is noted."""

from __future__ import annotations

import re
from dataclasses import replace

from archivae.images.notes import lost
from archivae.images.picture import Raster

# A colr box of AVIF and HEIF: primaries, transfer; and a PNG's chunk.
_BOX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_CHUNK = re.compile(rb"\x00\x00\x00\x04cICP(.)(.)", re.DOTALL)
_OTHER_PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_OTHER_TRANSFERS = {8: "linear light", 16: "PQ (HDR)", 18: "HLG (HDR)"}

Numbers = tuple[int, int]
"""Of the primaries and of the transfer."""
_UNSPECIFIED: Numbers = (2, 2)


def boxed_numbers(data: bytes) -> Numbers:
    """What an AVIF or HEIF file tells."""
    return _numbers(_BOX.search(data))


def chunk_numbers(head: bytes) -> Numbers:
    """What a PNG tells in the chunks before its pixels."""
    return _numbers(_CHUNK.search(head))


def taken_as_srgb(raster: Raster, numbers: Numbers) -> Raster:
    """``raster`` with a note for each number that says something else; a profile goes before numbers."""
    if raster.metadata.icc:
        return raster
    names = _OTHER_PRIMARIES.get(numbers[0]), _OTHER_TRANSFERS.get(numbers[1])
    return replace(raster, notes=raster.notes + lost(*(f"colours of {name} taken as sRGB" for name in names if name)))


def _numbers(found: re.Match[bytes] | None) -> Numbers:
    if found is None:
        return _UNSPECIFIED
    primaries, transfer = (int.from_bytes(number, "big") for number in found.groups())
    return primaries, transfer
