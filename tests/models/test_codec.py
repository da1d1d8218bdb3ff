from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from archivae.bitstream import Tile
from archivae.bitstream.rans import PRECISION
from archivae.errors import CorruptBitstreamError
from archivae.models.photo.architecture import LATENT_STRIDE, Architecture
from archivae.models.photo.codec import PhotoCodec, cells, padded_size, with_neighbours
from archivae.models.photo.exact import EntropyNetworks
from archivae.models.photo.exact_layer import ExactHead
from archivae.models.photo.grey import from_rgb
from archivae.models.photo.quantiser import ERROR_PRICE
from archivae.models.photo.weights import PhotoWeights
from tests.models.small_codec import SMALL, picture, small_weights

CPU = torch.device("cpu")
QUALITY = 17_000
HEIGHT, WIDTH = 64, 64
PICTURES = [picture(HEIGHT, WIDTH, seed) for seed in range(8)]


class Setting(NamedTuple):
    dtype: torch.dtype
    threads: int
    batch: int


SETTINGS = [Setting(*s) for s in product((torch.float32, torch.bfloat16), (1, 2), (1, 8))]


class BatchCodec(PhotoCodec):
    """A codec that takes as many pictures at once as it is told, on a CPU too."""

    limit = 1

    @property
    def batch_limit(self) -> int:
        return self.limit


def codec_of(weights: PhotoWeights, setting: Setting, device: torch.device = CPU) -> BatchCodec:
    codec = BatchCodec(weights, device, setting.dtype)
    codec.limit = setting.batch
    torch.set_num_threads(setting.threads)
    return codec


def restore(codec: PhotoCodec, coded: Sequence[Sequence[Tile]], height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """The restored integers of all pictures, as `decode` gets them: batch by batch."""
    parts = [coded[at : at + codec.batch_limit] for at in range(0, len(coded), codec.batch_limit)]
    return torch.cat([codec.restore_latents(part, height, width, QUALITY) for part in parts]).cpu()


def furthest(a: np.ndarray | list[np.ndarray], b: np.ndarray | list[np.ndarray]) -> int:
    """Levels between the two pixels that differ most."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


class Coded(NamedTuple):
    """Tiles of all pictures, and what the plain codec makes of them."""

    tiles: list[list[Tile]]
    restored: Tensor
    pixels: list[np.ndarray]

    def check(self, decoder: PhotoCodec) -> None:
        """``decoder`` must restore the very same integers, and pixels within 2 levels."""
        assert torch.equal(restore(decoder, self.tiles), self.restored)
        assert furthest(decoder.decode(self.tiles, HEIGHT, WIDTH, QUALITY), self.pixels) <= 2


def coded_by(encoder: PhotoCodec, plain: PhotoCodec) -> Coded:
    tiles = encoder.encode(PICTURES, QUALITY)
    return Coded(tiles, restore(plain, tiles), plain.decode(tiles, HEIGHT, WIDTH, QUALITY))


@pytest.fixture(scope="module")
def coded(weights: PhotoWeights, codec: PhotoCodec) -> list[Coded]:
    """From every setting; those that came out alike are kept once."""
    before = torch.get_num_threads()
    made = [coded_by(codec_of(weights, setting), codec) for setting in SETTINGS]
    torch.set_num_threads(before)
    return [c for n, c in enumerate(made) if all(c.tiles != other.tiles for other in made[:n])]


@pytest.mark.parametrize("decoder", SETTINGS, ids=str)
def test_every_setting_decodes_every_other(weights: PhotoWeights, coded: list[Coded], decoder: Setting) -> None:
    for one in coded:
        one.check(codec_of(weights, decoder))


def test_settings_do_not_all_code_alike(coded: list[Coded]) -> None:
    """Otherwise the test above would say little."""
    assert len(coded) > 1


def test_the_test_pictures_use_much_of_the_coder(codec: PhotoCodec) -> None:
    values, indices = codec.integers(PICTURES[0], QUALITY)
    radius = codec.weights.tables.radius[indices].astype(int)
    assert len(np.unique(indices)) > 20 and (indices == 0).any()
    hyper = SMALL.hyper
    for part in (slice(hyper), *(slice(hyper + at, None) for at in range(0, len(values) - hyper, len(values) // 4))):
        assert (np.abs(values[part]) > radius[part]).any(), "no escape"
        assert ((values[part] != 0) & (np.abs(values[part]) <= radius[part])).any(), "no symbol"


def test_batch_neighbours_and_threads_change_no_byte_on_a_cpu(weights: PhotoWeights, codec: PhotoCodec) -> None:
    together = codec.encode(PICTURES, QUALITY)
    torch.set_num_threads(2)
    assert [codec.encode([p], QUALITY)[0] for p in PICTURES] == together


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cuda_and_cpu_decode_each_other(
    weights: PhotoWeights, codec: PhotoCodec, coded: list[Coded], dtype: torch.dtype
) -> None:
    cuda = codec_of(weights, Setting(dtype, 1, 8), torch.device("cuda"))
    for one in (coded_by(cuda, codec), *coded):
        one.check(cuda)


@pytest.mark.parametrize("quality", [0, 1, 12_800, 25_600])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 70), (65, 64), (130, 190)])
def test_every_size_and_quality_comes_back(codec: PhotoCodec, height: int, width: int, quality: int) -> None:
    source = picture(height, width)
    tiles = codec.encode([source], quality)
    (pixels,) = codec.decode(tiles, height, width, quality)
    assert pixels.shape == source.shape and pixels.dtype == np.uint8
    assert codec.encode([source], quality) == tiles


def test_what_is_restored_is_what_was_coded(codec: PhotoCodec) -> None:
    """Within half a step, and what at most 14 saved bits may buy in error; table 0 codes nothing."""
    (cell,) = cells(HEIGHT, WIDTH, 1024)
    latents, _ = codec._latents([PICTURES[0]], cell, 25_600)
    (restored,) = codec.restore_latents(codec.encode(PICTURES[:1], 25_600), HEIGHT, WIDTH, 25_600)
    assert ((latents[0] - restored / 16).abs() <= 0.5001 + PRECISION / (2 * ERROR_PRICE)).float().mean() > 0.99


@pytest.fixture(scope="module")
def deep_codec() -> PhotoCodec:
    """Of the shipped model's depth, as far as a pixel reaches, with branches that matter: untrained ones hardly do."""
    shipped = Architecture()
    deep = small_weights(arch=replace(SMALL, fine_blocks=shipped.fine_blocks, coarse_blocks=shipped.coarse_blocks))
    loud = {n: t * 25 if n.endswith("leave.weight") else t for n, t in deep.floats.items()}
    return PhotoCodec(replace(deep, floats=loud), CPU, torch.float32)


@pytest.mark.parametrize("side", [64, 128])
def test_tiles_and_the_whole_give_the_same_pixels(deep_codec: PhotoCodec, side: int) -> None:
    codec = deep_codec
    height, width = 130, 190
    tiles = codec.encode([picture(height, width)], QUALITY, side)
    restored = codec.restore_latents(tiles, height, width, QUALITY, side)
    whole = codec._synthesise(restored, list(cells(height, width, 1024)), QUALITY)[0, :height, :width]
    assert furthest(codec.decode(tiles, height, width, QUALITY, side)[0], whole) <= 1


@pytest.mark.parametrize("channels", [(1, 1, 1), (3, 3, 3), (3, 1, 3), (1, 3, 1)])
def test_errors_are_those_of_the_decoded_picture(weights: PhotoWeights, channels: tuple[int, int, int]) -> None:
    """Row of tiles by row of tiles, and in batches of 2 and 1: what the whole decoded pictures say at once."""
    codec = codec_of(weights, Setting(torch.float32, torch.get_num_threads(), batch=2))
    originals = [picture(200, 150, seed)[:, :, :count] for seed, count in enumerate(channels)]
    tiles = codec.encode(originals, QUALITY, 64)
    decoded = codec.decode(tiles, 200, 150, QUALITY, 64)
    pairs = zip(originals, map(from_rgb, decoded, channels), strict=True)
    expected = [int(((a.astype(int) - b) ** 2).sum()) for a, b in pairs]
    assert codec.squared_errors(originals, tiles, QUALITY, 64) == expected


def test_neighbours_lend_their_nearest_lines() -> None:
    rows = [torch.arange(8 * n, 8 * n + 8).view(1, 1, 8, 1) for n in range(3)]
    found = [row.flatten().tolist() for row in with_neighbours(iter(rows), 2)]
    assert found == [[*range(10)], [*range(6, 18)], [*range(14, 24)]]
    assert [r.flatten().tolist() for r in with_neighbours(rows[:1], 2)] == [[*range(8)]]


@pytest.mark.parametrize("side", [64, 128])
def test_a_halo_gives_tiles_the_latents_of_the_whole(deep_codec: PhotoCodec, side: int) -> None:
    codec = deep_codec
    height, width = 192, 256
    source = picture(height, width)
    (everything,) = cells(height, width, 1024)
    whole, _ = codec._latents([source], everything, QUALITY)
    for cell in cells(height, width, side):
        top, left, bottom, right = cell.outer
        latents, _ = codec._latents([source[top:bottom, left:right]], cell, QUALITY)
        top, left, bottom, right = (v // LATENT_STRIDE for v in cell.inner)
        torch.testing.assert_close(latents, whole[:, :, top:bottom, left:right], rtol=0, atol=1e-3)


def test_tiles_cover_every_pixel_once() -> None:
    for height, width, side in ((1, 1, 64), (130, 190, 64), (64, 300, 128), (1000, 70, 1024)):
        seen = np.zeros(padded_size(height, width), int)
        for cell in cells(height, width, side):
            top, left, bottom, right = cell.inner
            seen[top:bottom, left:right] += 1
            assert cell.outer[0] <= top and cell.outer[3] >= right
        assert (seen == 1).all()


def test_a_wrong_checksum_is_noticed(codec: PhotoCodec) -> None:
    ((tile,),) = codec.encode(PICTURES[:1], QUALITY)
    wrong = tile._replace(integers_crc=tile.integers_crc ^ 1)
    with pytest.raises(CorruptBitstreamError, match="fail their checksum"):
        codec.decode([[wrong]], HEIGHT, WIDTH, QUALITY)


def test_a_damaged_stream_is_noticed(codec: PhotoCodec) -> None:
    ((tile,),) = codec.encode(PICTURES[:1], QUALITY)
    for byte in range(0, len(tile.stream), 40):
        damaged = bytearray(tile.stream)
        damaged[byte] ^= 4
        with pytest.raises(CorruptBitstreamError):
            codec.decode([[tile._replace(stream=bytes(damaged))]], HEIGHT, WIDTH, QUALITY)


def test_one_damaged_tile_does_not_excuse_its_neighbours(codec: PhotoCodec) -> None:
    first, second = codec.encode(PICTURES[:2], QUALITY)
    batch = BatchCodec(codec.weights, CPU, torch.float32)
    batch.limit = 2
    with pytest.raises(CorruptBitstreamError):
        batch.decode([first, [second[0]._replace(integers_crc=0)]], HEIGHT, WIDTH, QUALITY)


@pytest.mark.parametrize("name", ["hyper_decoder.enter", "hyper_decoder.up", "parameter_head", "contexts.1.enter"])
def test_weights_off_by_one_are_noticed(weights: PhotoWeights, codec: PhotoCodec, name: str) -> None:
    layer = weights.layers[name]
    off_by_one = layer._replace(weight=(layer.weight + 1).clamp(max=127))
    other = PhotoCodec(replace(weights, layers={**weights.layers, name: off_by_one}), CPU, torch.float32)
    assert other.id != codec.id
    with pytest.raises(CorruptBitstreamError, match="checksum|entropy stream"):
        other.decode(codec.encode(PICTURES[:1], QUALITY), HEIGHT, WIDTH, QUALITY)


def test_arithmetic_that_rounds_is_noticed(codec: PhotoCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactness broken on purpose: a device that would hold sums in bfloat16."""
    coded = codec.encode(PICTURES, QUALITY)
    exact = ExactHead.__call__
    monkeypatch.setattr(ExactHead, "__call__", lambda *args: exact(*args).bfloat16().to(torch.int32))
    with pytest.raises(CorruptBitstreamError, match="checksum|entropy stream"):
        codec.decode(coded, HEIGHT, WIDTH, QUALITY)


def test_means_come_from_integers_alone(codec: PhotoCodec) -> None:
    """A stream's integers are all that `restore_latents` needs: float weights may be anything."""
    broken = replace(codec.weights, floats={n: torch.zeros_like(t) for n, t in codec.weights.floats.items()})
    coded = codec.encode(PICTURES[:2], QUALITY)
    assert torch.equal(restore(PhotoCodec(broken, CPU, torch.float32), coded), restore(codec, coded))


def test_a_codec_refuses_weights_that_are_not_exact(weights: PhotoWeights) -> None:
    head = weights.layers["parameter_head"]
    layers = {**weights.layers, "parameter_head": head._replace(shift=torch.full_like(head.shift, 21))}
    with pytest.raises(ValueError, match="shifts lie within"):
        EntropyNetworks(weights.arch, layers, weights.index_offset, weights.hyper_index, CPU)
