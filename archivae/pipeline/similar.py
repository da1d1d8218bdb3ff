"""``archivae similar``: which embedded pictures are most like a given one."""

from __future__ import annotations

import argparse

from archivae.errors import UsageError
from archivae.images import open_picture
from archivae.models import DEFAULT_MODEL, ModelName
from archivae.operations.embed import embed, most_similar
from archivae.pipeline.showing import say
from archivae.storage import read_object
from archivae.storage.vectors import read_embeddings
from archivae.transforms.models import ModelSource


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Mount ``similar``; the parsed ``run`` is the function to call."""
    parser = commands.add_parser("similar", help="embedded pictures like a given one", description=__doc__)
    parser.add_argument("vectors", help="what embed wrote; local or gs://")
    parser.add_argument("query", help="a picture; local or gs://")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="how many to show (default: 10)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="the model that embed was run with (default: photo)")
    parser.add_argument("--weights", default="", metavar="URI", help="its weights, if embed was given any")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each of the nearest pictures; the exit code. ArchivaeErrors are left to the caller."""
    known = read_embeddings(arguments.vectors)
    model = ModelSource(ModelName(arguments.model, arguments.weights)).running()
    if model.id != known.model:
        raise UsageError(
            f"expected the model {known.model} that {arguments.vectors!r} was embedded with, found {model.name}, "
            f"{model.id}: say --model"
        )
    (query,) = embed(model, [open_picture(read_object(arguments.query)).pixels])
    for match in most_similar(known.uris, known.vectors, query, arguments.count):
        say(f"{match.likeness:.4f}  {match.uri}")
    return 0
