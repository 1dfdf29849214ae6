"""The scripts of a view are one script: what one of them names, no other may name again."""

import re
from collections import Counter
from importlib import import_module
from pkgutil import walk_packages

import pytest

import nlcore.viz
from nlcore.viz.view import STATIC, View

for found in walk_packages(nlcore.viz.__path__, "nlcore.viz."):
    import_module(found.name)


def all_views(kind: type[View] = View) -> list[type[View]]:
    """Every kind of view there is that has a script; not those that a widget makes of itself, where it is a trait."""
    own = [below for below in kind.__subclasses__() if isinstance(vars(below).get("_esm"), str)]
    return own + [view for below in kind.__subclasses__() for view in all_views(below)]


@pytest.mark.parametrize("view", all_views(), ids=lambda view: view.__name__)
def test_a_views_scripts_name_nothing_twice_and_export_once(view):
    source = str(view._esm)
    named = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", source, re.M)
    assert named and [name for name, count in Counter(named).items() if count > 1] == []
    assert len(re.findall(r"^export default\b", source, re.M)) == 1


def test_no_class_is_dressed_by_two_sheets_since_a_lab_has_the_styles_of_all_its_open_notebooks():
    begun = {path.name: set(re.findall(r"^\s*\.(nl-[\w-]+)", path.read_text(encoding="utf-8"), re.M)) for path in STATIC.glob("*.css")}
    count = Counter(name for names in begun.values() for name in names)
    assert len(count) > 50 and [name for name, sheets in count.items() if sheets > 1] == []
