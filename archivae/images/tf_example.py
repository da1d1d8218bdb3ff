"""The picture in a record of a TFRecord file: a ``tf.train.Example`` with an encoded picture, or the picture itself.

The message is described here, in a pool of its own, so that no TensorFlow is needed and none is in the way.
Source: tensorflow/core/example/example.proto and feature.proto.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from archivae.errors import DamagedPictureError
from archivae.images.sniffing import describe, is_picture

_USUAL = "image/encoded"
"""What TensorFlow's own data sets call the picture's file."""


def encoded_picture(record: bytes) -> bytes:
    """The bytes of the picture file in a record. DamagedPictureError where there is none, or more than one to choose from."""
    if is_picture(record):
        return record
    features = _bytes_features(record)
    if _USUAL in features:
        return features[_USUAL]
    found = [value for value in features.values() if is_picture(value)]
    if len(found) != 1:
        raise DamagedPictureError(
            f"expected a tf.train.Example with the feature {_USUAL!r}, or one feature that holds a picture, found "
            f"{len(found)} among {sorted(features) or 'none'} in {describe(record)}"
        )
    return found[0]


def _bytes_features(record: bytes) -> dict[str, bytes]:
    """The features that are one text of bytes; none if the record is no Example."""
    try:
        features = _example().FromString(record).features.feature
    except DecodeError:
        return {}
    return {name: value.bytes_list.value[0] for name, value in features.items() if len(value.bytes_list.value) == 1}


@lru_cache(maxsize=1)
def _example() -> Any:
    """The class of the message: Example -> Features -> map of Feature -> BytesList; other lists are skipped as unknown."""
    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    text, data, message = (
        FieldDescriptorProto.TYPE_STRING,
        FieldDescriptorProto.TYPE_BYTES,
        FieldDescriptorProto.TYPE_MESSAGE,
    )
    file = FileDescriptorProto(name="archivae/example.proto", package="archivae", syntax="proto3")

    def add(name: str, *fields: FieldDescriptorProto) -> Any:
        described = file.message_type.add(name=name)
        described.field.extend(fields)
        return described

    def field(name: str, number: int, label: Any, kind: Any, of: str = "") -> FieldDescriptorProto:
        named = {"type_name": f".archivae.{of}"} if of else {}
        return FieldDescriptorProto(name=name, number=number, label=label, type=kind, **named)

    add("BytesList", field("value", 1, many, data))
    add("Feature", field("bytes_list", 1, one, message, "BytesList"))
    features = add("Features", field("feature", 1, many, message, "Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.extend([field("key", 1, one, text), field("value", 2, one, message, "Feature")])
    add("Example", field("features", 1, one, message, "Features"))
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("archivae.Example"))
