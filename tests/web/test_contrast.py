"""The contrast of the tokens, computed again as the interface language measures it (section 2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
TOKENS = (FRONTEND / "tokens.css").read_text("utf-8")
STYLE = (FRONTEND / "deploytrail.css").read_text("utf-8")

# Where each role may stand; states also on their own tint.
GROUNDS = ("surface", "bg", "sunken", "hover", "accent-tint")
STATES = (
    *("succeeded", "failed", "running", "waiting"),
    *("rolledback", "frozen", "unattributed", "unproven"),
)
TEXTS = ("ink", "ink2", "ink3", "accent", *STATES)
CONTROLS = ("edge", "focus")
# (foreground, background, least)
PAIRS = [
    *((text, ground, 4.5) for text in TEXTS for ground in GROUNDS),
    *((state, f"{state}-tint", 4.5) for state in STATES),
    *((control, ground, 3.0) for control in CONTROLS for ground in GROUNDS),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-strong", 4.5),
    ("accent-strong", "accent-tint", 4.5),
    ("bg", "ink", 4.5),
]


def colours(theme: int) -> dict[str, str]:
    """The tokens of the light (0) or dark (1) theme."""
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS)
    return {name: pair[theme] for name, *pair in found}


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_contrast(theme: int, text: str, ground: str, least: float) -> None:
    found = colours(theme)
    assert contrast(found[text], found[ground]) >= least


# The table of the interface language: the lowest over all grounds.
MEASURED = {
    "ink": (15.4, 12.9), "ink2": (7.4, 8.1), "ink3": (5.0, 5.8), "accent": (6.4, 7.1), "edge": (3.2, 3.6),
    "focus": (6.0, 9.7), "succeeded": (5.9, 8.1), "failed": (5.8, 7.2), "running": (6.4, 7.1),
    "waiting": (5.8, 8.8), "rolledback": (6.5, 7.4), "frozen": (5.8, 8.3), "unattributed": (6.0, 7.1),
    "unproven": (5.9, 7.0),
}  # fmt: skip


@pytest.mark.parametrize("role", MEASURED)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_table_is_still_true(role: str, theme: int) -> None:
    found = colours(theme)
    # The table measures controls where they stand at rest; above they are held to their limit everywhere.
    grounds = {"edge": GROUNDS[:4], "focus": GROUNDS[:2]}.get(role, GROUNDS)
    if role in STATES:
        grounds = (*grounds, f"{role}-tint")
    assert min(contrast(found[role], found[g]) for g in grounds) == pytest.approx(
        MEASURED[role][theme], abs=0.06
    )


def test_raw_colours_stand_in_the_tokens_only() -> None:
    printed = STYLE.partition("@layer print")[0]
    assert re.findall(r"#[0-9a-f]{3,8}\b(?![^{]*\{)", printed) in ([], ["#000"])


def test_states_have_a_shape_of_their_own() -> None:
    shapes = {
        state: re.findall(rf"\[data-s={state}\]::before {{([^}}]+)}}", STYLE)[:1]
        for state in STATES
        if state != "succeeded"
    }
    assert all(shapes.values())
    assert len({shape[0] for shape in shapes.values()}) == len(shapes)
