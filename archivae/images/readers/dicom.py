"""DICOM through tensorflow-io: pixels as stored, signed ones put right, nothing of the patient.

tensorflow-io gives signed 16-bit samples shifted up by 32768, and with anything but ``on_error="strict"`` an empty tensor for
what it can't decode; both are seen to here. Tags are read only where they tell of pixels: no text of a tag gets further.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.tensorflow_io import tensorflow, tensorflow_io
from archivae.images.sizes import check_size

_WHAT = "a DICOM file"
_ROWS, _COLUMNS, _FRAMES = 0x00280010, 0x00280011, 0x00280008
_ALLOCATED, _STORED, _SIGNED, _PHOTOMETRIC = 0x00280100, 0x00280101, 0x00280103, 0x00280004
_TAGS = (_ROWS, _COLUMNS, _FRAMES, _ALLOCATED, _STORED, _SIGNED, _PHOTOMETRIC)
_SIGNED_SHIFT = 32768


def read_dicom(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """8 and 16 bits, grey and RGB; frames as milliseconds-less pages. UnsupportedPictureError for 32 bits."""
    tfio = tensorflow_io(_WHAT)
    tags = _pixel_tags(data, tfio)
    count = tags.get(_FRAMES) or 1
    check_size(tags.get(_ROWS, 0), tags.get(_COLUMNS, 0), max_pixels, count)
    if tags.get(_ALLOCATED, 0) not in (8, 16):
        raise UnsupportedPictureError(f"expected a DICOM of 8 or 16 bits a sample, found {tags.get(_ALLOCATED)}")
    frames = _frames(data, tfio, tags)
    wished = len(frames) if options.frames == "all" else 1
    rasters = [_raster(frame, tags) for frame in frames[:wished]]
    return Rasters(rasters[0], tuple(rasters[1:]), len(frames), (0,) * wished, personal=not options.keep_dicom_tags)


def _pixel_tags(data: bytes, tfio: Any) -> dict[int, int]:
    """What the file says of its pixels, as numbers; the photometric interpretation as 1 for MONOCHROME1."""
    tf = tensorflow(_WHAT)
    values = tfio.image.decode_dicom_data(data, tf.constant(_TAGS, tf.uint32)).numpy()
    texts = {tag: value.decode("ascii", "replace").strip("\x00 ") for tag, value in zip(_TAGS, values, strict=True)}
    numbers = {tag: int(text) for tag, text in texts.items() if text.isdecimal()}
    return {**numbers, _PHOTOMETRIC: int(texts[_PHOTOMETRIC] == "MONOCHROME1")}


def _frames(data: bytes, tfio: Any, tags: dict[int, int]) -> np.ndarray:
    """(frames, H, W, 1 or 3), uint8, uint16 or int16."""
    tf = tensorflow(_WHAT)
    dtype = tf.uint8 if tags[_ALLOCATED] == 8 else tf.uint16
    frames = tfio.image.decode_dicom_image(data, on_error="strict", scale="preserve", dtype=dtype).numpy()
    if frames.ndim == 3:
        frames = frames[..., None]
    if frames.size == 0 or frames.shape[1:3] != (tags[_ROWS], tags[_COLUMNS]) or frames.shape[3] not in (1, 3):
        raise DamagedPictureError(
            f"expected {tags[_ROWS]}x{tags[_COLUMNS]} pixels of DICOM, found an array of {frames.shape}"
        )
    if not tags.get(_SIGNED):
        return frames
    if frames.dtype != np.uint16:
        raise UnsupportedPictureError("expected signed DICOM samples of 16 bits, found 8; not coded yet")
    return (frames.astype(np.int32) - _SIGNED_SHIFT).astype(np.int16)


def _raster(frame: np.ndarray, tags: dict[int, int]) -> Raster:
    largest = 2 ** tags.get(_STORED, 8 * frame.itemsize) - 1 if frame.dtype == np.uint16 else 255
    notes = ["DICOM tags not kept"] + ["MONOCHROME1: least means white"] * tags[_PHOTOMETRIC]
    return Raster(
        frame, "grey" if frame.shape[2] == 1 else "rgb", largest=max(largest, int(frame.max())), notes=tuple(notes)
    )
