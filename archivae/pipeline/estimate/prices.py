"""The prices and speeds that an estimate reckons with, from a YAML file that the user may edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, TypeVar

from archivae.errors import UsageError
from archivae.pipeline.plain_yaml import found_text, found_value, load_yaml
from archivae.storage import read_object

Row = TypeVar("Row")
_LARGEST = 256 << 10
_GREATEST = 1e15


@dataclass(frozen=True)
class StorageClass:
    """Dollars per GiB and month, per 1,000 writes and reads, per GiB read back; days that are paid for at least."""

    month: float
    writes: float
    reads: float
    retrieval: float
    minimum_days: float


@dataclass(frozen=True)
class Worker:
    """Dollars an hour, and megapixels a second that one worker encodes and verifies; 0 if that is not known."""

    hour: float
    megapixels_per_second: float
    cores: float = 1


@dataclass(frozen=True)
class Prices:
    """``storage`` by class, ``workers`` by accelerator, and the minutes until a worker works."""

    storage: Mapping[str, StorageClass]
    workers: Mapping[str, Worker]
    start_minutes: float


def read_prices(uri: str = "") -> Prices:
    """The file at ``uri``, by default the one that comes with the package. UsageError says which entry is wrong."""
    shipped = files("archivae.pipeline.estimate").joinpath("prices.yaml")
    data = read_object(uri, limit=_LARGEST) if uri else shipped.read_bytes()
    name = uri or "prices.yaml"
    try:
        content = load_yaml(data, name)
        return Prices(
            {key: _row(StorageClass, row, f"storage.{key}") for key, row in content["storage"].items()},
            {key: _row(Worker, row, f"workers.{key}") for key, row in content["workers"].items()},
            _number(content["start_minutes"], "start_minutes"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"expected {name!r} to be a file of prices, found {found_text(error)}; begin with a copy of ours"
        ) from error


def _row(kind: type[Row], row: Mapping[str, Any], where: str) -> Row:
    unknown = {*row} - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"unknown words in {where}: {', '.join(sorted(map(str, unknown)))}")
    return kind(**{name: _number(value, f"{where}.{name}") for name, value in row.items()})


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _GREATEST:
        raise ValueError(f"{found_value(value)} in {where}, where a number from 0 is expected")
    return float(value)
