"""What the paper's own numbers say of its claims: each function answers whether they agree, and with which numbers."""

from collections.abc import Iterable
from statistics import fmean

from experiments.paper import TABLES

Printed = tuple[bool, str]
HYBRID_OR_ATTENTION = ("Transformer", "Hope-Attention")
LONGEST = "16K"
ROUNDED = 0.06
"""How far a mean of eight accuracies, each rounded to 0.1 and the mean to 0.01, can lie from the true one."""


def best_without_attention() -> Printed:
    """Table 1: is Hope the best of the models without attention in every cell?"""
    table = TABLES["1"]
    better = []
    for column in table.columns:
        cells = {row: value for row, value in table.column(column).items() if row not in HYBRID_OR_ATTENTION}
        best = max(cells, key=cells.get)
        if cells[best] > cells["Hope"]:
            better.append(f"{column}: {best} {cells[best]:g}, Hope {cells['Hope']:g}")
    return not better, f"in {len(better)} of {len(table.columns)} cells another is better ({'; '.join(better)})"


def hope_attention_over_transformer() -> Printed:
    """Table 1: is Hope-Attention better than the Transformer?"""
    ours, theirs = TABLES["1"].rows["Hope-Attention"], TABLES["1"].rows["Transformer"]
    higher, lower = sum(a > b for a, b in zip(ours, theirs)), sum(a < b for a, b in zip(ours, theirs))
    means = f"the mean of all cells is {fmean(ours):.1f} and {fmean(theirs):.1f}"
    return fmean(ours) > fmean(theirs), f"better in {higher} of {len(ours)} cells, worse in {lower}; {means}"


def deep_over_linear() -> Printed:
    """Table 1: do deep memories (DLA, Titans) do better than linear ones (RWKV-7, Comba) on the longest texts?"""
    table = TABLES["1"]
    cells = [place for place, column in enumerate(table.columns) if column.endswith(LONGEST)]
    mean = {row: fmean(numbers[place] for place in cells) for row, numbers in table.rows.items()}
    names = ("DLA", "Titans", "RWKV-7", "Comba")
    agrees = min(mean["DLA"], mean["Titans"]) > max(mean["RWKV-7"], mean["Comba"])
    return agrees, f"means at {LONGEST}: {', '.join(f'{name} {mean[name]:.1f}' for name in names)}"


def hope_over_titans() -> Printed:
    """Table 1: is Hope better than Titans on the longer texts?"""
    table = TABLES["1"]
    longer = [column for column in table.columns if not column.endswith(", 4K")]
    gains = [table.cell("Hope", column) - table.cell("Titans", column) for column in longer]
    counts = f"better in {sum(gain > 0 for gain in gains)} of {len(gains)} cells of 8K and 16K, as good in the others"
    return min(gains) >= 0 and max(gains) > 0, counts


def baselines_of_table_1() -> Printed:
    """Table 1: does it have the baselines that the text names?"""
    missing = [name for name in ("RetNet", "DeltaNet") if name not in TABLES["1"].rows]
    return not missing, f"no row of {' and none of '.join(missing)}"


def averages() -> Printed:
    """Table 2: is each average the mean of its eight accuracies?"""
    wrong = []
    for row, numbers in TABLES["2"].rows.items():
        mean = fmean(numbers[2:-1])
        if abs(mean - numbers[-1]) > ROUNDED:
            wrong.append(f"{row}: {numbers[-1]:.2f}, and the mean is {mean:.2f}")
    return not wrong, f"{len(wrong)} of {len(TABLES['2'].rows)} are not ({'; '.join(wrong)})"


def best_average() -> Printed:
    """Table 2: has Hope the best average at both sizes, and the lowest perplexities?"""
    found, sentences = True, []
    for size in ("760M", "1.3B"):
        rows = {row: numbers for row, numbers in TABLES["2"].rows.items() if row.endswith(size)}
        averages_of = {row: fmean(numbers[2:-1]) for row, numbers in rows.items()}
        second = max(value for row, value in averages_of.items() if row != f"Hope, {size}")
        own = averages_of[f"Hope, {size}"]
        found &= own > second and all(rows[f"Hope, {size}"][at] == min(row[at] for row in rows.values()) for at in (0, 1))
        sentences.append(f"{size}: {own:.2f}, the next {second:.2f}")
    return found, "; ".join(sentences)


def gain_with_scale() -> Printed:
    """Table 2: does Hope's average gain more from 760M to 1.3B than any other's (means taken again)?"""
    mean = {row: fmean(numbers[2:-1]) for row, numbers in TABLES["2"].rows.items()}
    models = [row.removesuffix(", 760M") for row in mean if row.endswith(", 760M")]
    gain = {model: mean[f"{model}, 1.3B"] - mean[f"{model}, 760M"] for model in models}
    first = max(gain, key=gain.get)
    return first == "Hope", f"{first} gains {gain[first]:.2f}, Hope {gain['Hope']:.2f}"


def versions_agree() -> Printed:
    """Table 2 and the short version's Table 1: are Hope's numbers the same?"""
    pairs = []
    for size in ("760M", "1.3B"):
        two = [TABLES[name].rows[f"Hope, {size}"] for name in ("2", "2, short version")]
        pairs.append(f"{size}: " + " and ".join(" / ".join(f"{row[at]:.2f}" for at in (0, 1, -1)) for row in two))
    same = all(TABLES["2"].rows[row] == TABLES["2, short version"].rows[row] for row in ("Hope, 760M", "Hope, 1.3B"))
    return same, f"Wiki ppl, LMB ppl, average of the long and the short one: {'; '.join(pairs)}"


def best_on_mad() -> Printed:
    """Table 4: is no model better than Hope in any column?"""
    table = TABLES["4"]
    tied = [column for column in table.columns if set(table.column(column).values()) == {100.0}]
    best = all(max(table.column(column).values()) == table.cell("Hope", column) for column in table.columns)
    return best, f"best in {len(table.columns) - len(tied)} of {len(table.columns)} columns; at {tied[0]} all have 100"


def perfect(rows: Iterable[str]) -> Printed:
    """Table 5: have these rows 100 everywhere?"""
    found = [min(TABLES["5"].rows[row]) for row in rows]
    return min(found) == 100, f"{', '.join(rows)}: 100 in every cell" if min(found) == 100 else f"lowest {min(found):g}"


def without_nonlinearity() -> Printed:
    """Table 5: do Transformer, linear attention and DeltaNet fail on longer strings of the three regular languages?"""
    columns = [f"{language}, bin 1" for language in ("parity", "(aa)*", "(abab)*")]
    cells = {row: [TABLES["5"].cell(row, column) for column in columns] for row in ("Transformer", "Linear", "DeltaNet")}
    most = max(value for row in cells.values() for value in row)
    return most < 100, f"at most {most:g} of 100 strings in bin 1 of parity, (aa)\\* and (abab)\\*"


def all_parts_help() -> Printed:
    """Table 6: is Hope without any of its parts worse in perplexity?"""
    column = TABLES["6"].column("perplexity")
    better = [f"{row} {value:.2f}" for row, value in column.items() if value < column["Hope"]]
    return not better, f"{', '.join(better)}, Hope {column['Hope']:.2f}"


def each_part_helps_somewhere() -> Printed:
    """Table 6: is Hope without any of its parts worse in perplexity or in accuracy?"""
    (perplexity, accuracy), *rows = TABLES["6"].rows.values()
    return all(row[0] > perplexity or row[1] < accuracy for row in rows), "each row is worse in one of the two columns"


def without(row: str) -> Printed:
    """Table 6: the perplexity without this part, beside Hope's."""
    column = TABLES["6"].column("perplexity")
    return True, f"{column[row]:.2f}, Hope {column['Hope']:.2f}"


def is_worse(row: str) -> bool:
    """Table 6: is the perplexity without this part higher?"""
    column = TABLES["6"].column("perplexity")
    return column[row] > column["Hope"]


def same_accuracy() -> Printed:
    """Table 6: is Hope's accuracy Table 2's, rounded?"""
    short, long = TABLES["6"].cell("Hope", "accuracy"), TABLES["2"].cell("Hope, 1.3B", "average")
    perplexity = fmean(TABLES["2"].rows["Hope, 1.3B"][:2])
    which = f"the mean perplexity there, {perplexity:.3f}, says that the model is the one of 1.3B"
    return abs(short - long) <= 0.05, f"{short:g}, and Table 2 has {long:g}; {which}"
