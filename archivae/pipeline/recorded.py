"""What the manifest of an archive says of one of its files."""

from __future__ import annotations

from archivae.storage import ManifestRow, read_fragment, read_fragments
from archivae.storage.names import OWN_FOLDER, normal
from archivae.transforms.decode import models_above


def recorded_row(uri: str, source_sha256: str) -> ManifestRow | None:
    """The newest row of the ``.avae`` file at ``uri``, made of a source with this SHA-256; None if no folder above has one."""
    archive = normal(uri)
    for models in models_above(archive):
        destination = models.removesuffix(f"/{OWN_FOLDER}/models") or "/"
        for fragment in reversed(read_fragments(destination)):
            rows = (row for row in read_fragment(fragment) if row.archive == archive and row.sha256 == source_sha256)
            newest = max(rows, key=lambda row: row.written, default=None)
            if newest is not None:
                return newest
    return None
