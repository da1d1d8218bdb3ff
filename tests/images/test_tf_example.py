"""The picture in a record."""

from __future__ import annotations

import pytest

from archivae.errors import DamagedPictureError
from archivae.images import encoded_picture
from tests.samples import photo_file
from tests.tfrecords import example

PICTURE, OTHER = photo_file(8, 8, 1), photo_file(8, 8, 2)


@pytest.mark.parametrize(
    "record",
    [
        PICTURE,
        example(image__encoded=PICTURE, thumbnail=OTHER),
        example(photo=PICTURE, label=b"a cat"),
        example(photo=PICTURE) + bytes([0x12, 3]) + b"new",  # a field of the future
    ],
)
def test_the_picture_is_found(record: bytes) -> None:
    assert encoded_picture(record) == PICTURE


def test_what_is_called_the_picture_is_taken_whatever_it_is() -> None:
    assert encoded_picture(example(image__encoded=b"text", thumbnail=OTHER)) == b"text"


@pytest.mark.parametrize("record", [b"", b"text", example(), example(label=b"a cat"), example(a=PICTURE, b=OTHER)])
def test_no_picture_or_two_are_refused(record: bytes) -> None:
    with pytest.raises(DamagedPictureError, match="image/encoded"):
        encoded_picture(record)
