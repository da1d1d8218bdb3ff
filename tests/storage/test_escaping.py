"""Names that storages would not keep, escaped and back."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archivae.errors import UnsafeNameError
from archivae.storage.escaping import escape_name, spell_text, unescape_name, unspell_text
from archivae.storage.names import LONGEST_KEY, LONGEST_PART, join, own_uri, stored_name, with_checked_length

PIECES = st.sampled_from(
    ["a", "%", "%{", "{0a}", "%{0a}", "%{25}", "}", "\n", "\t", "\\", "\udcff", "\ud800", "é", "\x85", "C:", ":", "/", "25"]
)  # fmt: skip
names = st.one_of(st.text(st.characters(), max_size=12), st.lists(PIECES, max_size=8).map("".join))


@given(names)
@example("C:colon.jpg")
@example("%{25}{0a}")
@example("\udcc2\udc85")
@example("C%{3a}x")
def test_every_name_comes_back(name: str) -> None:
    assert unescape_name(escape_name(name)) == name
    assert unspell_text(spell_text(name)) == name
    spell_text(name).encode()


@given(names, names)
def test_two_names_are_never_escaped_alike(one: str, other: str) -> None:
    assert (escape_name(one) == escape_name(other)) == (one == other)
    assert (spell_text(one) == spell_text(other)) == (one == other)
    for base in ("/out", "gs://b/out", "s3://b/out", "hdfs://h/out"):
        assert (stored_name(base, one) == stored_name(base, other)) == (one == other)


@given(names)
def test_an_escaped_name_is_one_that_join_takes(name: str) -> None:
    """Unless it could land elsewhere, which escaping does not hide."""
    elsewhere = name.startswith("/") or {"", ".", ".."} & {*name.split("/")} or name.split("/")[0] == "_archivae"
    if elsewhere:
        with pytest.raises(UnsafeNameError):
            join("/out", escape_name(name))
    else:
        assert join("/out", escape_name(name)).isprintable() or escape_name(name).isprintable() is False
        escape_name(name).encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\:"), max_size=20))
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    if "%{" not in name:
        assert escape_name(name) == unescape_name(name) == spell_text(name) == name


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a%20b.jpg", "a%20b.jpg"),
        ("100%{off}.jpg", "100%{off}.jpg"),
        ("日本/写真 1.jpg", "日本/写真 1.jpg"),
        ("line\nend.jpg", "line%{0a}end.jpg"),
        ("a\\b.jpg", "a%{5c}b.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%{dce9}.jpg"),
        ("C:colon.jpg", "C%{3a}colon.jpg"),
        ("x/C:colon.jpg", "x/C:colon.jpg"),
        ("a%{0a}b.jpg", "a%{25}{0a}b.jpg"),
    ],
)
def test_how_names_are_escaped(name: str, escaped: str) -> None:
    assert escape_name(name) == escaped


@pytest.mark.parametrize(
    "text", ["%{2e}%{2e}/x", "%{2f}etc", "%{61}", "%{110000}", "%{00000a}", "%{0A}", "%{}", "a%{25}b"]
)
def test_what_was_never_escaped_is_not_undone(text: str) -> None:
    """Nothing that an archive holds decodes to a path elsewhere."""
    assert unescape_name(text) == text


def test_where_a_storage_cannot_hold_a_name_it_stays_escaped() -> None:
    assert own_uri("/out", "a\nb.jpg") == "/out/a\nb.jpg"
    assert own_uri("/out", "a\udcff.jpg") == "/out/a\udcff.jpg"
    assert own_uri("gs://b/out", "a\tb.jpg") == "gs://b/out/a\tb.jpg"
    assert own_uri("gs://b/out", "a\nb.jpg") == "gs://b/out/a%{0a}b.jpg"
    assert own_uri("s3://b/out", "a\udcff.jpg") == "s3://b/out/a%{dcff}.jpg"
    assert own_uri("gs://b/out", "a%{0a}b.jpg") == "gs://b/out/a%{25}{0a}b.jpg"


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "a/../b", "_archivae/a", "", "."])
def test_own_names_lead_nowhere_else(name: str) -> None:
    with pytest.raises(UnsafeNameError):
        own_uri("/out", name)


def test_names_that_are_too_long_are_refused_in_our_own_words() -> None:
    assert with_checked_length(f"/out/{'a' * LONGEST_PART}/b")
    with pytest.raises(UnsafeNameError, match=r"at most 255 bytes between two slashes.*shorten"):
        own_uri("/out", "é" * (LONGEST_PART // 2 + 1))
    assert with_checked_length(f"gs://b/{'a' * LONGEST_KEY}")
    with pytest.raises(UnsafeNameError, match=r"at most 1024 bytes"):
        own_uri("gs://b", "a" * (LONGEST_KEY + 1))
