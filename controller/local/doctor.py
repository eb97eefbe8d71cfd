"""``doctor``: look at this machine and say what would keep the controller from working well."""

from pathlib import Path

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.session import session_of

app = commands()


@app.command()
def doctor(ctx: typer.Context, config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG")) -> None:
    """Check this machine and this state; exit 1 when something must be put right."""
    from controller.local.checks import Verdict, all_findings
    from controller.settings import load_settings
    from controller.texts import catalogue

    out = session_of(ctx).out
    findings = list(all_findings(load_settings(config)))
    if out.is_table:
        from rich.text import Text

        marks = {Verdict.OK: ("✓", "green"), Verdict.WARNING: ("!", "yellow"), Verdict.FAILED: ("✗", "bold red")}
        for finding in findings:
            mark, style = marks[finding.verdict]
            out.console().print(Text(f"{mark} {out.say(finding.code, **finding.params)}", style=style))
            for problem in finding.problems:
                out.console().print(Text("  " + out.say(problem.code, **problem.params)))
            cure = catalogue.cure(finding.code, finding.params, out.language)
            if finding.verdict is not Verdict.OK and cure:
                out.console().print(Text("  " + out.say("cli.cure", cure=cure)))
    else:
        rows = [
            {"verdict": f.verdict.value, "code": f.code, "params": f.params, "problems": [p.to_json() for p in f.problems]}
            for f in findings
        ]
        out.rows(rows, [], name="code")
    if any(finding.verdict is Verdict.FAILED for finding in findings):
        raise typer.Exit(REFUSED)
