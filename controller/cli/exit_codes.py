"""How a command ends: what scripts decide by. ``docs/department.md`` tells them to people."""

OK = 0
#: Refused, failed, or something was found that should not be.
REFUSED = 1
#: ``plan`` (and a dry run) found changes.
CHANGES = 2
#: Wrong usage of the command line.
USAGE = 64
#: What may succeed later.
TRY_AGAIN = 75
#: Somebody did not want to hear more; work that was handed in goes on.
INTERRUPTED = 130
