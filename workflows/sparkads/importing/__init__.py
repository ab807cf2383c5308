"""Spreadsheets in: every row of a file is either taken, or written to a rejects file with the reason."""

from sparkads.importing.taking import Imported, ImportRefused, import_file

__all__ = ["ImportRefused", "Imported", "import_file"]
