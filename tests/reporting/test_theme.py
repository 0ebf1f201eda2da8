"""Colours that stand beside each other in a figure differ, whoever looks at it."""

from itertools import combinations

import numpy as np
import pytest

from pentathlon.reporting import theme

# Severe deficiencies: Machado, Oliveira and Fernandes, A Physiologically-based Model for
# Simulation of Color Vision Deficiency (IEEE TVCG 15(6), 2009), table of severity 1.0.
SEEN = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# sRGB to CIE XYZ, white of D65.
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = XYZ.sum(axis=1)
# A just noticeable difference is about 2.3 in CIELAB; marks are small and lie apart.
APART = 13.0

NAMES = [f"message {i}" for i in range(10)]
TOGETHER = {
    "messages": [*theme.message_colours([*NAMES, "control"]).values()],
    "models": [*theme.model_colours([f"model {i}" for i in range(6)] + ["fusion"]).values()],
    "policies": [*theme.ROLE.values()],
    "gains": [theme.BETTER, theme.UNSURE, theme.WORSE],
    "claimed, supported, true": [theme.CLAIM, theme.SHIPS, theme.TRUTH],
}


def lab(colour: str, seen: str) -> np.ndarray:
    coded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(SEEN[seen] @ linear, 0, 1) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("colours", TOGETHER.values(), ids=TOGETHER)
def test_colours_differ_whoever_looks(colours: list[str], seen: str) -> None:
    assert len(set(colours)) == len(colours)
    for a, b in combinations(colours, 2):
        assert np.linalg.norm(lab(a, seen) - lab(b, seen)) >= APART, (a, b)


def test_what_would_be_taken_for_the_same_is_found() -> None:
    """A green and a red of the same lightness: the measure must see what readers do not."""
    green, red = lab("#6f9a5c", "deuteranopia"), lab("#c07a5c", "deuteranopia")
    assert np.linalg.norm(green - red) < APART
    assert np.linalg.norm(lab("#6f9a5c", "usual") - lab("#c07a5c", "usual")) > APART
