"""The order of a Chinese dictionary, and Chinese names in letters."""

import random
import subprocess
import sys

import pytest

from inventory.importers.pinyin import READINGS, letters, order, syllables
from tests.support.service import ROOT

#: Offices of a city in the order of their pinyin (anquan … zongjiao), digits and Latin letters before them.
IN_ORDER = [
    "12345热线",
    "IT中心",
    "安全局",
    "财政局",
    "长沙办事处",  # chang, not zhang
    "重庆办事处",  # chong, not zhong
    "大数据局",
    "发改委",
    "广州市民政局",
    "衢州办事处",  # qu: the second level of GB 2312, which is in no order of sounds
    "市民政局",
    "市民政局（本级）",
    "市区审批局",  # shi qu: the syllable after decides
    "厦门办事处",  # xia, not sha
    "银行监管处",  # yin hang
    "宗教局",
]


def test_offices_stand_in_the_order_of_their_pinyin() -> None:
    shuffled = random.Random(7).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled) != IN_ORDER
    assert sorted(shuffled, key=order) == IN_ORDER


def test_a_shorter_name_comes_before_a_longer_one_and_tones_break_ties() -> None:
    assert sorted(["民政局", "民政"], key=order) == ["民政", "民政局"]
    assert sorted(["是", "时", "使", "诗"], key=order) == ["诗", "时", "使", "是"]


def test_small_and_capital_letters_stand_together() -> None:
    assert sorted(["b局", "A局", "a局", "B局"], key=order) == ["A局", "a局", "B局", "b局"]


def test_any_character_has_its_place() -> None:
    rare = ["\U0003106c局", "\u3400", "", "（）", "😀", "々"]
    assert len(sorted([*rare, "民政局"], key=order)) == len(rare) + 1


@pytest.mark.parametrize(
    ("word", "read"), [("重庆", "chong qing"), ("厦门", "xia men"), ("银行", "yin hang"), ("绿化", "lv hua")]
)
def test_words_are_read_as_people_read_them(word: str, read: str) -> None:
    assert " ".join(syllables(word)) == read


def test_every_reading_has_a_syllable_for_each_character_and_is_used() -> None:
    for word, read in READINGS.items():
        assert len(word) == len(read.split())
        assert "".join(syllables(f"市{word}局")).startswith("shi")
    assert "".join(syllables("长沙银行会计处")) == "changshayinhangkuaijichu"


def test_a_name_becomes_letters() -> None:
    assert letters("市民政局-门户2期").split() == ["shiminzhengju", "-", "menhu", "2", "qi"]


def test_the_large_table_of_phrases_stays_out_of_memory() -> None:
    code = (
        "import sys; from inventory.importers.pinyin import order; import inventory.importers.site;"
        "assert 'pypinyin' not in sys.modules, 'loaded only when used';"
        "order('民政局'); import pypinyin.constants as c; assert len(c.PHRASES_DICT) < 1000"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
