"""Sphinx renderer: equations as MathML, which browsers draw without a script or a network."""

import html
import re
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import accents, tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

SHORT = re.compile(r"\\([dt]?frac)\s*(\w)\s*(\w)")
"""A fraction without braces, which TeX and Jupyter know and docutils does not."""
SIZED = re.compile(r"\\([bB]igg?)(?![A-Za-z])\s*(?=([)\]]|\\}|\\r)?)")
"""A large bracket that does not say whether it opens, likewise; what closes is the second group."""
FENCES = "{}⟨⟩‖"
"""Brackets that docutils lets grow with the line, which TeX does after \\left alone: a closing one with an index would not."""
NAMESPACE = "http://www.w3.org/1998/Math/MathML"
BRACES = {"msub": ("munder", "\u23df"), "msup": ("mover", "\u23de")}
"""What docutils makes of a brace's label, and what it is: a brace with something under it, or over it."""
ElementTree.register_namespace("", NAMESPACE)


def to_mathml(latex: str, block: bool) -> str:
    """MathML for one formula; raises ExtensionError naming a formula that cannot be drawn."""
    try:
        sided = SIZED.sub(lambda large: f"\\{large[1]}{'r' if large[2] else 'l'}", latex)
        drawn = tex2mathml(SHORT.sub(r"\\\1{\2}{\3}", sided), as_block=block)
    except MathError as error:
        raise ExtensionError(f"This formula cannot be drawn: {latex!r} ({error})") from error
    tree = ElementTree.fromstring(drawn.replace("&ApplyFunction;", "\u2061"))
    for node in tree.iter():
        _as_tex(node)
        _keep_size(node)
    return ElementTree.tostring(tree, encoding="unicode")


def _as_tex(node: ElementTree.Element) -> None:
    """Puts scripts where TeX has them: the label of a brace under it or over it, an index beside what has an accent."""
    name = node.tag.rpartition("}")[2]
    script, brace = BRACES.get(name, ("", ""))
    if script and node[0].tag == _tag(script) and node[0][-1].text == brace:
        node.tag = _tag(script)
    elif name == "munderover" and node[2].text in accents.values():
        base, index, accent = node
        whole = ElementTree.Element(_tag("mover"), {"accent": "true"})
        whole.extend((base, accent))
        node.tag, node[:] = _tag("msub"), (whole, index)


def _keep_size(node: ElementTree.Element) -> None:
    """Leaves brackets as small as TeX does, but for those at both ends of a row, where \\left and \\right put them."""
    grown = node.tag == _tag("mrow") and len(node) and node[0].tag == node[-1].tag == _tag("mo")
    for child in node[1:-1] if grown else node:
        if child.tag == _tag("mo") and child.text in FENCES and "minsize" not in child.attrib:
            child.set("stretchy", "false")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(to_mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    number = f'<span class="eqno">({html.escape(str(node["number"]))})</span>' if node.get("number") else ""
    translator.body.append(f'<div class="math">{number}{to_mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
