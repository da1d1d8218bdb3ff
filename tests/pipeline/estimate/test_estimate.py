"""What an archive would save and cost."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from archivae.errors import UsageError
from archivae.models import ACCELERATORS
from archivae.pipeline.cli import main
from archivae.pipeline.estimate.prices import Prices, StorageClass, Worker, read_prices
from archivae.pipeline.estimate.reckoning import GIB, Collection, payback_months, storings, working
from tests.end_to_end.jobs import MODEL, PHOTOS, Folder

STANDARD = StorageClass(month=0.02, writes=0.005, reads=0.0004, retrieval=0, minimum_days=0)
COLD = StorageClass(month=0.004, writes=0.02, reads=0.01, retrieval=0.02, minimum_days=90)
MILLION = Collection(1_000_000, 2000 * GIB, [(30, 2000 * GIB)], ratio=0.25, pixels=2e6, cpu_seconds=0.3)


def test_the_saving_is_of_originals_against_the_archive() -> None:
    single, shards = storings(MILLION, STANDARD, STANDARD, 256 << 20)
    assert single.saving == pytest.approx(2000 * 0.02 - 500 * 0.02) == shards.saving
    assert (single.objects, shards.objects) == (1_000_000, 2000)
    assert (single.writes, shards.writes) == pytest.approx((5.0, 0.01))
    assert single.reads == pytest.approx(3 * 0.4) and single.early_deletion == 0


def test_cold_originals_cost_to_read_and_to_delete_early() -> None:
    single, _ = storings(MILLION, COLD, STANDARD, 256 << 20)
    assert single.reads == pytest.approx(2 * (10 + 2000 * 0.02) + 0.4)
    assert single.early_deletion == pytest.approx(2000 * 0.004 * 60 / 30)
    assert single.saving < 0  # from coldline to standard: worse
    assert math.isinf(payback_months(single, working(MILLION, "cpu", Worker(1, 5), Prices({}, {}, 6), 1)))


def test_hours_and_dollars_of_the_job() -> None:
    prices = Prices({}, {}, start_minutes=6)
    gpu = working(MILLION, "nvidia-l4", Worker(hour=1.2, megapixels_per_second=30), prices, workers=10)
    assert gpu.hours == pytest.approx(2e6 / 30 / 3600 / 10 + 0.1) and gpu.cost == pytest.approx(gpu.hours * 12)
    cpu = working(MILLION, "cpu", Worker(0.5, 0, cores=8), prices, workers=10)
    assert cpu.hours == pytest.approx(2e6 * 0.3 / 8 / 3600 / 10 + 0.1)
    assert math.isnan(working(MILLION, "nvidia-l4", Worker(1, 0), prices, 1).cost)
    (single, _) = storings(MILLION, STANDARD, STANDARD, 256 << 20)
    assert payback_months(single, gpu) == pytest.approx((single.once + gpu.cost) / 30)


def test_the_shipped_prices_name_every_hardware() -> None:
    prices = read_prices()
    assert {*prices.workers} == {*ACCELERATORS} - {"auto", "cuda"}
    assert {*prices.storage} == {"standard", "nearline", "coldline", "archive"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("storage: {a: {month: -1, writes: 0, reads: 0, retrieval: 0, minimum_days: 0}}", "-1 in storage.a.month"),
        ("storage: {a: {months: 1}}", "unknown words in storage.a: months"),
        ("storage: {}\nworkers: {}", "start_minutes"),
        ("[", "mine.yaml' to be YAML"),
        ("", "file of prices"),
    ],
)
def test_a_wrong_file_of_prices_is_named(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_prices(str(path))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Folder(str(tmp_path / "in")).put({**PHOTOS, "notes.txt": b"no picture", "cut.png": PHOTOS["a.png"][:99]})
    assert main(["estimate", source.uri, f"--model={MODEL}", "--accelerator=cpu"]) == 0
    out = capsys.readouterr().out
    assert "4 pictures" in out and "single objects" in out and "shards of 256 MiB" in out and "saves/month" in out
    assert main(["estimate", source.uri, f"--model={MODEL}", "--accelerator=tpu"]) == 2
    assert "expected an accelerator that the prices name (cpu, nvidia" in capsys.readouterr().err
