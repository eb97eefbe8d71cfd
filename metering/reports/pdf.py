"""A printed page as PDF, laid out by WeasyPrint with the fonts of this machine: an extra, looked for when it is asked for."""

import hashlib
import subprocess

from inventory.domain.errors import Invalid

#: How fontconfig lists fonts that have every character of written Chinese.
_CHINESE_FONTS = ("fc-list", ":lang=zh-cn", "family")
_FONTS_WAIT_S = 20


def pdf_of(page: str) -> bytes:
    """Return a page of HTML as PDF; the same page comes to the same bytes while WeasyPrint, Pango and the fonts stay as they are.

    Raises:
        Invalid: ``report.pdf_not_here``: a library or a Chinese font is missing on this machine.
    """
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        # OSError: Pango or HarfBuzz, which it opens itself.
        raise _not_here(error) from error
    _check_fonts()
    identifier = hashlib.sha256(page.encode()).digest()
    # A statement is whole in itself: nothing is fetched, from files neither.
    document = weasyprint.HTML(string=page, url_fetcher=weasyprint.URLFetcher(allowed_protocols=()))
    return bytes(document.write_pdf(pdf_identifier=identifier))


def _check_fonts() -> None:
    """Refuse what would be printed as empty boxes."""
    try:
        found = subprocess.run(_CHINESE_FONTS, capture_output=True, text=True, timeout=_FONTS_WAIT_S, check=True).stdout  # noqa: S603  a constant
    except (OSError, subprocess.SubprocessError) as error:
        raise _not_here(error) from error
    if not found.strip():
        raise Invalid("report.pdf_not_here", internal="no font has the characters of Chinese")


def _not_here(error: Exception) -> Invalid:
    return Invalid("report.pdf_not_here", internal=repr(error))
