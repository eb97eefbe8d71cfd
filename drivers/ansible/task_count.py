"""How many tasks a play has, read from its own files before it runs: what its progress is measured by.

Ansible could list them itself, which takes it seconds. What is skipped counts too: it is told as skipped when its turn comes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_BUILTIN = "ansible.builtin."


def count_tasks(playbook: Path, parts: Mapping[str, int]) -> int:
    """Return how many tasks a playbook of ours would begin.

    ``parts`` says how often a file of tasks is included that is included in a loop, by its name; others are once.
    """
    plays: Sequence[Mapping[str, Any]] = yaml.safe_load(playbook.read_text(encoding="utf-8"))
    count = 0
    for play in plays:
        count += _count(play.get("tasks") or (), playbook.parent, parts)
        for role in play.get("roles") or ():
            directory = playbook.parent / "roles" / (role if isinstance(role, str) else role["role"])
            # A role that describes its variables begins with a task of Ansible's own that checks them.
            count += (directory / "meta" / "argument_specs.yml").is_file()
            count += _count_file(directory / "tasks" / "main.yml", parts)
    return count


def _count_file(path: Path, parts: Mapping[str, int]) -> int:
    return _count(yaml.safe_load(path.read_text(encoding="utf-8")) or (), path.parent, parts)


def _count(tasks: Sequence[Mapping[str, Any]], directory: Path, parts: Mapping[str, int]) -> int:
    return sum(_of_one(task, directory, parts) for task in tasks)


def _of_one(task: Mapping[str, Any], directory: Path, parts: Mapping[str, int]) -> int:
    if "block" in task:
        return _count(task["block"], directory, parts)
    # What is imported is put in the place of the task, what is included comes after it.
    for verb, own in (("import_tasks", 0), ("include_tasks", 1)):
        if file := task.get(_BUILTIN + verb):
            return own + parts.get(file, 1) * _count_file(directory / file, parts)
    return 1
