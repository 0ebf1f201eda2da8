"""Pages that live beside `docs/` become pages of the site, and links to them still lead there.

The README, how to contribute and the list of changes are read where the repository is read, so
they stay at its root, and so do the notebooks. Their links are written for there, and rewritten
here.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent
PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
FILES = ["LICENSE", *(f"notebooks/{path.name}" for path in ROOT.glob("notebooks/*.ipynb"))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside `docs/`."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    for source in FILES:
        files.append(File.generated(config, source, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite links between `docs/` and the root for pages that now share one folder."""
    inside = page.file.src_uri not in PAGES.values()
    up = "../" * page.file.src_uri.count("/")
    for source, target in PAGES.items():
        written = f"{up}../{source}" if inside else source
        markdown = re.sub(rf"\]\({re.escape(written)}(?=[#)])", f"]({up}{target}", markdown)
    for source in FILES if inside else ():
        markdown = markdown.replace(f"]({up}../{source})", f"]({up}{source})")
    return markdown if inside else markdown.replace("](docs/", "](")
