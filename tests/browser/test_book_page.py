"""The HTML book in a real browser, from disk and without a network: each picture has its alt text, and all of it loads."""

import shutil

import nbformat

from book import execute, html


def test_a_page_opens_from_disk_with_its_alt_texts(root, page, tmp_path):
    stored = root / "notebooks" / "11_train_hope.ipynb"
    alone = tmp_path / stored.name
    shutil.copy(stored, alone)
    html.build([alone], tmp_path / "book")
    page.context.set_offline(True)
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto((tmp_path / "book" / "notebooks" / "11_train_hope.html").as_uri())
    cells = nbformat.read(stored, as_version=4).cells
    expected = [about["alt"] for cell in cells for _, about in execute.pictures(cell)]
    shown = page.locator(".cell_output img").evaluate_all("images => images.map(i => [i.alt, i.naturalWidth > 200])")
    assert [alt for alt, _ in shown] == expected and len(expected) == 5
    assert all(drawn for _, drawn in shown)
    assert failed == []
