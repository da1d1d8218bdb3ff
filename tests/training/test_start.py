from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from archivae.errors import ModelError, UnknownModelError, UsageError
from archivae.models.photo.architecture import Architecture
from archivae.models.photo.trainable import TrainableCodec
from archivae.models.training.start import architecture_of, grow, read_start
from tests.models.small_codec import SMALL, small_trainable, small_weights


def outputs(state: dict[str, Tensor], arch: Architecture) -> tuple[Tensor, ...]:
    model = TrainableCodec(arch).eval()
    model.load_state_dict(state)
    torch.manual_seed(0)
    with torch.no_grad():
        return tuple(model(torch.rand(1, 3, 64, 128), torch.tensor([4.5])))


@pytest.mark.parametrize("blocks", [(1, 1), (0, 3), (2, 0)])
def test_shapes_tell_the_architecture(blocks: tuple[int, int]) -> None:
    arch = Architecture(20, 24, 28, 8, 12, 16, 4, *blocks)
    assert architecture_of(TrainableCodec(arch).state_dict()) == arch


def test_new_blocks_change_nothing_at_first() -> None:
    state = small_trainable().state_dict()
    grown, arch = grow(state, {"coarse_blocks": 3, "fine_blocks": 2}, seed=0)
    assert (arch.coarse_blocks, arch.fine_blocks) == (3, 2)
    for one, other in zip(outputs(state, SMALL), outputs(grown, arch), strict=True):
        assert torch.equal(one, other)
    again, _ = grow(state, {"coarse_blocks": 3, "fine_blocks": 2}, seed=0)
    assert all(torch.equal(again[name], tensor) for name, tensor in grown.items())
    assert grown["synthesis.coarse.2.enter.weight"].std() > 0  # what is zero everywhere could not learn


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"latents": 48}, "only fine_blocks and coarse_blocks can grow, not 'latents'"),
        ({"coarse_blocks": 0}, "is 1 and"),
    ],
)
def test_what_cannot_grow_is_said(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        grow(small_trainable().state_dict(), sizes, seed=0)


def test_a_state_dict_of_halves_is_a_start(tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in small_trainable().state_dict().items()}
    save_file(state, tmp_path / "average.safetensors")
    start = read_start(str(tmp_path / "average.safetensors"))
    assert start.arch == SMALL and start.shipped is None
    assert all(torch.equal(tensor, state[name].float()) for name, tensor in start.state.items())
    state["encoder_gain"] += 0.5
    save_file(state, tmp_path / "other.safetensors")
    assert read_start(str(tmp_path / "other.safetensors")).id != start.id


def test_a_weight_file_is_a_start(tmp_path: Path) -> None:
    weights = small_weights()
    (tmp_path / "model.safetensors").write_bytes(weights.to_bytes())
    start = read_start(str(tmp_path / "model.safetensors"))
    assert start.shipped is not None and start.id == weights.model_id() and start.arch == SMALL
    TrainableCodec(SMALL).load_state_dict(dict(start.state))


def test_what_is_no_codec_is_said(tmp_path: Path) -> None:
    state = small_trainable().state_dict()
    short = {name: tensor for name, tensor in state.items() if name != "encoder_gain"}
    other = state | {"analysis.patch.bias": torch.zeros(3)}
    for n, wrong in enumerate((short, other, {"weight": torch.zeros(2)})):
        save_file(wrong, tmp_path / f"{n}.safetensors")
        with pytest.raises(ModelError, match="not of a photo codec in training"):
            read_start(str(tmp_path / f"{n}.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "0.safetensors").read_bytes()[:-9])
    with pytest.raises(ModelError, match="is damaged"):
        read_start(str(tmp_path / "cut.safetensors"))
    with pytest.raises(UnknownModelError):
        read_start("nothing")
