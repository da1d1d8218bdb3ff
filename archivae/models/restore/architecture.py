"""The shape of a restorer: the numbers that, with the weights, make a model. All tasks share one."""

from __future__ import annotations

from dataclasses import asdict, dataclass

STRIDE = 8
"""Pixels a side of one latent position: pictures are padded to a multiple of it. JPEG's blocks have the same size."""
COLOURS = 3
PLANES = COLOURS + 2
"""What the network sees of a pixel: its colours, the level of the damage, and whether it is a hole."""


@dataclass(frozen=True)
class RestorerArchitecture:
    """Channel counts and depths; channels double at each level. Defaults are the shipped restorers'.

    Whatever its level, a block of this network costs about 6 kMAC a pixel. Deep blocks move the least memory, which
    is what a CPU waits for, so most of the depth is in the latents.
    """

    width: int = 64  # channels at 1/2; twice at 1/4, four times at 1/8
    encode_half: int = 1  # blocks of the encoder at 1/2
    encode_quarter: int = 1
    latent: int = 5  # blocks at 1/8
    decode_quarter: int = 2
    decode_half: int = 2
    features: int = 32  # channels of the estimator

    def asdict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def reach(self) -> int:
        """How far, in pixels, an output can look: every block one position of its level, and the cells they stand in.

        >>> RestorerArchitecture().reach
        66
        """
        half, quarter = self.encode_half + self.decode_half, self.encode_quarter + self.decode_quarter
        return 2 * half + 4 * quarter + 8 * self.latent + STRIDE

    @property
    def macs(self) -> float:
        """Multiply-adds a pixel, the estimator's left out.

        >>> round(RestorerArchitecture().macs / 1000)
        78
        """
        width = self.width
        half = (self.encode_half + self.decode_half) * _block_macs(width)
        quarter = (self.encode_quarter + self.decode_quarter) * _block_macs(2 * width)
        ends = 4 * (PLANES + COLOURS) * width
        crossings = 2 * 4 * width * 2 * width / 16 + 2 * 8 * width * 4 * width / 64
        return (half + ends) / 4 + quarter / 16 + self.latent * _block_macs(4 * width) / 64 + crossings


def _block_macs(channels: int) -> int:
    return 6 * channels**2 + 9 * 2 * channels
