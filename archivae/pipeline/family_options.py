"""What generate, embed and transform are told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from archivae.errors import UsageError
from archivae.models import ModelName
from archivae.operations.generate import Between, Order, Samples, Texture

FAMILY_OPERATIONS = ("generate", "embed", "transform")
FAMILY_WORDS = (
    "weights", "count", "seed", "class_label", "shards", "interpolate", "between_steps", "texture", "size",
    "latent_op", "toward", "amount",
)  # fmt: skip
_OF_COLLECTIONS = ("archive", "append", "watch", "notifications")
_SIZE = re.compile(r"(\d+)x(\d+)")


def add_weights_argument(parser: Any) -> None:
    """What goes with ``--model`` where that may be any autoencoder."""
    parser.add_argument(
        "--weights",
        default="",
        metavar="URI",
        help="weights (.safetensors) for a --model that is a family, a registered name or package.module:Class",
    )


def add_generate_arguments(parser: Any) -> None:
    """What to make."""
    parser.add_argument("--count", type=int, metavar="N", help="so many samples")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds, equal pictures (default: 0)")
    # Beam has a --label of its own, for Dataflow's bills; the command's is passed on under this name.
    parser.add_argument("--class_label", metavar="NAME", help="samples of this class, of a model with classes")
    parser.add_argument("--shards", action="store_true", help="a tar file for each 64 samples, not an object a picture")
    parser.add_argument(
        "--interpolate", nargs=2, metavar=("A", "B"), help="instead: the way from one picture to another"
    )
    parser.add_argument("--between_steps", type=int, default=8, metavar="N", help="pictures on that way (default: 8)")
    parser.add_argument("--texture", metavar="SAMPLE", help="instead: a new texture that looks like this picture")
    parser.add_argument("--size", default="1024x1024", metavar="WxH", help="of the texture (default: 1024x1024)")


def add_transform_arguments(parser: Any) -> None:
    """What to do to latents."""
    parser.add_argument("--latent_op", "--latent-op", metavar="OPS", help='add to latent 2: "2:+1.5"; also -, * and =')
    parser.add_argument(
        "--toward",
        nargs=2,
        metavar=("WITHOUT", "WITH"),
        help="two folders: pictures change as those of the second differ from those of the first",
    )
    parser.add_argument("--amount", type=float, default=1.0, help="how far (default: 1)")


@dataclass(frozen=True)
class FamilySettings:
    """The options of one run, as far as they need no reading: the rest is found out by `archivae.pipeline.family_run`.

    ``samples``: pictures that generate is given.
    """

    operation: str
    source: str
    destination: str
    model: ModelName
    format: str
    accelerator: str
    accelerator_scope: str
    samples: dict[str, str]
    max_pixels: int
    overwrite: bool
    overwrite_foreign: bool

    @classmethod
    def from_options(cls, own: Any) -> FamilySettings:
        """UsageError where something is missing or out of range."""
        needed = ("output",) if own.operation == "generate" else ("input", "output")
        for name in needed:
            if not getattr(own, name):
                raise UsageError(f"--{name} is missing")
        for name in _OF_COLLECTIONS:
            if getattr(own, name):
                raise UsageError(f"--{name} does not go with {own.operation}: leave it out")
        if own.max_pixels < 1:
            raise UsageError(f"--max-pixels must be at least 1, found {own.max_pixels}")
        return cls(
            own.operation, own.input or "", own.output, ModelName(own.model, own.weights), own.format, own.accelerator,
            own.accelerator_scope, _samples(own), own.max_pixels, own.overwrite, own.overwrite_foreign,
        )  # fmt: skip

    @property
    def reached(self) -> dict[str, str]:
        """The URIs that workers read and write, by what people call them."""
        model, weights = self.model.model, self.model.weights
        places = {"the source": self.source, "the destination": self.destination, "--weights": weights}
        places |= self.samples
        places |= {"--model": model} if model.endswith(".safetensors") else {}
        return {word: uri for word, uri in places.items() if uri}

    def canonical(self, model_id: str, asked: Any) -> str:
        """JSON of all that decides what is written: equal texts, equal outputs."""
        decisive: dict[str, Any] = {"operation": self.operation, "model": model_id, "asked": asked}
        if self.operation != "embed":
            decisive |= {"format": self.format}
        return json.dumps(decisive, sort_keys=True)


def _samples(own: Any) -> dict[str, str]:
    """The pictures that generate is given, by what people call them."""
    first, last = own.interpolate or ("", "")
    return {"--interpolate": first, "the second of --interpolate": last, "--texture": own.texture or ""}


def pick_order(own: Any) -> Order:
    """The one thing to make: samples, the way between two pictures, or a texture. UsageError for two, or none."""
    given = [name for name in ("count", "interpolate", "texture") if getattr(own, name) is not None]
    if len(given) != 1:
        found = " and ".join(f"--{name}" for name in given) or "none"
        raise UsageError(f"expected one of --count, --interpolate and --texture, found {found}")
    if own.shards and given != ["count"]:
        raise UsageError(f"--shards is for samples, found --{given[0]}: leave it out")
    if given == ["count"]:
        return Samples(own.count, own.seed, own.class_label)
    if own.class_label is not None:
        raise UsageError(f"a label is for samples, found --{given[0]}: leave it out")
    if given == ["interpolate"]:
        first, last = own.interpolate
        return Between(first, last, own.between_steps)
    width, height = parse_size(own.size)
    return Texture(own.texture, height, width, own.seed)


def parse_size(text: str) -> tuple[int, int]:
    """``"2048x1024"`` as width and height.

    >>> parse_size("2048x1024")
    (2048, 1024)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"expected a size such as 2048x2048, width first, found {text!r}")
    return int(match[1]), int(match[2])
