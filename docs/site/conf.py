"""How Sphinx makes the site. The Markdown is GitHub's, so that each page reads the same there."""

import sys
from pathlib import Path

from cds_service import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "Foot drop CDS"
author = "the contributors"
release = version = __version__
language = "en"

extensions = ["myst_parser", "navigation", "repository", "accessible"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "cards/README.md", "fhir_examples/README.md"]
exclude_patterns = [".*", "build", "dist", "cds_service", "tests", "requirements", "**/__pycache__"]

myst_heading_anchors = 4
# MyST's own marks, which mean nothing on GitHub, stay text.
myst_disable_syntax = ["myst_role", "myst_line_comment", "myst_block_break", "myst_target"]

highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]  # examples with an ellipsis are no JSON, and shown without colours

linkcheck_ignore = [r"http://127\.0\.0\.1"]  # the reader's own service

html_theme = "furo"
html_title = "Foot drop CDS"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False
html_favicon = "static/icon.svg"
