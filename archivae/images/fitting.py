"""A picture made into what an output format can hold, with a note of each thing that it can't."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archivae.images.colour import from_srgb
from archivae.images.extended_xmp import MOST_STANDARD
from archivae.images.notes import Notes, changed, lost, said
from archivae.images.picture import Picture
from archivae.images.writing import JPEG_LARGEST, OutputFormat

_WITH_ALPHA = ("png", "webp")
_WITH_FRAMES = ("png", "webp")
_WITH_IPTC = ("png", "jpeg")


def fit(picture: Picture, format: OutputFormat, restore_profile: bool = False) -> Picture:
    """``picture`` as ``format`` holds it: doing it twice changes nothing more.

    ``restore_profile``: colours go back to the source's profile, which is written along; else they stay sRGB.
    """
    frames = [_fit_frame(frame, format, restore_profile) for frame in picture.frames]
    first, rest = frames[0], tuple(frames[1:])
    if picture.sequence is None:
        return first
    reason = _still_only(frames, format)
    if reason:
        return _noted(first, lost(f"{len(frames)} frames, only the first is written: {reason}"))
    return replace(first, sequence=replace(picture.sequence, rest=rest))


def _fit_frame(picture: Picture, format: OutputFormat, restore_profile: bool) -> Picture:
    picture = _fit_depth(picture, format)
    picture = _fit_alpha(picture, format)
    if restore_profile:
        picture = _restored(picture)
    if picture.metadata.iptc and format not in _WITH_IPTC:
        picture = _noted(picture, lost(f"IPTC, for which {format} has no place"))
        picture = replace(picture, metadata=replace(picture.metadata, iptc=b""))
    if format == "jpeg":
        picture = _fit_blocks(picture)
    return replace(picture, metadata=replace(picture.metadata, source_icc=b""))


def _fit_blocks(picture: Picture) -> Picture:
    """A JPEG's segments hold less than other formats: what they can't hold is dropped; XMP goes on in an extension."""
    metadata = picture.metadata
    for name, most in JPEG_LARGEST.items():
        size = len(getattr(metadata, name))
        if size > most:
            metadata = replace(metadata, **{name: b""})
            picture = _noted(picture, lost(f"{name.upper()} of {size:,} bytes, as jpeg holds at most {most:,}"))
    size = len(metadata.xmp)
    if size > MOST_STANDARD:
        picture = _noted(picture, changed(f"XMP of {size:,} bytes written as extended XMP"))
    return replace(picture, metadata=metadata)


def _fit_depth(picture: Picture, format: OutputFormat) -> Picture:
    if picture.deep is None or (format == "png" and picture.deep.dtype == np.uint16):
        return picture
    alpha = picture.alpha
    if alpha is not None:
        alpha = np.rint(255 * np.clip(alpha / (1 if alpha.dtype == np.float32 else picture.largest), 0, 1))
    eight = replace(picture, deep=None, alpha=None if alpha is None else alpha.astype(np.uint8))
    kind = f"{8 * picture.deep.itemsize}-bit {'float ' if picture.deep.dtype == np.float32 else ''}samples"
    return _noted(eight, changed(f"{kind} written as 8 bits in {format}; archivae.decode gives them whole"))


def _fit_alpha(picture: Picture, format: OutputFormat) -> Picture:
    if picture.alpha is None or format in _WITH_ALPHA:
        return picture
    alpha = picture.alpha[:, :, None].astype(np.uint16)
    flat = (picture.pixels * alpha + 255 * (255 - alpha) + 127) // 255
    note = changed(f"transparency laid on white: {format} has none")
    return _noted(replace(picture, pixels=flat.astype(np.uint8), alpha=None), note)


def _restored(picture: Picture) -> Picture:
    icc = picture.metadata.source_icc
    if not icc:
        return picture
    convert = from_srgb(icc, "grey" if picture.pixels.shape[2] == 1 else "rgb")
    if convert is None:
        return _noted(picture, said("colours stay sRGB: the source's profile is of inks, or has no way back"))
    metadata = replace(picture.metadata, icc=icc, source_icc=b"")
    return replace(picture, pixels=np.ascontiguousarray(convert(picture.pixels)), metadata=metadata)


def _still_only(frames: list[Picture], format: OutputFormat) -> str:
    """Why the frames can't be written as one animation; empty if they can."""
    if format not in _WITH_FRAMES:
        return f"{format} has no frames"
    if len({frame.pixels.shape[:2] for frame in frames}) > 1:
        return "they differ in size"
    return "" if all(frame.deep is None for frame in frames) else "they have more than 8 bits"


def _noted(picture: Picture, note: Notes) -> Picture:
    return replace(picture, notes=picture.notes + note)
