"""Bytes <-> objects, on local disks and in buckets: listing, atomic writes, the manifest, dead letters."""

from archivae.storage.dead_letters import DeadLetter, read_dead_letters, write_dead_letters
from archivae.storage.listing import list_source
from archivae.storage.local import remove_stale_scratch
from archivae.storage.manifest import (
    ManifestRow,
    read_fragment,
    read_fragments,
    read_manifest,
    write_fragment,
)
from archivae.storage.names import join, own_path, scratch_of
from archivae.storage.objects import generation_of, read_object, stat_object, write_object
from archivae.storage.store import StoredObject

__all__ = [
    "DeadLetter",
    "ManifestRow",
    "StoredObject",
    "generation_of",
    "join",
    "list_source",
    "own_path",
    "read_dead_letters",
    "read_fragment",
    "read_fragments",
    "read_manifest",
    "read_object",
    "remove_stale_scratch",
    "scratch_of",
    "stat_object",
    "write_dead_letters",
    "write_fragment",
    "write_object",
]
