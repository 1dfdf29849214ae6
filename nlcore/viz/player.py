"""A slider that also plays: a control of explorers for anything that has steps."""

from ipywidgets import HBox, IntSlider, Layout, Play, jslink
from traitlets import Int, link


class Player(HBox):
    """A slider over 0 to `last` with a button that moves it by `stride` five times a second.

    `value` is where it stands, and setting it moves the slider. The browser does the playing, so
    a busy kernel skips steps and is never asked for one twice.
    """

    value = Int()

    def __init__(self, label: str, value: int, last: int, stride: int = 1) -> None:
        self.slider = IntSlider(value, min=0, max=last, description=label, style={"description_width": "initial"},
                                layout=Layout(width="330px"))
        self.play = Play(value=value, min=0, max=last, step=stride, interval=200, show_repeat=False,
                         tooltip=f"Play: {label}")
        super().__init__([self.play, self.slider])
        link((self.slider, "value"), (self, "value"))
        jslink((self.play, "value"), (self.slider, "value"))
