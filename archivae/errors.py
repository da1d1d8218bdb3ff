"""What can go wrong, by kind. Every message says what was expected, what was found and what to do."""

from archivae.untrusted import shown

_LONGEST = 8000
"""Characters of a message."""


class ArchivaeError(Exception):
    """Anything ArchiVAE raises on purpose. Its message can be shown anywhere: it quotes names and other errors harmlessly.

    >>> str(ArchivaeError("cannot read 'a\\nb': GET https://h/a?X-Goog-Signature=12ab failed"))
    "cannot read 'a\\\\nb': GET https://h/a?X-Goog-Signature=*** failed"
    """

    def __init__(self, *values: object) -> None:
        super().__init__(*(shown(value, _LONGEST) if isinstance(value, str) else value for value in values))


class PictureError(ArchivaeError):
    """A source that cannot be taken as a picture."""


class DamagedPictureError(PictureError):
    """A picture that is cut short, corrupt, or not what its name says."""


class PictureTooLargeError(PictureError):
    """The header promises more pixels than are allowed."""


class UnsupportedPictureError(PictureError):
    """A picture of a kind that is not coded yet; the message names the kind."""


class BitstreamError(ArchivaeError):
    """Bytes that are not a decodable ``.avae`` file."""


class CorruptBitstreamError(BitstreamError):
    """A bitstream that is cut short, altered, or contradicts its own checksums."""


class UnsupportedBitstreamError(BitstreamError):
    """A bitstream of an unknown version or with a critical chunk this release does not know."""


class UnknownModelError(BitstreamError):
    """The model a bitstream names is neither shipped nor in the archive."""


class VerificationError(ArchivaeError):
    """What was written does not decode to what was coded; nothing was recorded as done."""


class TargetError(ArchivaeError):
    """A picture that cannot be had as near, or as small, as was asked; the message says what can."""


class ModelError(ArchivaeError):
    """A weight file that is not what its name or format says."""


class AcceleratorError(ArchivaeError):
    """The accelerator asked for is not there."""


class StorageError(ArchivaeError):
    """An object that cannot be listed, read or written."""


class DiskFullError(StorageError):
    """No space left on a disk; the job ends, for whatever it wrote next would fail too."""


class UnsafeNameError(StorageError):
    """A name that would land outside the destination."""


class NothingFoundError(StorageError):
    """A source that holds no object."""


class ChangedError(StorageError):
    """An object that is not what it was when it was archived; it was left as it is."""


class WrongMemberError(StorageError):
    """An index that sends a name to the picture of another."""


class DestinationError(ArchivaeError):
    """A destination that holds something else than this job would write."""


class LeaseLostError(DestinationError):
    """A job whose destination another took over meanwhile; it wrote nothing after that."""


class JobError(ArchivaeError):
    """A job that ended before its time; what it finished stays, and a re-run does the rest."""


class UsageError(ArchivaeError):
    """Options that contradict each other or the input."""


class MaskError(UsageError):
    """Holes that are told nowhere, or by a mask that doesn't fit its picture or leaves nothing of it."""
