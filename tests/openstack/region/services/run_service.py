"""Runs a console entry point of one of Debian's OpenStack packages: run_service.py MODULE:FUNCTION [ARGUMENT]...

Run by Debian's Python, not by the project's: only there the services' packages are.
"""

import importlib
import sys

target = sys.argv[1]
module, _, function = target.partition(":")
sys.argv = [module.rsplit(".", 1)[-1], *sys.argv[2:]]
sys.exit(getattr(importlib.import_module(module), function)())
