"""What must never stand in a ticket: secrets (tickets are kept for ten years) and templates (they would run elsewhere)."""

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from itertools import pairwise

import yaml

from inventory.domain.errors import Problem
from inventory.importers.amounts import fold
from inventory.importers.document import Node, NodeKind, excerpt

_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "credential", "credentials", "apikey", "chpasswd"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key"), ("encryption", "key")})
_SECRET_CHINESE = ("密码", "口令", "密钥", "私钥", "令牌", "凭据")
_RESERVED = frozenset({"secret-ref", "secret_ref", "secretRef", "密钥引用"})
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_USER_DATA_KEYS = frozenset({"user-data", "初始化数据"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")

#: Names that hold passwords in cloud-init's own language, and the commands that set them.
_CLOUD_INIT_SECRETS = frozenset(
    {"password", "passwd", "chpasswd", "plain_text_passwd", "hashed_passwd", "passphrase", "secret", "token", "ssh_keys"}
)
_USER_DATA_SECRET = re.compile(
    r"\bchpasswd\b|\bpasswd\s+--stdin|\busermod\s+(?:-p|--password)\b"
    r"|\b(?!lock_passwd\b)\w{0,32}(?:password|passwd|passphrase|secret|token)[\"']?\s{0,4}[:=]",
    re.IGNORECASE,
)


def is_secret_key(key: str) -> bool:
    """Tell whether a key of that name would hold a secret."""
    if any(word in key for word in _SECRET_CHINESE):
        return True
    words = [word.lower() for word in _WORD.findall(key)]
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def find_secrets(root: Node) -> list[Problem]:
    """Return every secret-like key, private key and template of a document."""
    problems: list[Problem] = []
    todo = [root]
    while todo:
        node = todo.pop()
        problems += _text_problems(node)
        for entry in node.entries:
            if entry.key in _RESERVED:
                problems.append(Problem("ticket.not_offered", {"field": entry.key}, entry.where))
            elif is_secret_key(entry.key):
                problems.append(Problem("ticket.secret_refused", {"field": excerpt(entry.key)}, entry.where))
            elif entry.key not in _USER_DATA_KEYS:
                todo.append(entry.value)
        todo += node.items
    return problems


def _text_problems(node: Node) -> Iterator[Problem]:
    if node.kind is not NodeKind.TEXT:
        return
    if _PRIVATE_KEY.search(node.text):
        yield Problem("ticket.secret_refused", {"field": "PRIVATE KEY"}, node.where)
    match = _TEMPLATE.search(node.text)
    if match:
        yield Problem("ticket.template_refused", {"found": match[0]}, node.where)


def user_data_problem(text: str) -> tuple[str, dict[str, str]] | None:
    """Return what is wrong with user data as (code, parameters): it sets a password, holds a key, or cannot be read."""
    if _PRIVATE_KEY.search(text):
        return "ticket.secret_refused", {"field": "PRIVATE KEY"}
    match = _USER_DATA_SECRET.search(text)
    if match:
        return "ticket.user_data_secret", {"found": excerpt(match[0])}
    if text.startswith("#cloud-config"):
        return _cloud_config_problem(text)
    return None


def _cloud_config_problem(text: str) -> tuple[str, dict[str, str]] | None:
    """Look at the words YAML sees, so that no escape or flow style hides a key."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            word = getattr(event, "value", "")
            if fold(word).lower().replace("-", "_") in _CLOUD_INIT_SECRETS:
                return "ticket.user_data_secret", {"found": excerpt(word)}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return "ticket.user_data_broken", {
            "line": str(mark.line + 1 if mark else 1),
            "reason": excerpt(getattr(error, "problem", "") or ""),
        }
    return None


_SSH_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_MIN_RSA_BITS = 2048


def is_ssh_public_key(text: str) -> bool:
    """Tell whether ``text`` is one line of an authorized_keys file without options: type, key, comment.

    Source: RFC 4253 §6.6: the decoded key begins with its own type, every part after its length.
    """
    words = text.split(maxsplit=2)
    if len(words) < 2 or words[0] not in _SSH_TYPES:
        return False
    try:
        parts = _ssh_parts(base64.b64decode(words[1], validate=True))
    except (binascii.Error, struct.error, ValueError):
        return False
    if len(parts) < 2 or parts[0] != words[0].encode():
        return False
    return words[0] != "ssh-rsa" or (len(parts) == 3 and int.from_bytes(parts[2], "big").bit_length() >= _MIN_RSA_BITS)


def _ssh_parts(blob: bytes) -> list[bytes]:
    parts = []
    at = 0
    while at < len(blob):
        (length,) = struct.unpack_from(">I", blob, at)
        at += 4
        if at + length > len(blob):
            raise ValueError("a part is longer than the key")
        parts.append(blob[at : at + length])
        at += length
    return parts
