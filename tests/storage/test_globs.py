from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.storage.globs import parse_glob, translate

MATCHES = [
    ("*.jpg", "a.jpg", True),
    ("*.jpg", "a/b.jpg", False),
    ("*", ".hidden", True),
    ("?.jpg", "a.jpg", True),
    ("?.jpg", "/.jpg", False),
    ("**", "a/b/c", True),
    ("**.jpg", "a/b.jpg", True),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/xb", False),
    ("**/b", "b", True),
    ("a**/b", "a/b", True),
    ("a**/b", "b", False),
    ("[ab].jpg", "b.jpg", True),
    ("[!ab].jpg", "b.jpg", False),
    ("[!ab].jpg", "c.jpg", True),
    ("a[!b]c", "a/c", False),
    ("[0-9][0-9]", "42", True),
    ("[]]", "]", True),
    ("[!]]", "]", False),
    ("[a-]", "-", True),
    ("[^a]", "^", True),
    ("[z-a]", "m", False),
    ("[!z-a]", "m", True),
    ("[a", "[a", True),
    ("[]", "[]", True),
    ("a[b/c]", "a[b/c]", True),
    ("[a&&b~~c||d--e]", "&", True),
    ("*.jpg", "a.jpg\n", False),
    ("*", "a\nb", True),
    (r"\d.jpg", r"\d.jpg", True),
]
LITERAL = st.text(st.characters(exclude_characters="*?[", exclude_categories=["Cs"]), max_size=12)


def _matches(pattern: str, name: str) -> bool:
    return re.match(translate(pattern), name) is not None


@pytest.mark.parametrize(("pattern", "name", "expected"), MATCHES)
def test_translate(pattern: str, name: str, expected: bool) -> None:
    assert _matches(pattern, name) is expected


@given(pattern=st.text("ab/*?[]!-^\\.&", max_size=12), name=st.text("ab/]-^[!.", max_size=8))
def test_any_pattern_translates_and_only_a_double_star_crosses_folders(pattern: str, name: str) -> None:
    if _matches(pattern, name) and "**" not in pattern:
        assert name.count("/") == pattern.count("/")


@given(text=LITERAL)
def test_text_without_wildcards_is_no_glob_and_matches_itself(text: str) -> None:
    assert parse_glob(text) is None
    assert _matches(text, text)


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_bracketed_characters_match_any_name_literally(name: str) -> None:
    quoted = "".join(f"[{character}]" if character in "*?[" else character for character in name)
    assert _matches(quoted, name)


@given(before=LITERAL, after=LITERAL, middle=LITERAL)
def test_a_star_stands_for_any_part_of_a_name(before: str, after: str, middle: str) -> None:
    if "/" not in middle:
        assert _matches(f"{before}x*{after}", f"{before}x{middle}{after}")
    assert _matches(f"{before}x**{after}", f"{before}x{middle}{after}")


@given(pattern=st.text("ab/*?[]", max_size=12), name=st.text("ab/", max_size=8))
def test_root_start_and_depth_say_true_things_of_every_match(pattern: str, name: str) -> None:
    glob = parse_glob(pattern)
    if glob is None:
        return
    assert pattern.startswith(glob.root + glob.start)
    assert glob.root == "" or glob.root.endswith("/")
    if glob.names.match(name):
        assert name.startswith(glob.start)
        assert glob.depth is None or name.count("/") + 1 <= glob.depth


def test_parse_glob_cuts_before_the_first_wildcard() -> None:
    glob = parse_glob("gs://b/photos/20*/[ab].jpg")
    assert glob is not None
    assert (glob.root, glob.start, glob.depth) == ("gs://b/photos/", "20", 2)
    deep = parse_glob("photos/**/x")
    assert deep is not None
    assert (deep.root, deep.start, deep.depth) == ("photos/", "", None)
