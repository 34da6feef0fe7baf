"""Charts as SVG text, by hand: the same numbers always give the same bytes."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH = 720
_COLORS = ("#8a8a8a", "#009639", "#1f5fbf", "#c2410c", "#7c3aed", "#b45309")
_OWN = "headgate"
_OWN_COLOR = "#1f5fbf"
_FONT = "font-family='system-ui, sans-serif' font-size='13' fill='#1a1a1a'"


class Bar(NamedTuple):
    """One bar and what stands at its end."""

    label: str
    value: float
    text: str


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Return horizontal bars from zero on a linear scale. Negative values have no bar, only their text."""
    left, row, top = 110, 28, 40
    room = _WIDTH - left - 130
    largest = max((bar.value for bar in bars), default=0.0) or 1.0
    parts = []
    for index, bar in enumerate(bars):
        y = top + index * row
        length = max(bar.value, 0.0) / largest * room
        color = _OWN_COLOR if bar.label == _OWN else "#b8bec8"
        parts += [
            f"<text x='{left - 8}' y='{y + 15}' text-anchor='end'>{escape(bar.label)}</text>",
            f"<rect x='{left}' y='{y}' width='{length:.1f}' height='20' fill='{color}'/>",
            f"<text x='{left + length + 6:.1f}' y='{y + 15}'>{escape(bar.text)}</text>",
        ]
    return _document(title, top + len(bars) * row + 8, parts)


def line_chart(
    title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[tuple[float, float]]], *, logarithmic: bool
) -> str:
    """Return a line for each series, its name at its end; axes are both logarithmic, or linear with y from zero.

    Raises `ValueError` when there is no point, or one that is not positive on a logarithmic axis.
    """
    points = [point for line in series.values() for point in line]
    if not points:
        raise ValueError("a chart needs at least one point")
    if logarithmic and min(min(point) for point in points) <= 0:
        raise ValueError("a logarithmic axis has no place for values that are not positive")
    left, right, top, bottom = 70, _WIDTH - 100, 40, 340
    horizontal = _Axis([x for x, _ in points], left, right, logarithmic=logarithmic)
    vertical = _Axis([y for _, y in points], bottom, top, logarithmic=logarithmic)
    parts = [
        f"<text x='{(left + right) / 2:.1f}' y='{bottom + 36}' text-anchor='middle'>{escape(x_label)}</text>",
        f"<text x='{left - 60}' y='{top - 8}' font-size='12'>{escape(y_label)}</text>",
    ]
    for value in horizontal.ticks:
        x = horizontal.at(value)
        parts.append(f"<text x='{x:.1f}' y='{bottom + 18}' text-anchor='middle' font-size='11'>{value:g}</text>")
    for value in vertical.ticks:
        y = vertical.at(value)
        parts += [
            f"<line x1='{left}' y1='{y:.1f}' x2='{right}' y2='{y:.1f}' stroke='#e3e5e9'/>",
            f"<text x='{left - 6}' y='{y + 4:.1f}' text-anchor='end' font-size='11'>{value:,g}</text>",
        ]
    for index, (name, line) in enumerate(series.items()):
        color = _COLORS[index % len(_COLORS)]
        path = " ".join(f"{horizontal.at(x):.1f},{vertical.at(y):.1f}" for x, y in line)
        end_x, end_y = line[-1]
        parts += [
            f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='2'/>",
            f"<text x='{horizontal.at(end_x) + 6:.1f}' y='{vertical.at(end_y) + 4:.1f}' fill='{color}'>{escape(name)}"
            "</text>",
        ]
    return _document(title, bottom + 48, parts)


class _Axis:
    """Maps values to pixels. A linear axis begins at zero."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, logarithmic: bool) -> None:
        self._start, self._end, self._logarithmic = start, end, logarithmic
        if logarithmic:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            self.ticks = [10.0**power for power in range(low, max(high, low + 1) + 1)]
        else:
            step = _round_step(max(values))
            self.ticks = [index * step for index in range(math.ceil(max(values) / step) + 1)]
        self._low, self._high = self._scale(self.ticks[0]), self._scale(self.ticks[-1])

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (self._scale(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self._logarithmic else value


def _round_step(largest: float) -> float:
    """Return a distance of ticks of which four to ten reach the largest value."""
    power = 10.0 ** math.floor(math.log10(largest)) if largest > 0 else 1.0
    return next(power * factor for factor in (0.2, 0.25, 0.5, 1.0, 2.0) if largest <= power * factor * 8 or factor == 2)


def _document(title: str, height: int, parts: Sequence[str]) -> str:
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' viewBox='0 0 {_WIDTH} {height}' "
        f"role='img' {_FONT}>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        f"<text x='12' y='22' font-size='15' font-weight='600'>{escape(title)}</text>",
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
