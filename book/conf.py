"""Sphinx settings. Nothing here may make a page reach for the network."""

project = "Nested Learning, hands on"
author = "the Nested Learning, hands on authors"
html_title = project

extensions = ["myst_nb", "book.mathml"]
exclude_patterns: list[str] = []
nb_execution_mode = "off"
nb_render_markdown_format = "gfm"  # which has tables, as the results that cells show
nb_ipywidgets_js: dict[str, dict] = {}
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 2  # a notebook may link to a word of the glossary
html_math_renderer = "mathml"

html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # a second search box
}
html_context = {"default_mode": "auto"}
html_sidebars = {"search": ["navbar-logo.html", "sbt-sidebar-nav.html"]}  # which has a box of its own
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_show_search_summary = False  # it would fetch pages, which no browser does from disk
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
