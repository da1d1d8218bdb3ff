"""ArchiVAE: image collections through a learned autoencoder, on Apache Beam.

One picture: `encode`, `decode`, `restore`, `inspect`; one out of an archive: `open_archive`. A collection: the Beam
transforms `ReadImages`, `EncodeImages`, `DecodeImages`, `RestoreImages` and `WriteImages`. Any autoencoder:
`open_model`, then `generate`, `embed`, `transform`; over a collection `EmbedImages`, `TransformImages`.
"""

from archivae.errors import ArchivaeError
from archivae.models import open_model
from archivae.operations.archive import open_archive
from archivae.operations.decode import decode
from archivae.operations.embed import embed
from archivae.operations.encode import encode
from archivae.operations.generate import generate
from archivae.operations.inspect import inspect
from archivae.operations.latent_ops import transform
from archivae.operations.restore import restore
from archivae.transforms import (
    DecodeImages,
    EmbedImages,
    EncodeImages,
    ReadImages,
    RestoreImages,
    TransformImages,
    WriteImages,
    WriteVectors,
)

__all__ = [
    "ArchivaeError",
    "DecodeImages",
    "EmbedImages",
    "EncodeImages",
    "ReadImages",
    "RestoreImages",
    "TransformImages",
    "WriteImages",
    "WriteVectors",
    "decode",
    "embed",
    "encode",
    "generate",
    "inspect",
    "open_archive",
    "open_model",
    "restore",
    "transform",
]
