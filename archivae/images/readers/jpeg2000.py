"""JPEG 2000: JP2 files and bare codestreams, 1 to 16 bits a component and signed, palettes, alpha, through imagecodecs."""

from __future__ import annotations

import imagecodecs
import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.metadata import Metadata
from archivae.images.notes import NO_NOTES, Notes, changed, lost
from archivae.images.picture import CHANNELS, Colours, Raster, Rasters, ReadOptions
from archivae.images.readers.jpeg2000_header import Jpeg2000Header, jpeg2000_header
from archivae.images.readers.straight_alpha import straight
from archivae.images.sizes import check_size

_MOST_BITS = 16


def read_jpeg2000(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for components of different types or of more than 16 bits."""
    header = jpeg2000_header(data)
    check_size(header.height, header.width, max_pixels)
    bits = _check_kind(header)
    try:
        samples = np.atleast_3d(imagecodecs.jpeg2k_decode(data))
    except NotImplementedError as error:
        raise UnsupportedPictureError(f"a JPEG 2000 that isn't decoded: {error}; convert it") from error
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise DamagedPictureError(f"decoding JPEG2000 failed: {error}") from error
    if samples.shape[:2] != (header.height, header.width) or samples.shape[2] != header.channels:
        raise UnsupportedPictureError(
            f"a JPEG 2000 of {header.channels} channels of {header.width} x {header.height} decodes to {samples.shape}: "
            "convert it or keep it aside"
        )
    return Rasters(_raster(samples, header, bits))


def _check_kind(header: Jpeg2000Header) -> int:
    """The bits a sample has."""
    depths = set(header.palette or header.precisions)
    if len(depths) != 1 or len(set(header.signed)) != 1:
        raise UnsupportedPictureError(
            f"a JPEG 2000 whose components differ in type ({sorted(depths)} bits): convert it"
        )
    (bits,) = depths
    if bits > _MOST_BITS:
        raise UnsupportedPictureError(f"a JPEG 2000 of {bits} bits a sample, which isn't coded yet: keep it aside")
    return bits


def _colours(header: Jpeg2000Header) -> Colours:
    """A bare codestream doesn't tell."""
    colours = header.colours or ("grey" if header.channels < CHANNELS["rgb"] else "rgb")
    if header.channels < CHANNELS[colours]:
        raise UnsupportedPictureError(f"a JPEG 2000 of {colours} with {header.channels} channels: convert it")
    return colours


def _raster(samples: np.ndarray, header: Jpeg2000Header, bits: int) -> Raster:
    colours = _colours(header)
    channels, signed = CHANNELS[colours], samples.dtype.kind == "i"
    if signed:
        samples = samples.astype(np.int16)
    alpha = None if header.alpha is None or header.alpha < channels else samples[:, :, header.alpha]
    bands = [n for n in range(channels, samples.shape[2]) if alpha is None or n != header.alpha]
    plain, largest = samples[:, :, :channels], 255 if signed else 2**bits - 1
    if header.premultiplied and alpha is not None:
        plain = straight(plain, alpha, largest)
    return Raster(
        plain,
        colours,
        largest=largest,
        alpha=alpha,
        metadata=Metadata(header.exif, header.icc, header.xmp),
        approximate=header.premultiplied or header.is_sycc or header.subsampled,
        partial=bool(bands),
        notes=_notes(header, bands) + header.notes,
    )


def _notes(header: Jpeg2000Header, bands: list[int]) -> Notes:
    notes = changed("palette expanded to RGB") if header.palette else NO_NOTES
    if header.is_sycc or header.subsampled:
        notes += changed("YCbCr converted to RGB")
    if header.premultiplied:
        notes += changed("colours divided by the alpha that they were multiplied by")
    return notes + lost(*(f"channel {band + 1}, which is no colour and no alpha" for band in bands))
