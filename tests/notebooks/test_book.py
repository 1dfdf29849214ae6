"""The book's tools on a small notebook: built in a real kernel, never over a reader's changes."""

import re
from pathlib import Path
from random import Random

import nbformat
import pytest

from book import chapters, execute, html, live, source
from book.mathml import to_mathml
from nlcore.viz import explorers
from nlcore.viz.chart import Explorer
from nlcore.viz.chart.table import settings, unpacked

SCRIPT = '''# %% [markdown]
# # A small chapter
#
# An equation, $a_t = \\\\alpha a_{t-1}$, and
#
# $$\\\\mathcal{M}_t = \\\\mathcal{M}_{t-1} \\\\left(\\\\alpha_t - \\\\eta_t k_t k_t^\\\\top\\\\right)$$

# %%
import matplotlib.pyplot as plt
from nlcore.viz.show import show

import os
print("seen", 6 * 7, "static" if "NL_STATIC" in os.environ else "live")

# %%
figure, axes = plt.subplots(figsize=(2, 1))
axes.plot([1, 2])
show(figure, alt="A line that rises.", name="rising")
'''.replace("\\\\", "\\")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a small notebook that was built, and its notebook."""
    folder = tmp_path_factory.mktemp("notebooks")
    script = folder / "01_small.py"
    script.write_text(SCRIPT)
    assert execute.build(script, folder / "stamps")
    return folder, nbformat.read(folder / "01_small.ipynb", as_version=4)


@pytest.fixture
def copied(built, tmp_path):
    """A copy of that folder, to change."""
    for name in ("01_small.py", "01_small.ipynb"):
        (tmp_path / name).write_bytes((built[0] / name).read_bytes())
    (tmp_path / "stamps").mkdir()
    (tmp_path / "stamps" / "01_small").write_bytes((built[0] / "stamps" / "01_small").read_bytes())
    return tmp_path / "01_small.py"


def test_a_built_notebook_has_its_sources_cells_and_its_outputs(built):
    folder, notebook = built
    assert source.cells(notebook) == source.cells(source.read(folder / "01_small.py"))
    assert notebook.cells[2].outputs[0].text == "seen 42 static\n"
    assert "widgets" not in notebook.metadata and "jupytext" not in notebook.metadata
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_a_second_build_finds_nothing_to_do(copied):
    before = copied.with_suffix(".ipynb").read_bytes()
    assert execute.build(copied, copied.parent / "stamps") is False
    assert copied.with_suffix(".ipynb").read_bytes() == before


def test_a_readers_changed_cell_is_never_overwritten(copied):
    path = copied.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\nmine = 1"
    nbformat.write(notebook, path)
    with pytest.raises(execute.ReadersChanges, match="01_small.ipynb has cells that differ"):
        execute.build(copied, copied.parent / "stamps")
    assert "mine = 1" in path.read_text()


def test_running_a_notebook_without_changing_cells_does_not_block_the_build(copied):
    path = copied.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = []
    nbformat.write(notebook, path)
    execute.refuse_changed(path)


def test_a_new_cell_leaves_the_other_ids_alone(tmp_path):
    (tmp_path / "a.py").write_text("# %%\nx = 1\n\n# %%\nx = 1\n")
    (tmp_path / "b.py").write_text("# %%\ny = 2\n\n# %%\nx = 1\n\n# %%\nx = 1\n")
    before, after = (source.read(tmp_path / name).cells for name in ("a.py", "b.py"))
    assert [cell.id for cell in after[1:]] == [cell.id for cell in before]
    assert len({cell.id for cell in after}) == 3


def test_named_pictures_are_handed_out(built):
    pictures = execute.named_pictures(built[1])
    assert pictures["rising"].startswith(b"\x89PNG")


def test_a_large_bracket_needs_no_side_as_in_jupyter():
    assert to_mathml(r"\big(\Big[ x \Big] \big)^2", block=True) == to_mathml(r"\bigl(\Bigl[ x \Bigr] \bigr)^2", block=True)
    assert "⋃" in to_mathml(r"\bigcup x", block=True)


def test_every_formula_of_the_notebooks_can_be_drawn(root):
    for script in (root / "notebooks").glob("[0-9]*.py"):
        lines = [line.removeprefix("# ") if line.startswith("# ") else "" for line in script.read_text(encoding="utf-8").splitlines()]
        found = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", "\n".join(lines), re.S)
        assert found or script.name.startswith(("00", "11")), script.name
        for block, inline in found:
            to_mathml(block or inline, block=bool(block))  # raises if not


@pytest.mark.parametrize("short", [r"\tfrac14", r"\frac12", r"\frac ab", r"\dfrac 1 2"])
def test_a_fraction_needs_no_braces_as_in_jupyter(short):
    name, above, below = re.fullmatch(r"(\\\w?frac) ?(\w) ?(\w)", short).groups()
    assert to_mathml(short, block=False) == to_mathml(f"{name}{{{above}}}{{{below}}}", block=False)


def nested(latex: str) -> str:
    """The MathML of a formula, without its attributes and its ends of elements."""
    return re.sub(r"\s+|</.*?>|(?<=<)(\w+) [^>]*", r"\1", to_mathml(latex, block=True)).removeprefix("<math>")


@pytest.mark.parametrize("latex, steady", [
    (r"\lVert x \rVert^2", 2), (r"\{a_i\}_{i=1}^N", 2), (r"\frac{\langle x, y \rangle^2}{2}", 2), (r"\big\lVert x \big\rVert^2", 0),
    (r"\left\lVert \frac{a}{b} \right\rVert^2", 0),
])  # fmt: skip
def test_brackets_grow_after_left_alone(latex, steady):
    assert to_mathml(latex, block=True).count('stretchy="false"') == steady


def test_scripts_stand_where_tex_has_them():
    assert nested(r"\underbrace{a}_b") == "<munder><munder><mi>a<mo>\u23df<mi>b"
    assert nested(r"\overbrace{a}^b") == "<mover><mover><mi>a<mo>\u23de<mi>b"
    assert nested(r"\tilde{\mathcal{L}}_i") == "<msub><mover><mi>ℒ<mo>~<mi>i"
    assert nested(r"\sum_{i}^{n} a_i") == "<munderover><mo>∑<mi>i<mi>n<msub><mi>a<mi>i"
    assert nested(r"\arg\min_x f") == "<mi>arg<mo>\u2061<munder><mo>min<mi>x<mi>f"


def test_the_book_opens_without_a_network_and_has_alt_text_and_formulas(built, tmp_path):
    page = html.build([built[0] / "01_small.ipynb"], tmp_path / "book", tmp_path)
    chapter = (page.parent / "notebooks" / "01_small.html").read_text()
    assert re.search(r'<img[^>]*alt="A line that rises\."', chapter)
    assert "<math" in chapter and "\\mathcal" not in re.sub(r"<script.*?</script>", "", chapter, flags=re.S)
    assert "A small chapter" in page.read_text()


def test_what_a_cell_shows_has_links_to_pages_and_tables(tmp_path):
    words = "[01](01_small.ipynb) a memory · 02 the weights\n\n| arm | bits |\n| --- | ---: |\n| Hope | 3.1 |\n"
    shown = nbformat.v4.new_output("display_data", {"text/markdown": words})
    cells = [nbformat.v4.new_markdown_cell("# Two"), nbformat.v4.new_code_cell("hope_map(1)", outputs=[shown])]
    for name, its in {"01_small": [nbformat.v4.new_markdown_cell("# One")], "02_small": cells}.items():
        nbformat.write(nbformat.v4.new_notebook(cells=its, metadata=source.METADATA), tmp_path / f"{name}.ipynb")
    page = html.build(sorted(tmp_path.glob("*.ipynb")), tmp_path / "book", tmp_path).parent / "notebooks" / "02_small.html"
    links = re.findall(r'<a[^>]*href="([^"#]+)"[^>]*>01</a>', page.read_text())
    assert links == ["01_small.html"] and (page.parent / links[0]).exists()
    assert re.search(r"<td><p>Hope</p></td>", page.read_text())


@pytest.mark.parametrize("name", [name for name in explorers.names() if isinstance(live.demo(name), Explorer)])
def test_the_book_has_of_every_explorer_what_it_answers_in_a_small_file(name, tables):
    found, made = live.table(name, tables), live.demo(name)
    words = {control: one["words"] for control, one in found["controls"].items()}
    pick = Random(0)
    for place, (at, chart) in enumerate(zip(settings(found), unpacked(found), strict=True)):
        if place == 0 or pick.random() < 0.02:
            whole = {control: made.controls[control].words.index(words[control][stop]) for control, stop in at.items()}
            assert chart == made.answer(whole)
    for control, one in found["controls"].items():
        whole = made.controls[control]
        ends = {whole.words[0], whole.words[-1], whole.words[whole.first]}
        assert ends <= set(one["words"]) and one["words"][one["first"]] == whole.words[whole.first]
        assert len(one["words"]) == len(whole.words) or one["kind"] == "slider" and len(one["words"]) >= 5


def test_the_chapters_are_the_same_in_readme_in_the_first_notebook_and_on_disk(root):
    listed = {cells[0]: cells for cells in chapters.rows(chapters.README.read_text())}
    asked = {cells[0]: cells for cells in chapters.rows(chapters.START.read_text())}
    assert list(listed) == [f"{number:02}" for number in range(14)] and set(asked) == set(listed) - {"00"}
    for number, cells in listed.items():
        there = [path.name for path in (root / "notebooks").glob(f"{number}_*.ipynb")]
        assert re.findall(r"\(notebooks/(.*?)\)", cells[1]) == there and (cells[-1] == "to come") == (not there)
        assert re.findall(r"\]\((.*?)\)", asked.get(number, ["", ""])[1]) == (there if number in asked else [])
    assert all(chapter.question.endswith("?") for chapter in chapters.chapters()[1:])


@pytest.mark.parametrize(
    "there, at, words",
    [
        ("01 02", "01", "**Next.** [02 · Backpropagation is a memory](02_x.ipynb): what does training write, and under which key?"),
        ("05 11", "05", "**Next.** Chapters 06 to 10 are to come; until then, go on with [11 · Train Hope at full scale](11_x.ipynb)."),
        ("11 13", "11", "**Next.** Chapter 12 is to come; until then, go on with [13 · What holds, what does not](13_x.ipynb)."),
        ("11", "11", "**Next.** Chapters 12 and 13 are to come."),
        ("13", "13", ""),
        ("xx", "xx", ""),
    ],
)
def test_a_chapter_ends_with_where_to_go_on(there, at, words, tmp_path):
    for number in there.split():
        (tmp_path / f"{number}_x.py").write_text("# %% [markdown]\n# # A title\n")
    script = tmp_path / f"{at}_x.py"
    assert chapters.onward(script) == words
    assert (source.read(script).cells[-1].source == words) == bool(words)


def cell_shown(*outputs: dict, name: str | None = "fading") -> nbformat.NotebookNode:
    """A cell as a demo leaves it in a stored notebook: these outputs, of which a picture has its name and alt text."""
    about = {"image/png": {"alt": "Recall falls."} | ({"name": name} if name else {})}
    made = [nbformat.v4.new_output("display_data", data, metadata=about if "image/png" in data else {}) for data in outputs]
    return nbformat.v4.new_code_cell("fading()", outputs=made)


def staged(cells: list[nbformat.NotebookNode], folder: Path) -> tuple[list[str], list[str]]:
    """The demos of a notebook of these cells, staged for the book, and the HTML (or kind) of each output of its first."""
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "00_a.ipynb")
    names = html.stage(folder / "00_a.ipynb", folder / "staged.ipynb")
    first = nbformat.read(folder / "staged.ipynb", as_version=4).cells[0]
    return names, [output.data.get("text/html", "a picture") for output in first.outputs]


def test_a_demo_has_its_place_after_the_question_and_the_picture_and_the_words_go(tmp_path):
    question, words = ({"text/html": f'<div class="{kind}">...</div>'} for kind in ("nl-asked", "nl-words"))
    names, outputs = staged([cell_shown(question, {"image/png": "iVBORw=="}, words), cell_shown({"image/png": "iVBORw=="}, words, name=None)], tmp_path)
    assert names == ["fading"]
    assert outputs == [question["text/html"], "a picture", live.place("fading")]
    page = (tmp_path / "staged.ipynb").read_text()
    assert "nl-words" not in page and page.count("fading.js") == 1


def test_where_the_picture_is_folded_as_an_answer_the_demo_is_too(tmp_path):
    folded = {"image/png": "iVBORw==", "text/html": "<details><summary>The answer</summary><img></details>"}
    _, outputs = staged([cell_shown(folded)], tmp_path)
    assert outputs[0] == f"<details><summary>The answer</summary><img>{live.place('fading')}</details>"


def test_a_page_that_loads_from_the_network_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://x.org"><a href="https://x.org">x</a>'
        '<script src="https://cdn.org/a.js"></script><link rel="stylesheet" href="//cdn.org/a.css">'
    )
    (tmp_path / "a.css").write_text("@font-face { src: url('https://fonts.org/f.woff') } a { b: url(local.png) }")
    found = html.network_loads(tmp_path)
    assert found == ["a.html: https://cdn.org/a.js", "a.html: //cdn.org/a.css", "a.css: https://fonts.org/f.woff"]
