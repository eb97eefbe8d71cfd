"""The page of the command line, ``docs/cli.md``: written from the commands themselves by ``make docs``."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from controller.cli.help_page import page
from controller.cli.lazy import COMMANDS, load
from controller.cli.main import build

_HEAD = """\
# 命令行 Command line

本页由 `make docs` 生成，内容与 `allot COMMAND --help` 相同。
This page is written by `make docs`; it says what `allot COMMAND --help` says.

**客户端命令**只通过 API 与服务通信；**本机命令**（`init`、`serve`、`db`、`doctor`、`simulate`、`schema`、`version`）
直接使用本机的状态和配置。
*Client commands* talk to the service through its API only; *local commands* (`init`, `serve`, `db`, `doctor`,
`simulate`, `schema`, `version`) use the state and the settings of the machine they run on.

| 退出码 Exit code | |
|---|---|
| 0 | 完成 done |
| 1 | 被拒绝或失败 refused or failed |
| 2 | `plan` 发现有变更 `plan` found changes (also `import --dry-run`) |
| 64 | 用法错误 wrong usage |
| 75 | 服务未应答、状态繁忙或等待超时，请稍后再试 try again later: no answer, a busy state, a wait that was too long |
| 130 | 被 Ctrl-C 中断；工单继续进行 interrupted; tickets go on |

服务地址和令牌依次取自选项、环境变量（`ALLOT_SERVER`、`ALLOT_TOKEN_FILE`、`ALLOT_CONTEXT`）、`~/.config/allot`
（可用 `ALLOT_CONTEXT_DIR` 改变）。令牌文件的权限必须是 0600；令牌不会以明文发往其他机器。
Address and token come from the options, the environment (`ALLOT_SERVER`, `ALLOT_TOKEN_FILE`, `ALLOT_CONTEXT`), then from
`~/.config/allot` (or `ALLOT_CONTEXT_DIR`). A token file must have mode 0600; a token is never sent to another machine in
the clear.
"""
#: Pages are laid out for a terminal of this width.
_COLUMNS = "100"


def cli_page() -> str:
    """Return the page."""
    with patch.dict("os.environ", {"COLUMNS": _COLUMNS}):
        return _HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    root = {language: build(language) for language in ("zh-CN", "en")}
    paths: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        paths += _below((name,), load(name, "en"))
    for path in paths:
        yield f"\n## `{' '.join(('allot', *path))}`\n"
        for language in ("zh-CN", "en"):
            yield f"\n```text\n{page(root[language], path, language).rstrip()}\n```\n"


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from _below((*path, name), child)
