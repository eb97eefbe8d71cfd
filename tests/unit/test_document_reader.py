"""The YAML reader: every slip of §4.5 of the language's design has its place, its code and its fix."""

import pytest

from inventory.domain.errors import Invalid, Problem
from inventory.importers.document import MAX_BYTES, MAX_PROBLEMS, Document, read_document


def read(text: str | bytes) -> Document:
    return read_document(text if isinstance(text, bytes) else text.encode())


def refusals(text: str | bytes) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        read(text)
    assert caught.value.code == caught.value.problems[0].code
    return list(caught.value.problems)


def places(text: str | bytes) -> list[tuple[str, int | None, int | None]]:
    return [(p.code, p.where.line if p.where else None, p.where.column if p.where else None) for p in refusals(text)]


@pytest.mark.parametrize(
    "written", ["no", "on", "0571", "22:30", "1.10", "12:30:45", "52:54:00", "2027-06-30", "1e3", "0x1f", "yes"]
)
def test_scalars_stay_the_text_that_was_written(written: str) -> None:
    assert read(f"zone: {written}\n").root.mapping()["zone"].text == written


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_nothing_written_is_an_empty_value(written: str) -> None:
    assert read(f"a: {written}\nb: 1\n").root.mapping()["a"].is_empty


def test_the_word_null_in_quotes_is_text() -> None:
    assert not read('a: "null"\n').root.mapping()["a"].is_empty


def test_keys_and_values_know_line_column_and_pointer() -> None:
    root = read("a:\n  b/c: [x, {d~e: y}]\n").root
    inner = root.mapping()["a"].mapping()["b/c"].items[1]
    assert inner.entries[0].value.where.pointer == "/a/b~1c/1/d~0e"
    assert (inner.entries[0].where.line, inner.entries[0].where.column) == (2, 13)
    assert (inner.entries[0].value.where.line, inner.entries[0].value.where.column) == (2, 18)


def test_places_lists_every_value_by_pointer() -> None:
    assert set(read("a: [1, {b: 2}]\n").places()) == {"", "/a", "/a/0", "/a/1", "/a/1/b"}


def test_full_width_colon_is_named_with_its_column_and_fix() -> None:
    problem = refusals("名称：官网\n类型: 工单\n")[0]
    assert (problem.code, problem.params["character"], problem.params["fix"]) == ("document.full_width", "：", ": ")
    assert problem.where is not None
    assert (problem.where.line, problem.where.column) == (1, 3)


def test_full_width_colon_in_the_middle_is_blamed_not_its_neighbours() -> None:
    assert places("a: b\n标题：x\nc: d\n")[0] == ("document.full_width", 2, 3)


def test_full_width_comma_between_braces_is_named() -> None:
    assert places("{姓名: 张三，电话: 1}\n")[0] == ("document.full_width", 1, 8)


@pytest.mark.parametrize("character", "：，“”【】（）")
def test_full_width_punctuation_in_a_key_is_refused(character: str) -> None:
    assert places(f"名{character}称: x\n") == [("document.full_width", 1, 2)]


def test_full_width_punctuation_in_quotes_is_text() -> None:
    node = read('title: "门户，（一）：【新】“版”"\n').root.mapping()["title"]
    assert node.suspects == ()


def test_full_width_punctuation_in_a_plain_value_is_marked_with_its_columns() -> None:
    suspects = read("title: 门户（一）\n").root.mapping()["title"].suspects
    assert [p.where.column for p in suspects if p.where] == [10, 12]


def test_full_width_letters_and_digits_in_keys_are_plain_ones() -> None:
    assert list(read("ａｐｉ１: x\n").root.mapping()) == ["api1"]


def test_keys_that_are_equal_after_folding_are_duplicates() -> None:
    assert [p.code for p in refusals("cpu: 1\nｃｐｕ: 2\n")] == ["document.duplicate_key"]


def test_duplicate_key_names_both_lines() -> None:
    problem = refusals("a: 1\nb: 2\na: 3\n")[0]
    assert (problem.code, problem.params["first_line"], problem.params["line"]) == ("document.duplicate_key", 1, 3)


@pytest.mark.parametrize(
    "text",
    ["a: &x 1\n", "a: !!python/object:os.system x\n", "a: !x y\n", "%TAG ! tag:x,2000:\n---\na: 1\n", "%YAML 1.1\n---\na: 1\n"],
)
def test_features_of_yaml_that_hide_meaning_are_refused(text: str) -> None:
    assert {p.code for p in refusals(text)} == {"document.feature_refused"}


def test_anchor_and_alias_are_both_named() -> None:
    assert [p.params["feature"] for p in refusals("a: &x 1\nb: *x\n")] == ["&x", "*x"]


def test_a_billion_laughs_is_refused_without_being_built() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
    assert {p.code for p in refusals("\n".join(lines))} == {"document.feature_refused"}


def test_a_tab_is_no_indentation() -> None:
    assert places("a:\n\tb: 1\n")[0] == ("document.tab", 2, 1)


def test_several_documents_are_refused() -> None:
    assert [p.code for p in refusals("a: 1\n---\nb: 1\n")] == ["document.several_documents"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_document_is_refused(text: str) -> None:
    assert [p.code for p in refusals(text)] == ["document.empty"]


def test_depth_twenty_is_read_and_twenty_one_is_refused() -> None:
    assert read("[" * 20 + "]" * 20).root.items
    assert [p.code for p in refusals("[" * 21 + "]" * 21)] == ["document.too_deep"]


def test_too_many_values_are_refused() -> None:
    assert [p.code for p in refusals("[" + "1," * 20_001 + "]")] == ["document.too_many_values"]


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    assert [p.code for p in refusals(b"#" * (MAX_BYTES + 1))] == ["document.too_large"]
    assert read(b"a: 1 #" + b"x" * (MAX_BYTES - 6)).root.entries


def test_a_byte_order_mark_is_nothing() -> None:
    assert list(read(b"\xef\xbb\xbfa: 1\n").root.mapping()) == ["a"]


def test_crlf_and_cr_are_line_ends() -> None:
    root = read("a: 1\r\nb: 2\rc: |\r\n  x\r\n  y\r\n").root
    assert root.mapping()["c"].text == "x\ny\n"
    assert root.mapping()["c"].where.line == 3


def test_gb18030_is_read_with_a_notice() -> None:
    document = read("部门: 市民政局\n".encode("gb18030"))
    assert document.root.mapping()["部门"].text == "市民政局"
    assert [n.code for n in document.notices] == ["document.read_as_gb18030"]


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a: \xff\xff\n", b"a: 1\nb: \x80\n"])
def test_other_encodings_are_refused(data: bytes) -> None:
    assert [p.code for p in refusals(data)] == ["document.encoding"]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028", "\u200b", "\u202e", "\u2066", "\ufeff"])
def test_control_and_invisible_characters_are_refused(character: str) -> None:
    assert places(f"a: 1\nb: x{character}y\n") == [("document.control_character", 2, 5)]


@pytest.mark.parametrize("escape", [r"\0", r"\e", r"\x07", r"\u202e", r"\u2028", r"\N"])
def test_escapes_do_not_smuggle_control_characters_in(escape: str) -> None:
    assert [p.code for p in refusals(f'a: "x{escape}y"\n')] == ["document.control_character"]


def test_a_list_or_mapping_is_no_key() -> None:
    assert [p.code for p in refusals("? [a]\n: b\n")] == ["document.key_not_text"]


def test_a_very_long_key_is_refused() -> None:
    assert [p.code for p in refusals("a" * 65 + ": 1\n")] == ["document.key_too_long"]


def test_all_problems_come_at_once_in_order() -> None:
    found = places("a: &x 1\nb: !y 2\na: 3\n名，称: 4\n")
    assert [line for _, line, _ in found] == [1, 2, 3, 4]


def test_the_number_of_problems_is_bounded_and_the_rest_is_counted() -> None:
    found = refusals("\n".join(f"k{i}: &x{i} 1" for i in range(500)))
    assert len(found) == MAX_PROBLEMS + 1
    assert (found[-1].code, found[-1].params["count"]) == ("document.more_problems", 400)


def test_the_hash_is_of_the_bytes_as_submitted() -> None:
    assert read(b"a: 1\n").sha256 != read(b"a: 1\r\n").sha256
