"""From what a file holds to what the codec takes: upright, in sRGB or grey, 8 bits; alpha apart; every change in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archivae.errors import UnsupportedPictureError
from archivae.images.colour import inks_to_rgb, read_profile
from archivae.images.depth import to_eight_bits
from archivae.images.lossless import DEEP_TYPES
from archivae.images.metadata import Metadata, made_upright, orientation
from archivae.images.notes import NO_NOTES, Notes, changed, lost, said
from archivae.images.orienting import SIDEWAYS, turned_upright
from archivae.images.picture import OwnBytes, Picture, Raster, Rasters, ReadOptions, Sequence
from archivae.images.resolution import with_sides_exchanged
from archivae.images.stripping import without_metadata, without_place
from archivae.images.thumbnails import with_thumbnail_turned


def assemble(rasters: Rasters, format: str, options: ReadOptions) -> Picture:
    """The picture with its frames. UnsupportedPictureError where two wishes can't both be met."""
    first = prepare(rasters.first, format, options)
    rest = tuple(prepare(raster, format, options) for raster in rasters.rest)
    notes = _whole_notes(rasters, options) + first.notes
    frames = [replace(first, notes=notes), *rest]
    sequence = Sequence(rest, rasters.milliseconds, rasters.loops) if rest else None
    return replace(frames[0], sequence=sequence, own_bytes=_own_bytes(rasters, frames, options))


def _whole_notes(rasters: Rasters, options: ReadOptions) -> Notes:
    """What is to be said of the file as a whole."""
    names = [f"damaged, what could be decoded is kept: {rasters.damage}"] if rasters.damage else []
    if rasters.count > 1 + len(rasters.rest):
        names.append(f"{rasters.count} frames, only the first is kept")
    if options.strip_metadata:
        metadata = rasters.first.metadata
        blocks = {"EXIF": metadata.exif, "XMP": metadata.xmp, "IPTC": metadata.iptc}
        names += [f"{name}, as asked" for name, block in blocks.items() if block]
    elif options.strip_gps and without_place(rasters.first.metadata) != rasters.first.metadata:
        names.append("where the picture was taken, as asked")
    return lost(*names)


def prepare(raster: Raster, format: str, options: ReadOptions) -> Picture:
    """One frame."""
    metadata, turn, thumbnail_notes = _orientation(raster)
    samples = turned_upright(raster.samples, 1 if raster.upright else turn)
    keeps_deep = options.keeps_depth and raster.colours != "cmyk" and samples.dtype in DEEP_TYPES
    eight, depth_notes = to_eight_bits(samples, raster.largest, raster.linear)
    if keeps_deep:
        depth_notes = ()
    if raster.reduced_from:
        depth_notes = (*depth_notes, f"{raster.reduced_from} bits a sample reduced to 8 (by at most 1/255)")
    alpha, alpha_note = _alpha(raster, 1 if raster.upright else turn, keeps_deep)
    as_stored = options.exact or keeps_deep
    pixels, metadata, colour_notes = _to_srgb(eight, raster, metadata, as_stored)
    return Picture(
        _frozen(pixels),
        format,
        _stripped(metadata, options),
        raster.notes
        + changed(*([f"orientation {turn} applied"] if turn != 1 else []), *depth_notes, *alpha_note)
        + colour_notes
        + thumbnail_notes,
        alpha=alpha,
        deep=_frozen(samples) if keeps_deep else None,
        largest=raster.largest if samples.dtype == np.uint16 else 65535,
    )


def _orientation(raster: Raster) -> tuple[Metadata, int, Notes]:
    """Metadata that says upright, with its thumbnail; which orientation that took; and what became of the thumbnail."""
    told = orientation(raster.metadata)
    turn = raster.turned if raster.upright else told
    if turn == told == 1:
        return raster.metadata, 1, NO_NOTES
    upright = made_upright(raster.metadata)
    whole = with_sides_exchanged(upright.exif) if turn in SIDEWAYS else upright.exif
    exif, notes = with_thumbnail_turned(whole, turn)
    return replace(upright, exif=exif), turn, notes


def _alpha(raster: Raster, turn: int, deep: bool) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if raster.alpha is None:
        return None, ()
    opaque = 1.0 if raster.alpha.dtype == np.float32 else raster.largest
    if float(raster.alpha.min()) >= opaque:
        return None, ("fully opaque alpha dropped",)
    alpha = turned_upright(raster.alpha, turn)
    return _frozen(alpha if deep else _eight_bit_alpha(alpha, raster.largest)), ()


def _eight_bit_alpha(alpha: np.ndarray, largest: int) -> np.ndarray:
    """No notes: the samples' own say that depth was reduced."""
    if alpha.dtype == np.float32:
        return np.rint(255 * np.clip(np.nan_to_num(alpha), 0, 1)).astype(np.uint8)
    return to_eight_bits(alpha, largest)[0]


def _to_srgb(
    pixels: np.ndarray, raster: Raster, metadata: Metadata, as_stored: bool
) -> tuple[np.ndarray, Metadata, Notes]:
    icc = metadata.icc
    if raster.colours == "cmyk":
        return _inks(pixels, metadata)
    if not icc or as_stored:
        return pixels, metadata, NO_NOTES
    if raster.linear:  # its curve is undone already
        return pixels, replace(metadata, icc=b"", source_icc=icc), NO_NOTES
    profile = read_profile(icc, raster.colours)
    if profile is None:
        return pixels, metadata, said("colour profile kept, but damaged or of other colours: not applied")
    if profile.to_srgb is None:
        return pixels, metadata, NO_NOTES
    note = changed(f"colours converted from {profile.name} to sRGB")
    return profile.to_srgb(pixels), replace(metadata, icc=b"", source_icc=icc), note


def _inks(pixels: np.ndarray, metadata: Metadata) -> tuple[np.ndarray, Metadata, Notes]:
    profile = read_profile(metadata.icc, "cmyk") if metadata.icc else None
    if profile is not None and profile.to_srgb is not None:
        converted = replace(metadata, icc=b"", source_icc=metadata.icc)
        return profile.to_srgb(pixels), converted, changed(f"CMYK converted from {profile.name} to sRGB")
    notes = changed("CMYK converted to RGB without a colour profile")
    if metadata.icc:
        notes += lost("CMYK colour profile, which can't be applied")
    return inks_to_rgb(pixels), replace(metadata, icc=b""), notes


def _stripped(metadata: Metadata, options: ReadOptions) -> Metadata:
    if options.strip_metadata:
        return without_metadata(metadata)
    return without_place(metadata) if options.strip_gps else metadata


def _own_bytes(rasters: Rasters, frames: list[Picture], options: ReadOptions) -> OwnBytes:
    """Whether the source's own bytes may, must or must never be archived."""
    every = (rasters.first, *rasters.rest)
    lossy = options.keeps_depth and any(_is_lacking(r, options) for r in every)
    forbidden = bool(rasters.damage) or rasters.personal or options.strip_metadata or options.strip_gps
    if lossy and forbidden:
        raise UnsupportedPictureError(
            "expected samples that can be kept as they are, found some that only the source's own bytes hold, "
            "and those hold what is to be dropped or are damaged: ask for 8 bits, or keep the original"
        )
    if forbidden:
        return "never"
    loses = options.keeps_lost and any(frame.notes.lost for frame in frames)
    return "must" if lossy or loses or any(r.partial for r in every) else "may"


def _is_lacking(raster: Raster, options: ReadOptions) -> bool:
    """Whether the samples are less than the file's: inks can't be kept exactly, nor in their depth."""
    flattened = raster.colours == "cmyk" and (options.exact or raster.samples.dtype != np.uint8)
    return bool(raster.reduced_from) or raster.approximate or raster.partial or flattened


def _frozen(samples: np.ndarray) -> np.ndarray:
    whole = np.ascontiguousarray(samples)
    whole.setflags(write=False)
    return whole
