"""Colours that a file tells by numbers (ITU-T H.273), not by a profile: where they aren't sRGB's, that is noted."""

from __future__ import annotations

import re
from dataclasses import replace

from archivae.images.notes import lost
from archivae.images.picture import Raster

# A colr box of AVIF and HEIF: primaries, transfer; and a PNG's chunk.
_BOX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_CHUNK = re.compile(rb"\x00\x00\x00\x04cICP(.)(.)", re.DOTALL)
# Unspecified, or what nobody tells from sRGB: BT.709's primaries; its curve under all its numbers, and sRGB's own.
_SRGB_PRIMARIES, _SRGB_TRANSFERS = {1, 2}, {1, 2, 6, 13, 14, 15}
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
    primaries, transfer = numbers
    names = []
    if primaries not in _SRGB_PRIMARIES:
        names.append(_OTHER_PRIMARIES.get(primaries, f"primaries {primaries}"))
    if transfer not in _SRGB_TRANSFERS:
        names.append(_OTHER_TRANSFERS.get(transfer, f"transfer {transfer}"))
    return replace(raster, notes=raster.notes + lost(*(f"colours of {name} taken as sRGB" for name in names)))


def _numbers(found: re.Match[bytes] | None) -> Numbers:
    if found is None:
        return _UNSPECIFIED
    primaries, transfer = (int.from_bytes(number, "big") for number in found.groups())
    return primaries, transfer
