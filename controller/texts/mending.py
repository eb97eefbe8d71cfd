"""Texts of ``allot check --fix``."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.DEPARTMENT)

TEXTS: Mapping[str, Text] = {
    "cli.param.fix": Text(
        "先改正无歧义的笔误（全角标点、Tab 缩进、GB18030 编码）：显示差异，询问后写回文件。",
        "First mend slips that need no guess (full-width punctuation, tabs, GB18030): shows the difference, asks, writes it.",
    ),
    "cli.file_unwritable": _error(
        "无法写入文件 {file}：{reason}。",
        "the file {file} cannot be written: {reason}",
        "检查目录的权限和剩余空间；原文件没有改动。",
        "Check the permissions and the free space of its directory; the file is as it was.",
    ),
    "cli.fix_needs_file": _error(
        "--fix 要把改正写回文件，不能用于标准输入。",
        "--fix writes the document back, so it needs a file, not standard input",
        "先把内容存成文件，再写作 allot check 文件 --fix。",
        "Save it, and call allot check FILE --fix.",
    ),
    "cli.say.fix_nothing": Text("没有可以自动改正的笔误。", "There is no slip that could be mended without a guess."),
    "cli.say.fix_encoding": Text(
        "编码由 GB18030 改为 UTF-8，文字不变。", "The encoding becomes UTF-8 (it was GB18030); the text stays."
    ),
    "cli.say.fix_these": Text("把以上改正写回文件吗？", "Write this to the file?"),
    "cli.say.fixed": Text("已改正 {file}，共 {count} 处。", "Mended {file} in {count} places."),
}
