from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from archivae.errors import ModelError
from archivae.models import parse_weights, shipped_models, shipped_restorers
from archivae.models.restore.network import RestorationModel
from archivae.models.restore.tasks import TASKS
from archivae.models.restore.weights import FORMAT, parse_restorer, shipped_form
from archivae.models.weight_file import with_sorted_metadata
from tests.models.restore.small_restorer import SMALL, small_restorer_weights


@pytest.mark.parametrize("task", sorted(TASKS))
def test_round_trip(task: str) -> None:
    weights = small_restorer_weights(task)
    back = parse_restorer(weights.to_bytes())
    assert (back.name, back.task, back.arch) == (task, task, SMALL)
    assert back.to_bytes() == weights.to_bytes() == small_restorer_weights(task).to_bytes()
    assert all(tensor.dtype == torch.float16 for tensor in back.tensors.values())


def test_the_id_is_of_the_content_and_not_of_the_name() -> None:
    weights = small_restorer_weights("denoise")
    assert replace(weights, name="other").model_id() == weights.model_id()
    assert replace(weights, task="dejpeg").model_id() != weights.model_id()
    changed = dict(weights.tensors) | {"network.tail.bias": weights.tensors["network.tail.bias"] + 1}
    assert replace(weights, tensors=changed).model_id() != weights.model_id()


@pytest.mark.parametrize("length", [0, 7, 100, 5000, -1])
def test_a_file_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ModelError):
        parse_restorer(small_restorer_weights("denoise").to_bytes()[:length])


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(small_restorer_weights("denoise").to_bytes())
    data[-3] ^= 1
    with pytest.raises(ModelError, match="do not match the id"):
        parse_restorer(bytes(data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": replace(SMALL, width=12)}, "tensors of its architecture"),
        ({"task": "sharpen"}, "expected a task of"),
        ({"task": "inpaint"}, "tensors of its architecture"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_restorer(replace(small_restorer_weights("denoise"), **changes).to_bytes())


def test_codecs_and_restorers_are_told_apart() -> None:
    weights = small_restorer_weights("denoise")
    with pytest.raises(ModelError, match=f"found '{FORMAT}'"):
        parse_weights(weights.to_bytes())
    with pytest.raises(ModelError, match="found 'archivae-photo-0'"):
        parse_restorer(with_sorted_metadata(save(dict(weights.tensors)), {"format": "archivae-photo-0"}))
    assert "photo" in shipped_models() and not shipped_models().keys() & shipped_restorers().keys()
    assert shipped_restorers().keys() <= TASKS.keys()


def test_weights_that_float16_cannot_hold_are_refused() -> None:
    model = RestorationModel(TASKS["denoise"], SMALL)
    model.network.tail.bias.data += 1e6
    with pytest.raises(ModelError, match=r"others in network\.tail\.bias"):
        shipped_form(model, "x")
