"""How large a picture is meant to be: dots an inch or a centimetre, which every format tells in its own way.

In an archive EXIF tells it. Where a file's EXIF doesn't, it is told to: a new first directory is put behind the block, so that
maker notes and all offsets into it stay as they were.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Unit = Literal["inch", "cm", "none"]

_ACROSS, _DOWN, _UNIT = 0x011A, 0x011B, 0x0128
_SHORT, _RATIONAL = 3, 5
_UNITS: dict[int, Unit] = {1: "none", 2: "inch", 3: "cm"}
_NUMBERS = {unit: number for number, unit in _UNITS.items()}
_JFIF_UNITS: dict[int, Unit] = {0: "none", 1: "inch", 2: "cm"}
_JFIF_NUMBERS = {unit: number for number, unit in _JFIF_UNITS.items()}
_INCH = Fraction("2.54")
_LARGEST = 2**32 - 1
_LARGEST_JFIF = 65535
SAME_WITHIN = 1.3
"""Dots an inch by which two formats may differ and mean the same: JFIF counts whole dots a centimetre."""


@dataclass(frozen=True)
class Resolution:
    """Dots a unit, above 0; of unit "none" only their ratio counts."""

    across: Fraction
    down: Fraction
    unit: Unit

    @property
    def says_something(self) -> bool:
        """Square pixels of no size are what any picture has."""
        return self.unit != "none" or self.across != self.down

    def agrees(self, other: Resolution) -> bool:
        """Whether both mean the same, as near as formats can tell; a mere ratio agrees with any size of that ratio."""
        if "none" in (self.unit, other.unit):
            return abs(self.across * other.down / (self.down * other.across) - 1) < 0.01
        return all(abs(a - b) <= SAME_WITHIN for a, b in zip(self._inches(), other._inches(), strict=True))

    def _inches(self) -> tuple[Fraction, Fraction]:
        factor = _INCH if self.unit == "cm" else Fraction(1)
        return self.across * factor, self.down * factor

    def __str__(self) -> str:
        if self.unit == "none":
            return f"{float(self.across):g}:{float(self.down):g}"
        across, down = (f"{float(dots):.6g}" for dots in (self.across, self.down))
        return (
            f"{across if across == down else f'{across} x {down}'} dots {'an inch' if self.unit == 'inch' else 'a cm'}"
        )


def resolution(across: Fraction | int, down: Fraction | int, unit: Unit) -> Resolution | None:
    """None for what says nothing, or is none."""
    if across <= 0 or down <= 0:
        return None
    found = Resolution(Fraction(across), Fraction(down), unit)
    return found if found.says_something else None


def per_metre(across: int, down: int) -> Resolution | None:
    """As PNG and BMP tell it."""
    return resolution(Fraction(across, 100), Fraction(down, 100), "cm")


def jfif_resolution(body: bytes) -> Resolution | None:
    """What the body of a JFIF segment says."""
    if len(body) < 12 or body[7] not in _JFIF_UNITS:
        return None
    across, down = struct.unpack_from(">HH", body, 8)
    return resolution(across, down, _JFIF_UNITS[body[7]])


def exif_resolution(exif: bytes) -> Resolution | None:
    """What the first directory says; None if it says nothing, or is damaged."""
    try:
        order, directory, _ = _first_directory(exif)
        entries = {
            tag: (kind, entry[8:]) for entry in directory for tag, kind in [struct.unpack_from(order + "HH", entry)]
        }
        across, down = (_fraction(exif, order, *entries[tag]) for tag in (_ACROSS, _DOWN))
        kind, value = entries.get(_UNIT, (_SHORT, None))
        number = 2 if value is None else struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)[0]
    except (KeyError, ValueError, ZeroDivisionError, struct.error):
        return None
    return resolution(across, down, _UNITS.get(number, "none"))


def with_resolution(exif: bytes, told: Resolution) -> bytes:
    """The block saying ``told``; as it was where it says a resolution already, or can't be told to: damaged, full."""
    if exif_resolution(exif) is not None:
        return exif
    try:
        order, entries, following = _first_directory(exif) if exif else ("<", [], 0)
        block = exif or b"II*\x00" + bytes(4)
        start = len(block) + len(block) % 2
        kept = [entry for entry in entries if struct.unpack_from(order + "H", entry)[0] not in (_ACROSS, _DOWN, _UNIT)]
        values = start + 2 + 12 * (len(kept) + 3) + 4
        kept.append(struct.pack(order + "HHII", _ACROSS, _RATIONAL, 1, values))
        kept.append(struct.pack(order + "HHII", _DOWN, _RATIONAL, 1, values + 8))
        kept.append(struct.pack(order + "HHIHH", _UNIT, _SHORT, 1, _NUMBERS[told.unit], 0))
        kept.sort(key=lambda entry: struct.unpack_from(order + "H", entry)[0])
        directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + struct.pack(order + "I", following)
        rationals = b"".join(_rational(order, dots) for dots in (told.across, told.down))
        head = block[:4] + struct.pack(order + "I", start)
    except (ValueError, struct.error):
        return exif
    return head + block[8:].ljust(start - 8, b"\x00") + directory + rationals


def with_sides_exchanged(exif: bytes) -> bytes:
    """The block of a picture that was turned onto its side: dots across are dots down. As it was where it tells none."""
    try:
        order, entries, _ = _first_directory(exif)
        (start,) = struct.unpack_from(order + "I", exif, 4)
        tags = [struct.unpack_from(order + "H", entry)[0] for entry in entries]
        across, down = (tags.index(tag) for tag in (_ACROSS, _DOWN))
    except (ValueError, struct.error):
        return exif
    block = bytearray(exif)
    for place, other in ((across, down), (down, across)):
        block[start + 4 + 12 * place : start + 14 + 12 * place] = entries[other][2:]  # all but the tag
    return bytes(block)


def dots_per_metre(told: Resolution) -> tuple[int, int, int] | None:
    """Across, down and unit as PNG's chunk pHYs has them: 1 for the metre, 0 for a ratio. None where they don't fit."""
    if told.unit == "none":
        ratio = told.across / told.down
        found = (ratio.numerator, ratio.denominator, 0)
    else:
        factor = 100 if told.unit == "cm" else 100 / _INCH
        found = (round(told.across * factor), round(told.down * factor), 1)
    return found if min(found[:2]) > 0 and max(found[:2]) < 2**31 else None


def jfif_density(told: Resolution) -> bytes | None:
    """The unit and the two densities of a JFIF segment: whole numbers. None where they don't fit."""
    across, down, unit = told.across, told.down, told.unit
    if unit == "cm" and (across.denominator, down.denominator) != (1, 1):
        across, down, unit = across * _INCH, down * _INCH, "inch"
    if unit == "none":
        ratio = across / down
        across, down = Fraction(ratio.numerator), Fraction(ratio.denominator)
    whole = (round(across), round(down))
    if not 0 < min(whole) <= max(whole) <= _LARGEST_JFIF:
        return None
    return struct.pack(">BHH", _JFIF_NUMBERS[unit], *whole)


def _first_directory(exif: bytes) -> tuple[str, list[bytes], int]:
    """The byte order, the entries of 12 bytes, and where the next directory lies. ValueError or struct.error if damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        raise ValueError("no byte order")
    (at,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, at)
    (following,) = struct.unpack_from(order + "I", exif, at + 2 + 12 * count)
    return order, [exif[at + 2 + 12 * n : at + 14 + 12 * n] for n in range(count)], following


def _fraction(exif: bytes, order: str, kind: int, value: bytes) -> Fraction:
    if kind != _RATIONAL:
        raise ValueError("no rational")
    (at,) = struct.unpack(order + "I", value)
    return Fraction(*struct.unpack_from(order + "II", exif, at))


def _rational(order: str, dots: Fraction) -> bytes:
    near = dots.limit_denominator(1_000_000)
    if near.numerator > _LARGEST:
        raise ValueError("too many dots")
    return struct.pack(order + "II", near.numerator, near.denominator)
