"""ArchiVAE: image collections through a learned autoencoder, on Apache Beam.

One picture: `encode`, `decode`, `restore`, `inspect`. A collection: the Beam transforms `ReadImages`, `EncodeImages`,
`DecodeImages`, `RestoreImages` and `WriteImages`.
"""

from archivae.errors import ArchivaeError
from archivae.operations.decode import decode
from archivae.operations.encode import encode
from archivae.operations.inspect import inspect
from archivae.operations.restore import restore
from archivae.transforms import DecodeImages, EncodeImages, ReadImages, RestoreImages, WriteImages

__all__ = [
    "ArchivaeError",
    "DecodeImages",
    "EncodeImages",
    "ReadImages",
    "RestoreImages",
    "WriteImages",
    "decode",
    "encode",
    "inspect",
    "restore",
]
