"""The looks of chapter 03: no two things in one colour, and what another chapter or the map draws looks as it does there."""

from nlcore.viz.explorers import gradient_weights, orthogonal_tasks, psi_landscape
from nlcore.viz.momenta import LOOKS
from nlcore.viz.optimizers import LOOKS as OPTIMIZERS
from nlcore.viz.theme import level_looks


def test_each_has_a_colour_of_its_own_and_a_form_of_sgd_that_of_sgd():
    alone = {name: look for name, look in LOOKS.items() if name != "SGD that avoids"}
    assert len({look.colour for look in alone.values()}) == len(alone)
    assert LOOKS["SGD that avoids"].colour == LOOKS["SGD"].colour and LOOKS["SGD that avoids"] != LOOKS["SGD"]


def test_adam_and_muon_look_as_in_chapter_04_and_momentum_as_its_level():
    assert [LOOKS[name] for name in ("Adam", "Muon")] == [OPTIMIZERS[name] for name in ("Adam", "Muon")]
    assert LOOKS["momentum"].colour == level_looks(["weights"])["weights"].colour


def test_what_is_in_two_explorers_looks_alike():
    assert orthogonal_tasks.LOOKS["momentum"] == psi_landscape.LOOKS["standard"] == LOOKS["momentum"]
    assert gradient_weights.LOOKS["weight"].colour == LOOKS["momentum"].colour
    assert [psi_landscape.LOOKS[form] for form in ("literal", "bounded", "exact")] == [LOOKS[form] for form in ("literal", "bounded", "exact")]
