"""The shapes of a photo codec's exact layers, as its architecture asks for them: known before any of them is made."""

from __future__ import annotations

from archivae.models.photo.architecture import PASSES, Architecture

Shape = tuple[int, ...]

PHASES = 4


def exact_shapes(arch: Architecture) -> dict[str, Shape]:
    """The shape of each layer's weight: (out, in) of the pointwise ones, (channels, 3, 3) of the depthwise ones."""
    shapes: dict[str, Shape] = {
        "parameter_head": (2 * arch.latents, arch.features),
        "hyper_decoder.enter": (4 * arch.hyper, arch.hyper + 1),
        "hyper_decoder.up": (4 * arch.features, arch.hyper),
        **_block("hyper_decoder.middle", arch.hyper, 1),
        **_block("hyper_decoder.full", arch.features, 2),
    }
    for step in range(PASSES - 1):
        shapes |= _context(f"contexts.{step}", arch.latents, arch.features, arch.context)
        shapes |= _context(f"hyper_contexts.{step}", arch.hyper, 1, arch.hyper_context)
    return shapes


def _context(name: str, channels: int, conditions: int, width: int) -> dict[str, Shape]:
    return {
        f"{name}.enter": (width, channels + conditions + PHASES),
        **_block(f"{name}.near", width, 1),
        **_block(f"{name}.far", width, 1),
        f"{name}.head": (2 * channels, width),
    }


def _block(name: str, channels: int, expansion: int) -> dict[str, Shape]:
    return {
        f"{name}.look": (channels, 3, 3),
        f"{name}.widen": (channels * expansion, channels),
        f"{name}.narrow": (channels, channels * expansion),
    }
