"""The subject and the text part of a mail about an alert."""

from collections.abc import Iterator
from datetime import timedelta

from monitor.mail_figures import COLUMNS, LONGEST_SUBJECT, Figures, Letter, Matrix, Reason, one_line, tone_of
from monitor.mail_plots import Plot
from schemas.records import Alert

RULE = "-" * 72
LONGEST_BAR = 30
"Characters."


def subject_of(alert: Alert, reminder: int = 0, waited: timedelta | None = None) -> str:
    """The subject: `[Roadwatch] critical: accuracy 41 % on gate-north`, on one line and not too long.

    A reminder says `still critical`, an escalation `unacknowledged critical`.
    """
    why = "unacknowledged " if waited is not None else "still " if reminder else ""
    subject = f"[Roadwatch] {why}{tone_of(alert)}: {one_line(alert.title)}"
    return subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…"


def text_of(letter: Letter) -> str:
    """The text part: what the HTML part says, in plain lines."""
    parts = [_head(letter), _reason(letter.reason), _actions(letter), *map(_plot, letter.plots), _pictures(letter)]
    lines = [line for part in (*parts, _day(letter.figures)) for line in part]
    return "\n".join([*lines, RULE, f"Alert {letter.alert_id}", ""])


def _head(letter: Letter) -> Iterator[str]:
    yield f"{letter.tone.upper()}: {letter.title}"
    yield from ("", letter.summary, "")
    basis = f" Measured on {letter.basis}." if letter.basis else ""
    if letter.value:
        yield from (f"{letter.measured.capitalize()}: {letter.value}, {letter.compared}.{basis}", "")
    yield from (f"{name + ':':<10}{value}" for name, value in letter.facts)
    yield ""


def _reason(reason: Reason | None) -> Iterator[str]:
    if reason:
        yield reason.name
        yield from (f"  - {sentence}" for sentence in reason.evidence)
        yield ""


def _actions(letter: Letter) -> Iterator[str]:
    if letter.actions:
        yield "What to do"
        yield from (f"  {number}. {action}" for number, action in enumerate(letter.actions, 1))
        yield ""


def _plot(plot: Plot) -> Iterator[str]:
    yield plot.heading
    width = max(len(bar.label) for bar in plot.bars)
    for bar in plot.bars:
        line = ("#" if bar.mark == "bad" else "=") * round(bar.share * LONGEST_BAR)
        yield f"  {bar.label.ljust(width)}  {line.ljust(LONGEST_BAR)}  {bar.text}"
    yield ""


def _pictures(letter: Letter) -> Iterator[str]:
    if letter.pictures:
        yield "Pictures that show it"
        yield from (f"  - {picture.frame_id}" for picture in letter.pictures)
        yield ""


def _day(figures: Figures | None) -> Iterator[str]:
    if figures is None:
        return
    yield from (f"The day's figures: {figures.day}", "")
    yield from _table([COLUMNS, *((row.name, *row.values) for row in figures.rows)])
    if figures.cameras_left_out:
        yield f"{figures.cameras_left_out} more cameras are not shown; these are the least accurate."
    yield ""
    if figures.matrix:
        yield from _matrix(figures.matrix)
    yield from _notes(figures)


def _matrix(matrix: Matrix) -> Iterator[str]:
    yield "What was taken for what (rows: truth, columns: prediction)"
    rows = zip(matrix.labels, matrix.counts, strict=True)
    yield from _table([("", *matrix.labels), *((label, *(f"{count:,}" for count in counts)) for label, counts in rows)])
    yield ""


def _notes(figures: Figures) -> Iterator[str]:
    if figures.changes:
        yield from ("Changes found", *(f"  - {change}" for change in figures.changes), "")
    if figures.absent:
        yield from (f"Sent nothing on this day: {', '.join(figures.absent)}", "")
    if figures.model_versions:
        yield from (f"Model: {', '.join(figures.model_versions)}", "")


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows as aligned columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *values in rows:
        cells = (value.rjust(width) for value, width in zip(values, widths[1:], strict=True))
        yield f"  {name.ljust(widths[0])}  {'  '.join(cells)}".rstrip()
