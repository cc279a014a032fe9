"""`roadwatch rules`: tables of rules checked, explained, and tried on what was."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from roadwatch.context import AsJson, console, print_json, settings_of
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from monitor.rules import Rule, Rules
    from monitor.rules.explaining import Explanation
    from roadwatch.rejudging import Trouble
    from runtime.settings import MonitorSettings, Settings
    from schemas.records import DayReport

app = typer.Typer(no_args_is_help=True)

File = Annotated[
    Path | None,
    typer.Argument(
        help="A file with [[rules]], [monitor], or both; the rules in force if not given.", show_default=False
    ),
]
COLOURS = {"critical": "bold red", "warning": "yellow", "info": "dim"}


@app.command()
def check(context: typer.Context, file: File = None, as_json: AsJson = False) -> None:
    """Read a table of rules, and name every fault; exit code 2 when there is any."""
    settings = _settings_with(file, settings_of(context).monitor)
    rules = _rules_of(settings)
    if as_json:
        print_json({"faults": [], "rules": [rule.name for rule in rules]})
        return
    console.print(f"{_named(settings)}: {_count(len(rules), 'rule')}, no fault.", highlight=False, soft_wrap=True)
    if changed := _changed(file):
        console.print(
            f"Its \\[monitor] table ({escape(', '.join(changed))}) is for backtests: a monitor reads roadwatch.toml.",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def explain(
    context: typer.Context,
    file: File = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only the rule of this name; repeat it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say in words what each rule looks at and when it fires, and in numbers how often it is wrong and how fast it is.

    The chances of rules about the share of a day, or of a window of days, are exact (binomial); rules that weigh days
    together have a promise, and the days until they notice are those of a typical course.
    """
    from monitor.rules.explaining import explained

    rules = _chosen(_rules_of(_settings_with(file, settings_of(context).monitor)), rule or [])
    found = [(each, explained(each)) for each in rules]
    if as_json:
        print_json([{"name": each.name, **asdict(explanation)} for each, explanation in found])
        return
    for each, explanation in found:
        _print_rule(each, explanation)


@app.command()
def backtest(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files of rules, or 'current'; four at most.", show_default=False),
    ],
    recording: Annotated[
        Path | None,
        typer.Option(help="Judge the reports in a recording, a folder or a zip file, not those on the cluster."),
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day that is told of.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what each table of rules would have raised, and on which days, from the reports that are there.

    Nothing is sent. The newest revision of each day counts, and days before --from are judged too, for rules look back
    on them. What findings raise during a day, and what other windows or joins would give, tells 'roadwatch backtest'.
    """
    from roadwatch.backtesting.variants import chosen_rules
    from roadwatch.rejudging import rejudged

    settings = settings_of(context)
    sets, first, last = chosen_rules(files, settings, "FILE"), _day(begin, "--from"), _day(end, "--to")
    reports = _reports(recording, settings)
    days = _asked(reports, first, last)
    found = {
        each.name: [trouble for trouble in rejudged(each.rules, reports) if trouble.touches(first, last)]
        for each in sets
    }
    if as_json:
        print_json({"days": days, "troubles": _plain(found)})
        return
    for name, troubles in found.items():
        _print_troubles(name, troubles, days)


def _settings_with(file: Path | None, current: "MonitorSettings") -> "MonitorSettings":
    """The monitor's settings in force, with what a file says on top."""
    from roadwatch.rulefiles import settings_with

    return current if file is None else settings_with(file, current)


def _rules_of(settings: "MonitorSettings") -> "Rules":
    from monitor.policies import rules_of

    return rules_of(settings)


def _named(settings: "MonitorSettings") -> str:
    return escape(str(settings.rules_file)) if settings.rules_file else "The rules that ship"


def _changed(file: Path | None) -> list[str]:
    """The settings of the monitor that a file of rules names."""
    from roadwatch.rulefiles import monitor_values

    return sorted(monitor_values(file).keys() - {"rules_file"}) if file else []


def _chosen(rules: "Rules", names: Iterable[str]) -> list["Rule"]:
    known = {rule.name: rule for rule in rules}
    if faults := [f"no rule {name!r}; {', '.join(known)}" for name in names if name not in known]:
        raise ConfigurationError("--rule", faults)
    return [known[name] for name in names] or list(rules)


def _print_rule(rule: "Rule", explanation: "Explanation") -> None:
    console.print(f"\n[{COLOURS[rule.severity]}]{escape(rule.name)}[/]", highlight=False)
    for sentence in explanation.sentences:
        console.print(f"  {escape(sentence)}", highlight=False, soft_wrap=True)
    if explanation.false_alarms:
        rows = [(f"{each.truth:.0%}", each.n, f"{each.chance:.2%}") for each in explanation.false_alarms]
        window = f", over the labels of its {rule.window} days" if rule.window > 1 else ""
        console.print(_grid(f"a false alarm, each day{window}", rows))
    if explanation.catches:
        rows = [(f"{each.truth:.0%}", each.n, _days(each.days)) for each in explanation.catches]
        console.print(_grid("days until a fall is noticed", rows))


def _grid(title: str, cells: list[tuple[str, int, str]]) -> Table:
    """True shares down, labels a day across."""
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("truth \\ labels a day")
    for n in dict.fromkeys(n for _, n, _ in cells):
        table.add_column(str(n), justify="right")
    for truth in dict.fromkeys(truth for truth, _, _ in cells):
        table.add_row(truth, *(text for other, _, text in cells if other == truth))
    return table


def _days(days: int | None) -> str:
    return "hardly ever" if days is None else str(days)


def _day(text: str | None, option: str) -> str | None:
    from roadwatch.reporting.days import day_of

    return f"{day_of(text, option)}" if text else None


def _reports(recording: Path | None, settings: "Settings") -> list["DayReport"]:
    """In the order of days; at least one."""
    from roadwatch.reporting.reading import Cluster, Recorded

    found = (Recorded(recording, settings) if recording else Cluster(settings)).reports()
    if not found:
        where = (
            f"no report in it; 'roadwatch backtest {recording} --rules FILE' makes them" if recording else "no report"
        )
        raise ConfigurationError("--recording" if recording else "reports", [where])
    return [*found.values()]


def _asked(reports: list["DayReport"], first: str | None, last: str | None) -> list[str]:
    """The days with a report, from one to another; raises ConfigurationError where there is none."""
    from roadwatch.reporting.days import asked_of, there

    days = [report.day for report in reports]
    asked = asked_of(days, first, last)
    if not asked:
        option = "--from" if first else "--to"
        raise ConfigurationError(option, [f"no report of the days{_range(first, last)}; {there(days)}"])
    return asked


def _range(first: str | None, last: str | None) -> str:
    return f"{f' from {first}' if first else ''}{f' to {last}' if last else ' on'}"


def _plain(found: dict[str, list["Trouble"]]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {
                "rule": trouble.first.rule,
                "severity": trouble.first.severity,
                "camera": trouble.first.camera_id,
                "slice": trouble.first.slice,
                "days": [breach.day for breach in trouble.breaches],
                "title": trouble.first.title,
                "summary": trouble.first.summary,
            }
            for trouble in troubles
        ]
        for name, troubles in found.items()
    }


def _print_troubles(name: str, troubles: list["Trouble"], days: list[str]) -> None:
    told, judged = _count(len(troubles), "trouble"), _count(len(days), "day")
    span = f"from {days[0]} to {days[-1]}"
    console.print(f"\n[bold]{escape(name)}[/]: {told} in {judged}, {span}.", highlight=False, soft_wrap=True)
    if not troubles:
        return
    table = Table()
    for column in ("days", "rule", "what"):
        table.add_column(column, overflow="fold")
    for trouble in troubles:
        colour = COLOURS[trouble.first.severity]
        table.add_row(trouble.days, f"[{colour}]{escape(trouble.first.rule)}[/]", escape(trouble.first.title))
    console.print(table)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
