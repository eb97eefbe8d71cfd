"""``python -m controller`` is ``allot``."""

from controller.cli.main import main

main()
