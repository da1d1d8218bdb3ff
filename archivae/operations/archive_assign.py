"""Which shard an object goes into, decided by the listing alone, before anything is encoded.

What a file will take is not known then. It is guessed from the source's size, the ending of its name and the rate asked
for: at the default quality a JPEG comes to about a third, what holds its pixels plainly to about a twelfth, and no file
ever grows. So shards differ from the size asked for by as much as pictures differ from typical ones, commonly by a factor
of two; and a re-run, on any machine, cuts a listing at the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache

from archivae.operations.rate import Lossless, MaxBytes, Quality, Rate
from archivae.operations.typical import typical_bits
from archivae.storage import StoredObject
from archivae.storage.tar import BLOCK

SHARD_BYTES = 256 << 20
"""What a shard shall take, about."""

# The share of the source's bytes that an .avae file takes at the default quality, in twelfths. Endings that are not
# named: pixels kept plainly, or without loss.
_PARTS = 12
_TAKEN = dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "jp2", "j2k", "gif"), 4) | dict.fromkeys(
    ("webp", "avif", "heic", "heif", "jxl"), 8
)
_TAKEN_OF_OTHERS = 1


def assign(sources: Iterable[StoredObject], shard_bytes: int, rate: Rate) -> Iterator[list[StoredObject]]:
    """A sorted listing, cut into the members of one shard after another; one list if all fit."""
    shard: list[StoredObject] = []
    filled = 0
    for source in sources:
        size = expected_bytes(source, rate)
        if shard and filled + size > shard_bytes:
            yield shard
            shard, filled = [], 0
        shard.append(source)
        filled += size
    if shard:
        yield shard


def expected_bytes(source: StoredObject, rate: Rate) -> int:
    """What a source will take in a shard, header and all: a guess, the same everywhere, for it is made of integers."""
    size = max(source.size, 0)
    if not isinstance(rate, Lossless):
        ending = "jpg" if source.span else source.name.rpartition(".")[2].lower()  # a record's name has none
        taken = _TAKEN.get(ending, _TAKEN_OF_OTHERS)
        share = _share(rate)
        size = min(size, -(-size * taken * share.numerator // (_PARTS * share.denominator)))
    if isinstance(rate, MaxBytes):
        size = min(size, rate.count)
    return BLOCK + -(-size // BLOCK) * BLOCK


@lru_cache
def _share(rate: Rate) -> Fraction:
    """What a typical picture takes at ``rate``, as a share of what it takes at the default quality."""
    return typical_bits(rate) / typical_bits(Quality())
