"""How long a word lasts: what a memory recalls of a word, by how many words came after it."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from ipywidgets import FloatSlider, IntSlider, Layout, SelectionSlider
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch.nn.functional import cosine_similarity, normalize

from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates
from nlcore.viz.demo import Demo
from nlcore.viz.theme import looks, tidy

WORDS = 48
STREAMS = 16
OBJECTIVES = {"adds (dot product)": DotProduct(), "corrects (L2)": L2()}
LOOKS = looks(tuple(OBJECTIVES))
DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot", "dashdot": "dashdot"}
MARKERS = {"o": "circle", "s": "square"}
SMALL = {"size": 13}
GREY = "#7a7a7a"  # readable on white and on black


@dataclass(frozen=True)
class Fading:
    """What is recalled of each word after all of them, (T,) of them by age."""

    age: np.ndarray
    """(T,) words that came after this one; 0 is the last."""
    recall: dict[str, np.ndarray]
    """Rule -> (T,) cosine of the answer to the word's value, mean over streams; 0 is forgotten."""

    def lasts(self, rule: str) -> int:
        """How many of the last words are recalled at 0.5 or better, counted up to the first that is not."""
        return int(np.append(self.recall[rule] < 0.5, True).argmax())

    def label(self, rule: str) -> str:
        """The rule's name and how long a word lasts in it."""
        words = self.lasts(rule)
        return f"{rule}: a word lasts {words} words" if words < WORDS else f"{rule}: all {WORDS} words last"


def compute(alpha: float, period: int, width: int) -> Fading:
    """Writes `WORDS` random words to a `width` x `width` memory, once with each objective.

    The memory is updated every `period` words: it keeps `alpha` of itself, then writes those words
    one by one. All words differ; keys and values are random unit vectors, the same at every call.
    Raises ValueError for an alpha outside 0 to 1, or a period or width below 1.
    """
    if not (0 <= alpha <= 1 and period >= 1 and width >= 1):
        raise ValueError(f"alpha {alpha}, period {period}, width {width}: alpha is 0 to 1, the others 1 or more")
    draw = torch.Generator().manual_seed(0)
    k, v = normalize(torch.randn(2, WORDS, STREAMS, width, generator=draw), dim=-1)
    eta = torch.ones(STREAMS)
    recall = {}
    for rule, objective in OBJECTIVES.items():
        memory = AssociativeMemory(Linear(width, width), objective, GradientDescent(), Decay())
        state = memory.start((STREAMS,))
        for t in range(WORDS):
            kept = eta * alpha if t % period == 0 else eta
            state, _ = memory.write(state, k[t], v[t], Rates(eta=eta, alpha=kept))
        answers = k.transpose(0, 1) @ state.memory[0].mT
        recall[rule] = cosine_similarity(answers, v.transpose(0, 1), dim=-1).mean(0).numpy()[::-1]
    return Fading(np.arange(WORDS), recall)


def picture(fading: Fading) -> Figure:
    """Recall by age, a curve for each objective."""
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for rule, recall in fading.recall.items():
        axes.plot(fading.age, recall, **LOOKS[rule].line(), markevery=3, markersize=5, label=fading.label(rule))
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    axes.set_ylim(-0.15, 1.05)
    tidy(axes, "How long a word lasts", "age (words that came after)", "recall (cosine; 1 is exact)")
    axes.legend(frameon=False)
    return figure


def fading() -> Demo[Fading]:
    """The explorer: recall by age, with sliders for retention, period and the memory's width."""
    view = _view()

    def draw(found: Fading) -> None:
        with view.batch_update():
            for curve, rule in zip(view.data, found.recall):
                curve.y, curve.name = found.recall[rule], found.label(rule)

    wide = {"style": {"description_width": "initial"}, "layout": Layout(width="370px")}
    alpha = FloatSlider(0.9, min=0.5, max=1, step=0.01, description="Retention α (each update)", **wide)
    period = IntSlider(1, min=1, max=16, description="Period (words)", **wide)
    width = SelectionSlider(options=(8, 16, 32, 64), value=32, description="Width (numbers per word)", **wide)
    return Demo(
        compute,
        {"alpha": alpha, "period": period, "width": width},
        view,
        draw=draw,
        picture=picture,
        alt="Recall of a word falls with its age. At retention 0.9 and width 32 both memories start near 1 and "
        "are below one half after about a dozen words; the one that corrects recalls the last word exactly.",
        try_this="Set α to 1: nothing fades, yet one memory loses old words and the other recalls all of them "
        "badly. Then double the width.",
        name="fading",
    )


def _view() -> go.FigureWidget:
    view = go.FigureWidget()
    for rule, look in LOOKS.items():
        view.add_scatter(
            name=rule, mode="lines+markers", x=np.arange(WORDS), y=np.zeros(WORDS),
            line={"color": look.colour, "dash": DASHES[look.dash], "width": 2.5},
            marker={"symbol": MARKERS[look.marker], "size": 5}, hovertemplate="%{y:.2f}",
        )
    view.update_layout(
        height=360, margin={"l": 60, "r": 20, "t": 20, "b": 50}, hovermode="x unified", template="none",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": GREY} | SMALL,
        legend={"orientation": "h", "y": 1.12}, hoverlabel={"bgcolor": "#333", "font": {"color": "white"}},
    )
    lines = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)"}
    view.update_xaxes(title={"text": "age (words that came after)", "font": SMALL}, range=[-1, WORDS], **lines)
    view.update_yaxes(title={"text": "recall (cosine; 1 is exact)", "font": SMALL}, range=[-0.15, 1.05], **lines)
    return view
