"""Errors that only the command line has: wrong usage, and the document an error is about."""

from inventory.domain.errors import Invalid


class Usage(Invalid):
    """The command was called wrongly."""


class WithFile(Exception):
    """An error about a document, with the document's name for the places in it."""

    def __init__(self, file: str, error: Exception) -> None:
        self.file = file
        self.error = error
        super().__init__(file)
