"""XMP larger than a segment of a JPEG: written as an extension, put together again, or named."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.images import Metadata, Picture, fit, open_picture, write_picture
from archivae.images.extended_xmp import EXTENSION, MOST_STANDARD, STANDARD, joined, segments
from archivae.images.notes import NO_NOTES
from tests.kinds import XMP, file_of, jpeg_with, pixels, segment


def large(size: int = 90_000) -> bytes:
    return XMP.replace(b"sea", np.random.default_rng(1).integers(97, 123, size, dtype=np.uint8).tobytes())


def test_a_large_packet_is_written_and_read_again() -> None:
    picture = open_picture(file_of(pixels(), "WEBP", lossless=True, xmp=large()))
    fitted = fit(picture, "jpeg")
    assert fitted.notes.changed == (f"XMP of {len(large()):,} bytes written as extended XMP",)
    back = open_picture(write_picture(fitted, "jpeg"))
    assert back.metadata.xmp == large() and back.notes == NO_NOTES


def test_what_jpeg_has_no_room_for_is_dropped_and_named() -> None:
    picture = Picture(pixels(), "x", Metadata(exif=b"II*\0\x08\0\0\0" + bytes(90_000), iptc=bytes(70_000)), NO_NOTES)
    fitted = fit(picture, "jpeg")
    assert [name.partition(",")[0] for name in fitted.notes.lost] == ["EXIF of 90", "IPTC of 70"]
    assert open_picture(write_picture(fitted, "jpeg")).metadata == Metadata()
    assert fit(fitted, "jpeg").notes == fitted.notes


@settings(max_examples=20, deadline=None)
@given(size=st.integers(MOST_STANDARD - 2, 4 * MOST_STANDARD), swap=st.booleans())
def test_any_size_comes_back_in_any_order(size: int, swap: bool) -> None:
    xmp = bytes(np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8))
    standard, *pieces = segments(xmp)
    assert all(len(body) <= 65_533 for body in (standard, *pieces))
    if not pieces:
        assert standard == STANDARD + xmp
        return
    bodies = [piece.removeprefix(EXTENSION) for piece in (reversed(pieces) if swap else pieces)]
    assert joined(standard.removeprefix(STANDARD), bodies) == xmp
    assert joined(standard.removeprefix(STANDARD), bodies[:-1]) is None
    assert joined(standard.removeprefix(STANDARD), [bodies[0][:-1] + b"?", *bodies[1:]]) is None


def test_an_extension_of_others_is_lost() -> None:
    _, piece, *_ = segments(large())
    assert open_picture(jpeg_with(segment(0xE1, piece), xmp=XMP)).notes.lost == ("APP1 segment (extended XMP)",)
