"""What meters, their units and kinds of lines are called on the command line."""

from controller.cli.output import Out


def meter(out: Out, name: str) -> str:
    """Return what a meter is called, ``disk (standard)`` for ``disk_gib:standard``."""
    base, _, kind = name.partition(":")
    word = out.say(f"report.word.meter_{base}")
    return f"{word} ({kind})" if kind else word


def base_unit(out: Out, name: str) -> str:
    """Return what the amounts of a meter are counted in."""
    return out.say(f"report.word.base_{name.partition(':')[0]}")


def unit(out: Out, name: str | None) -> str:
    """Return what a priced unit is called; none of corrections."""
    return "·".join(out.say(f"report.word.unit_{part.lower()}") for part in name.split("·")) if name else ""


def kind(out: Out, name: str) -> str:
    """Return what a kind of lines is called."""
    return out.say(f"report.word.kind_{name}")


def state(out: Out, name: str) -> str:
    """Return what a state of usage is called; a line that is of none has none."""
    return out.say(f"report.word.state_{name}") if name else ""


def grouped(number: str | None) -> str:
    """Return a decimal with its thousands apart."""
    if number is None:
        return ""
    whole, point, places = number.partition(".")
    return f"{int(whole):,}{point}{places}"
