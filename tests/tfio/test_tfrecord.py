"""TFRecord files as TensorFlow writes and tensorflow-io reads them: make test-tfio."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow_io")
tf = pytest.importorskip("tensorflow")

from archivae.images import encoded_picture  # noqa: E402
from archivae.storage import stat_object  # noqa: E402
from archivae.storage.objects import read_span  # noqa: E402
from archivae.storage.tfrecord import list_records  # noqa: E402
from tests.samples import photo_file  # noqa: E402
from tests.tfrecords import example, tfrecord  # noqa: E402

PICTURES = [photo_file(16, 24, seed) for seed in range(3)]


def features(data: bytes) -> dict[str, object]:
    return {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])),
        "image/height": tf.train.Feature(int64_list=tf.train.Int64List(value=[16])),
        "box": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.0])),
    }


def test_what_tensorflow_writes_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for data in PICTURES:
            message = tf.train.Example(features=tf.train.Features(feature=features(data)))
            writer.write(message.SerializeToString())
    file = stat_object(path)
    assert file is not None
    records = [read_span(record.span) for record in list_records(file) if record.span]
    assert records == [record.numpy() for record in tf.data.TFRecordDataset(path)]
    assert [encoded_picture(record) for record in records] == PICTURES


def test_what_the_tests_write_is_read_by_tensorflow(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecord(example(image__encoded=data) for data in PICTURES))
    wanted = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    found = [tf.io.parse_single_example(record, wanted) for record in tf.data.TFRecordDataset(str(path))]
    assert [features["image/encoded"].numpy() for features in found] == PICTURES
