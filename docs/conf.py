"""The site: `sphinx-build -W docs site` writes it, and fails on a broken link or a missing page."""

import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

import latpred

DOCS = Path(__file__).parent
MADE = DOCS / "made"

project = "latpred"
author = copyright = "The latpred developers"
version = release = latpred.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
html_theme = "furo"
html_title = "latpred"
html_static_path = ["static"]
html_css_files = ["wide.css"]

myst_heading_anchors = 3
highlight_language = "none"

# A docstring's `name` is code.
default_role = "literal"
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config, error"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def draw(app: Sphinx) -> None:
    """Make the pictures and the table of the papers' figures, once: remove `docs/made` to make them again."""
    if MADE.exists():
        return
    command = [sys.executable, str(DOCS.parent / "examples" / "reproduce_paper.py"), "--output", str(MADE)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sys.path.insert(0, str(DOCS))
    import figures

    figures.write(MADE)


def setup(app: Sphinx) -> None:
    """Draw before the pages are read."""
    app.connect("builder-inited", draw)
