"""The looks of chapters 03 to 05: no two things in one colour, a form of a thing in its colour, and in all of a chapter alike."""

from nlcore.viz.explorers import adam_as_regression, gradient_weights, newton_schulz_spectra, orthogonal_tasks, psi_landscape, two_time_scales
from nlcore.viz.optimizers import DESCENTS, MOMENTA, OPTIMIZERS, like
from nlcore.viz.theme import level_looks


def test_each_optimizer_has_a_colour_of_its_own_and_its_forms_share_it():
    assert len({look.colour for look in OPTIMIZERS.values()}) == len(OPTIMIZERS)
    form = like("Muon", "solid")
    assert (form.colour, form.marker, form.dash) == (OPTIMIZERS["Muon"].colour, OPTIMIZERS["Muon"].marker, "solid")
    assert like("Muon", "solid", "v").marker == "v"


def test_each_momentum_has_a_colour_of_its_own_and_a_form_of_sgd_that_of_sgd():
    alone = {name: look for name, look in MOMENTA.items() if name != "SGD that avoids"}
    assert len({look.colour for look in alone.values()}) == len(alone)
    assert MOMENTA["SGD that avoids"].colour == MOMENTA["SGD"].colour and MOMENTA["SGD that avoids"] != MOMENTA["SGD"]


def test_momentum_looks_as_its_level():
    assert MOMENTA["momentum"].colour == level_looks(["weights"])["weights"].colour


def test_rules_differ_and_an_objective_looks_like_the_rule_that_it_makes():
    rules = ("gradient descent", "Delta GD", "exact step", "Delta GD as printed", "Huber", "Lp, p = 1.5")
    assert len({DESCENTS[rule].colour for rule in rules}) == len(rules)
    assert DESCENTS["dot product"] == DESCENTS["SGD"] == DESCENTS["gradient descent"]
    assert DESCENTS["L2"] == DESCENTS["Delta GD"]


def test_what_is_in_two_explorers_looks_alike():
    assert two_time_scales.LOOKS["AdamW"] == adam_as_regression.STEP == OPTIMIZERS["Adam"]
    assert two_time_scales.LOOKS["Muon"] == newton_schulz_spectra.LOOKS["quintic (Muon)"] == OPTIMIZERS["Muon"]
    assert orthogonal_tasks.LOOKS["momentum"] == psi_landscape.LOOKS["standard"] == MOMENTA["momentum"]
    assert gradient_weights.LOOKS["weight"].colour == MOMENTA["momentum"].colour
    assert [psi_landscape.LOOKS[form] for form in ("literal", "bounded", "exact")] == [MOMENTA[form] for form in ("literal", "bounded", "exact")]
