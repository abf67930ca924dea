"""Write what the program prints now into README and docs; read the difference before you commit it."""

import tempfile
from pathlib import Path

from tests import documents

if __name__ == "__main__":
    for name, text in documents.command_pages().items():
        (documents.ROOT / "docs" / "commands" / name).write_text(text, encoding="utf-8")
    for page in documents.PAGES:
        text = page.read_text(encoding="utf-8")
        for block in documents.blocks(page):
            with tempfile.TemporaryDirectory() as folder:
                text = text.replace(block, documents.printed(block, Path(folder)))
        page.write_text(text, encoding="utf-8")
