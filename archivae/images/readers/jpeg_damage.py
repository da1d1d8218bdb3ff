"""Damage in JPEGs that decoders pass over: libjpeg's warnings made errors, and scans that never came."""

from __future__ import annotations

import re

import simplejpeg

from archivae.images.readers.jpeg_segments import SCAN, START_OF_FRAME, TABLES, Layout, bare

UNCHECKED = "certainty that no data are damaged, which can't be checked at such a subsampling"
"""What is lost of a picture that isn't `is_checkable`."""

_PROGRESSIVE = (0xC2, 0xCA)
_COEFFICIENTS = 64
_SECTOR = 512  # bytes of a disk's
_ZEROS = re.compile(rb"\x00+")
_SIXTEEN_BITS = 0x10  # of a quantisation table's first byte
_UNUSUAL = "Could not determine subsampling"  # what turbojpeg says of a frame that only libjpeg behind it decodes


def damage_of(data: bytes, picture: Layout) -> str:
    """What is damaged in a picture that decodes all the same; empty if nothing is.

    Whatever stands between or behind the segments that decoding takes is not looked at.
    """
    if not picture.is_ended:
        return "the end is missing"
    return (
        _missing_scans(data, picture)
        or _bad_tables(data, picture)
        or _zeroed_sectors(data, picture)
        or _warning(bare(data, picture))
    )


def _warning(data: bytes) -> str:
    """libjpeg's first warning. Coded data are all looked at, pixels are made at an eighth of the size."""
    if not is_checkable(data):
        return ""
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        target = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(data, colorspace=target, fastdct=True, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        return str(error)
    return ""


def is_checkable(data: bytes) -> bool:
    """Whether libjpeg's warnings can be had: turbojpeg knows usual subsamplings alone, such as 4:4:4, 4:2:0 and 4:1:1."""
    try:
        simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError as error:
        return _UNUSUAL not in str(error)
    return True


def _missing_scans(data: bytes, picture: Layout) -> str:
    """Components, or bits of their coefficients, that no scan brings: the file was cut between two scans."""
    frame = next((s for s in picture.segments if s.marker in START_OF_FRAME), None)
    if frame is None:
        return "no frame"
    components = data[frame.body + 6 : frame.end : 3]
    last_bit = {component: [-1] * _COEFFICIENTS for component in components}
    for scan in (s for s in picture.segments if s.marker == SCAN):
        count = data[scan.body]
        ids = data[scan.body + 1 : scan.body + 1 + 2 * count : 2]
        first, last, bits = data[scan.body + 1 + 2 * count : scan.body + 4 + 2 * count]
        if frame.marker not in _PROGRESSIVE:
            first, last, bits = 0, _COEFFICIENTS - 1, 0
        for component in ids:
            if component in last_bit:
                span = range(first, min(last, _COEFFICIENTS - 1) + 1)
                last_bit[component] = [bits & 15 if n in span else b for n, b in enumerate(last_bit[component])]
    whole = all(bit == 0 for bits in last_bit.values() for bit in bits)
    return "" if whole else "scans are missing"


def _bad_tables(data: bytes, picture: Layout) -> str:
    """Steps of quantisation of 0, which T.81 forbids and decoders take for black."""
    for segment in (s for s in picture.segments if s.marker == TABLES):
        at = segment.body
        while at < segment.end:
            size = 2 if data[at] >= _SIXTEEN_BITS else 1
            steps = data[at + 1 : at + 1 + size * _COEFFICIENTS]
            if any(steps[n : n + size] == bytes(size) for n in range(0, len(steps), size)):
                return "a quantisation table has zeros"
            at += 1 + size * _COEFFICIENTS
    return ""


def _zeroed_sectors(data: bytes, picture: Layout) -> str:
    """Whole sectors of zeros within a scan. Flat areas may be coded as zeros, too, but don't begin and end with sectors."""
    for scan in (s for s in picture.segments if s.marker == SCAN):
        start = data.find(bytes(_SECTOR), scan.body, scan.end)
        while start >= 0:
            found = _ZEROS.match(data, start, scan.end)
            end = found.end() if found else start + _SECTOR
            # A zero more may belong to the data before, or after.
            if -start % _SECTOR <= 1 and end % _SECTOR <= 1:
                return f"{end - start:,} zeros from byte {start:,}"
            start = data.find(bytes(_SECTOR), end, scan.end)
    return ""
