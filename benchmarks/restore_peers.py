"""What restorers are compared with: OpenCV's own methods and BM3D, at the strength that was put in."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from bm3d import bm3d_rgb

from benchmarks.pictures import Pixels
from benchmarks.restore_cases import Case, as_bytes

Method = Callable[[Case], Pixels]
"""A case to uint8 (H, W, 3)."""

NLM_STRENGTH = {15: 0.8, 25: 0.8, 50: 0.6}
"""h of non-local means in sigmas, by sigma: the best of 0.6, 0.8 and 1 on a few of the training photographs."""
INPAINT_RADIUS = 3
AIM = 0.45
"""The mean that gamma correction makes for."""
CLIP_LIMIT, CLAHE_GRID = 4.0, (8, 8)


def nothing(case: Case) -> Pixels:
    """The damaged picture."""
    return case.shown


def bm3d(case: Case) -> Pixels:
    """CBM3D (Dabov et al. 2007) by its authors, told the sigma. Its noise is neither clipped nor rounded."""
    assert case.strength is not None
    return as_bytes(bm3d_rgb(case.damaged, case.strength / 255)) if case.strength else case.shown


def non_local_means(case: Case) -> Pixels:
    """OpenCV's fastNlMeansDenoisingColored, told the sigma."""
    assert case.strength is not None
    if not case.strength:
        return case.shown
    h = NLM_STRENGTH[round(case.strength)] * case.strength
    blue_first = cv2.cvtColor(case.shown, cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.cvtColor(cv2.fastNlMeansDenoisingColored(blue_first, None, h, h, 7, 21), cv2.COLOR_BGR2RGB))


def bilateral(case: Case) -> Pixels:
    """Deblocking as people do it with OpenCV, which has none of its own: a bilateral filter, told the quality."""
    assert case.strength is not None
    return np.asarray(cv2.bilateralFilter(case.shown, 5, 300 / case.strength, 2))


def telea(case: Case) -> Pixels:
    """Fast marching (Telea 2004)."""
    return _inpaint(case, cv2.INPAINT_TELEA)


def navier_stokes(case: Case) -> Pixels:
    """Navier-Stokes (Bertalmio et al. 2001)."""
    return _inpaint(case, cv2.INPAINT_NS)


def equalised(case: Case) -> Pixels:
    """The histogram of the luma made flat."""
    luma = cv2.cvtColor(case.shown, cv2.COLOR_RGB2YCrCb)
    luma[:, :, 0] = cv2.equalizeHist(luma[:, :, 0])
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB))


def clahe(case: Case) -> Pixels:
    """The same locally, with bounds (Zuiderveld 1994), on the lightness."""
    lightness = cv2.cvtColor(case.shown, cv2.COLOR_RGB2LAB)
    lightness[:, :, 0] = cv2.createCLAHE(CLIP_LIMIT, CLAHE_GRID).apply(lightness[:, :, 0])
    return np.asarray(cv2.cvtColor(lightness, cv2.COLOR_LAB2RGB))


def gamma(case: Case) -> Pixels:
    """A power that brings the mean to about the middle."""
    levels = case.damaged / 255
    power = np.log(AIM) / np.log(max(float(levels.mean()), 1e-3))
    return as_bytes(levels**power)


def _inpaint(case: Case, method: int) -> Pixels:
    assert case.mask is not None
    return np.asarray(cv2.inpaint(case.shown, case.mask.astype(np.uint8), INPAINT_RADIUS, method))


PEERS: dict[str, dict[str, Method]] = {
    "denoise": {"noisy": nothing, "OpenCV non-local means": non_local_means, "CBM3D": bm3d},
    "dejpeg": {"JPEG": nothing, "OpenCV bilateral": bilateral},
    "inpaint": {"OpenCV Telea": telea, "OpenCV Navier-Stokes": navier_stokes},
    "lowlight": {"dark": nothing, "histogram equalisation": equalised, "gamma": gamma, "CLAHE": clahe},
}
