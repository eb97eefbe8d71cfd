"""How Chinese is read: the order in which people look names up, and the letters to make a resource name of.

Lists of departments and projects are shown in this order; a name that was written in Chinese is answered with its letters.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType

#: Words of places and offices in which a character is read otherwise than mostly.
READINGS: Mapping[str, str] = {
    "重庆": "chóng qìng",
    "长安": "cháng ān",
    "长春": "cháng chūn",
    "长沙": "cháng shā",
    "长治": "cháng zhì",
    "长乐": "cháng lè",
    "长宁": "cháng níng",
    "长江": "cháng jiāng",
    "长期": "cháng qī",
    "厦门": "xià mén",
    "成都": "chéng dū",
    "首都": "shǒu dū",
    "都市": "dū shì",
    "都江堰": "dū jiāng yàn",
    "都匀": "dū yún",
    "乐清": "yuè qīng",
    "音乐": "yīn yuè",
    "六安": "lù ān",
    "六合": "lù hé",
    "台州": "tāi zhōu",
    "丽水": "lí shuǐ",
    "东阿": "dōng ē",
    "番禺": "pān yú",
    "大埔": "dà bù",
    "乐亭": "lào tíng",
    "单县": "shàn xiàn",
    "铅山": "yán shān",
    "尉犁": "yù lí",
    "蔚县": "yù xiàn",
    "曾都": "zēng dū",
    "蚌埠": "bèng bù",
    "浚县": "xùn xiàn",
    "西藏": "xī zàng",
    "闵行": "mǐn háng",
    "涡阳": "guō yáng",
    "泌阳": "bì yáng",
    "吴堡": "wú bǔ",
    "十里堡": "shí lǐ pù",
    "国子监": "guó zǐ jiàn",
    "银行": "yín háng",
    "央行": "yāng háng",
    "行业": "háng yè",
    "会计": "kuài jì",
    "参差": "cēn cī",
    "出差": "chū chāi",
    "供给": "gōng jǐ",
    "给排水": "jǐ pái shuǐ",
    "给水": "jǐ shuǐ",
    "校正": "jiào zhèng",
    "效率": "xiào lǜ",
    "重建": "chóng jiàn",
    "重复": "chóng fù",
    "还建": "huán jiàn",
    "还款": "huán kuǎn",
    "模具": "mú jù",
}
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
Key = tuple[tuple[tuple[int, str, str], ...], str]


@cache
def _library() -> ModuleType:
    # Its own table of phrases takes 40 MB of memory and a third of a second; the words above are those that matter here.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    import pypinyin

    pypinyin.load_phrases_dict({word: [[syllable] for syllable in read.split()] for word, read in READINGS.items()})
    return pypinyin


def syllables(text: str) -> Sequence[str]:
    """Return how Chinese characters are read, without tones, one syllable each (``ü`` is written ``v``)."""
    return tuple(_library().lazy_pinyin(text))


def letters(text: str) -> str:
    """Return a text with its Chinese words in letters, each word apart from what stands around it."""
    return _HAN.sub(lambda word: f" {''.join(syllables(word[0]))} ", text)


def order(text: str) -> Key:
    """Return what sorts texts as a Chinese dictionary does: by syllable, then by tone; digits and Latin letters come first.

    Raises nothing: characters nobody can read come last, in the order of their codes.
    """
    return tuple(_parts(text)), text


def _parts(text: str) -> Iterator[tuple[int, str, str]]:
    at = 0
    for word in _HAN.finditer(text):
        yield from ((0, char.casefold(), char) for char in text[at : word.start()])
        toned = _library().lazy_pinyin(word[0], style=_library().Style.TONE3, neutral_tone_with_five=True)
        for char, syllable, tone in zip(word[0], syllables(word[0]), toned, strict=True):
            yield (2, char, "") if syllable == char else (1, syllable, tone)
        at = word.end()
    yield from ((0, char.casefold(), char) for char in text[at:])
