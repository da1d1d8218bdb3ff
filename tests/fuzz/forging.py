"""Tables, texts and model files made wrong on purpose: their checksums are right, what they say is not."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from archivae.models import FamilyWeights, parse_codec
from archivae.models.photo import weights as photo_weights
from tests.fuzz.mutants import scarred

_EDGES = (-1, 0, 1, 63, 64, 255, 3000, 65_536, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 10**30)
_ODD = ("NaN", "Infinity", "-1e999", "1e308", "null", "true", '""', "[]", "{}", "[" * 5000, '"\\ud800"', "0.5", '"a"')


def forged_table(seed: bytes, random: Random) -> bytes:
    """A whole table with right checksums, of rows by the hundred thousand, of long values, of other types or with columns
    gone; or whose footer says other than its pages."""
    table = pyarrow.parquet.ParquetFile(pa.BufferReader(seed), pre_buffer=False).read(use_threads=False)
    for _ in range(random.randint(1, 3)):
        table = random.choice((_many_rows, _long_values, _other_type, _gone, _nulls, _doubled))(table, random)
    sink = io.BytesIO()
    options: dict[str, Any] = {
        "compression": random.choice(("zstd", "none", "gzip", "snappy")),
        "use_dictionary": random.random() < 0.7,
        "data_page_version": random.choice(("1.0", "2.0")),
        "row_group_size": random.choice((1, 5, 100_000, 10_000_000)),
    }
    if table.num_rows > 1000:
        options["row_group_size"] = max(options["row_group_size"], table.num_rows // 50)
    pyarrow.parquet.write_table(table, sink, **options)
    data = sink.getvalue()
    return scarred(data, random) if random.random() < 0.3 else data


def _many_rows(table: pa.Table, random: Random) -> pa.Table:
    if not table.num_rows:
        return table
    wanted = min(random.choice((1000, 25_000)), 600_000 // table.num_columns)
    return table.take(pa.array([random.randrange(table.num_rows)] * wanted))


def _long_values(table: pa.Table, random: Random) -> pa.Table:
    texts = [n for n, field in enumerate(table.schema) if pa.types.is_string(field.type)]
    if not texts or table.num_rows > 5000:
        return table
    at = random.choice(texts)
    value = random.choice(("a\n\x1b[31m", "\u202e", "x" * 10_000, "/" * 300))
    column = pa.array([value] * table.num_rows).dictionary_encode().cast(pa.string())
    return table.set_column(at, table.schema.field(at).name, column)


def _other_type(table: pa.Table, random: Random) -> pa.Table:
    if not table.num_columns:
        return table
    at = random.randrange(table.num_columns)
    value, kind = random.choice(
        ((1.5, pa.float64()), (-1, pa.int64()), ("a", pa.string()), (b"a", pa.binary()), ([1], pa.list_(pa.int8())))
    )
    return table.set_column(at, table.schema.field(at).name, pa.array([value] * table.num_rows, kind))


def _gone(table: pa.Table, random: Random) -> pa.Table:
    return table.remove_column(random.randrange(table.num_columns)) if table.num_columns > 1 else table


def _nulls(table: pa.Table, random: Random) -> pa.Table:
    if not table.num_columns:
        return table
    at = random.randrange(table.num_columns)
    field = table.schema.field(at)
    return table.set_column(at, pa.field(field.name, field.type), pa.nulls(table.num_rows, field.type))


def _doubled(table: pa.Table, random: Random) -> pa.Table:
    if not table.num_columns:
        return table
    at = random.randrange(table.num_columns)
    return table.append_column(table.schema.field(at), table.column(at))


def forged_text(seed: bytes, random: Random) -> bytes:
    """A number, a text or a word of a text in JSON or YAML is another, or there is too much of it."""
    text = seed.decode()
    for _ in range(random.randint(1, 3)):
        starts = [n for n, c in enumerate(text) if c in ":[,\n"]
        at = random.choice(starts) + 1 if starts else 0
        end = next((n for n in range(at, len(text)) if text[n] in ",]}\n"), len(text))
        value = random.choice(
            (*map(str, _EDGES), *_ODD, '"' + "a\\n\\u001b[31m\\u202e" * 50 + '"', "&a [*a]", "&b 1\n? *b")
        )
        text = text[:at] + " " + value + text[end:]
    return text.encode("utf-8", "surrogatepass")


def forged_model(seed: bytes, random: Random) -> bytes:
    """Other numbers in the architecture, other weights; half of them with the id that is right for these."""
    kind = random.randrange(3)
    (length,) = struct.unpack_from("<Q", seed)
    header = json.loads(seed[8 : 8 + length])
    body = bytearray(seed[8 + length :])
    if kind == 0:
        sizes = json.loads(header["__metadata__"]["architecture"])
        sizes[random.choice([*sizes, "new"])] = random.choice((*_EDGES, 1.5, "1", None, [1], True, float("nan")))
        header["__metadata__"]["architecture"] = json.dumps(sizes)
    elif kind == 1:
        name = random.choice([name for name in header if name != "__metadata__"])
        start, end = header[name]["data_offsets"]
        filling = random.choice((b"\xff", b"\x7e", b"\x00", b"\x80"))
        body[start:end] = filling * (end - start)
    else:
        key = random.choice([*header["__metadata__"], *header])
        value = random.choice(("[" * 200_000, "", "a\n\x1b[31m" * 100, "0" * 16, "\u202e"))
        if key in header["__metadata__"]:
            header["__metadata__"][key] = value
        elif key != "__metadata__":
            header[key]["dtype"] = random.choice(("F16", "F32", "I64", "U8", "BOOL", "BF16"))
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(body)
    return _with_its_id(data) if random.random() < 0.5 else data


def _with_its_id(data: bytes) -> bytes:
    """The same with the id of what it holds, where that can be told."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    ids: list[str] = []
    original = photo_weights.PhotoWeights.model_id, FamilyWeights.model_id

    def noting(number: int) -> Callable[[Any], bytes]:
        def model_id(self: Any) -> bytes:
            found = original[number](self)
            ids.append(found.hex())
            return found

        return model_id

    photo_weights.PhotoWeights.model_id, FamilyWeights.model_id = noting(0), noting(1)  # type: ignore[method-assign]
    try:
        parse_codec(data)
    except Exception:
        pass  # what is wrong with it the reader will say
    finally:
        photo_weights.PhotoWeights.model_id, FamilyWeights.model_id = original  # type: ignore[method-assign]
    if not ids:
        return data
    header["__metadata__"]["id"] = ids[-1]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]
