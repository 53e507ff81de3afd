"""Lines of styled text without any toolkit: what presenters make and panes draw.

A line is a tuple of spans `(text, style)`; a style is a semantic name of `themes.STYLES` ("" is plain text). Widths
are terminal cells, never `len`. Text in spans is data: it has been cleaned and is never parsed as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

__all__ = [
    "Line", "Span", "columns", "fill", "fit", "line", "line_width", "pad", "pad_middle", "sparkline", "width_of",
    "wrap",
]

Span = tuple[str, str]
Line = tuple[Span, ...]


def width_of(text: str) -> int:
    """Cells that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def _clip(text: str, width: int) -> str:
    """At most what `width` cells can need, so that the work for a cell does not grow with what a cluster sends.

    Eight characters a cell leave room for combining marks; what is clipped ends wide enough to be cut with a mark.
    """
    limit = 8 * width + 64
    return text if len(text) <= limit else text[:limit] + "…" * (width + 1)


def line(*parts: str | Span) -> Line:
    """A line from plain strings and spans."""
    return tuple((part, "") if isinstance(part, str) else part for part in parts if part)


def pad(text: str, width: int, right: bool = False) -> str:
    """Text of exactly `width` cells; what is too long is cut with `…`."""
    if width <= 0:
        return ""
    text = _clip(text, width)
    have = width_of(text)
    if have > width:
        if text.isascii():
            return text[: width - 1] + "…"
        cut = set_cell_size(text, width - 1).rstrip() + "…"
        return cut + " " * (width - width_of(cut))
    space = " " * (width - have)
    return space + text if right else text + space


def pad_middle(text: str, width: int, tail: int = 6) -> str:
    """As `pad`, but what is too long loses its middle: the ends of generated names tell them apart."""
    if not text.isascii() or width < tail + 4 or len(text) <= width:
        return pad(text, width)
    return f"{text[: width - tail - 1]}…{text[-tail:]}"


def wrap(text: str, width: int) -> list[str]:
    """The words of a sentence in lines of at most `width` cells."""
    out, current = [], ""
    for word in text.split(" "):
        longer = f"{current} {word}" if current else word
        if width_of(longer) <= width:
            current = longer
        else:
            out += [current] if current else []
            current = word if width_of(word) <= width else pad(word, width)
    return [*out, current]


def fit(spans: Line, width: int) -> Line:
    """The line padded to exactly `width` cells, or cut with `…`; blanks at its end go without a mark."""
    out: list[Span] = []
    left = width
    for index, (text, style) in enumerate(spans):
        text = _clip(text, left)
        have = width_of(text)
        if have >= left:
            cut = text if text.isascii() else set_cell_size(text, left)
            lost = cut[left:] if text.isascii() else "x" * (have - left)
            if (lost + "".join(each for each, _ in spans[index + 1 :])).strip():
                cut = pad(text + "…", left)
            return (*out, (cut[:left] if cut.isascii() else set_cell_size(cut, left), style))
        out.append((text, style))
        left -= have
    if left:
        out.append((" " * left, ""))
    return tuple(out)


def line_width(spans: Line) -> int:
    return sum(width_of(text) for text, _ in spans)


def fill(lines: Iterable[Line], width: int, height: int) -> list[Line]:
    """Exactly `height` lines of exactly `width` cells."""
    out = [fit(each, width) for each in lines][:height]
    out.extend([((" " * width, ""),)] * (height - len(out)))
    return out


def columns(cells: Sequence[tuple[str, str, int, bool]], gap: int = 1) -> Line:
    """A table row: cells are (text, style, width, right-aligned)."""
    out: list[Span] = []
    for index, (text, style, width, right) in enumerate(cells):
        if index:
            out.append((" " * gap, ""))
        out.append((pad(text, width, right), style))
    return tuple(out)


def sparkline(values: Sequence[float], width: int, blocks: str) -> str:
    """The newest `width` values as bars; `blocks` from empty to full."""
    shown = list(values)[-width:]
    top = max(shown, default=0)
    if top <= 0:
        return (blocks[0] * len(shown)).rjust(width, blocks[0])
    steps = len(blocks) - 1
    bars = "".join(blocks[0] if value <= 0 else blocks[max(1, round(value / top * steps))] for value in shown)
    return bars.rjust(width, blocks[0])
