"""The paper's numbers and claims: slips by arithmetic from the data, and statuses that follow what is stored."""

from statistics import fmean
from types import SimpleNamespace

import pytest

from experiments import results
from experiments.mad import EXPERIMENT as MAD
from experiments.paper import TABLES, claims, found, slips
from experiments.paper.claims import CLAIMS, NOT_REPRODUCED, OPEN, REPRODUCED, UNTESTABLE, WRONG


def test_every_table_has_a_number_a_column_in_each_row():
    shapes = {name: (len(table.rows), len(table.columns)) for name, table in TABLES.items()}
    assert shapes == {"1": (7, 18), "2": (22, 11), "2, short version": (13, 11), "3": (5, 6), "4": (5, 5), "5": (6, 12),
                      "6": (8, 2)}  # fmt: skip
    for table in TABLES.values():
        assert len(set(table.columns)) == len(table.columns) and table.section
        assert all(len(numbers) == len(table.columns) for numbers in table.rows.values())
        assert all(0 <= number <= 100 for numbers in table.rows.values() for number in numbers)


def test_a_table_is_shown_with_its_section_and_all_or_some_rows():
    page = TABLES["6"].markdown(["Hope", "w/o CMS"])
    assert page.splitlines() == [
        "**Table 6 of the paper (section 9.6).** Hope without one of its parts: mean perplexity, mean accuracy in % of "
        "the tasks of Table 2.",
        "",
        "|  | perplexity | accuracy |",
        "| --- | ---: | ---: |",
        "| Hope | 12.24 | 58.1 |",
        "| w/o CMS | 13.04 | 57.3 |",
    ]
    assert TABLES["5"]._repr_markdown_().count("\n") == 9 and "(aa)\\*, bin 0" in TABLES["5"].markdown()
    assert TABLES["1"].cell("Hope", "MV-NIAH, 16K") == 11.4


def test_two_averages_of_table_2_are_not_the_means_of_their_rows():
    wrong = {row: (numbers[-1], round(fmean(numbers[2:-1]), 2)) for row, numbers in TABLES["2"].rows.items()
             if abs(numbers[-1] - fmean(numbers[2:-1])) > 0.02}  # fmt: skip
    assert wrong == {"TTT, 760M": (47.32, 49.38), "Comba, 1.3B": (55.39, 55.51)}
    agrees, what = slips.averages()
    assert not agrees and "2 of 22" in what and "TTT, 760M: 47.32, and the mean is 49.38" in what and "55.51" in what


def test_hope_is_not_the_best_of_table_1_in_two_cells():
    agrees, what = slips.best_without_attention()
    assert not agrees and what.startswith("in 2 of 18 cells")
    assert "S-NIAH-2, 4K: Titans 99.6, Hope 99.2" in what and "S-NIAH-3, 4K: Titans 74.2, Hope 73.2" in what


def test_hope_attention_is_below_the_transformer_in_six_cells():
    table = TABLES["1"]
    lower = [c for c in table.columns if table.cell("Hope-Attention", c) < table.cell("Transformer", c)]
    assert lower == ["S-NIAH-2, 8K", "S-NIAH-3, 4K", "S-NIAH-3, 8K", "MK-NIAH-1, 16K", "MQ-NIAH, 8K", "MV-NIAH, 4K"]
    agrees, what = slips.hope_attention_over_transformer()
    assert agrees and "better in 11 of 18 cells, worse in 6" in what


def test_the_deep_memory_dla_is_below_both_linear_ones_at_the_longest():
    agrees, what = slips.deep_over_linear()
    assert not agrees and what == "means at 16K: DLA 17.3, Titans 37.1, RWKV-7 23.8, Comba 23.7"


def test_ttt_gains_more_with_scale_than_hope_and_hope_has_the_best_average():
    assert slips.gain_with_scale() == (False, "TTT gains 6.20, Hope 5.76")
    assert slips.best_average()[0] and slips.hope_over_titans()[0] and slips.best_on_mad()[0]


def test_table_6_is_lower_without_q_and_rounds_its_accuracy_up():
    assert slips.all_parts_help() == (False, "w/o inner-projection q 12.19, Hope 12.24")
    assert slips.each_part_helps_somewhere()[0]
    worse = {row: slips.is_worse(row) for row in TABLES["6"].rows if row != "Hope"}
    assert [row for row, is_worse in worse.items() if not is_worse] == ["w/o inner-projection q"] and len(worse) == 7
    agrees, what = slips.same_accuracy()
    assert not agrees and "58.1, and Table 2 has 58.04" in what and "12.235" in what


def test_the_two_versions_print_other_numbers_for_hope():
    agrees, what = slips.versions_agree()
    assert not agrees and "1.3B: 14.39 / 10.08 / 58.04 and 15.11 / 11.63 / 57.23" in what


def test_every_claim_has_a_status_and_says_where_it_stands():
    assert {claim.table for claim in CLAIMS} == {"1", "2", "4", "5", "6"}
    for claim in CLAIMS:
        assert claim.status in (OPEN, REPRODUCED, NOT_REPRODUCED, WRONG, UNTESTABLE)
        assert claim.words and claim.place and claim.printed()[1] and len(claim.line()) == len(claims.HEADING)
        assert (claim.status == WRONG) == (not claim.printed()[0])
    assert all(line.count(" | ") == len(claims.HEADING) - 1 for line in claims.markdown().splitlines())
    assert len(claims.markdown("6").splitlines()) == 2 + sum(claim.table == "6" for claim in CLAIMS)
    assert claims.text().count("\n\n") == len(CLAIMS) - 1


def test_without_results_what_we_test_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    assert {claim.status for claim in CLAIMS if claim.experiment} == {OPEN}
    assert {claim.experiment for claim in CLAIMS} == {None, "mad", "formal", "ablation"}


def row(arm, scores, **figures):
    low, high = min(scores), max(scores)
    by_seed = {str(seed): score for seed, score in enumerate(scores)}
    return {"arm": arm, "scores": by_seed, "mean": fmean(scores), "low": low, "high": high, "figures": figures}


def stored(rows, experiment=None):
    given = {"seeds": [0, 1, 2], "arms": [vars(arm) for arm in experiment.arms] if experiment else []}
    return SimpleNamespace(rows=rows, experiment=given)


def of_mad(**errors):
    """Rows of two tasks with these errors of Hope and of the others."""
    return stored([row(f"{task}, {model}", [error] * 3) for task, (hope, other) in errors.items()
                   for model, error in (("Hope", hope), ("attention, convolved", other))])  # fmt: skip


def test_mad_is_reproduced_where_hope_is_above_all_somewhere_and_below_nowhere():
    assert found.mad_is_best(of_mad(recall=(0.1, 0.2), copying=(0.3, 0.3))).holds
    assert not found.mad_is_best(of_mad(recall=(0.2, 0.2), copying=(0.3, 0.3))).holds
    missed = found.mad_is_best(of_mad(recall=(0.1, 0.2), copying=(0.3, 0.2)))
    assert not missed.holds and "copying: attention, convolved 0.80, Hope 0.70" in missed.what
    short = of_mad(recall=(0.1, 0.2))
    short.rows[1]["scores"].pop("2")
    assert found.mad_is_best(short) is None and found.mad_is_best(stored([])) is None
    assert {arm.name.split(", ", 1)[0] for arm in MAD.arms if arm.name.endswith(", Hope")} >= set(TABLES["4"].columns)


def of_formal(share):
    """Of all arms there are, with bin 0 perfect."""
    formal = pytest.importorskip("experiments.formal").EXPERIMENT
    return stored([row(arm.name, [0.0] * 3, bin_0=1.0, bin_1=float(share(arm))) for arm in formal.arms], formal)


def is_hope(arm):
    return arm.settings["model"] == "hope"


def test_formal_languages_are_reproduced_where_one_hope_is_perfect():
    assert found.formal_is_perfect(of_formal(is_hope)).holds
    missed = found.formal_is_perfect(of_formal(lambda arm: 0.5 if arm.settings["language"] == "shuffle-2" else 1))
    assert not missed.holds and missed.what.endswith(": perfect on 5 of 6 languages (shuffle-2 50%)")
    assert found.formal_is_missed(of_formal(is_hope)).holds
    assert not found.formal_is_missed(of_formal(lambda arm: arm.name == "(aa)*, DeltaNet")).holds
    assert found.formal_in_chunks(of_formal(lambda arm: is_hope(arm) and arm.settings["chunk"] == 16)).holds
    assert not found.formal_in_chunks(of_formal(lambda arm: not is_hope(arm))).holds
    assert found.formal_is_perfect(stored([])) is found.formal_is_missed(stored([])) is None


@pytest.mark.parametrize(("errors", "worse", "better"), [([1.3, 1.4, 1.5], True, False), ([0.7, 0.8, 0.9], False, True),
                                                         ([1.05, 1.2, 1.3], False, False)])  # fmt: skip
def test_a_part_is_worth_something_where_ranges_are_apart(errors, worse, better):
    kept = stored([row("Hope", [0.9, 1.0, 1.1] if worse or better else [1.0, 1.1, 1.2]), row("w/o CMS", errors)])
    if better:
        kept.rows[0] = row("Hope", [1.0, 1.1, 1.2])
    assert found.without(kept, "w/o CMS", worse=True).holds == worse
    assert found.without(kept, "w/o CMS", worse=False).holds == better
    assert found.without(kept, "w/o DGD", worse=True) is None
