"""Whole jobs with any autoencoder, over local folders and buckets: generate, embed, similar, transform, encode, decode."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from archivae.operations.generate import CHUNK
from archivae.pipeline import family_run
from archivae.pipeline.cli import main
from archivae.storage.vectors import read_embeddings
from tests.autoencoders import pictures, weight_file
from tests.end_to_end.jobs import Folder, command, decode, encode
from tests.samples import file_of, pixels_of

COUNT = CHUNK + 6
WORKERS = ("--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
SHOWN = {f"{'bright' if n % 2 else 'dark'}/{n}.png": file_of(p if n % 2 else p // 3) for n, p in enumerate(pictures(6))}


@pytest.fixture
def vae(tmp_path: Path) -> str:
    return weight_file(tmp_path, "vae")


def generate(destination: Folder, model: str, *options: str) -> int:
    return main(["generate", destination.uri, f"--model={model}", "--accelerator=cpu", *options])


def test_samples_are_written_and_recorded(archive: Folder, vae: str) -> None:
    assert generate(archive, vae, f"--count={COUNT}", "--seed=7") == 0
    files = archive.files()
    assert sorted(files) == [f"0000/{n:08d}.png" for n in range(COUNT)]
    assert pixels_of(files["0000/00000003.png"]).shape == (12, 12)
    rows = archive.rows()
    assert rows.keys() == files.keys()
    row = rows["0000/00000003.png"]
    assert (row.status, row.operation, row.height, row.width) == ("done", "generate", 12, 12)
    assert json.loads(row.options)["asked"] == {"seed": 7} and row.model
    assert pixels_of(archive.read("_archivae/contact_sheet.png")).ndim == 2


def test_a_second_run_does_what_is_missing_and_more(archive: Folder, vae: str) -> None:
    assert generate(archive, vae, f"--count={COUNT}") == 0
    before = archive.everything()
    kept = archive.files()
    assert generate(archive, vae, f"--count={COUNT}") == 0
    assert archive.everything().keys() == before.keys()
    archive.delete("0000/00000002.png", f"0000/{CHUNK:08d}.png")
    assert generate(archive, vae, f"--count={2 * CHUNK}") == 0
    after = archive.files()
    assert len(after) == 2 * CHUNK and {name: after[name] for name in kept} == kept
    fingerprints = archive.everything()
    assert fingerprints["0000/00000001.png"] == before["0000/00000001.png"]


def test_other_options_over_the_same_folder_are_refused(
    archive: Folder, vae: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(archive, vae, "--count=2") == 0
    assert generate(archive, vae, "--count=2", "--seed=1") == 2
    assert "choose another destination" in capsys.readouterr().err
    assert generate(archive, vae, "--count=2", "--seed=1", "--overwrite") == 0


def test_workers_change_no_picture(tmp_path: Path, vae: str) -> None:
    alone, together = Folder(str(tmp_path / "alone")), Folder(str(tmp_path / "together"))
    assert generate(alone, vae, f"--count={COUNT}") == 0
    assert generate(together, vae, f"--count={COUNT}", *WORKERS) == 0
    assert alone.files() == together.files()


def test_shards_hold_the_same_pictures(new_folder: Callable[[str], Folder], vae: str) -> None:
    loose, packed = new_folder("loose"), new_folder("packed")
    assert generate(loose, vae, f"--count={COUNT}") == generate(packed, vae, f"--count={COUNT}", "--shards") == 0
    assert sorted(packed.files()) == ["000000.tar", "000001.tar"]
    found = {}
    for data in packed.files().values():
        with tarfile.open(fileobj=io.BytesIO(data)) as shard:
            found |= {member.name: shard.extractfile(member).read() for member in shard}  # type: ignore[union-attr]
    assert found == loose.files()


def test_interpolations_and_textures_are_jobs_too(
    source: Folder, new_folder: Callable[[str], Folder], vae: str
) -> None:
    rng = np.random.default_rng(0)
    source.put(SHOWN | {"texture.png": file_of(rng.integers(0, 255, (40, 40, 3), np.uint8))})
    way, texture = new_folder("way"), new_folder("texture")
    ends = [source.path("dark/0.png"), source.path("bright/1.png")]
    assert generate(way, vae, "--interpolate", *ends, "--steps=4", "--format=webp") == 0
    assert len(way.files()) == 4
    assert main(["generate", texture.uri, f"--texture={source.path('texture.png')}", "--size=70x50"]) == 0
    assert pixels_of(texture.files()["0000/00000000.png"]).shape == (50, 70, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--count=3", "--label=blue"], "has no classes, found label 'blue'"),
        (["--count=0"], "count of at least 1"),
        ([], "expected one of --count, --interpolate and --texture, found none"),
        (["--count=2", "--texture=a.png"], "found --count and --texture"),
        (["--texture=a.png", "--size=12"], "expected a size such as 2048x2048"),
    ],
)
def test_orders_that_make_no_sense_are_refused(
    tmp_path: Path, vae: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(Folder(str(tmp_path / "out")), vae, *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_are_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conv, out = weight_file(tmp_path, "conv"), str(tmp_path / "out")
    assert main(["generate", out, f"--model={conv}", "--count=2"]) == 2
    assert "cannot sample" in capsys.readouterr().err
    assert main(["embed", str(tmp_path), out, f"--model={weight_file(tmp_path, 'gan')}"]) == 2
    assert "cannot take pictures in" in capsys.readouterr().err
    assert main(["transform", str(tmp_path), out, "--latent-op=2:+1"]) == 2
    assert "photo only describes pictures" in capsys.readouterr().err
    assert main(["embed", str(tmp_path), out, "--model=nobodys"]) == 2
    assert "expected a model of photo" in capsys.readouterr().err


def test_vectors_are_written_found_and_made_once(
    source: Folder, archive: Folder, vae: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put(SHOWN | {"notes.txt": b"no picture", "bright/large.png": file_of(pictures(1, side=16)[0])})
    assert command("embed", source, archive, f"--model={vae}") == 1
    found = read_embeddings(archive.uri)
    assert found.uris == tuple(sorted(source.path(name) for name in SHOWN))
    assert found.vectors.dtype == np.float32 and np.isfinite(found.vectors).all()
    assert "takes grey pictures 12x12; found grey, 16x16" in archive.letters()["large.png"].reason
    rows = archive.rows()
    assert rows["notes.txt"].status == "not-a-picture" and rows["dark/0.png"].operation == "embed"
    parts = sorted(archive.files())
    assert command("embed", source, archive, f"--model={vae}") == 1
    assert sorted(archive.files()) == parts
    capsys.readouterr()
    assert main(["similar", archive.uri, source.path("dark/0.png"), f"--model={vae}", "--count=2"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"1.0000  {source.path('dark/0.png')}"
    assert main(["similar", archive.uri, source.path("dark/0.png")]) == 2
    assert "was embedded with, found photo" in capsys.readouterr().err


def test_parts_are_one_table_for_others(tmp_path: Path, vae: str) -> None:
    source, vectors = Folder(str(tmp_path / "in")).put(SHOWN), tmp_path / "vectors"
    assert command("embed", source, str(vectors), f"--model={vae}") == 0
    table = pq.read_table(vectors)
    assert set(table.column_names) == {"uri", "vector", "written"} and len(table) == len(SHOWN)


def test_one_file_of_vectors_whole_sorted_and_again_the_same(
    source: Folder, archive: Folder, vae: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source.put({name: SHOWN[name] for name in list(SHOWN)[1:]})
    file = archive.path("deep/vectors.parquet")
    assert command("embed", source, file, f"--model={vae}") == 0
    assert f"embeddedinto{file}" in "".join(capsys.readouterr().out.split())
    source.put({name: SHOWN[name] for name in list(SHOWN)[:1]})
    assert command("embed", source, file, f"--model={vae}") == 0
    assert f"{len(SHOWN) - 1} skipped as done before" in capsys.readouterr().out
    assert [name for name in archive.files() if "/_archivae/" not in f"/{name}"] == ["deep/vectors.parquet"]
    data = archive.files()["deep/vectors.parquet"]
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == ["uri", "vector"] and str(table.schema.field("vector").type).endswith("float>")
    assert table["uri"].to_pylist() == sorted(source.path(name) for name in SHOWN)
    assert command("embed", source, file, f"--model={vae}") == 0
    assert archive.files()["deep/vectors.parquet"] == data
    capsys.readouterr()
    assert main(["similar", file, source.path("dark/0.png"), f"--model={vae}", "--count=1"]) == 0
    assert capsys.readouterr().out == f"1.0000  {source.path('dark/0.png')}\n"


def test_a_job_killed_before_its_file_was_written_goes_on(
    tmp_path: Path, vae: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = Folder(str(tmp_path / "in")).put(SHOWN), tmp_path / "vectors.parquet"
    monkeypatch.setattr(family_run, "write_whole", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        command("embed", source, str(file), f"--model={vae}")
    assert not file.exists()
    monkeypatch.undo()
    assert command("embed", source, str(file), f"--model={vae}") == 0
    assert len(pq.read_table(file)) == len(SHOWN)


def test_other_vectors_in_one_file_only_when_told_to(
    tmp_path: Path, vae: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, file = Folder(str(tmp_path / "in")).put(SHOWN), str(tmp_path / "vectors.parquet")
    other = f"--model={weight_file(tmp_path, 'conv')}"
    assert command("embed", source, file, f"--model={vae}") == 0
    before = read_embeddings(file)
    assert command("embed", source, file, other) == 2
    assert "another destination, the same options, or --overwrite" in capsys.readouterr().err
    assert command("embed", source, file, other, "--overwrite") == 0
    assert read_embeddings(file).model != before.model and len(read_embeddings(file).uris) == len(SHOWN)


def test_one_file_needs_a_job_that_is_waited_for(tmp_path: Path, vae: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "in")).put(SHOWN)
    words = [f"--model={vae}", "--no_wait_until_finish"]
    assert command("embed", source, str(tmp_path / "vectors.parquet"), *words) == 2
    assert "name a folder" in capsys.readouterr().err


def test_latents_change_on_the_way(
    source: Folder, archive: Folder, new_folder: Callable[[str], Folder], vae: str
) -> None:
    source.put(SHOWN)
    folders = [source.path("dark"), source.path("bright")]
    assert command("transform", source.path("dark"), archive, f"--model={vae}", "--latent-op=2:+30") == 0
    assert sorted(archive.files()) == ["0.png", "2.png", "4.png"]
    toward = new_folder("toward")
    words = [f"--model={vae}", "--toward", *folders, "--amount=2", "--format=webp"]
    assert command("transform", source.path("dark"), toward, *words) == 0
    assert sorted(toward.files()) == ["0.webp", "2.webp", "4.webp"]
    assert toward.rows()["0.png"].operation == "transform"
    assert command("transform", source, new_folder("none"), f"--model={vae}") == 2


@pytest.mark.parametrize("family", ["dense", "conv", "vae", "cvae", "vq"])
def test_every_family_is_a_codec(
    family: str, source: Folder, archive: Folder, restored: Folder, tmp_path: Path
) -> None:
    """Decode knows nothing of the model but what the archive holds."""
    source.put(SHOWN)
    assert encode(source, archive, "--quality=80", model=weight_file(tmp_path, family)) == 0
    rows = archive.rows()
    assert {row.status for row in rows.values()} == {"done"}
    learned = [row for row in rows.values() if row.coding == "learned"]
    assert decode(archive, restored) == 0
    assert restored.files().keys() == SHOWN.keys()
    if learned:
        assert archive.own("models/") == [f"_archivae/models/{learned[0].model}.safetensors"]
