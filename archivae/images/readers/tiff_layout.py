"""How a TIFF's page says its samples lie: depth, type, colours, bands beyond them (TIFF 6.0, sections 8 to 23)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.picture import CHANNELS, Colours

BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT = 258, 259, 262, 277, 338, 339
COLOUR_MAP, INK_SET, DEPTH = 320, 332, 32997
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR = 0, 1, 2, 3, 5, 6
UNSIGNED, SIGNED, FLOAT, UNTYPED = 1, 2, 3, 4
PREMULTIPLIED, STRAIGHT = 1, 2

_COLOURS: dict[int, Colours] = {
    WHITE_IS_ZERO: "grey", BLACK_IS_ZERO: "grey", RGB: "rgb", PALETTE: "grey", INKS: "cmyk", YCBCR: "rgb",
}  # fmt: skip
_OTHERS = {
    4: "a transparency mask", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "a camera's colour filter array",
    32844: "logarithmic luminance", 32845: "logarithmic LUV", 34892: "a camera's linear raw", 51177: "a depth map",
}  # fmt: skip
_CMYK = 1
_MOST_SAMPLES = 65_535


@dataclass(frozen=True)
class Layout:
    """A page's samples. ``alpha`` is the index of the sample that is alpha, ``premultiplied`` whether colours hold it."""

    bits: int
    sample_format: int
    photometric: int
    compression: int
    colours: Colours
    samples: int
    alpha: int | None
    premultiplied: bool

    @property
    def wanted(self) -> list[int]:
        """Indices of the samples that make the picture: colours, then alpha."""
        return [*range(self.channels), *([] if self.alpha is None else [self.alpha])]

    @property
    def channels(self) -> int:
        """Samples that are colours, as they are stored."""
        return CHANNELS[self.colours]

    @property
    def bands(self) -> list[int]:
        """Indices of the samples that are neither colours nor alpha."""
        return [index for index in range(self.samples) if index not in self.wanted]

    @property
    def largest(self) -> int:
        """The unsigned sample that means full."""
        return 2**self.bits - 1


def layout_of(page: Any) -> Layout:
    """The layout of a page of tifffile. UnsupportedPictureError for one that isn't coded."""
    tags = page.tags
    bits, formats = _numbers(tags, BITS, 1), _numbers(tags, SAMPLE_FORMAT, UNSIGNED)
    photometric, samples = _number(tags, PHOTOMETRIC, -1), _number(tags, SAMPLES, 1)
    if len(set(bits)) > 1 or len(set(formats)) > 1:
        raise UnsupportedPictureError(f"a TIFF whose samples differ in type ({bits} bits): convert it or keep it aside")
    if photometric < 0:
        raise DamagedPictureError("decoding TIFF failed: no tag says what its samples mean (PhotometricInterpretation)")
    if photometric not in _COLOURS:
        found = _OTHERS.get(photometric, f"photometric interpretation {photometric}")
        raise UnsupportedPictureError(f"a TIFF of {found}, which isn't coded yet: convert it or keep it aside")
    if _number(tags, DEPTH, 1) > 1:
        raise UnsupportedPictureError("a TIFF of a volume, which isn't coded yet: convert it to pages")
    if photometric == INKS and _number(tags, INK_SET, _CMYK) != _CMYK:
        raise UnsupportedPictureError("a TIFF of inks other than CMYK, which isn't coded yet: convert it")
    colours = _COLOURS[photometric]
    if not CHANNELS[colours] <= samples <= _MOST_SAMPLES:
        raise UnsupportedPictureError(f"a TIFF of {colours} with {samples} samples a pixel: look whether it is damaged")
    extra = _numbers(tags, EXTRA_SAMPLES, 0)
    at = next((n for n, kind in enumerate(extra) if kind in (PREMULTIPLIED, STRAIGHT)), None)
    alpha = None if at is None or CHANNELS[colours] + at >= samples else CHANNELS[colours] + at
    return Layout(
        bits=bits[0],
        sample_format=UNSIGNED if formats[0] == UNTYPED else formats[0],
        photometric=photometric,
        compression=_number(tags, COMPRESSION, 1),
        colours=colours,
        samples=samples,
        alpha=alpha,
        premultiplied=alpha is not None and extra[at or 0] == PREMULTIPLIED,
    )


def _numbers(tags: Any, code: int, default: int) -> tuple[int, ...]:
    value = tags.valueof(code, default)
    return tuple(int(number) for number in value) if isinstance(value, tuple) else (int(value),)


def _number(tags: Any, code: int, default: int) -> int:
    return _numbers(tags, code, default)[0]
