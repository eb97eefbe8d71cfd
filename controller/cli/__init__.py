"""The command line ``allot``. Modules here import little at their top: ``allot --help`` must answer at once."""
