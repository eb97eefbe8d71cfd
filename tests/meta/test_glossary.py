"""One thing has one word: the glossary holds them, and the words it bans are found nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.texts.catalogue import all_texts
from controller.tickets.aliases import KEYS
from tests.support.doc_examples import PAGES, ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
#: A region's own words name things that are there.
FOREIGN = {"flavor", "availability zone", "可用区"}


def rows() -> list[tuple[str, str, list[str]]]:
    """Return (word, Chinese, banned words) of the glossary."""
    found = []
    for line in GLOSSARY.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] not in ("word", "---"):
            found.append((cells[0], cells[1], [word.strip() for word in cells[3].split(",")]))
    return found


BANNED = [word for _, _, banned in rows() for word in banned]


def uses(word: str, text: str) -> bool:
    """Tell whether a text uses a word: a whole one in English, anywhere in Chinese."""
    if word.isascii():
        return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE if word.islower() else 0) is not None
    return word in text


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text people read, with its place."""
    for code, text in all_texts().items():
        yield code, " ".join((text.zh, text.en, text.cure_zh, text.cure_en))
    yield "keys of tickets", " ".join(KEYS.values())
    for path in (ROOT / "etc").rglob("*.y*ml"):
        if path.parent.name == "openstack":
            continue  # rules of a region's services, named by those services
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for name in ("openstack.md", "metrics.md", *(page.name for page in PAGES)):
        path = ROOT / name if name == "README.md" else ROOT / "docs" / name
        if path != GLOSSARY:
            # English pages explain words; in Chinese there is one only.
            yield name, "".join(char if not char.isascii() else " " for char in path.read_text("utf-8"))


@pytest.mark.parametrize("word", BANNED)
def test_a_banned_word_is_found_nowhere(word: str) -> None:
    found = [place for place, text in texts() if uses(word, text)]
    if word in FOREIGN:
        found = [place for place in found if not place.startswith("openstack.")]
    assert found == []


def test_every_word_of_the_glossary_is_in_use() -> None:
    catalogue = [text for _, text in texts()]
    for word, chinese, _ in rows():
        for said in re.findall(r"[\u4e00-\u9fff]+", chinese.replace("短称", "")):
            assert any(said in text for text in catalogue), (word, said)


def test_no_word_is_both_right_and_banned() -> None:
    right = [part for word, chinese, _ in rows() for part in (word, *re.findall(r"[\u4e00-\u9fff]+", chinese))]
    assert len(BANNED) == len(set(BANNED))
    assert [word for word in BANNED if word in right] == []


def test_the_words_of_concepts_are_those_of_the_glossary() -> None:
    glossary = {word: re.findall(r"[\u4e00-\u9fff]+", chinese) for word, chinese, _ in rows()}
    told = re.findall(
        r"^\| ([\w ]+) \| ([\u4e00-\u9fff]+) \|", Path(ROOT / "docs" / "concepts.md").read_text("utf-8"), re.MULTILINE
    )
    shared = [(word, chinese) for word, chinese in told if word in glossary]
    assert len(shared) > 10
    assert [(word, chinese) for word, chinese in shared if chinese not in glossary[word]] == []


def test_the_judge_of_words_is_no_rubber_stamp() -> None:
    assert uses("虚拟机", "一台虚拟机。")
    assert uses("VM", "a VM")
    assert not uses("VM", "KVM")
    assert uses("tenant", "Tenants and a tenant")
