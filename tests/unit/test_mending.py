"""``check --fix``: slips that need no guess are put right, and what only the author can know stays as it is."""

from datetime import date

import pytest

from controller.tickets.language import parse_ticket
from inventory.domain.errors import Invalid
from inventory.importers.mending import Mended, mend, problems_of_reader, shown
from tests.support.tickets import PORTAL, TODAY, parse

PROBLEMS = problems_of_reader(lambda data: parse_ticket(data, today=TODAY))


def mended(text: str | bytes) -> Mended:
    return mend(text if isinstance(text, bytes) else text.encode(), PROBLEMS)


def test_a_ticket_full_of_full_width_punctuation_is_mended_to_the_very_ticket_it_was() -> None:
    written = PORTAL.replace("name: civil-affairs-portal", "name：civil-affairs-portal")
    written = written.replace("{level: 2}", "｛level：2｝").replace('"020-81234567"', "“020-81234567”")
    assert written != PORTAL
    with pytest.raises(Invalid):
        parse(written)
    found = mended(written)
    assert parse(found.data).servers == parse(PORTAL).servers
    assert found.after == PORTAL


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("名称：官网\n", "名称: 官网\n"),
        ("名称： 官网\n", "名称: 官网\n"),
        ("资源：\n  服务器: []\n", "资源:\n  服务器: []\n"),
        ("{类型: 工单，版本: a}\n", "{类型: 工单, 版本: a}\n"),
        ("类型: “工单”\n", '类型: "工单"\n'),
        ("资源: {服务器: 【a，b】}\n", "资源: {服务器: [a, b]}\n"),
        ("资源: {服务器: 【\n a，\n b\n】}\n", "资源: {服务器: [\n a,\n b\n]}\n"),
        ("类型:\u3000工单\n", "类型: 工单\n"),
        ("资源:\n\u3000服务器: []\n", "资源:\n  服务器: []\n"),
        ("资源:\n\t服务器:\n\t\t- a\n", "资源:\n  服务器:\n    - a\n"),
        ("类型: 工\u200b单\n", "类型: 工单\n"),
    ],
)
def test_what_can_only_be_structure_is_mended(written: str, wanted: str) -> None:
    assert mended(written).after == wanted


@pytest.mark.parametrize(
    "written",
    [
        "名（称: x\n",  # part of a key: which key was meant?
        "环境: 生产，测试\n",  # part of a text: a list, or a comma?
        "环境: 22：30\n",  # a colon in a value would begin another mapping
        "类型: “工单\n",  # where does it end?
        "资源:\n\t服务器:\n  镜像: a\n",  # tabs and spaces: how wide is a tab?
        'metadata: {title: "门户：（一）"}\n',  # quoted: it is text
        "notes: 门户：先做，再做\n",  # prose
        "类型: 工\u202e单\n",  # turns the direction of text around: a person has to look
    ],
)
def test_what_only_the_author_can_know_stays(written: str) -> None:
    found = mended(written)
    assert not found.is_changed
    assert found.data.decode() == written


def test_one_slip_that_stays_does_not_keep_the_others_from_being_mended() -> None:
    found = mended("名称：官网：二期\n环境: 生产，测试\n类型：工单\n")
    assert found.after == "名称: 官网：二期\n环境: 生产，测试\n类型: 工单\n"


def test_a_comment_is_left_as_it_is() -> None:
    assert mended("类型：工单 # 说明：甲，乙\n").after == "类型: 工单 # 说明：甲，乙\n"


def test_a_mistake_elsewhere_keeps_only_what_stands_behind_it() -> None:
    found = mended("类型：工单\n版本: [a\n环境：生产\n")
    assert found.after.startswith("类型: 工单\n")


def test_every_mend_has_its_place_in_the_document_as_it_was() -> None:
    found = mended("类型：工单\n资源: {服务器: 【a，b】}\n")
    assert [(m.line, m.column, m.was, m.now) for m in found.mends] == [
        (1, 3, "：", ": "),
        (2, 11, "【", "["),
        (2, 13, "，", ", "),
        (2, 15, "】", "]"),
    ]


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    found = mended(b"\xef\xbb\xbf" + "类型：工单\r\n版本: a\r\n".encode())
    assert found.data == b"\xef\xbb\xbf" + "类型: 工单\r\n版本: a\r\n".encode()


def test_gb18030_becomes_utf_8_with_the_same_characters() -> None:
    found = mended("类型: 工单\n".encode("gb18030"))
    assert found.is_changed
    assert (found.mends, found.data.decode()) == ((), "类型: 工单\n")


def test_a_good_document_is_not_touched() -> None:
    assert not mended(PORTAL).is_changed
    assert mended(mended("类型：工单\n").data).is_changed is False


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        mended(b"a: \xff\xff\n")
    assert refused.value.code == "document.encoding"


def test_a_document_with_very_many_slips_is_mended_whole() -> None:
    lines = "".join(f"  k{i}：v\n" for i in range(120))
    assert mended(f"metadata:\n  labels:\n{lines.replace('  ', '    ')}").after.count("：") == 0


def test_what_cannot_be_seen_is_shown() -> None:
    assert shown("a\tb\u200b\u3000c") == "a<U+0009>b<U+200B><U+3000>c"


def test_the_day_of_the_check_plays_no_part() -> None:
    later = problems_of_reader(lambda data: parse_ticket(data, today=date(2040, 1, 1)))
    written = PORTAL.replace("kind: Ticket", "kind：Ticket")
    assert mend(written.encode(), later).after == PORTAL
