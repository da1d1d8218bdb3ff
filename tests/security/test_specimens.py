"""Small files that once took gigabytes, minutes or a traceback, each refused now before it costs anything."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from archivae.bitstream import read_bitstream
from archivae.bitstream.container import MOST_CHUNKS, MOST_TILES
from archivae.bitstream.frames import MOST_FRAMES, unpack_frames
from archivae.errors import ArchivaeError, CorruptBitstreamError, ModelError, StorageError, UsageError
from archivae.images.lossless import LosslessCodec, unpack_lossless
from archivae.images.planes import pack_planes
from archivae.models import parse_codec
from archivae.models.photo.weights import parse_weights
from archivae.models.restore.weights import parse_restorer
from archivae.operations.codec import put_on_device
from archivae.pipeline.archiving.policy import read_policy
from archivae.storage import StoredObject, own_path, write_fragment
from archivae.storage.archive_index import _SCHEMA as INDEX_SCHEMA
from archivae.storage.archive_index import ArchiveIndex
from archivae.storage.archive_plan import read_shard_plan
from archivae.storage.manifest import SCHEMA, read_fragment
from archivae.storage.parquet import limits_of, read_parquet
from archivae.storage.tar import scan
from archivae.storage.uri_lists import read_uri_list
from archivae.untrusted import load_json
from tests.autoencoders import weights as family_weights
from tests.fuzz.mutants import CHUNK, resealed, seeds
from tests.fuzz.outside import _row
from tests.models.restore.small_restorer import small_restorer_weights
from tests.samples import MODEL

MEBIBYTE = 1 << 20
ROWS = 400_000
MEASURED = """
import resource, sys
import tests.security.test_specimens as specimens
from archivae.errors import ArchivaeError
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    getattr(specimens, sys.argv[1])(sys.argv[2])
except ArchivaeError:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) // 1024)
"""


def written(table: pa.Table, path: Path, **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path, compression="zstd", **options)
    return str(path)


def equal_rows(schema: pa.Schema, row: dict[str, Any], count: int) -> pa.Table:
    """A table of so many equal rows, made without that many."""
    one = pa.Table.from_pylist([row], schema=schema)
    columns = []
    for column in one.columns:
        chunk = column.combine_chunks()
        columns.append(
            pa.repeat(chunk[0], count) if not pa.types.is_nested(chunk.type) else chunk.take(pa.array([0] * count))
        )
    return pa.Table.from_arrays(columns, schema=one.schema)


def index_of_equal_names(folder: Path) -> str:
    row = {"name": "n" * 3000, "shard": 0, "offset": 1, "length": 1, "height": 1, "width": 1, "crc": 0, "quality": 0.0}
    table = equal_rows(INDEX_SCHEMA, {**row, "sha256": bytes(32)}, ROWS)
    return written(
        table.replace_schema_metadata({"archivae.shards": "1"}), folder / "index.parquet", row_group_size=ROWS
    )


def manifest_of_equal_rows(folder: Path) -> str:

    row = {name: [*value] if isinstance(value, tuple) else value for name, value in asdict(_row(1)).items()}
    table = equal_rows(SCHEMA, row | {"error": "e" * 2000}, ROWS)
    return written(table, folder / "_archivae" / "manifest" / "1.parquet")


def list_of_one_long_uri(folder: Path) -> str:
    table = pa.table({"uri": pa.array(["gs://b/" + "x" * 100_000]).take(pa.array([0] * 20_000))})
    return written(table, folder / "list.parquet")


def read_index(uri: str) -> None:
    list(ArchiveIndex(uri).rows())


READERS: dict[str, tuple[Callable[[Path], str], Callable[[str], Any]]] = {
    "read_index": (index_of_equal_names, read_index),
    "read_fragment": (manifest_of_equal_rows, read_fragment),
    "read_uri_list": (list_of_one_long_uri, read_uri_list),
}


@pytest.mark.parametrize("reader", READERS)
def test_tables_that_unpack_to_gigabytes(reader: str, tmp_path: Path) -> None:
    make, read = READERS[reader]
    uri = make(tmp_path)
    assert Path(uri).stat().st_size < 2 * MEBIBYTE
    with pytest.raises(ArchivaeError):
        read(uri)
    words = [sys.executable, "-c", MEASURED, reader, uri]
    said = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(said.stdout) < 300


@pytest.mark.parametrize("options", [{}, {"data_page_version": "2.0"}, {"use_dictionary": False}])
def test_a_footer_that_lies(options: dict[str, Any], tmp_path: Path) -> None:
    """Row counts and sizes in the footer, and in pages' heads, made small: what is read is still bounded, or refused."""
    table = pa.table({"uri": pa.array(["gs://b/" + "x" * 50_000]).take(pa.array([0] * 5_000))})
    data = Path(written(table, tmp_path / "l.parquet", **options)).read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    footer, body = data[-8 - length : -8], data[: -8 - length]
    for honest in (5_000,):
        for lie in (1, 100):
            lied = footer.replace(_varint(honest), _varint(lie).ljust(len(_varint(honest)), b"\x80"))
            forged = body + lied + len(lied).to_bytes(4, "little") + b"PAR1"
            try:
                found = read_parquet(forged)
            except (pa.ArrowException, OSError):
                continue
            assert found.nbytes <= limits_of(len(forged)).size


def _varint(number: int) -> bytes:
    number <<= 1  # zigzag
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_ordinary_tables_are_read(tmp_path: Path) -> None:
    uris = [f"gs://bucket/photos/2024/IMG_{number:06}.jpg" for number in range(20_000)]
    uri = written(pa.table({"uri": uris}), tmp_path / "list.parquet")
    assert read_uri_list(uri) == uris
    rows = [_row(number) for number in range(3000)]
    assert read_fragment(write_fragment(str(tmp_path), rows)) == rows


def test_a_plan_of_equal_rows_or_other_columns(tmp_path: Path) -> None:
    path = Path(own_path(str(tmp_path), "round/plan/00000.parquet"))
    written(pa.table({"uri": ["a"]}), path)
    with pytest.raises(StorageError, match="plan of an unfinished job"):
        read_shard_plan(str(tmp_path), 0)


def test_a_tar_of_empty_extended_headers_costs_few_looks_a_header() -> None:
    """It took 7.5 s: from each header on, all that follow were read again."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 0
    count = 2000
    data = info.tobuf(tarfile.USTAR_FORMAT) * count
    looks = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal looks
        looks += 1
        return data[offset : offset + length]

    assert list(scan(read, len(data))) == [0]
    assert looks < 20 * count


def with_metadata(data: bytes, **changed: str) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] |= changed
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def with_sizes(data: bytes, **sizes: Any) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    architecture = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["architecture"])
    return with_metadata(data, architecture=json.dumps(architecture | sizes))


PHOTO = Path(MODEL).read_bytes()


@pytest.mark.parametrize(
    "sizes",
    [
        {"coarse_blocks": 3000}, {"fine_blocks": 10**9}, {"latents": 2**40}, {"coarse": 4096, "fine": 4096}, {"hyper": -1},
        {"fine": 1.5}, {"fine": "192"}, {"fine": True}, {"fine": None}, {"new": 1}, {"coarse_blocks": 5}, {"context": 0},
    ],
)  # fmt: skip
def test_a_photo_model_of_other_numbers(sizes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="damaged"):
        parse_codec(with_sizes(PHOTO, **sizes))


@pytest.mark.parametrize("sizes", [{"depth": 10**6}, {"width": 2**40}, {"depth": 31}, {"latents": float("nan")}])
def test_a_family_or_restorer_of_other_numbers(sizes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="damaged"):
        parse_codec(with_sizes(family_weights("conv").to_bytes(), **sizes))
    with pytest.raises(ModelError, match="damaged"):
        parse_restorer(with_sizes(small_restorer_weights("denoise").to_bytes(), latent=10**6))


@pytest.mark.parametrize(
    "header", [b"[" * 200_000, b'{"__metadata__":' * 100_000, b'{"__metadata__": ' + b"[" * 200_000]
)
def test_a_model_header_of_brackets(header: bytes) -> None:
    data = struct.pack("<Q", len(header)) + header
    for parse in (parse_codec, parse_restorer):
        with pytest.raises(ModelError) as raised:
            parse(data)
        assert len(str(raised.value)) < 1000


def test_a_model_header_without_end() -> None:
    with pytest.raises(ModelError):
        parse_codec(struct.pack("<Q", 99 << 20) + b"{" + b" " * 100)
    with pytest.raises(ModelError):
        parse_codec(with_metadata(PHOTO, architecture="[" * 200_000))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_finite_numbers(value: float) -> None:
    """Under the id that is right for them: NaN decoded to black pictures."""
    weights = parse_weights(PHOTO)
    name = "synthesis.patch.weight"
    spoilt = weights.floats[name].clone()
    spoilt.view(-1)[0] = value
    with pytest.raises(ModelError, match=f"finite weights, found others in {name}"):
        parse_codec(replace(weights, floats={**weights.floats, name: spoilt}).to_bytes())
    family = family_weights("conv")
    key = next(key for key, tensor in family.network.items() if tensor.is_floating_point())
    network = {**family.network, key: torch.full_like(family.network[key], value)}
    with pytest.raises(ModelError, match="finite weights"):
        parse_codec(replace(family, network=network).to_bytes())
    restorer = small_restorer_weights("denoise")
    tensors = {key: torch.full_like(tensor, value) for key, tensor in restorer.tensors.items()}
    with pytest.raises(ModelError, match="finite weights"):
        parse_restorer(replace(restorer, tensors=tensors).to_bytes())


def test_a_family_whose_quantiser_is_another_models() -> None:
    family = family_weights("conv")
    shape = torch.tensor([2**20, 2**10, 1], dtype=torch.int32)
    spoilt = replace(family, codec={**family.codec, "latent_shape": shape})
    with pytest.raises(ModelError):
        put_on_device(parse_codec(spoilt.to_bytes()), "cpu")


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS, f"sources: {LAUGHS.splitlines()[0][3:]}\ndestination: *a\n", "[" * 5000, "a: " * 5000, "- " * 5000,
        "max_objects: " + "9" * 5000, "quality: .nan", "max_hours: .inf", "max_objects: 2001-99-99", "? [a]\n: b",
        "!!python/object/apply:os.system [ls]", "a\x00b", "- " + "x" * 100_000, "sources: {" + "a, " * 20_000 + "}",
        *(f"sources: [gs://a]\ndestination: gs://b\nquality: {start}{'1' * 100_000}" for start in ("0x", "0b", "0", "-0x")),
        "sources: [gs://a]\ndestination: gs://b\nmax_objects: 1" + ":59" * 50_000,
        "sources: [gs://a]\ndestination: gs://b\n0x" + "f" * 100_000 + ": 1", "0x" + "f" * 100_000,
        "sources: [gs://a]\ndestination: gs://b\n" + "".join(f"word{n}: 1\n" for n in range(5000)),
    ],
)  # fmt: skip
def test_a_policy_of_aliases_depth_or_odd_numbers(text: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_policy(str(path))
    assert len(str(raised.value)) < 1500 and str(raised.value).isprintable()


def test_a_file_of_chunks_without_end() -> None:
    data = seeds()["lossless"]
    head_end = 19 + CHUNK.size + CHUNK.unpack_from(data, 19)[1]
    many = b"".join(CHUNK.pack(b"aa" + bytes([97 + n // 26, 97 + n % 26]), 0, 0) for n in range(MOST_CHUNKS + 1))
    with pytest.raises(CorruptBitstreamError, match="chunks"):
        read_bitstream(resealed(data[:head_end] + many + data[head_end:]))


def test_tiles_and_frames_without_end() -> None:
    data = bytearray(seeds()["learned"])
    struct.pack_into("<II", data, 19 + CHUNK.size, 64 * 2048, 64 * 2048)
    assert MOST_TILES < 2048 * 2048
    data[19 + CHUNK.size + 12] = 1
    with pytest.raises(CorruptBitstreamError, match="tiles"):
        read_bitstream(resealed(bytes(data)))
    with pytest.raises(CorruptBitstreamError, match="frames"):
        unpack_frames(struct.pack("<II", MOST_FRAMES + 1, 0) + bytes(12 * (MOST_FRAMES + 1)))


def test_lossless_payloads_of_another_size_are_refused_before_they_are_unpacked() -> None:
    planes = bytes([LosslessCodec.PLANES]) + pack_planes(np.zeros((2000, 2000, 3), np.uint16))
    with pytest.raises(CorruptBitstreamError):
        unpack_lossless(planes, height=8, width=8, channels=3, dtype=np.dtype(np.uint16))
    file = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (4000, 4000)).save(file, "PNG")
    with pytest.raises(CorruptBitstreamError, match="4000"):
        unpack_lossless(bytes([LosslessCodec.PNG]) + file.getvalue(), height=8, width=8, channels=3)


def test_a_listing_of_a_tfrecord_that_lies_about_lengths(tmp_path: Path) -> None:
    from archivae.storage.tfrecord import list_records
    from tests.tfrecords import tfrecord

    data = tfrecord([b"x" * 100])
    path = tmp_path / "a.tfrecord"
    path.write_bytes(data[:50])
    found = list(list_records(StoredObject(str(path), "a.tfrecord", 50, "")))
    assert len(found) == 1


@pytest.mark.parametrize("value", ["[]", "{}", '{"a":1}'])
@pytest.mark.parametrize("kind", [str, str.encode])
def test_json_of_small_lists_without_end(value: str, kind: Callable[[str], str | bytes]) -> None:
    """16 MB of them took 700 MB."""
    text = f"[{','.join([value] * (2_000_000))}]"
    with pytest.raises(ValueError, match="lists and objects"):
        load_json(kind(text), largest=1 << 30)
    assert len(load_json(kind(f"[{','.join([value] * 100_000)}]"))) == 100_000
