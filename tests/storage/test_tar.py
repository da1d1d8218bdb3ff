"""The tar writer against Python's own reader, and the scanner against both and against damage."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archivae.storage.tar import BLOCK, END, TarMember, header, padding, scan

names = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=150)
    .map(lambda text: text.strip("/ ") or "x")
    .filter(lambda name: not {"", ".", ".."} & set(name.split("/"))),
    max_size=5,
    unique=True,
)
contents = st.binary(max_size=1500)


def packed(members: Sequence[tuple[str, bytes]]) -> bytes:
    parts = [header(name, len(data)) + data + bytes(padding(len(data))) for name, data in members]
    return b"".join(parts) + END


def scanned(data: bytes) -> list[TarMember | int]:
    return list(scan(lambda offset, length: data[offset : offset + length], len(data)))


def members_of(data: bytes) -> list[tuple[str, bytes]]:
    found = [member for member in scanned(data) if isinstance(member, TarMember)]
    return [(member.name, data[member.offset : member.offset + member.length]) for member in found]


@given(names.flatmap(lambda found: st.tuples(*(st.tuples(st.just(name), contents) for name in found))))
def test_what_is_written_is_read_by_python_and_by_the_scanner(members: Sequence[tuple[str, bytes]]) -> None:
    data = packed(members)
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        found = [(info.name, file.extractfile(info).read()) for info in file]  # type: ignore[union-attr]
        assert all(
            (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "") for info in file.getmembers()
        )
    assert found == list(members)
    assert members_of(data) == list(members)
    assert not [found for found in scanned(data) if isinstance(found, int)]


def test_the_tar_program_lists_it(tmp_path: Path) -> None:
    found = ["a.jpg.avae", "sub/ä.avae", f"sub/{'long' * 50}.avae"]
    (tmp_path / "shard.tar").write_bytes(packed([(name, name.encode()) for name in found]))
    words = ["tar", "--quoting-style=literal", "-tf", str(tmp_path / "shard.tar")]
    listed = subprocess.run(words, capture_output=True, check=True)
    assert listed.stdout.decode().splitlines() == found and not listed.stderr


MEMBERS = [(name, bytes([65 + number]) * size) for number, (name, size) in enumerate(
    [("a", 5), ("ü" * 40, 600), ("x" * 120, 512), ("d", 0), ("e/f", 700)]
)]  # fmt: skip


@settings(max_examples=200)
@given(st.integers(0, len(packed(MEMBERS)) - 1), st.integers(1, 255))
def test_one_damaged_byte_loses_at_most_the_member_it_is_in(at: int, change: int) -> None:
    whole = packed(MEMBERS)
    damaged = bytearray(whole)
    damaged[at] ^= change
    before = [member for member in scanned(whole) if isinstance(member, TarMember)]
    after = scanned(bytes(damaged))
    touched = next((member for member in before if member.start <= at < member.end), None)
    assert [member for member in before if member != touched] == [
        found for found in after if isinstance(found, TarMember) and (touched is None or found.start != touched.start)
    ]
    # Zeros that fill an extended header's block may differ and all is well; contents are for others to check.
    assert touched in after or any(isinstance(found, int) for found in after), "nothing was said of the damage"


def test_a_name_is_never_cut_where_its_extended_header_is_lost() -> None:
    whole = packed(MEMBERS)
    member = next(found for found in scanned(whole) if isinstance(found, TarMember) and found.name == "x" * 120)
    damaged = bytearray(whole)
    damaged[member.start : member.start + BLOCK] = bytes(range(256)) * 2
    names = [found.name for found in scanned(bytes(damaged)) if isinstance(found, TarMember)]
    assert names == ["a", "ü" * 40, "d", "e/f"]


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 1000, len(packed(MEMBERS)) - 1, len(packed(MEMBERS)) - BLOCK])
def test_a_cut_tar_says_so_and_gives_what_is_whole(cut: int) -> None:
    found = scanned(packed(MEMBERS)[:cut])
    whole = [member for member in scanned(packed(MEMBERS)) if isinstance(member, TarMember) and member.end <= cut]
    assert [member for member in found if isinstance(member, TarMember)] == whole
    assert any(isinstance(problem, int) for problem in found)


@settings(max_examples=300)
@given(st.binary(max_size=4096))
def test_anything_is_scanned_without_an_error(data: bytes) -> None:
    for found in scanned(data):
        assert isinstance(found, int) or found.end <= len(data)


@settings(max_examples=300)
@given(st.data())
def test_headers_that_lie_are_scanned_without_an_error(data: st.DataObject) -> None:
    """Extended headers with right checksums and any content."""
    content = data.draw(
        st.binary(max_size=600) | st.sampled_from([b"11 size=-1\n", b"99 path=x\n", b"16 size=9" + b"9" * 40])
    )
    info = tarfile.TarInfo("x")
    info.type = data.draw(st.sampled_from([b"x", b"g", b"L", b"K", b"S", b"0", b"5", b"7"]))
    info.size = data.draw(st.sampled_from([len(content), 0, 7, 1 << 40, (8 << 30) - 1]))
    head = info.tobuf(tarfile.GNU_FORMAT)
    everything = head + content + bytes(padding(len(content))) + packed(MEMBERS)
    for found in scanned(everything):
        assert isinstance(found, int) or found.end <= len(everything)
