"""What the shipped families reach, on pictures that none of them was trained on.

    python -m benchmarks.families [--data ../shared/data] [--only reconstruction probe ...]

Prints a table, writes benchmarks/results/families.json and, beside it, sheets of what was rebuilt and sampled. Parts that
are left out by --only keep the figures they had.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.ndimage import median_filter

from archivae.models import DEFAULT_MODEL, ModelName, RunningModel, open_model, shipped_families
from archivae.models.protocol import Autoencoder, Describer
from archivae.operations.embed import embed
from archivae.operations.generate import generate, interpolate
from archivae.operations.sheet import sheet
from benchmarks.family_codecs import at_bytes, classic_points, family_points
from benchmarks.family_data import Pca, digits, flat, objects
from benchmarks.family_judge import frechet, train_judge
from benchmarks.family_probe import probe
from benchmarks.family_speed import embed_speed, generate_speed
from benchmarks.machine import RESULTS, write_json
from benchmarks.pictures import read_pictures

NUMBERS = 32
SIGMA = 0.5
SAMPLES = 2000
CODED = 200
"""Pictures that every codec codes at every quality."""
GENERATORS = ("vae-digits", "gan-digits", "vae-gan-digits", "cvae-digits")
OUT = RESULTS / "families.json"
PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """The data, read once, and the models, opened once."""

    data: Path

    @cached_property
    def digits(self) -> Any:
        return digits(self.data)

    @cached_property
    def objects(self) -> Any:
        return objects(self.data)

    def model(self, name: str) -> RunningModel:
        return open_model(ModelName(name), "cpu")


def reconstruction(bench: Bench) -> Figures:
    """Mean squared error, of [0, 1], of digits rebuilt from 32 numbers each."""
    trained, rest = bench.digits
    rows = flat(rest.pixels)
    pca = Pca(flat(trained.pixels), NUMBERS)
    found: Figures = {"pca": float(np.square(pca.rebuild(rows) - rows).mean())}
    shown = [rest.pixels[:10]]
    for name in sorted(shipped_families()):
        model = bench.model(name)
        if name.endswith("-digits") and isinstance(model.model, Autoencoder):
            rebuilt = np.stack(_rebuilt(model, rest.pixels))
            found[name] = float(np.square(flat(rebuilt) - rows).mean())
            shown.append(rebuilt[:10])
    _save("reconstruction", np.concatenate(shown), columns=10)
    return found


def denoising(bench: Bench) -> Figures:
    """PSNR in dB of digits under noise of deviation 0.5, and of what is made of them."""
    trained, rest = bench.digits
    clean = rest.pixels
    noise = np.random.default_rng(0).normal(0, SIGMA * 255, clean.shape)
    noisy = (clean + noise).round().clip(0, 255).astype(np.uint8)
    pca = Pca(flat(trained.pixels), NUMBERS).rebuild(flat(noisy)).reshape(clean.shape) * 255
    ours = np.stack(_rebuilt(bench.model("denoising-digits"), noisy))
    median = np.stack([median_filter(picture, (3, 3, 1)) for picture in noisy])
    _save("denoising", np.concatenate([clean[:10], noisy[:10], ours[:10], median[:10]]), columns=10)
    made = {"input": noisy, "denoising-digits": ours, "pca": pca, "median 3x3": median}
    return {name: _psnr(clean, pictures) for name, pictures in made.items()}


def probes(bench: Bench) -> Figures:
    """Accuracy of a linear classifier on embeddings."""
    found: Figures = {}
    for kind, (trained, rest), names in (
        ("mnist", bench.digits, ["dense-digits", "conv-digits", "denoising-digits", "vae-digits", "vq-digits"]),
        ("cifar", bench.objects, ["conv-cifar", "vq-cifar"]),
    ):
        pairs = {"raw pixels": (flat(trained.pixels), flat(rest.pixels))}
        for count in (32, 64):
            pca = Pca(pairs["raw pixels"][0], count)
            pairs[f"pca {count}"] = (pca.encode(pairs["raw pixels"][0]), pca.encode(pairs["raw pixels"][1]))
        for name in names:
            model = bench.model(name)
            pairs[name] = (_vectors(model, trained.pixels), _vectors(model, rest.pixels))
        found[kind] = {name: probe(a, trained.labels, b, rest.labels) for name, (a, b) in pairs.items()}
    return found


def generation(bench: Bench) -> Figures:
    """Samples, judged by a classifier: are they what was asked for, and how far from real ones?"""
    trained, rest = bench.digits
    judge = train_judge(trained.pixels, trained.labels, trained.form)
    classes, real = judge.look(rest.pixels)
    found: Figures = {"judge accuracy": float((classes == rest.labels).mean())}
    found["frechet real"] = frechet(judge.look(trained.pixels[:SAMPLES])[1], real)
    for name in GENERATORS:
        made = np.stack(generate(bench.model(name), SAMPLES, seed=1))
        found[f"frechet {name}"] = frechet(judge.look(made)[1], real)
        _save(name, made[:100], columns=10)
    cvae, each = bench.model("cvae-digits"), SAMPLES // 10
    asked = [np.stack(generate(cvae, each, seed=2, label=str(n))) for n in range(10)]
    found["cvae as asked"] = float(np.mean([(judge.look(made)[0] == n).mean() for n, made in enumerate(asked)]))
    _save("cvae-labels", np.concatenate([made[:10] for made in asked]), columns=10)
    _save(
        "interpolation",
        np.stack(interpolate(bench.model("vae-digits"), rest.pixels[0], rest.pixels[1], 10)),
        columns=10,
    )
    return found


def codecs(bench: Bench) -> Figures:
    """PSNR of CIFAR-10 pictures at the bytes of each of our files, beside JPEG's and WebP's."""
    pictures = list(bench.objects[1].pixels[:: len(bench.objects[1].pixels) // CODED][:CODED])
    peers = {
        "jpeg": classic_points("jpeg", pictures, (5, 10, 20, 30, 40, 50, 65, 80)),
        "webp": classic_points("webp", pictures, (0, 5, 10, 20, 35, 50, 65, 80)),
    }
    found: Figures = {kind: [point._asdict() for point in points] for kind, points in peers.items()}
    for name, qualities in (("conv-cifar", (20, 35, 50, 65)), ("vq-cifar", (0, 34, 67, 100))):
        ours = family_points(name, pictures, qualities)
        found[name] = [
            point._asdict()
            | {f"{kind} at equal {field}": at_bytes(points, getattr(point, field), field)
               for kind, points in peers.items() for field in ("whole", "own")}
            for point in ours
        ]  # fmt: skip
    return found


def speed(bench: Bench) -> Figures:
    """Pictures a second through Beam against a bare loop."""
    _, rest = bench.digits
    photos = [photo for photo in read_pictures(PHOTOS).values() if photo.shape[0] < photo.shape[1]]
    return {
        "generate": generate_speed("vae-digits", SAMPLES),
        "embed": embed_speed("conv-digits", rest.pixels),
        "embed photographs": embed_speed(DEFAULT_MODEL, photos * 10, batch=8),
    }


PARTS: dict[str, Callable[[Bench], Figures]] = {
    part.__name__: part for part in (reconstruction, denoising, probes, generation, codecs, speed)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("/work/shared/data"))
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    arguments = parser.parse_args()
    bench = Bench(arguments.data)
    figures: Figures = json.loads(OUT.read_text()) if OUT.exists() else {}
    figures.pop("machine", None)
    for part in arguments.only:
        figures[part] = PARTS[part](bench)
        Console().print(_table(part, figures[part]))
        write_json(OUT, figures)


def _rebuilt(model: RunningModel, pixels: np.ndarray) -> list[np.ndarray]:
    return [p for part in _parts(pixels) for p in model.decode(model.encode(list(part)))]


def _vectors(model: RunningModel, pixels: np.ndarray) -> np.ndarray:
    assert isinstance(model.model, Autoencoder | Describer)
    return np.concatenate([embed(model, list(part)) for part in _parts(pixels)])


def _parts(pixels: np.ndarray) -> Sequence[np.ndarray]:
    return [pixels[at : at + 250] for at in range(0, len(pixels), 250)]


def _psnr(clean: np.ndarray, pictures: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(clean / 255.0 - pictures / 255.0).mean()))


def _save(name: str, pictures: np.ndarray, columns: int) -> None:
    folder = RESULTS / "families"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet(list(pictures), columns)[..., 0]).save(folder / f"{name}.png")


def _table(part: str, figures: Figures) -> Table:
    table = Table("", "", title=part, title_justify="left")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else json.dumps(value, indent=1))
    return table


if __name__ == "__main__":
    main()
