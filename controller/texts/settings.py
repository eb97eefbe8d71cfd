"""Texts about settings and starting the service."""

from controller.texts.text import Actor, Text

TEXTS = {
    "settings.file_missing": Text(
        "找不到配置文件 {path}",
        "the configuration file {path} does not exist",
        "检查 ALLOT_CONFIG 或 --config 给出的路径",
        "check the path given by ALLOT_CONFIG or --config",
        Actor.OPERATOR,
    ),
    "settings.invalid": Text(
        "配置项 {key} 不正确：{reason}",
        "setting {key} is not right: {reason}",
        "对照 etc/controller.toml 改正该项",
        "correct it; etc/controller.toml lists every key with its unit",
        Actor.OPERATOR,
    ),
    "settings.unreadable": Text(
        "无法读取配置文件 {path}：{reason}",
        "the configuration file {path} cannot be read: {reason}",
        "检查 TOML 语法",
        "check its TOML syntax",
        Actor.OPERATOR,
    ),
    "settings.tls_required": Text(
        "监听地址 {host} 不是本机回环地址，必须启用 TLS",
        "listening on {host}, which is not loopback, needs TLS",
        "在 [server] 中设置 tls_certificate 和 tls_key，或改为监听 127.0.0.1",
        "set tls_certificate and tls_key in [server], or listen on 127.0.0.1",
        Actor.OPERATOR,
    ),
    "serve.port_in_use": Text(
        "{host}:{port} 已被占用",
        "{host}:{port} is in use",
        "停止占用该端口的程序，或在 [server] 中改 port",
        "stop the program that uses it, or set another port in [server]",
        Actor.OPERATOR,
    ),
    "serve.second_controller": Text(
        "已有另一个控制器（进程 {pid}）在使用 {path}",
        "another controller (process {pid}) is using {path}",
        "SQLite 只容一个控制器进程；停止另一个，或改用 PostgreSQL",
        "SQLite has room for one controller process: stop the other one, or move the state to PostgreSQL",
        Actor.OPERATOR,
    ),
    "serve.not_initialised": Text(
        "{path} 中还没有状态数据",
        "there is no state in {path} yet",
        "先运行 allot init",
        "run allot init first",
        Actor.OPERATOR,
    ),
    "serve.schema_old": Text(
        "状态库结构版本为 {found}，程序需要 {wanted}",
        "the state has schema version {found}, this program needs {wanted}",
        "备份后运行 allot db upgrade",
        "back it up and run allot db upgrade",
        Actor.OPERATOR,
    ),
}
