"""A chart as SVG: bars of alarms per 1,000 by class, stacked by grade. No library: rectangles and text."""

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = {"proved": "#b2182b", "likely": "#ef8a62", "suspected": "#fddbc7"}
WIDTH, LABELS, VALUES = 720, 150, 90
ROW, BAR, TOP = 28, 18, 34
FONT = 'font-family="sans-serif" font-size="13"'


def rates(counts: Mapping[str, Mapping[str, int]], grades: Sequence[str]) -> str:
    """The chart.

    Args:
        counts: by class, `calls` and the alarms of each grade.
        grades: in the order of the stack; each has a colour.
    """
    shares = {
        name: [1000 * row.get(grade, 0) / row["calls"] for grade in grades]
        for name, row in counts.items()
        if row.get("calls")
    }
    most = max((sum(values) for values in shares.values()), default=0.0) or 1.0
    scale = (WIDTH - LABELS - VALUES) / most
    height = TOP + ROW * len(shares) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="8" y="20">alarms per 1,000 calls</text>',
    ]
    for at, grade in enumerate(grades):
        left = LABELS + 40 + 110 * at
        lines.append(f'<rect x="{left}" y="9" width="12" height="12" fill="{COLOURS[grade]}"/>')
        lines.append(f'<text x="{left + 18}" y="20">{escape(grade)}</text>')
    for row, (name, values) in enumerate(shares.items()):
        y, x = TOP + ROW * row, float(LABELS)
        lines.append(f'<text x="{LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        for grade, value in zip(grades, values, strict=True):
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="{BAR}" fill="{COLOURS[grade]}"/>'
            )
            x += value * scale
        lines.append(f'<text x="{x + 6:.1f}" y="{y + 14}">{sum(values):.1f}</text>')
    return "\n".join([*lines, "</svg>", ""])
