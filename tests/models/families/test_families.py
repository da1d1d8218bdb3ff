"""Every family keeps the protocol, and its weight file gives the same model back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archivae.errors import ModelError, UsageError
from archivae.models import FAMILIES, Autoencoder, Decoder, Describer, Form, Sampler, parse_family, parse_weights
from archivae.models.families.dense import DenseSizes
from archivae.models.families.layers import Down, Up
from archivae.models.families.vector_quantised import Vq, VqSizes
from archivae.models.running import to_tensor
from tests.autoencoders import FORM, family, pictures, weights

SAMPLERS = {"vae", "cvae", "gan", "vae-gan"}
CPU = torch.device("cpu")


def batch(form: Form = FORM) -> torch.Tensor:
    return to_tensor(list(pictures(6, form.channels, form.height)), form, CPU)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_does_what_its_protocols_say(name: str) -> None:
    model = family(name)
    assert isinstance(model, Decoder)
    assert isinstance(model, Sampler) == (name in SAMPLERS)
    assert isinstance(model, Autoencoder) == (name != "gan")
    if isinstance(model, Autoencoder):
        latents = model.encode(batch())
        assert latents.dtype == torch.float32 and len(latents) == 6
        assert torch.equal(latents, model.encode(batch()))
        assert_pictures(model.decode(latents), 6)
    if isinstance(model, Sampler):
        drawn = [model.sample([None] * 3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
        assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
        assert_pictures(model.decode(drawn[0]), 3)
    if isinstance(model, Describer):
        vectors = model.describe(batch())
        assert vectors.dtype == torch.float32 and vectors.dim() == 2


def assert_pictures(made: torch.Tensor, count: int) -> None:
    assert made.shape == (count, 1, 12, 12) and made.dtype == torch.float32
    assert made.min() >= 0 and made.max() <= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_the_weight_file_gives_the_same_model_back(name: str) -> None:
    stored = weights(name)
    data = stored.to_bytes()
    read = parse_family(data)
    assert read.to_bytes() == data and read.model_id() == stored.model_id()
    assert (read.family, read.form, dict(read.sizes)) == (name, stored.form, dict(stored.sizes))
    assert bool(read.form.labels) == (name == "cvae")
    for found, wanted in zip(read.build().parameters(), stored.build().parameters(), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("name", ["conv", "denoising", "vae", "cvae", "vae-gan", "vq"])
@pytest.mark.parametrize(("height", "width", "depth"), [(28, 28, 2), (28, 28, 3), (9, 17, 2), (32, 32, 3)])
def test_sizes_that_do_not_halve_come_back_whole(name: str, height: int, width: int, depth: int) -> None:
    form = Form(3, height, width, labels=("a", "b"))
    model = family(name, form, depth=depth)
    assert isinstance(model, Autoencoder)
    assert model.decode(model.encode(torch.rand(2, 3, height, width))).shape == (2, 3, height, width)


def test_attention_starts_as_nothing_and_learns() -> None:
    torch.manual_seed(0)
    down = Down(FORM, 4, 2, attention=True)
    plain = Down(FORM, 4, 2)
    plain.load_state_dict({n: t for n, t in down.state_dict().items() if not n.startswith("attention.")})
    assert torch.allclose(down(batch()), plain(batch()))
    Up(FORM, 4, 2, attention=True)(down(batch())).sum().backward()
    assert down.attention.gain.grad is not None and down.attention.gain.grad.abs() > 0


def test_a_class_is_what_cvae_is_told() -> None:
    model = family("cvae")
    assert isinstance(model, Sampler)
    latents = model.sample([0, 1, None], torch.Generator().manual_seed(4))
    assert latents[0, -2:].tolist() == [1, 0] and latents[1, -2:].tolist() == [0, 1]
    assert sorted(latents[2, -2:].tolist()) == [0, 1]


def test_words_are_the_nearest_and_fewer_stages_are_coarser() -> None:
    model = family("vq", stages=3)
    assert isinstance(model, Vq)
    latents = model.encode(batch())
    words = model.words(latents)
    assert words.shape == (6, 3, 3, 3) and words.max() < 8
    first = (latents.permute(0, 2, 3, 1)[..., None, :] - model.codebooks[0]).square().sum(-1).argmin(-1)
    assert torch.equal(words[:, 0], first)
    assert torch.equal(model.decode(latents), model.decode_words(words))


def test_what_cannot_be_a_model_is_refused() -> None:
    with pytest.raises(UsageError, match="latents of at least 1, found 0"):
        DenseSizes(latents=0)
    with pytest.raises(UsageError, match="at most 253 words"):
        VqSizes(words=300)
    with pytest.raises(UsageError, match="train cvae on labelled pictures"):
        family("cvae", Form(1, 12, 12))
    with pytest.raises(ModelError, match="works on pictures of one size"):
        family("conv", Form(1))


def test_damaged_weight_files_are_told_from_others() -> None:
    data = bytearray(weights("vae").to_bytes())
    data[-1] ^= 1
    with pytest.raises(ModelError, match="do not match the id"):
        parse_family(bytes(data))
    with pytest.raises(ModelError, match="format archivae-photo-0, found 'archivae-family-0'"):
        parse_weights(weights("vae").to_bytes())
    renamed = weights("vae").to_bytes().replace(b'"vae"', b'"vaf"')
    with pytest.raises(ModelError, match="expected a family of dense, .*, found 'vaf'"):
        parse_family(renamed)


def test_the_name_is_no_part_of_the_id() -> None:
    stored = weights("conv")
    renamed = parse_family(stored.to_bytes().replace(b'"small-conv"', b'"smalL-conv"'))
    assert renamed.name == "smalL-conv" and renamed.model_id() == stored.model_id()
    assert weights("denoising").model_id() != stored.model_id()
    assert np.array_equal(weights("conv").build().down.last.weight, stored.build().down.last.weight)
