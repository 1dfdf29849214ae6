"""Controls as data: their stops, the words for them, and where they stand first."""

import pytest

from nlcore.viz.controls import choice, player, slider, stops, text


def test_a_slider_over_whole_numbers_hands_out_whole_numbers():
    control = slider("Period", 4, 1, 16, 3)
    assert control.values == (1, 4, 7, 10, 13, 16) and all(isinstance(value, int) for value in control.values)
    assert control.words[control.first] == "4"


def test_a_sliders_stops_are_the_numbers_it_says_without_the_dust_of_adding():
    control = slider("Noise", 0.3, 0.0, 1.5, 0.1)
    assert control.values[3] == 0.3 and control.values[-1] == 1.5 and len(control.values) == 16
    assert control.words[:4] == ("0", "0.1", "0.2", "0.3")


def test_pairs_have_their_own_words_and_a_minus_is_a_minus():
    control = stops("Values", -2, (("never", 0), ("every 3", 3), -2))
    assert control.words == ("never", "every 3", "−2") and control.values == (0, 3, -2) and control.first == 2


def test_a_choice_and_a_player_are_what_they_say():
    assert choice("Stream", "b", ("a", "b")).kind == "choice"
    played = player("Steps", 5, 24, stride=2)
    assert (played.kind, played.stride, played.first, len(played.values)) == ("player", 2, 5, 25)


def test_a_text_stands_on_an_offered_one_or_on_the_readers_own():
    line = text("Sentence", "a dog", ["a cat"])
    assert (line.kind, line.words, line.first) == ("text", ("a dog", "a cat"), 0)
    assert (line.value(1), line.value("1")) == ("a cat", "1")
    with pytest.raises(TypeError):
        stops("Width", 16, (16, 32)).value("16")


def test_a_value_off_the_stops_is_refused_by_name():
    with pytest.raises(ValueError, match="Width: 33 is not one of its stops, 16, 32"):
        stops("Width", 33, (16, 32))
    with pytest.raises(ValueError, match="Noise: 0.55 is not one"):
        slider("Noise", 0.55, 0.0, 1.0, 0.1)
