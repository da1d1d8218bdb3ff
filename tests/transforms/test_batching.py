from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, TimestampedValue

from archivae.bitstream import Tile, read_bitstream
from archivae.errors import UsageError
from archivae.operations.codec import named_codec, with_effort
from archivae.operations.encode import encode_file
from archivae.storage import StoredObject
from archivae.transforms import DecodeImages, EncodeImages, Item
from archivae.transforms.batching import BatchingFn
from archivae.transforms.buckets import Buckets
from archivae.transforms.residency import CodecSource
from tests.samples import MODEL, file_of, photo, photo_file, small_codec


def item_of(name: str, data: bytes) -> Item:
    return Item(StoredObject(f"/source/{name}", name, len(data), "local:1:1"), name, data)


class ByLength(BatchingFn[Item]):
    """Gathers items of one length; each leaves with the names of its batch."""

    step = "test"
    batch_limit = 4

    def prepare(self, item: Item) -> tuple[int, Item, int]:
        if item.data == b"unprepared":
            raise ValueError("cannot be prepared")
        return len(item.data), item, 1

    def work(self, batch: Sequence[Item]) -> list[Item]:
        if any(item.data == b"bad" for item in batch):
            raise ValueError("a bad one")
        return [Item(item.source, ",".join(other.target for other in batch), item.data) for item in batch]


def run_bundle(fn: BatchingFn[Any], items: Sequence[Item]) -> list[Item]:
    fn.setup()
    fn.start_bundle()
    out = [value.value for item in items for value in fn.process(item, 0, None)]
    return out + [value.value for value in fn.finish_bundle()]


def test_items_are_gathered_by_key() -> None:
    items = [item_of(f"{kind}{n}", b"xy"[: 1 + (kind == "b")]) for n in range(5) for kind in "ab"]
    targets = {item.source.name: item.target for item in run_bundle(ByLength(), items)}
    assert targets["a0"] == targets["a3"] == "a0,a1,a2,a3" and targets["a4"] == "a4"
    assert targets["b1"] == "b0,b1,b2,b3" and targets["b4"] == "b4"
    assert len(targets) == 10


def test_a_bad_item_takes_no_neighbour_with_it() -> None:
    items = [item_of("a", b"123"), item_of("b", b"bad"), item_of("c", b"456"), item_of("d", b"unprepared")]
    out = {item.source.name: item for item in run_bundle(ByLength(), items)}
    assert [out[name].status for name in "abcd"] == ["going", "failed", "going", "failed"]
    assert (out["b"].failure.step, out["b"].failure.error, out["b"].failure.reason) == (
        "test",
        "ValueError",
        "a bad one",
    )
    assert out["d"].failure.reason == "cannot be prepared"
    assert out["b"].data == b"" and out["a"].data == b"123"


def test_what_goes_no_further_passes_untouched() -> None:
    failed = item_of("a", b"x").failed("read", OSError("gone"))
    aside = item_of("b", b"x").not_a_picture()
    assert run_bundle(ByLength(), [failed, aside]) == [failed, aside]


def test_elements_keep_their_time_and_window() -> None:
    def stamp(item: Item, time: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam) -> tuple[Any, ...]:
        return item.source.name, int(time), int(window.start)

    with beam.Pipeline("FnApiRunner") as pipeline:
        stamped = (
            pipeline
            | beam.Create([TimestampedValue(item_of(f"{n}", b"x"), 10 * n) for n in range(7)])
            | beam.Map(lambda value: value)
            | beam.WindowInto(FixedWindows(30))
            | beam.ParDo(ByLength())
            | beam.Map(stamp)
        )
        assert_that(stamped, equal_to([(f"{n}", 10 * n, 10 * n // 30 * 30) for n in range(7)]))


def test_a_bucket_that_holds_too_much_goes_early() -> None:
    buckets: Buckets[str] = Buckets(lambda: 100, pixel_budget=10)
    assert list(buckets.add("small", "a", 3)) == []
    assert list(buckets.add("large", "b", 6)) == []
    assert list(buckets.add("small", "c", 2)) == [["b"]]
    assert list(buckets.add("huge", "d", 50)) == [["d"]]
    assert list(buckets.drain()) == [["a", "c"]]
    assert list(buckets.drain()) == []


class FourAtOnce:
    """The small codec, taking up to four pictures; it notes how many it was given, and has little memory."""

    batch_limit = 4

    def __init__(self, room: int = 4) -> None:
        self.id = small_codec().id
        self.room = room
        self.encoded: list[tuple[int, tuple[int, int]]] = []
        self.decoded: list[int] = []

    def encode(self, pictures: Sequence[np.ndarray], quality: int) -> list[list[Tile]]:
        self._check_room(pictures)
        (size,) = {picture.shape[:2] for picture in pictures}
        self.encoded.append((len(pictures), size))
        return small_codec().encode(pictures, quality)

    def decode(self, pictures: Sequence[Sequence[Tile]], *size_quality_side: int) -> list[np.ndarray]:
        self._check_room(pictures)
        self.decoded.append(len(pictures))
        return small_codec().decode(pictures, *size_quality_side)

    def squared_errors(
        self, originals: Sequence[np.ndarray], pictures: Sequence[Sequence[Tile]], quality: int, side: int
    ) -> list[int]:
        self._check_room(pictures)
        return small_codec().squared_errors(originals, pictures, quality, side)

    def _check_room(self, batch: Sequence[Any]) -> None:
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")


PICTURES = [item_of(f"{n}.png", photo_file(64, 64 + 32 * (n % 2), n)) for n in range(9)]


def use(codec: FourAtOnce, monkeypatch: pytest.MonkeyPatch) -> FourAtOnce:
    monkeypatch.setattr(CodecSource, "codec", lambda self: codec)
    return codec


def transformed(transform: beam.PTransform, items: Sequence[Item]) -> list[Item]:
    """What ``transform``'s DoFn makes of one bundle, by name."""

    class Bundle:
        def __or__(self, step: beam.ParDo) -> list[Item]:
            return sorted(run_bundle(step.fn, items), key=lambda item: item.source.name)

    return transform.expand(Bundle())


def test_pictures_are_encoded_in_batches_of_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = transformed(EncodeImages(model=MODEL, accelerator="cpu"), PICTURES)
    codec = use(FourAtOnce(), monkeypatch)
    together = transformed(EncodeImages(model=MODEL), PICTURES)
    assert Counter(codec.encoded) == {(4, (64, 64)): 1, (1, (64, 64)): 1, (4, (64, 96)): 1}
    assert [item.data for item in together] == [item.data for item in alone]
    assert [item.target for item in together] == [f"{n}.png.avae" for n in range(9)]


def test_files_are_decoded_in_batches_of_one_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first bundle on, though the model is found only when the first file is read."""
    archived = transformed(EncodeImages(model=MODEL, accelerator="cpu"), PICTURES)
    codec = use(FourAtOnce(), monkeypatch)
    monkeypatch.setattr("archivae.transforms.decode.shipped_ids", lambda: {codec.id: "small"})
    decoded = transformed(DecodeImages(), archived)
    assert sorted(codec.decoded) == [1, 4, 4]
    assert [item.target for item in decoded] == [f"{n}.png" for n in range(9)]


@pytest.mark.parametrize("room", [1, 2, 3])
def test_running_out_of_memory_halves_the_batch(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [item.data for item in transformed(EncodeImages(model=MODEL, accelerator="cpu"), PICTURES)]
    codec = use(FourAtOnce(room), monkeypatch)
    items = transformed(EncodeImages(model=MODEL), PICTURES)
    assert [item.data for item in items] == expected
    assert max(size for size, _ in codec.encoded) == min(room, 2)


def test_a_picture_that_fits_in_no_batch_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use(FourAtOnce(room=0), monkeypatch)
    items = transformed(EncodeImages(model=MODEL), PICTURES)
    assert {item.failure.error for item in items} == {"OutOfMemoryError"}


def test_a_damaged_picture_among_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    use(FourAtOnce(), monkeypatch)
    cut = item_of("4.png", photo_file()[:-100])
    items = transformed(EncodeImages(model=MODEL), [*PICTURES[:4], cut, *PICTURES[5:]])
    assert [item.source.name for item in items if item.status == "failed"] == ["4.png"]
    assert items[4].failure.error == "DamagedPictureError"


@pytest.mark.parametrize("channels", [(1, 3), (3, 1)])
def test_grey_and_colour_of_one_size_go_together(channels: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """And each is measured as if it were alone."""
    pictures = [item_of(f"{n}.png", file_of(photo(seed=n)[:, :, :count])) for n, count in enumerate(channels)]
    alone = transformed(EncodeImages(model=MODEL, accelerator="cpu"), pictures)
    codec = use(FourAtOnce(), monkeypatch)
    together = transformed(EncodeImages(model=MODEL), pictures)
    assert codec.encoded == [(2, (64, 64))]
    assert [(item.data, item.facts) for item in together] == [(item.data, item.facts) for item in alone]


def test_under_a_target_each_picture_is_worked_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = use(FourAtOnce(), monkeypatch)
    items = transformed(EncodeImages(model=MODEL, target_psnr=19), PICTURES[:4])
    assert {size for size, _ in codec.encoded} == {1}
    assert all(item.facts.psnr >= 19 for item in items)
    assert [item.facts.quality for item in items] == [read_bitstream(item.data).quality / 256 for item in items]


def test_a_target_out_of_reach_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use(FourAtOnce(), monkeypatch)
    large = item_of("4.png", photo_file(128, 128))
    items = transformed(EncodeImages(model=MODEL, max_bytes=600), [*PICTURES[:4:2], large])
    assert [(item.failure and item.failure.error) for item in items] == [None, None, "TargetError"]


@pytest.mark.parametrize("share", [False, True])
def test_effort_gives_the_files_that_the_library_does(share: bool) -> None:
    """A picture at a time, by a codec of this process or a shared one."""
    items = transformed(
        EncodeImages(quality=40, model=MODEL, accelerator="cpu", share_model=share, effort=1), PICTURES[:2]
    )
    codec = with_effort(named_codec(MODEL, "cpu"), 1)
    expected = [encode_file(item.data, codec, 40).data for item in PICTURES[:2]]
    assert [item.data for item in items] == expected
    assert expected[0] != encode_file(PICTURES[0].data, named_codec(MODEL, "cpu"), 40).data


def test_a_file_without_a_row_is_encoded_again_where_effort_is_asked_for(tmp_path: Path) -> None:
    """It does not say how hard it was encoded."""
    (plain,) = transformed(EncodeImages(quality=40, model=MODEL, accelerator="cpu"), PICTURES[:1])
    found = tmp_path / "0.png.avae"
    found.write_bytes(plain.data)
    waiting = [replace(PICTURES[0], found=str(found))]
    (kept,) = transformed(EncodeImages(quality=40, model=MODEL, accelerator="cpu"), waiting)
    (again,) = transformed(EncodeImages(quality=40, model=MODEL, accelerator="cpu", effort=1), waiting)
    assert kept.kept and kept.data == plain.data and not again.kept and again.data != plain.data


def test_an_effort_that_there_is_not_is_an_error_at_once() -> None:
    with pytest.raises(UsageError, match="effort goes from 0 to 3"):
        transformed(EncodeImages(model=MODEL, effort=4), PICTURES[:1])
