"""Names in the archive: each content its own, whatever files are called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.operations.names import archive_name
from archivae.pipeline.archiving.naming import Taken, full_name, names_for, version_name
from archivae.pipeline.archiving.selection import select
from archivae.storage import ManifestRow, StoredObject, stat_object
from tests.end_to_end.jobs import Folder
from tests.pipeline.archiving.policies import keep, once, policy
from tests.samples import photo_file


def row(uri: str, name: str, fingerprint: str, status: str = "done") -> ManifestRow:
    return ManifestRow(
        source=uri, name=name, bytes=1, sha256="", fingerprint=fingerprint, height=1, width=1,
        status=status,  # type: ignore[arg-type]
        operation="encode", run="", written=1.0,
    )  # fmt: skip


def test_a_version_that_is_called_as_a_real_file_is(tmp_path: Path) -> None:
    """Both fresh in one run: the file keeps its name."""
    found = StoredObject("/in/1.png", "1.png", 1, "local:2:2")
    real = version_name("in/1.png", found.fingerprint)
    other = StoredObject(f"/{real}", real, 1, "local:1:1")
    taken = Taken({archive_name("in/1.png")}, {"in/1.png": ["/in/1.png"]}, adopts=True)
    for objects in ([found, other], [other, found]):
        names = names_for([(entry, None) for entry in objects], taken)
        assert names == {"/in/1.png": version_name("in/1.png", "local:2:2", 2), other.uri: real}


@pytest.mark.parametrize("shards", [{}, {"shard_size": "1MiB"}], ids=["objects", "shards"])
def test_files_called_as_versions_do_not_stop_a_policy(shards: dict[str, str], tmp_path: Path) -> None:
    """What decode gave back lies beside the next version: all of it is archived, run after run."""
    source, target = Folder(str(tmp_path / "in")).put({"1.png": photo_file(64, 64, 1)}), Folder(str(tmp_path / "arc"))
    asked = policy(source, target, **shards)
    assert once(asked).encoded == 1
    source.put({"1.png": photo_file(64, 64, 2)})
    found = stat_object(source.path("1.png"))
    assert found is not None
    real = Path(version_name(source.path("1.png"), found.fingerprint))
    real.write_bytes(photo_file(64, 64, 3))
    run = once(asked)
    assert (run.encoded, run.failed) == (2, 0)
    run = once(asked)
    assert (run.encoded, run.failed) == (0, 0)
    assert len({row.sha256 for row in target.rows().values()}) == 2 and len(target.rows()) == 2


def test_a_file_called_as_a_version_that_is_archived_already(tmp_path: Path) -> None:
    """The version came first: the file becomes a version of its own name."""
    source, target = Folder(str(tmp_path / "in")).put({"1.png": photo_file(64, 64, 1)}), Folder(str(tmp_path / "arc"))
    uri, version = source.path("1.png"), version_name(full_name(source.path("1.png")), "local:9:9")
    real = StoredObject(f"/{version}", "", 1, "local:1:1")
    taken = Taken({archive_name(version)}, {version: [uri]}, adopts=True)
    assert names_for([(real, None)], taken) == {real.uri: version_name(version, "local:1:1")}
    keep(source, target, "1.png")
    assert not select(policy(source, target), 1e12).fresh


def test_content_that_comes_back_is_archived_again() -> None:
    """Its version's name is its own by an older row, but that file is what the newest row must speak of."""
    found = StoredObject("/in/1.png", "1.png", 1, "local:1:1")
    version = version_name("in/1.png", "local:1:1")
    taken = Taken(
        {archive_name("in/1.png"), archive_name(version)}, {"in/1.png": ["/in/1.png"], version: ["/in/1.png"]}, True
    )
    newest = row("/in/1.png", version_name("in/1.png", "local:2:2"), "local:2:2")
    assert names_for([(found, newest)], taken) == {"/in/1.png": version_name("in/1.png", "local:1:1", 2)}


def test_what_a_killed_run_left_without_a_row_is_adopted() -> None:
    found = StoredObject("/in/1.png", "1.png", 1, "local:1:1")
    outputs = {archive_name("in/1.png")}
    assert names_for([(found, None)], Taken(outputs, {}, adopts=True)) == {"/in/1.png": "in/1.png"}
    names = names_for([(found, None)], Taken(outputs, {}, adopts=False))
    assert names == {"/in/1.png": version_name("in/1.png", "local:1:1")}


def test_what_failed_under_a_name_that_something_else_has_is_not_tried_under_it_again() -> None:
    found = StoredObject("/in/1.png", "1.png", 1, "local:1:1")
    failed = ManifestRow(
        source=found.uri, name="in/1.png", bytes=1, sha256="", fingerprint=found.fingerprint, height=0, width=0,
        status="failed", operation="encode", error="something else lies there", run="", written=1.0,
    )  # fmt: skip
    version = version_name("in/1.png", "local:1:1")
    taken = Taken({archive_name("in/1.png")}, {}, adopts=True)
    assert names_for([(found, failed)], taken) == {found.uri: version}
    taken = Taken({archive_name("in/1.png"), archive_name(version)}, {}, adopts=True)
    assert names_for([(found, dataclasses.replace(failed, name=version))], taken)[found.uri] != version
    assert names_for([(found, failed)], Taken(set(), {}, adopts=True)) == {found.uri: "in/1.png"}, "nothing else has it"


NAMES = st.sampled_from(["1.png", "1~2.png", "1~3.png", "1~2~2.png"])


@given(
    st.dictionaries(NAMES, st.tuples(st.sampled_from("ab"), st.none() | st.tuples(NAMES, st.sampled_from("ab")))),
    st.sets(NAMES),
    st.booleans(),
)
def test_no_two_objects_ever_get_one_name(
    objects: dict[str, tuple[str, tuple[str, str] | None]], outputs: set[str], adopts: bool
) -> None:
    """Nor one of the archive's that is another's."""
    found = [
        (StoredObject(f"/{name}", name, 1, fingerprint), known and row(f"/{name}", *known))
        for name, (fingerprint, known) in objects.items()
    ]
    owners = {known.name: [known.source] for _, known in found if known}
    names = names_for(found, Taken({archive_name(name) for name in outputs}, owners, adopts))
    assert {*names} == {entry.uri for entry, _ in found} and len({*names.values()}) == len(names)
    for entry, known in found:
        name = names[entry.uri]
        kept = known is not None and known.fingerprint == entry.fingerprint and known.name == name
        assert kept or name not in owners or owners[name] == [entry.uri]
