"""The slider that plays: one value, whoever moves it."""

from nlcore.viz.player import Player


def test_value_and_slider_are_one():
    player = Player("Step", 3, 20, stride=2)
    heard = []
    player.observe(lambda change: heard.append(change.new), names="value")
    player.slider.value = 7
    player.value = 12
    assert heard == [7, 12] and player.slider.value == 12
    assert (player.play.step, player.play.max, player.slider.max) == (2, 20, 20)
