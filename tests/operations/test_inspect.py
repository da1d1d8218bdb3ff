from __future__ import annotations

import json

import pytest

import archivae
from archivae.errors import CorruptBitstreamError
from archivae.operations.encode import encode_file
from tests.samples import file_of, photo, small_codec, stark_jpeg, two_colours

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"

SOURCES = {
    "learned": file_of(photo(96, 128), "JPEG", quality=95, xmp=XMP, icc_profile=b"profile" * 20),
    "lossless": file_of(two_colours(), "BMP"),
    "original": stark_jpeg(),
}


def archived(coding: str) -> bytes:
    return encode_file(SOURCES[coding], small_codec(), 33.5).data


@pytest.mark.parametrize("coding", SOURCES)
def test_the_parts_add_up_to_the_file(coding: str) -> None:
    data = archived(coding)
    contents = archivae.inspect(data)
    assert contents["coding"] == coding
    assert sum(contents["parts"].values()) == contents["bytes"] == len(data)
    assert all(size > 0 for size in contents["parts"].values())


@pytest.mark.parametrize("coding", SOURCES)
def test_contents_are_plain_json(coding: str) -> None:
    contents = archivae.inspect(archived(coding))
    assert json.loads(json.dumps(contents, allow_nan=False)) == contents


def test_a_learned_file() -> None:
    contents = archivae.inspect(archived("learned"))
    assert (contents["height"], contents["width"], contents["colour"]) == (96, 128, "rgb")
    assert contents["model"] == small_codec().id.hex() and contents["quality"] == 33.5
    assert contents["parts"]["xmpp"] == len(XMP) and contents["parts"]["iccp"] == 140
    assert contents["bits_per_pixel"] == 8 * contents["bytes"] / (96 * 128)
    (tile,) = contents["tiles"]
    assert tile["bytes"] == contents["parts"]["entropy streams"]


def test_other_codings_have_neither_model_nor_quality() -> None:
    for coding in ("lossless", "original"):
        contents = archivae.inspect(archived(coding))
        assert (contents["model"], contents["quality"], contents["tiles"]) == (None, None, [])
    assert contents["parts"]["payload"] == len(SOURCES["original"])


def test_grey_is_said() -> None:
    data = encode_file(file_of(photo()[:, :, :1]), small_codec(), 60).data
    assert archivae.inspect(data)["colour"] == "grey"


def test_damage_is_an_error() -> None:
    data = bytearray(archived("learned"))
    data[-1] ^= 1
    with pytest.raises(CorruptBitstreamError):
        archivae.inspect(bytes(data))
