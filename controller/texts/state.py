"""Texts of the state database: what to do when it cannot be used."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _state(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "state.busy": _state(
        "状态数据库正忙，本次操作没有生效。",
        "The state database is busy; nothing was done.",
        "请稍后重试；若持续出现，请检查是否有备份或其他程序长时间占用数据库。",
        "Try again shortly. If it stays, look for a backup or another program that keeps the database locked.",
    ),
    "state.disk_full": _state(
        "状态数据库所在磁盘已满，本次操作没有生效，已有数据不受影响。",
        "The disk of the state database is full; nothing was done and nothing was lost.",
        "请清理或扩容该磁盘，然后重试；释放空间前平台不接受新的变更。",
        "Free or add space on that disk and try again; no change is accepted before that.",
    ),
    "state.disk_error": _state(
        "读写状态数据库时磁盘出错，本次操作没有生效。",
        "The disk of the state database reported an error; nothing was done.",
        "请检查磁盘和文件系统（dmesg、SMART），再运行 allot db check；必要时从备份恢复。",
        "Check the disk and file system (dmesg, SMART), then run allot db check; restore a backup if needed.",
    ),
    "state.file_gone": _state(
        "状态文件 {path} 被移走或删除，本次操作没有生效。",
        "The state file {path} was moved or deleted; nothing was done.",
        "请把原文件放回原处，平台会自动继续；若原处已是另一个文件（例如从备份恢复），请重启控制器。",
        "Put that file back where it was and it goes on by itself; with another file there (a backup), restart the controller.",
    ),
    "state.read_only": _state(
        "状态数据库是只读的。",
        "The state database is read-only.",
        "请检查文件权限、属主和挂载方式；控制器须能写数据库文件及其所在目录。",
        "Check owner, permissions and mount; the controller must be able to write the file and its directory.",
    ),
    "state.unreachable": _state(
        "连接不上状态数据库，本次操作没有生效或结果待核实。",
        "The state database cannot be reached; nothing was done, or its outcome has to be looked up.",
        "请检查数据库服务、网络和连接地址；恢复后平台自动继续，重复提交同一请求是安全的。",
        "Check the database service, the network and its URL. It goes on by itself; repeating a request is safe.",
    ),
    "state.corrupt": _state(
        "状态数据库文件已损坏或不是数据库。",
        "The state database file is damaged, or is no database.",
        "请停止控制器，保留该文件，运行 allot db check，并从最近的备份恢复（allot db restore）。",
        "Stop the controller, keep the file, run allot db check and restore the latest backup (allot db restore).",
    ),
}
