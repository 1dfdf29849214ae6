"""Numbers as a reader meets them in a chart."""

import math

FEW = 6
"""Ticks that an axis has room for."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(value: float) -> str:
    """A number in two or three digits; very large and very small ones as a power of ten."""
    if not math.isfinite(value):
        return "beyond all numbers"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return (f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}").replace("-", "−")
    digits, power = f"{value:.1e}".split("e")
    return f"{digits.replace('-', '−')} × 10{str(int(power)).translate(RAISED)}"


def decade(power: int) -> str:
    """A power of ten: in full where that is short."""
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"10{str(power).translate(RAISED)}"


def decades(low: float, high: float) -> dict[float, str]:
    """Ticks of a logarithmic axis, at most `FEW`: powers of ten, 1 among them if it is in view."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = -(-(last - first + 1) // FEW)
    return {10.0**power: decade(power) for power in range(first, last + 1) if power % step == 0}
