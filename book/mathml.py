"""Sphinx renderer: equations as MathML, which browsers draw without a script or a network."""

import html
import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

SHORT = re.compile(r"\\([dt]?frac)\s*(\w)\s*(\w)")
"""A fraction without braces, which TeX and Jupyter know and docutils does not."""


def to_mathml(latex: str, block: bool) -> str:
    """MathML for one formula; raises ExtensionError naming a formula that cannot be drawn."""
    try:
        return tex2mathml(SHORT.sub(r"\\\1{\2}{\3}", latex), as_block=block)
    except MathError as error:
        raise ExtensionError(f"This formula cannot be drawn: {latex!r} ({error})") from error


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
