from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archivae.errors import UsageError
from archivae.models.restore.turns import PASSES, averaged, check_passes

PICTURE = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).reshape(2, 3, 4, 6)


@pytest.mark.parametrize("passes", PASSES)
def test_copies_come_back_as_they_went(passes: int) -> None:
    assert torch.equal(averaged(lambda picture: picture, passes, PICTURE), PICTURE)


@pytest.mark.parametrize("passes", PASSES)
def test_each_copy_is_another_way_to_look(passes: int) -> None:
    seen: list[Tensor] = []

    def look(picture: Tensor, beside: Tensor) -> Tensor:
        assert torch.equal(beside, picture + 1)  # turned together
        seen.append(picture)
        return picture

    averaged(look, passes, PICTURE, PICTURE + 1)
    assert len({(tuple(copy.shape), tuple(copy.flatten().tolist())) for copy in seen}) == passes


def test_what_depends_on_the_way_is_averaged() -> None:
    """A corner marked in each copy is a quarter of a mark in every corner."""

    def marked(picture: Tensor) -> Tensor:
        marks = torch.zeros_like(picture)
        marks[..., 0, 0] = 1
        return marks

    for passes in (4, 8):
        corners = averaged(marked, passes, PICTURE)[0, 0][[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.tolist() == [0.25] * 4


def test_other_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="expected 1, 4 or 8 passes, found 3"):
        check_passes(3)
