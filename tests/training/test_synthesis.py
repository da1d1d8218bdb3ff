"""The synthesis alone, on real integers; and what else the codec's training minimises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archivae.models.photo.codec import PhotoCodec
from archivae.models.photo.export import export, freeze
from archivae.models.photo.trainable import TrainableCodec, TrainingOutput
from archivae.models.photo.weights import PhotoWeights
from archivae.models.training import codec as codec_module
from archivae.models.training.codec import CodecTraining
from archivae.models.training.loss import SSIM_PRICE, rate_distortion
from archivae.models.training.synthesis import SynthesisTraining
from archivae.operations.quality import ms_ssim
from tests.training.test_codec_training import curve, through_a_file
from tests.training.tiny import plan, smooth_picture

CPU = torch.device("cpu")
QUALITY = 40 * 256


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [smooth_picture(n) for n in range(4)]


@pytest.fixture(scope="module")
def encoder(pictures: list[np.ndarray]) -> PhotoWeights:
    training = CodecTraining(plan(steps=20), pictures, CPU)
    curve(training)
    return export(training.average, "tiny", pictures)


def mean_error(weights: PhotoWeights, pictures: list[np.ndarray]) -> float:
    codec = PhotoCodec(weights, CPU, torch.float32)
    errors = [codec.squared_errors([p], codec.encode([p], QUALITY), QUALITY)[0] for p in pictures]
    return float(np.mean(errors)) / pictures[0].size


def test_files_stay_as_they_are_and_look_better(encoder: PhotoWeights, pictures: list[np.ndarray]) -> None:
    asked = plan(steps=60, muon_rate=0.002, synthesis_only=True, init="x")
    training = SynthesisTraining(asked, pictures, CPU, encoder=encoder)
    curve(training)
    tuned = freeze(training.average, "tuned", encoder.tables)
    before, after = (PhotoCodec(weights, CPU, torch.float32) for weights in (encoder, tuned))
    for picture in pictures:
        assert before.encode([picture], QUALITY) == after.encode([picture], QUALITY)
    assert mean_error(tuned, pictures) < 0.98 * mean_error(encoder, pictures)


def test_what_it_trains_on_is_what_a_decoder_restores(encoder: PhotoWeights, pictures: list[np.ndarray]) -> None:
    training = SynthesisTraining(plan(synthesis_only=True, init="x"), pictures, CPU, encoder=encoder)
    batch = next(iter(training._batches(range(3, 4), range(2))))
    coded = training._code(batch)
    with torch.no_grad():
        found = training.network(coded.latents, coded.position)
    codec = PhotoCodec(encoder, CPU, torch.float32)
    for n in range(2):
        crop = batch.pixels[n].permute(1, 2, 0).numpy()
        quality = round(float(batch.quality[n]) * 25600)
        tiles = codec.encode([crop], quality)
        (decoded,) = codec.decode(tiles, 64, 64, quality)
        seen = (found[n] * 255).round().clamp(0, 255).permute(1, 2, 0).numpy()
        assert np.abs(seen - decoded).max() <= 1
        assert coded.bits[n] == 8 * len(tiles[0][0].stream)


def test_it_resumes_to_the_same_curve(encoder: PhotoWeights, pictures: list[np.ndarray]) -> None:
    asked = plan(steps=6, synthesis_only=True, init="x")
    whole = curve(SynthesisTraining(asked, pictures, CPU, encoder=encoder))
    first = SynthesisTraining(asked, pictures, CPU, encoder=encoder)
    steps = first.run()
    before = [next(steps).tolist() for _ in range(3)]
    state = through_a_file(first.state_dict())
    assert before + curve(SynthesisTraining(asked, pictures, CPU, encoder=encoder, checkpoint=state)) == whole


def test_the_distortion_is_shared_between_error_and_ms_ssim() -> None:
    a, b = (smooth_picture(seed, 192, 256) for seed in (1, 2))
    mixed = (a * 0.8 + b * 0.2).round().astype(np.uint8)
    pixels, found = (torch.tensor(p).permute(2, 0, 1)[None] / 255 for p in (a, mixed))
    output = TrainingOutput(found, torch.tensor([500.0]), torch.tensor([20.0]))
    position = torch.tensor([4.0])  # where the weight is 1
    loss, bpp, error = rate_distortion(output, pixels, position)
    shared, _, _, unlike = rate_distortion(output, pixels, position, ssim_share=0.6)
    assert unlike.item() == pytest.approx(1 - ms_ssim(a, mixed), rel=1e-3)
    price = 0.0006 * 2**4
    expected = bpp + price * (0.4 * 255**2 * error + 0.6 * SSIM_PRICE * unlike)
    assert shared.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss.item() == pytest.approx((bpp + price * 255**2 * error).item(), rel=1e-5)


def test_tuned_for_eyes_the_likeness_is_measured_and_learned() -> None:
    large = [smooth_picture(n, 200, 200) for n in range(2)]
    found = curve(CodecTraining(plan(steps=3, batch=1, crop=192, ssim_share=0.75), large, CPU))
    assert all(len(measures) == 4 and 0 < measures[3] < 1 for measures in found)


def test_a_compiled_run_calls_the_model_through_the_compiler(
    pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def compile_nothing(module: torch.nn.Module, **options: object) -> torch.nn.Module:
        asked.append((type(module), options))
        return module

    monkeypatch.setattr(codec_module.torch, "compile", compile_nothing)
    plain = curve(CodecTraining(plan(steps=2), pictures, CPU))
    assert curve(CodecTraining(plan(steps=2, compiled=True), pictures, CPU)) == plain
    assert asked == [(TrainableCodec, {"dynamic": False})]


@pytest.mark.heavy
def test_a_compiled_run_resumes_to_the_same_curve(pictures: list[np.ndarray]) -> None:
    asked = plan(steps=4, compiled=True, precision="bf16")
    whole = curve(CodecTraining(asked, pictures, CPU))
    first = CodecTraining(asked, pictures, CPU)
    steps = first.run()
    before = [next(steps).tolist() for _ in range(2)]
    assert before + curve(CodecTraining(asked, pictures, CPU, checkpoint=through_a_file(first.state_dict()))) == whole
    usual = curve(CodecTraining(plan(steps=4, precision="bf16"), pictures, CPU))
    assert whole[0] == pytest.approx(usual[0], rel=0.05)
