"""Stand-ins for tensorflow and tensorflow-io: what their operations were seen to give, without their weight."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class Tensor:
    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape = array.shape

    def numpy(self) -> np.ndarray:
        return self._array


TENSORFLOW = SimpleNamespace(
    uint8=np.uint8, uint16=np.uint16, uint32=np.uint32, float32=np.float32, constant=lambda values, dtype: list(values)
)


def tensorflow_io(tags: dict[int, str] | None = None, frames: np.ndarray | None = None, **channels: np.ndarray) -> Any:
    """``tags`` and ``frames`` as decode_dicom_* give them; ``channels`` of an EXR by name, or ``hdr``."""

    def decode_dicom_data(data: bytes, wanted: list[int]) -> Tensor:
        return Tensor(np.array([(tags or {}).get(tag, "").encode() for tag in wanted], object))

    def decode_dicom_image(data: bytes, on_error: str, scale: str, dtype: Any) -> Tensor:
        assert (on_error, scale) == ("strict", "preserve")
        return Tensor(np.asarray(frames, dtype))

    def decode_hdr(data: bytes) -> Tensor:
        return Tensor(channels["hdr"])

    def decode_exr(data: bytes, index: int, name: str, dtype: Any) -> Tensor:
        return Tensor(channels[name].astype(dtype))

    light = SimpleNamespace(decode_hdr=decode_hdr, decode_exr=decode_exr)
    image = SimpleNamespace(decode_dicom_data=decode_dicom_data, decode_dicom_image=decode_dicom_image)
    return SimpleNamespace(image=image, experimental=SimpleNamespace(image=light))
