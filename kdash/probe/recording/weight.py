"""What a chunk may take in memory: a file may be made by anybody, and three
kilobytes unpack to whatever their maker likes.

Contract: pure. `check_weight` is called before msgpack becomes objects; it costs little where a chunk is plainly
harmless, and looks at every value where it is not.
"""

from __future__ import annotations

__all__ = [
    "BASES_MAX", "CONTENTS_MAX", "KEPT_MAX", "NUMBERS_MAX", "PAYLOAD_MAX", "STRINGS_MAX", "TooMuch", "check_weight",
]  # fmt: skip

PAYLOAD_MAX = 16 << 20
"""Bytes of steps, of an index or of a part's beginning."""
CONTENTS_MAX = 24 << 20
"""Bytes of contents in one chunk; the writer ends one after 8 MiB and the content that passes them."""
BASES_MAX = CONTENTS_MAX
"""Bytes that a chunk of contents refers back to."""
KEPT_MAX = 32 << 20
"""Bytes of contents that a reader keeps as they are, not packed."""
NUMBERS_MAX = 1 << 18
"""Records in a chunk, and values in a column."""
STRINGS_MAX = 24 << 20
"""Bytes of the table of strings, about."""

_WEIGHT_MAX = 48 << 20
_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_NUMBERS = bytes(range(0xE0, 0x100))
_POINTER, _CONTAINER, _NUMBER, _TEXT = 8, 64, 32, 56
_SIZES = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4,
          0xD3: 8}  # fmt: skip
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_COUNTS = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}


class TooMuch(ValueError):
    """More than a recording of kdash ever takes."""


def check_weight(raw: bytes) -> None:
    """Raise `TooMuch` when `raw`, which is msgpack, would become too much in memory."""
    most = (
        _POINTER * len(raw) + _CONTAINER * (len(raw) - len(raw.translate(None, _CONTAINERS)))
        + _NUMBER * (len(raw) - len(raw.translate(None, _NUMBERS)))
    )  # fmt: skip
    if most > _WEIGHT_MAX:
        _look_at_all(raw)


def _look_at_all(raw: bytes) -> None:
    at = weight = 0
    while at < len(raw):
        head = raw[at]
        at += 1
        if head < 0x80:
            weight += _POINTER
        elif head < 0xA0:
            weight += _POINTER + _CONTAINER
        elif head < 0xC0:
            at += head & 31
            weight += _POINTER + _TEXT + (head & 31)
        elif head >= 0xE0 or head in _SIZES:
            at += _SIZES.get(head, 0)
            weight += _POINTER + _NUMBER
        elif head in _COUNTS:
            at += _COUNTS[head]
            weight += _POINTER + _CONTAINER
        elif head in _LENGTHS:
            length = int.from_bytes(raw[at : at + _LENGTHS[head]], "big")
            at += _LENGTHS[head] + length
            weight += _POINTER + _TEXT + length
        else:
            raise TooMuch("values that no kdash writes")
        if weight > _WEIGHT_MAX:
            raise TooMuch("more than a second of a recording takes")
