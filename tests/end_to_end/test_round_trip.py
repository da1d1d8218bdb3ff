"""Whole jobs, there and back, over local folders and buckets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

import archivae
from archivae.bitstream import Coding, read_bitstream, write_bitstream
from archivae.images import open_picture
from archivae.operations.quality import psnr
from archivae.pipeline.cli import main, run_and_report
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.samples import MODEL, file_of, photo, photo_file, pixels_of, small_codec, stark_jpeg, two_colours

FORMAT = Path(archivae.__file__).parent / "bitstream" / "format.md"


def test_photographs_go_into_an_archive_and_come_back(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    assert archive.files().keys() == {f"{name}.avae" for name in PHOTOS}
    assert decode(archive, restored) == 0
    assert restored.files().keys() == PHOTOS.keys()
    for name, data in restored.files().items():
        assert psnr(pixels_of(PHOTOS[name]), pixels_of(data)) > 15
    assert source.files() == PHOTOS


def test_the_manifest_tells_all_of_every_object(source: Folder, archive: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive, "--quality=33.5") == 0
    fingerprints = source.everything()
    rows = archive.rows()
    assert rows.keys() == PHOTOS.keys()
    for name, row in rows.items():
        data, archived = PHOTOS[name], archive.read(f"{name}.avae")
        pixels = pixels_of(data)
        stream = read_bitstream(archived)
        assert (row.source, row.archive) == (source.path(name), archive.path(f"{name}.avae"))
        assert (row.bytes, row.archive_bytes) == (len(data), len(archived))
        assert bytes.fromhex(row.sha256) == stream.source_sha256
        assert row.fingerprint == fingerprints[name]
        assert (row.height, row.width) == pixels.shape[:2]
        assert (row.status, row.coding, row.error, row.notes) == ("done", "learned", "", ())
        assert row.bpp == pytest.approx(8 * len(archived) / (row.height * row.width))
        back = archivae.decode(archived, model=MODEL, accelerator="cpu")
        assert row.psnr == pytest.approx(psnr(pixels, back), abs=0.05)
        assert (row.quality, row.model) == (33.5, small_codec().id.hex()) and stream.quality == 33.5 * 256
        assert row.operation == "encode" and json.loads(row.options)["quality"] == 33.5
        assert row.seconds > 0 and row.run and row.written > 0


def test_the_archive_is_a_pure_function_of_pictures_and_options(
    source: Folder, new_folder: Callable[[str], Folder]
) -> None:
    source.put(PHOTOS)
    first, second, alone = new_folder("first"), new_folder("second"), new_folder("alone")
    assert encode(source, first) == encode(source, second) == 0
    assert first.files() == second.files()
    assert encode(source.path("sub"), alone) == 0
    assert alone.files() == {name.removeprefix("sub/"): data for name, data in first.files().items() if "sub/" in name}


def test_other_storage_same_bytes(tmp_path: Path, gcs: str) -> None:
    local, bucket = Folder(str(tmp_path / "archive")), Folder(f"{gcs}/archive")
    source = Folder(f"{gcs}/source").put(PHOTOS)
    assert encode(source, local) == encode(source, bucket) == 0
    assert local.files() == bucket.files()


def test_what_is_no_picture_by_name_and_content_is_put_aside(source: Folder, archive: Folder) -> None:
    source.put({"a.png": PHOTOS["a.png"], "README.md": b"# read me", "sub/index.json": b"{}", "empty": b""})
    assert encode(source, archive) == 0
    assert archive.files().keys() == {"a.png.avae"}
    statuses = {name: row.status for name, row in archive.rows().items()}
    assert statuses == {
        "a.png": "done",
        "README.md": "not-a-picture",
        "sub/index.json": "not-a-picture",
        "empty": "not-a-picture",
    }
    assert not archive.letters()
    before = archive.everything()
    assert encode(source, archive) == 0
    assert archive.everything() == before


def test_a_picture_is_one_by_its_content_too(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({"scan": PHOTOS["a.png"], "photo.data": PHOTOS["sub/b.png"]})
    assert encode(source, archive) == 0
    assert archive.files().keys() == {"scan.avae", "photo.data.avae"}
    assert decode(archive, restored) == 0
    assert restored.files().keys() == {"scan.png", "photo.data.png"}


def test_names_that_are_hard(source: Folder, archive: Folder, restored: Folder) -> None:
    """Brackets, spaces, wildcards, markup: all are only letters of a name."""
    names = ["IMG[1].png", "IMG1.png", "a b.png", "50%.png", "x[/y].png", "[bold].png", "ä-ß.png", "-q.png", "#1.png"]
    pictures = {name: photo_file(seed=seed) for seed, name in enumerate(names)}
    source.put(pictures)
    assert encode(source, archive) == 0
    assert decode(archive, restored) == 0
    assert restored.files().keys() == pictures.keys()
    for name, data in restored.files().items():
        assert psnr(pixels_of(data), pixels_of(pictures[name])) > 15


def test_a_glob_keeps_names_after_its_literal_part(source: Folder, archive: Folder) -> None:
    source.put({**PHOTOS, "sub/x.webp": file_of(photo(), "WEBP", lossless=True)})
    assert encode(source.path("sub/**/*.png"), archive) == 0
    assert archive.files().keys() == {"b.png.avae", "deep/c.png.avae"}


def test_a_single_object_is_a_source(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source.path("sub/deep/c.png"), archive) == 0
    assert archive.files().keys() == {"c.png.avae"}
    assert decode(archive.path("c.png.avae"), restored) == 0
    assert restored.files().keys() == {"c.png"}


def listed(kind: str, uris: list[str]) -> bytes:
    if kind == "txt":
        return "\n".join(uris).encode()
    table = pa.table({"uri": uris, "size": list(range(len(uris)))})
    sink = pa.BufferOutputStream()
    (pa.parquet.write_table if kind == "parquet" else pa.csv.write_csv)(table, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("kind", ["txt", "csv", "parquet"])
def test_a_list_of_objects_is_a_source(kind: str, source: Folder, archive: Folder) -> None:
    source.put(PHOTOS)
    uris = [source.path(name) for name in ("a.png", "sub/deep/c.png", "gone.png")]
    source.put({f"list.{kind}": listed(kind, uris)})
    assert encode(source.path(f"list.{kind}"), archive) == 1
    assert archive.files().keys() == {"a.png.avae", "sub/deep/c.png.avae"}
    assert archive.letters()["gone.png"].step == "read"
    assert archive.rows()["gone.png"].status == "failed"


def test_a_listed_object_that_is_no_picture_is_a_failure(source: Folder, archive: Folder) -> None:
    """Who names an object means it."""
    source.put({"notes": b"not a picture", "a.png": PHOTOS["a.png"]})
    source.put({"list.txt": f"{source.path('notes')}\n{source.path('a.png')}".encode()})
    assert encode(source.path("list.txt"), archive) == 1
    assert archive.letters().keys() == {"notes"}


def test_avae_files_and_the_destination_are_never_input(source: Folder) -> None:
    source.put(PHOTOS).put({"old.avae": b"an old archive", "old.png.avae": b"another"})
    inside = Folder(source.path("archive"))
    for _ in range(2):
        assert encode(source, inside) == 0
        assert inside.files().keys() == {f"{name}.avae" for name in PHOTOS}
    assert inside.rows().keys() == PHOTOS.keys()
    inside.put({"picture.png": PHOTOS["a.png"]})
    assert encode(source, inside) == 0
    assert inside.rows().keys() == PHOTOS.keys()


def test_an_archive_may_lie_beside_its_pictures(source: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, source) == 0
    assert source.files().keys() == {*PHOTOS, *(f"{name}.avae" for name in PHOTOS)}
    before = source.everything()
    assert encode(source, source) == 0
    assert source.everything() == before


def test_pictures_are_not_decoded_into_their_archive(archive: Folder, source: Folder) -> None:
    source.put({"a.jpg": file_of(photo(96, 128), "JPEG", quality=95), "notes.txt": b"hello"})
    assert encode(source, archive) == 0
    before = archive.everything()
    assert decode(archive, archive) == 2
    assert archive.everything() == before


def test_where_decoded_names_collide_all_keep_their_full_name(
    source: Folder, archive: Folder, restored: Folder
) -> None:
    source.put({"a.jpg": photo_file(seed=1), "a.png": photo_file(seed=2), "b.gif": photo_file(seed=3)})
    assert encode(source, archive) == 0
    assert archive.files().keys() == {"a.jpg.avae", "a.png.avae", "b.gif.avae"}
    assert decode(archive, restored) == 0
    assert restored.files().keys() == {"a.jpg.png", "a.png.png", "b.png"}
    assert psnr(pixels_of(restored.read("a.png.png")), photo(seed=2)) > 15


@pytest.mark.parametrize(("kind", "ending"), [("jpeg", ".jpg"), ("webp", ".webp"), ("png", ".png")])
def test_formats_of_decode(kind: str, ending: str, source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == decode(archive, restored, f"--format={kind}") == 0
    assert restored.files().keys() == {name.replace(".png", ending) for name in PHOTOS}
    for name, data in restored.files().items():
        decoded = archivae.decode(archive.read(f"{name.replace(ending, '.png')}.avae"), model=MODEL, accelerator="cpu")
        picture = open_picture(data)
        assert picture.format == kind
        assert psnr(picture.pixels, decoded) > (35 if kind == "jpeg" else 1e9)


def test_every_coding_comes_back(source: Folder, archive: Folder, restored: Folder) -> None:
    small_jpeg = stark_jpeg()
    source.put(
        {
            "learned.png": photo_file(),
            "lossless.bmp": file_of(two_colours(90, 70)),
            "original.jpg": small_jpeg,
            "grey.png": file_of(photo(96, 128)[:, :, :1]),
        }
    )
    assert encode(source, archive) == 0
    codings = {name: row.coding for name, row in archive.rows().items()}
    assert codings == {
        "learned.png": "learned", "lossless.bmp": "lossless", "original.jpg": "original", "grey.png": "learned",
    }  # fmt: skip
    assert read_bitstream(archive.read("original.jpg.avae")).coding is Coding.ORIGINAL
    assert decode(archive, restored, "--format=jpeg") == 0
    assert restored.read("original.jpg") == small_jpeg
    assert open_picture(restored.read("grey.jpg")).pixels.shape == (96, 128, 1)
    assert decode(archive, restored, "--format=png", "--overwrite") == 0
    assert np.array_equal(pixels_of(restored.read("lossless.png")), two_colours(90, 70))
    assert np.array_equal(pixels_of(restored.read("original.png")), pixels_of(small_jpeg))


def test_metadata_comes_back(source: Folder, archive: Folder, restored: Folder) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 8
    data = file_of(photo(64, 96), "JPEG", quality=95, exif=exif, icc_profile=b"a profile" * 9)
    source.put({"a.jpg": data})
    assert encode(source, archive) == 0
    turned, profile = archive.rows()["a.jpg"].notes
    assert turned == "orientation 8 applied" and profile.startswith("colour profile kept, but damaged")
    assert decode(archive, restored, "--format=jpeg") == 0
    picture, original = open_picture(restored.read("a.jpg")), open_picture(data)
    assert picture.pixels.shape == original.pixels.shape == (96, 64, 3)
    assert picture.metadata == original.metadata


def test_an_archive_carries_its_own_decoder(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    model = f"_archivae/models/{small_codec().id.hex()}.safetensors"
    assert archive.read(model) == Path(MODEL).read_bytes()
    assert archive.read("_archivae/format.md") == FORMAT.read_bytes()
    archive.delete(model)
    assert decode(archive, restored) == 1
    assert not restored.files()
    assert {letter.error for letter in restored.letters().values()} == {"UnknownModelError"}
    archive.put({model: Path(MODEL).read_bytes()})
    assert decode(archive, restored) == 0
    assert restored.files().keys() == PHOTOS.keys()


@pytest.mark.parametrize("part", ["sub", "sub/", "sub/**", "sub/*.avae", "sub/b.png.avae", "list.txt"])
def test_a_part_of_an_archive_finds_the_decoder_too(
    part: str, source: Folder, archive: Folder, restored: Folder
) -> None:
    source.put(PHOTOS)
    assert encode(source, archive) == 0
    archive.put({"list.txt": archive.path("sub/b.png.avae").encode()})
    assert decode(archive.path(part), restored) == 0
    assert "b.png" in restored.files()


def test_a_model_under_another_ones_name_is_refused(source: Folder, archive: Folder, restored: Folder) -> None:
    source.put({"a.png": PHOTOS["a.png"]})
    assert encode(source, archive) == 0
    stream = read_bitstream(archive.read("a.png.avae"))
    fields = {name: getattr(stream, name) for name in stream.__dataclass_fields__}
    forged = type(stream)(**{**fields, "model_id": b"another!"})
    archive.delete("a.png.avae")
    archive.put({"a.png.avae": write_bitstream(forged)})
    archive.put({f"_archivae/models/{b'another!'.hex()}.safetensors": Path(MODEL).read_bytes()})
    assert decode(archive, restored) == 1
    assert restored.letters()["a.png.avae"].error == "ModelError"


def test_the_plain_beam_program_is_the_same_job(source: Folder, new_folder: Callable[[str], Folder]) -> None:
    source.put(PHOTOS)
    plain, command = new_folder("plain"), new_folder("command")
    words = ["--operation=encode", f"--input={source.uri}", f"--output={plain.uri}", f"--model={MODEL}"]
    assert run_and_report([*words, "--accelerator=cpu", "--quality=50"]) == 0
    assert main(["encode", source.uri, command.uri, "--model", MODEL, "--quality", "50", "--accelerator", "cpu"]) == 0
    assert plain.files() == command.files() and len(plain.files()) == 3
