"""The shapes of a photo codec's tensors, as its architecture asks for them: known before any of them is made."""

from __future__ import annotations

from archivae.models.photo.architecture import ANCHORS, PASSES, PATCH, Architecture

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


def float_shapes(arch: Architecture) -> dict[str, Shape]:
    """The shape of each tensor of the transforms, and of the gains."""
    pixels, fine, coarse = 3 * PATCH**2, arch.fine, arch.coarse
    return {
        "encoder_gain": (ANCHORS, arch.latents),
        "decoder_gain": (ANCHORS, arch.latents),
        **_pointwise("analysis.patch", fine, pixels),
        **_residuals("analysis.fine", fine, arch.fine_blocks),
        **_pointwise("analysis.down", coarse, 4 * fine),
        **_residuals("analysis.coarse", coarse, arch.coarse_blocks),
        **_pointwise("analysis.head", arch.latents, coarse),
        **_pointwise("synthesis.head", coarse, arch.latents),
        **_residuals("synthesis.coarse", coarse, arch.coarse_blocks),
        **_pointwise("synthesis.up", 4 * fine, coarse),
        **_residuals("synthesis.fine", fine, arch.fine_blocks),
        **_pointwise("synthesis.patch", pixels, fine),
        **_pointwise("hyper_analysis.head", arch.hyper, arch.latents),
        **_residual("hyper_analysis.middle", arch.hyper),
        **_pointwise("hyper_analysis.down", arch.hyper, 4 * arch.hyper),
        **_residual("hyper_analysis.quarter", arch.hyper),
        **_pointwise("hyper_analysis.out", arch.hyper, 4 * arch.hyper),
    }


def _pointwise(name: str, outputs: int, inputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (ANCHORS, outputs)}


def _residuals(name: str, channels: int, count: int) -> dict[str, Shape]:
    blocks = (_residual(f"{name}.{number}", channels) for number in range(count))
    return {key: shape for block in blocks for key, shape in block.items()}


def _residual(name: str, channels: int) -> dict[str, Shape]:
    return {
        **_pointwise(f"{name}.enter", channels, channels),
        f"{name}.look.weight": (channels, 1, 3, 3),
        f"{name}.look.bias": (channels,),
        **_pointwise(f"{name}.leave", channels, channels),
        **_pointwise(f"{name}.widen", 2 * channels, channels),
        **_pointwise(f"{name}.narrow", channels, 2 * channels),
    }


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
