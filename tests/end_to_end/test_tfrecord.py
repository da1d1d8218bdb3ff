"""TFRecord files of encoded pictures as a source."""

from __future__ import annotations

import gzip

import archivae
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.samples import pixels_of
from tests.tfrecords import example, tfrecord

PICTURES = list(PHOTOS.values())
RECORDS = [example(image__encoded=data, image__format=b"png") for data in PICTURES]


def test_each_record_becomes_a_file(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({"sub/train.tfrecord-00000-of-00001": tfrecord(RECORDS), "plain.png": PICTURES[0]})
    assert encode(source, archive) == 0
    names = [f"sub/train.tfrecord-00000-of-00001/{number:08}" for number in range(3)]
    assert archive.rows().keys() == {*names, "plain.png"}
    before = archive.everything()
    assert encode(source, archive) == 0  # all skipped
    assert archive.everything() == before
    assert decode(archive, restored) == 0
    for name, data in zip(names, PICTURES, strict=True):
        assert pixels_of(restored.read(f"{name}.png")).shape == pixels_of(data).shape


def test_what_is_no_picture_or_damaged_is_a_dead_letter(source: Folder, archive: Folder) -> None:
    source.put({"a.tfrecord": tfrecord([RECORDS[0], example(label=b"a cat"), RECORDS[1]])[:-1]})
    assert encode(source, archive) == 1
    assert {name: letter.step for name, letter in archive.letters().items()} == {"00000001": "read", "00000002": "read"}
    assert archive.files().keys() == {"a.tfrecord/00000000.avae"}


def test_compressed_files_are_dead_letters_that_say_what_to_do(source: Folder, archive: Folder) -> None:
    data = gzip.compress(tfrecord(RECORDS))
    source.put({"a.tfrecord.gz": data, "b.tfrecord": data, "plain.png": PICTURES[0]})
    assert encode(source, archive) == 1
    assert archive.files().keys() == {"plain.png.avae"}
    assert all("decompress it first" in letter.reason for letter in archive.letters().values())
    assert len(archive.letters()) == 2


def test_records_go_into_shards(source: Folder, archive: Folder) -> None:
    source.put({"a.tfrecord": tfrecord(RECORDS), "a.tfrecord.png": PICTURES[0]})
    assert encode(source, archive, "--archive") == 0
    opened = archivae.open_archive(archive.uri, accelerator="cpu")
    assert list(opened) == ["a.tfrecord.png", *(f"a.tfrecord/{number:08}" for number in range(3))]
    assert opened["a.tfrecord/00000002"].shape == pixels_of(PICTURES[2]).shape
