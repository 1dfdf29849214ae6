"""Charts: one description of what is to be seen, drawn by one script in notebook and book, and as stored pictures.

    def chart(found) -> Chart:
        return (Plot("Recall", "pairs stored", "cosine", lines=(Line("delta", x, y, look),)),)

    Explorer(compute, {"d": slider(...)}, chart, alt="...", try_this="...", name="recall")
"""

from nlcore.viz.chart.explorer import Explorer
from nlcore.viz.chart.plot import Chart, Heat, Line, Plot

__all__ = ["Chart", "Explorer", "Heat", "Line", "Plot"]
