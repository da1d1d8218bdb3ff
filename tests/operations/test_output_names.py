from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.operations.names import archive_name, assign_decoded_names, collision_group, decoded_name

# Few letters and many endings, so that names collide as often as can be.
parts = st.sampled_from(["a", "b", ".jpg", ".png", ".PNG", ".jpeg", ".webp", ".txt", "/", ".", ".avae"])
# No source's name ends in a slash.
sources = st.lists(parts, min_size=1, max_size=5).map("".join).filter(lambda name: not name.endswith("/"))
names = sources.map(archive_name)
collections = st.lists(names, unique=True, max_size=12)
endings = st.sampled_from([".png", ".jpg", ".webp"])


def test_the_examples_of_the_specification() -> None:
    assert archive_name("a/b.jpg") == "a/b.jpg.avae"
    assert decoded_name("a/b.jpg.avae", ".png") == "a/b.png"
    assert assign_decoded_names(["a.jpg.avae", "a.png.avae"], ".png") == {
        "a.jpg.avae": "a.jpg.png",
        "a.png.avae": "a.png.png",
    }


@pytest.mark.parametrize(
    ("source", "decoded"),
    [
        ("a.jpg.avae", "a.png"),
        ("a.JPEG.avae", "a.png"),
        ("a.tar.avae", "a.tar.png"),
        ("a.avae", "a.png"),
        (".jpg.avae", ".jpg.png"),
        ("v1.2/a.avae", "v1.2/a.png"),
        ("a.jpg/b.avae", "a.jpg/b.png"),
        ("a.jpg.avae.avae", "a.jpg.avae.png"),
    ],
)
def test_names_of_single_files(source: str, decoded: str) -> None:
    assert assign_decoded_names([source], ".png") == {source: decoded}


def test_keeping_the_full_name_may_make_another_collision() -> None:
    """`a.jpg.png` was free until `a.jpg` had to keep its full name."""
    assigned = assign_decoded_names(["a.jpg.avae", "a.webp.avae", "a.jpg.gif.avae"], ".png")
    assert assigned == {
        "a.jpg.avae": "a.jpg.png",
        "a.webp.avae": "a.webp.png",
        "a.jpg.gif.avae": "a.jpg.gif.png",
    }


@given(collections, endings)
def test_assigned_names_are_unique(archived: list[str], ending: str) -> None:
    assigned = assign_decoded_names(archived, ending)
    assert assigned.keys() == set(archived)
    assert len(set(assigned.values())) == len(archived)
    assert all(name.endswith(ending) for name in assigned.values())


@given(collections, endings)
def test_groups_can_be_settled_apart(archived: list[str], ending: str) -> None:
    """Workers see one collision group each: together they must give the names that one worker would."""
    groups = defaultdict(list)
    for name in archived:
        groups[collision_group(name)].append(name)
    apart: dict[str, str] = {}
    for group in groups.values():
        apart |= assign_decoded_names(group, ending)
    assert apart == assign_decoded_names(archived, ending)


@given(names, endings)
def test_a_decoded_name_stays_in_its_group(archived: str, ending: str) -> None:
    for full in (False, True):
        assert collision_group(archive_name(decoded_name(archived, ending, full=full))) == collision_group(archived)


@given(collections, endings, st.randoms())
def test_the_order_does_not_matter(archived: list[str], ending: str, random: object) -> None:
    shuffled = list(archived)
    random.shuffle(shuffled)
    assert assign_decoded_names(shuffled, ending) == assign_decoded_names(archived, ending)
