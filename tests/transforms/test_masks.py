from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.errors import DamagedPictureError, MaskError, PictureTooLargeError
from archivae.storage import StoredObject
from archivae.transforms.masks import check_masks, is_mask, mask_uri, read_mask
from tests.samples import file_of

PATTERNS = ("*_mask.png", "masks/*.png", "m/of_*", "/data/masks/*.png", "gs://b/masks/*_m.png", "file:///data/*.png")


def stored(name: str, root: str = "gs://bucket/photos") -> StoredObject:
    return StoredObject(f"{root}/{name}", name, 1, "")


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [
        ("*_mask.png", "gs://bucket/photos/x/a_mask.png"),
        ("masks/*.png", "gs://bucket/photos/masks/x/a.png"),
        ("/data/masks/*.png", "/data/masks/x/a.png"),
        ("file:///data/m_*", "/data/m_x/a"),
        ("gs://other/*.png", "gs://other/x/a.png"),
    ],
)
def test_where_a_mask_lies(pattern: str, uri: str) -> None:
    assert mask_uri(pattern, stored("x/a.jpg")) == uri


def test_the_source_at_the_root_of_the_disk() -> None:
    assert mask_uri("*_mask.png", StoredObject("/a.jpg", "a.jpg", 1, "")) == "/a_mask.png"


@given(
    pattern=st.sampled_from(PATTERNS[:3]),
    name=st.from_regex(r"([a-z]{1,3}/){0,2}[a-z]{1,4}\.(jpg|png)", fullmatch=True),
)
def test_a_picture_s_mask_is_known_as_one(pattern: str, name: str) -> None:
    uri = mask_uri(pattern, stored(name))
    assert is_mask(pattern, stored(uri.removeprefix("gs://bucket/photos/")))
    assert not is_mask(PATTERNS[4], stored(name))


def test_a_picture_is_no_mask() -> None:
    assert not is_mask("*_mask.png", stored("a.png"))
    assert not is_mask("*_mask.png", stored("_mask.png"))
    assert not is_mask("masks/*.png", stored("x/masks/a.png"))


def test_white_is_a_hole(tmp_path: Path) -> None:
    levels = np.array([[0, 127, 128, 255]], np.uint8)
    (tmp_path / "a_mask.png").write_bytes(file_of(levels[:, :, None]))
    source = StoredObject(str(tmp_path / "a.jpg"), "a.jpg", 1, "")
    assert read_mask("*_mask.png", source, 100).tolist() == [[False, False, True, True]]
    with pytest.raises(PictureTooLargeError):
        read_mask("*_mask.png", source, 3)


def test_a_mask_that_is_missing_or_no_picture(tmp_path: Path) -> None:
    source = StoredObject(str(tmp_path / "a.jpg"), "a.jpg", 1, "")
    with pytest.raises(MaskError, match=r"the mask of a\.jpg at '.*a_mask\.png', found none: put it there"):
        read_mask("*_mask.png", source, 100)
    (tmp_path / "a_mask.png").write_bytes(b"no picture")
    with pytest.raises(DamagedPictureError):
        read_mask("*_mask.png", source, 100)


def test_an_empty_mask_folder_is_said(tmp_path: Path) -> None:
    source = StoredObject(str(tmp_path / "a.jpg"), "a.jpg", 1, "")
    (tmp_path / "masks").mkdir()
    for pattern in ("masks/*.png", "*_mask.png", f"{tmp_path}/none/*.png"):
        with pytest.raises(MaskError, match="expected masks such as .* found none at all"):
            check_masks(pattern, source)
    (tmp_path / "masks" / "b.png").touch()
    check_masks("masks/*.png", source)
