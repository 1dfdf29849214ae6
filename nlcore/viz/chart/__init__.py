"""Charts: one description of what is to be seen, drawn live by plotly and in stored notebooks by matplotlib.

    def chart(found) -> Chart:
        return (Plot("Recall", "pairs stored", "cosine", lines=(Line("delta", x, y, look),)),)

    explorer(compute, {"d": slider(...)}, chart, alt="...", try_this="...")
"""

from nlcore.viz.chart.explorer import explorer
from nlcore.viz.chart.plot import Chart, Heat, Line, Plot

__all__ = ["Chart", "Heat", "Line", "Plot", "explorer"]
