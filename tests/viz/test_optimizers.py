"""The looks of chapter 04: no two things in one colour, and a form of a thing in its colour."""

from nlcore.viz.explorers import adam_as_regression, newton_schulz_spectra, two_time_scales
from nlcore.viz.optimizers import LOOKS, like


def test_each_has_a_colour_of_its_own_and_its_forms_share_it():
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    form = like("Muon", "solid")
    assert (form.colour, form.marker, form.dash) == (LOOKS["Muon"].colour, LOOKS["Muon"].marker, "solid")
    assert like("Muon", "solid", "v").marker == "v"


def test_what_is_in_two_explorers_looks_alike():
    assert two_time_scales.LOOKS["AdamW"] == adam_as_regression.STEP == LOOKS["Adam"]
    assert two_time_scales.LOOKS["Muon"] == newton_schulz_spectra.LOOKS["quintic (Muon)"] == LOOKS["Muon"]
