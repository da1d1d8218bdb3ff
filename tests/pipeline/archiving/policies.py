"""What the tests of policies have in common: small collections, and runs at a given time."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from archivae.operations.codec import named_codec
from archivae.operations.encode import encode_file
from archivae.operations.rate import Quality, Rate
from archivae.pipeline.archiving.ledger import Run
from archivae.pipeline.archiving.naming import full_name
from archivae.pipeline.archiving.policy import Policy, parse_policy
from archivae.pipeline.archiving.run import archive
from archivae.storage import ManifestRow, stat_object, write_fragment
from tests.end_to_end.jobs import MODEL, Folder

DAY = 86400.0
FILE = "policy.yaml"


def words_of(source: Folder, target: Folder, **words: Any) -> dict[str, Any]:
    return {"sources": [source.uri], "destination": target.uri, "model": MODEL, **words}


def policy(source: Folder, target: Folder, **words: Any) -> Policy:
    return parse_policy(words_of(source, target, **words))


def deleting(source: Folder, target: Folder, **words: Any) -> Policy:
    return policy(source, target, **{"originals": "delete", "accept_loss": True, **words})


def once(policy: Policy, after: float = 0.0, file: str = FILE) -> Run:
    """A run of the policy in ``file``, so many seconds from now."""
    return archive(policy, file, ["--accelerator=cpu"], now=lambda: time.time() + after)


def archived(target: Folder, source: Folder, name: str) -> str:
    """The name of a picture's file in an archive of single objects."""
    return f"{full_name(source.path(name))}.avae"


def aside(source: Folder) -> dict[str, bytes]:
    """What lies in quarantine: bytes by name, folders left out."""
    return {name.rpartition("/")[2]: source.read(name) for name in source.own("quarantine/")}


def ledgers(target: Folder) -> list[str]:
    """The names of the files that say what was to be taken away."""
    return [name for name in target.own("runs/") if name.endswith("-removals.jsonl")]


def entries(target: Folder) -> list[dict[str, Any]]:
    """All entries of the ledger."""
    return [json.loads(line) for name in ledgers(target) for line in target.read(name).splitlines()]


def forge(target: Folder, *forged: dict[str, Any], run: str = "20200101T000000Z-forged00") -> None:
    """Write a ledger of somebody else's making."""
    target.put({f"_archivae/runs/{run}-removals.jsonl": "".join(f"{json.dumps(e)}\n" for e in forged).encode()})


def write_policy(path: Path, source: Folder, target: Folder, **words: Any) -> str:
    path.write_text(json.dumps(words_of(source, target, **words)))  # JSON is YAML
    return str(path)


def keep(source: Folder, target: Folder, name: str, rate: Rate | None = None) -> None:
    """Archive one picture of ``source`` as a job would have, without one: its file, the model, its row."""
    data, codec = source.read(name), named_codec(MODEL, "cpu")
    asked = rate or Quality()
    encoded = encode_file(data, codec, asked)
    file = archived(target, source, name)
    model = Path(MODEL).read_bytes()
    target.put({file: encoded.data, f"_archivae/models/{codec.id.hex()}.safetensors": model})
    found = stat_object(source.path(name))
    assert found is not None
    options = json.dumps({"operation": "encode", "model": codec.id.hex(), **asked.asked()}, sort_keys=True)
    row = ManifestRow(
        source=found.uri, name=full_name(found.uri), bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
        fingerprint=found.fingerprint, height=1, width=1, status="done", coding=encoded.coding.name.lower(),
        archive=target.path(file), archive_bytes=len(encoded.data), psnr=encoded.psnr, operation="encode",
        options=options, lost=encoded.notes.lost, run="r", written=time.time(),
    )  # fmt: skip
    write_fragment(target.uri, [row])
