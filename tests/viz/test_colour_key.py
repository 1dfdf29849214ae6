"""The key to the colours: every level, in order, drawn as it is drawn elsewhere."""

from matplotlib import pyplot as plt

from nlcore.viz import colour_key
from nlcore.viz.theme import looks

LOOKS = looks(("one", "two", "three"))


def test_each_level_has_its_look_beside_its_name_fastest_on_top():
    figure = colour_key.picture(LOOKS)
    lines, names = figure.axes[0].lines, figure.axes[0].texts
    drawn = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines]
    dashes = {"solid": "-", "dashed": "--", "dotted": ":"}
    assert drawn == [(look.colour, dashes[look.dash], look.marker) for look in LOOKS.values()]
    assert [name.get_text() for name in names] == list(LOOKS)
    heights = [name.get_position()[1] for name in names]
    assert heights == sorted(heights, reverse=True) == [line.get_ydata()[0] for line in lines]
    plt.close(figure)


def test_it_says_what_it_shows(monkeypatch):
    shown = []
    monkeypatch.setattr(colour_key, "show", lambda figure, alt: (plt.close(figure), shown.append(alt)))
    colour_key.colour_key(LOOKS)
    assert shown == ["One, two, three: a line for each level, fastest first, with its own colour, dash and mark."]
