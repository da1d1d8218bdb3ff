"""What a JPEG XL file says before its pixels: size, depth, frames, colours, by the libjxl that imagecodecs brings.

imagecodecs decodes pixels and hides the rest, so libjxl's documented C interface (jxl/decode.h, 0.9 to 0.11) is called
directly. Nothing here decodes a pixel.
"""

from __future__ import annotations

import ctypes
import importlib
from dataclasses import dataclass
from functools import lru_cache

from archivae.errors import DamagedPictureError, UnsupportedPictureError

# JxlDecoderStatus, of which the last three are also what one subscribes to.
_SUCCESS, _BASIC_INFO, _COLOURS, _FRAME = 0, 0x40, 0x100, 0x400
_OF_THE_DATA = 1  # JXL_COLOR_PROFILE_TARGET_DATA: the pixels' own profile, as they are decoded
_ALPHA = 0  # JXL_CHANNEL_ALPHA
_FIRST_LYING = 5  # orientations from here on change width and height
_OTHER_STRUCTS = 512  # bytes, more than any of the structs here has


class _BasicInfo(ctypes.Structure):
    """JxlBasicInfo."""

    _fields_ = [
        *((name, ctypes.c_uint32) for name in ("have_container", "width", "height", "bits", "exponent_bits")),
        ("intensity_target", ctypes.c_float),
        ("min_nits", ctypes.c_float),
        ("relative_to_max_display", ctypes.c_uint32),
        ("linear_below", ctypes.c_float),
        *(
            (name, ctypes.c_uint32)
            for name in (
                "uses_original_profile", "have_preview", "have_animation", "orientation", "colour_channels",
                "extra_channels", "alpha_bits", "alpha_exponent_bits", "alpha_premultiplied", "preview_width",
                "preview_height", "ticks_numerator", "ticks_denominator", "loops", "have_timecodes", "intrinsic_width",
                "intrinsic_height",
            )
        ),
        ("padding", ctypes.c_uint8 * 100),
    ]  # fmt: skip


class _ColourEncoding(ctypes.Structure):
    """JxlColorEncoding; its numbers are those of ITU-T H.273 where that has them."""

    _fields_ = [
        ("space", ctypes.c_int),
        ("white_point", ctypes.c_int),
        ("white_point_xy", ctypes.c_double * 2),
        ("primaries", ctypes.c_int),
        ("primaries_xy", ctypes.c_double * 6),
        ("transfer", ctypes.c_int),
        ("gamma", ctypes.c_double),
        ("intent", ctypes.c_int),
    ]


@dataclass(frozen=True)
class JpegXlHeader:
    """``height`` and ``width`` as shown, ``orientation`` (1 to 8) applied; ``bits`` a sample, ``is_float`` or whole numbers.

    ``icc`` describes the decoded pixels; ``primaries`` and ``transfer`` are 0 where only the profile does. ``milliseconds``
    has a number for each frame. ``alpha`` says whether the first of ``extra_channels`` is alpha.
    """

    height: int
    width: int
    bits: int
    is_float: bool
    grey: bool
    orientation: int
    alpha: bool
    premultiplied: bool
    extra_channels: int
    preview: bool
    icc: bytes
    primaries: int
    transfer: int
    loops: int
    milliseconds: tuple[int, ...]


def jpeg_xl_header(data: bytes) -> JpegXlHeader:
    """Raises DamagedPictureError where it ends too soon, or is none."""
    library = _library()
    decoder = ctypes.c_void_p(library.JxlDecoderCreate(None))
    try:
        return _read(library, decoder, data)
    finally:
        library.JxlDecoderDestroy(decoder)


def _read(library: ctypes.CDLL, decoder: ctypes.c_void_p, data: bytes) -> JpegXlHeader:
    library.JxlDecoderSubscribeEvents(decoder, ctypes.c_int(_BASIC_INFO | _COLOURS | _FRAME))
    library.JxlDecoderSetKeepOrientation(decoder, ctypes.c_int(1))  # or it isn't told
    library.JxlDecoderSetInput(decoder, data, ctypes.c_size_t(len(data)))
    library.JxlDecoderCloseInput(decoder)
    info, encoding, icc, alpha, durations = _BasicInfo(), _ColourEncoding(), b"", False, []
    while (status := library.JxlDecoderProcessInput(decoder)) != _SUCCESS:
        if status == _BASIC_INFO:
            library.JxlDecoderGetBasicInfo(decoder, ctypes.byref(info))
            alpha = _first_extra_is_alpha(library, decoder, info)
        elif status == _COLOURS:
            icc = _profile(library, decoder)
            library.JxlDecoderGetColorAsEncodedProfile(decoder, _OF_THE_DATA, ctypes.byref(encoding))
        elif status == _FRAME:
            header = (ctypes.c_uint32 * _OTHER_STRUCTS)()
            library.JxlDecoderGetFrameHeader(decoder, header)
            durations.append(int(header[0]))
        else:
            raise DamagedPictureError("decoding JPEG XL failed: its header or a frame is damaged or cut short")
    if not durations:
        raise DamagedPictureError("decoding JPEG XL failed: it has no frame")
    tick = 1000 * info.ticks_denominator / info.ticks_numerator if info.have_animation and info.ticks_numerator else 0
    lying = info.orientation >= _FIRST_LYING
    return JpegXlHeader(
        height=info.width if lying else info.height,
        width=info.height if lying else info.width,
        bits=info.bits,
        is_float=bool(info.exponent_bits),
        grey=info.colour_channels == 1,
        orientation=info.orientation,
        alpha=alpha,
        premultiplied=bool(alpha and info.alpha_premultiplied),
        extra_channels=info.extra_channels,
        preview=bool(info.have_preview),
        icc=icc,
        primaries=max(encoding.primaries, 0),
        transfer=max(encoding.transfer, 0),
        loops=info.loops,
        milliseconds=tuple(round(duration * tick) for duration in durations),
    )


def _first_extra_is_alpha(library: ctypes.CDLL, decoder: ctypes.c_void_p, info: _BasicInfo) -> bool:
    extra = (ctypes.c_uint32 * _OTHER_STRUCTS)()
    if not info.extra_channels or library.JxlDecoderGetExtraChannelInfo(decoder, ctypes.c_size_t(0), extra):
        return False
    return int(extra[0]) == _ALPHA


def _profile(library: ctypes.CDLL, decoder: ctypes.c_void_p) -> bytes:
    """Empty where libjxl makes none."""
    size = ctypes.c_size_t()
    if library.JxlDecoderGetICCProfileSize(decoder, _OF_THE_DATA, ctypes.byref(size)):
        return b""
    profile = ctypes.create_string_buffer(size.value)
    if library.JxlDecoderGetColorAsICCProfile(decoder, _OF_THE_DATA, profile, size):
        return b""
    return profile.raw


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """imagecodecs' module leads to the libjxl that it is linked with."""
    try:
        library = ctypes.CDLL(importlib.import_module("imagecodecs._jpegxl").__file__)
        library.JxlDecoderCreate.restype = ctypes.c_void_p
    except (AttributeError, ImportError, OSError) as error:
        raise UnsupportedPictureError(
            f"found a JPEG XL file, and an imagecodecs without libjxl ({error}): install imagecodecs from PyPI"
        ) from error
    return library
