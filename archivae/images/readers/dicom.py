"""DICOM through tensorflow-io: samples as stored, signed ones put right, nothing of the patient.

tensorflow-io, that is DCMTK, gives signed samples shifted up by half their range. It applies the rescaling to Hounsfield units
or the like, and then fails or rounds: so that is taken out of what it is given. It may burn overlays into the picture: samples
outside the range that the file promises are refused, never guessed at. Tags are read only where they tell of pixels: no text
of a tag gets further.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import lost
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.tensorflow_io import decode
from archivae.images.sizes import check_size

_WHAT = "a DICOM file"
_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_ALLOCATED, _STORED, _SIGNED, _PHOTOMETRIC = 0x00280100, 0x00280101, 0x00280103, 0x00280004
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
# The tag of the pixel data in either byte order, its type if that is told, its length.
_PIXELS = re.compile(rb"(\xe0\x7f\x10\x00|\x7f\xe0\x00\x10)(?:O[BW]\x00\x00)?(....)", re.DOTALL)
_UNDEFINED_LENGTH, _SEQUENCE_END = 0xFFFFFFFF, b"\xfe\xff\xdd\xe0"
_RESCALING = {_INTERCEPT: "0", _SLOPE: "1"}
_ELEMENTS = {_INTERCEPT: rb"(?:\x28\x00\x52\x10|\x00\x28\x10\x52)", _SLOPE: rb"(?:\x28\x00\x53\x10|\x00\x28\x10\x53)"}
_TAGS = (_ROWS, _COLUMNS, _FRAMES, _ALLOCATED, _STORED, _SIGNED, _PHOTOMETRIC, _INTERCEPT, _SLOPE)


def read_dicom(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """8 and 16 bits allocated, grey and RGB, frames as pages. UnsupportedPictureError for others."""
    tags = _pixel_tags(data)
    count = _number(tags, _FRAMES) or 1
    check_size(_number(tags, _ROWS), _number(tags, _COLUMNS), max_pixels, count)
    if _number(tags, _ALLOCATED) not in (8, 16):
        raise UnsupportedPictureError(f"expected a DICOM of 8 or 16 bits a sample, found {_number(tags, _ALLOCATED)}")
    damage = "" if _is_whole(data, tags) else "the pixel data is cut short"
    if damage and not options.tolerant:
        raise DamagedPictureError(f"decoding DICOM failed: {damage}")
    frames = _frames(data, tags)
    wished = len(frames) if options.frames == "all" else 1
    rasters = [_raster(frame, tags) for frame in frames[:wished]]
    personal = not options.keep_dicom_tags
    return Rasters(rasters[0], tuple(rasters[1:]), len(frames), (0,) * wished, damage=damage, personal=personal)


def _pixel_tags(data: bytes) -> dict[int, str]:
    """What the file says of its pixels."""
    texts = decode("tags", data, list(_TAGS), _WHAT)
    return {tag: bytes(text).decode("ascii", "replace").strip("\x00 ") for tag, text in zip(_TAGS, texts, strict=True)}


def _number(tags: dict[int, str], tag: int) -> int:
    text = tags[tag]
    return int(text) if text.isdecimal() else 0


def _frames(data: bytes, tags: dict[int, str]) -> np.ndarray:
    """(frames, H, W, 1 or 3), uint8, uint16 or int16."""
    height, width = _number(tags, _ROWS), _number(tags, _COLUMNS)
    frames = decode("dicom", _without_rescaling(data, tags), _number(tags, _ALLOCATED), _WHAT)
    if frames.ndim == 3:
        frames = frames[..., None]
    if frames.size == 0 or frames.shape[1:3] != (height, width) or frames.shape[3] not in (1, 3):
        raise DamagedPictureError(f"expected {height}x{width} pixels of DICOM, found an array of {frames.shape}")
    return _as_stored(frames, tags)


def _as_stored(frames: np.ndarray, tags: dict[int, str]) -> np.ndarray:
    bits = _number(tags, _STORED) or 8 * frames.itemsize
    signed = bool(_number(tags, _SIGNED))
    shift = 1 << bits - 1 if signed else 0
    values = frames.astype(np.int32) - shift
    low, high = (-shift, shift - 1) if signed else (0, (1 << bits) - 1)
    if int(values.min()) < low or int(values.max()) > high:
        raise UnsupportedPictureError(
            f"expected DICOM samples of {low} to {high}, found {int(values.min())} to {int(values.max())}: "
            "tensorflow-io changes this file's values; take them from pydicom"
        )
    return values.astype(np.int16) if signed else frames


def _is_whole(data: bytes, tags: dict[int, str]) -> bool:
    """Whether some element of pixel data is all there: DCMTK fills up with zeros what is cut off, without a word."""
    bits = _number(tags, _ROWS) * _number(tags, _COLUMNS) * (_number(tags, _FRAMES) or 1) * _number(tags, _ALLOCATED)
    for element in _PIXELS.finditer(data):
        order: Literal["little", "big"] = "big" if element[1] == b"\x7f\xe0\x00\x10" else "little"
        length = int.from_bytes(element[2], order)
        if length == _UNDEFINED_LENGTH and data.find(_SEQUENCE_END, element.end()) >= 0:
            return True  # compressed, in fragments
        if bits // 8 <= length <= len(data) - element.end():
            return True
    return False


def _without_rescaling(data: bytes, tags: dict[int, str]) -> bytes:
    """The file with an intercept of 0 and a slope of 1, written over the texts that it has."""
    for tag, neutral in _RESCALING.items():
        text = tags[tag]
        if text in ("", neutral):
            continue
        # Then come type and length of two bytes each, or a length of four, and that very text: no pixels look like it.
        element = re.compile(rb"(%s....)%s" % (_ELEMENTS[tag], re.escape(text.encode())), re.DOTALL)
        data, count = element.subn(rb"\g<1>" + neutral.ljust(len(text)).encode(), data)
        if count != 1:
            raise UnsupportedPictureError(
                f"expected a DICOM file to tell its rescaling once, found it {count} times; take the values from pydicom"
            )
    return data


def _raster(frame: np.ndarray, tags: dict[int, str]) -> Raster:
    bits = _number(tags, _STORED) or 8 * frame.itemsize
    slope, intercept = tags[_SLOPE] or "1", tags[_INTERCEPT] or "0"
    names = ["DICOM tags"]
    if (slope, intercept) != ("1", "0"):
        names.append(f"samples as stored, without their slope {slope} and intercept {intercept}")
    if tags[_PHOTOMETRIC] == "MONOCHROME1":
        names.append("MONOCHROME1: least means white")
    colours, largest = "grey" if frame.shape[2] == 1 else "rgb", (1 << bits) - 1
    return Raster(frame, colours, largest=largest, notes=lost(*names))  # type: ignore[arg-type]
