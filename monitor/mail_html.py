"""The HTML part of a mail about an alert, and what those about several are made of.

Mail clients are not browsers: tables hold the layout, styles stand in the elements, nothing is loaded from elsewhere.
The style sheet in the head only adds to that, for the clients that read it: dark colours and narrow screens.
"""

from collections.abc import Iterable
from html import escape

from monitor.mail_figures import COLUMNS, Figures, Letter, Matrix, Picture, Reason, Row, Tone
from monitor.mail_plots import Bar, Mark, Plot

COLOURS: dict[Tone, tuple[str, str]] = {
    "critical": ("#b42318", "#fee4e2"),
    "warning": ("#b54708", "#fef0c7"),
    "info": ("#175cd3", "#d1e9ff"),
    "resolved": ("#067647", "#d1fadf"),
}
"For each tone: strong colour, pale colour. Strong on white and on pale has a contrast over 4.5 : 1."
ON_DARK: dict[Tone, str] = {"critical": "#f97066", "warning": "#fdb022", "info": "#53b1fd", "resolved": "#32d583"}
"The strong colours again, for dark paper."

FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
INK, MUTED, LINE, PAPER, GROUND = "#1d2939", "#475467", "#e4e7ec", "#ffffff", "#f2f4f7"
MARK = 0.7
"Width of the threshold's mark in the bar, percent."
RIGHT, WRONG = "6,118,71", "180,35,24"
"Red, green and blue of the matrix's tints."
BARS: dict[Mark, str] = {"good": "#17a35b", "bad": "#d92d20", "plain": "#98a2b3"}
"Colours of bars; all can be seen on light and on dark paper."
PLOT_HEIGHT = 72
"Of upright bars, pixels."
PICTURE_WIDTH = 180
"Pixels: three stand side by side; two on a telephone."

STYLE_SHEET = """
  @media (prefers-color-scheme: dark) {
    .ground { background:#0c111d !important } .paper { background:#161b26 !important }
    .ink { color:#f0f1f1 !important } .muted { color:#a3abb8 !important }
    .line { border-color:#333b4a !important } .marked { background:#262e3d !important }
    .track { background:#333b4a !important }
    .mark { background:#f0f1f1 !important } .value { color:ON_DARK !important }
  }
  @media (max-width: 520px) {
    .page { padding:0 !important } .paper { border-radius:0 !important } .part { padding-left:16px !important;
      padding-right:16px !important } .figures th, .figures td { padding:7px 3px !important; font-size:11px !important }
    .value { font-size:34px !important } .wide { display:none !important }
    .picture { width:46% !important }
  }
"""


def html_of(letter: Letter) -> str:
    """The whole HTML document; every word that came from outside is escaped."""
    parts = [
        banner(letter.tone, letter.tone.capitalize()),
        _opening(letter),
        _measure(letter),
        _facts(letter),
        _reason(letter.reason),
    ]
    parts += [_actions(letter), *map(_plot, letter.plots), _pictures(letter.pictures)]
    if letter.figures:
        parts += [_day(letter.figures), _matrix(letter.figures.matrix), _notes(letter.figures)]
    parts.append(ending(_ending(letter)))
    return page(letter.title, letter.tone, _preview(letter), parts)


def page(title: str, tone: Tone, preview: str, parts: Iterable[str]) -> str:
    """The document around some parts, without those that are empty; `preview` is what list views show after the subject."""
    strong, _ = COLOURS[tone]
    rows = "\n".join(part for part in parts if part)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{escape(title)}</title><style>{STYLE_SHEET.replace("ON_DARK", ON_DARK[tone])}</style></head>
<body class="ground" style="margin:0;padding:0;background:{GROUND}">
<div style="display:none;max-height:0;overflow:hidden">{escape(preview)}</div>
<table role="presentation" class="ground" width="100%" cellpadding="0" cellspacing="0" style="background:{GROUND}">
<tr><td class="page" align="center" style="padding:24px 12px">
<table role="presentation" class="paper" width="100%" cellpadding="0" cellspacing="0" style="max-width:640px;{FONT};\
background:{PAPER};border-radius:10px;border-top:5px solid {strong};text-align:left">
{rows}
</table></td></tr></table></body></html>
"""


def _preview(letter: Letter) -> str:
    measure = f"{letter.measured.capitalize()} {letter.value}, {letter.compared}. " if letter.value else ""
    return f"{measure}{letter.summary}"[:160]


def part(content: str, padding: str = "0 32px 24px") -> str:
    """A part of the page, as wide as it is."""
    return f'<tr><td class="part" style="padding:{padding}">{content}</td></tr>'


def heading(text: str) -> str:
    """What stands over a part."""
    return f'<h2 class="ink" style="margin:0 0 10px;font-size:15px;line-height:20px;color:{INK}">{escape(text)}</h2>'


def banner(tone: Tone, word: str) -> str:
    """The product's name, and a word on the tone's colour."""
    return part(
        f"""<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>
<td class="muted" style="font-size:13px;font-weight:600;letter-spacing:.04em;color:{MUTED}">Roadwatch</td>
<td align="right">{pill(tone, word)}</td></tr></table>""",
        "22px 32px 18px",
    )


def pill(tone: Tone, word: str, size: int = 13) -> str:
    """A word on the tone's colour."""
    strong, pale = COLOURS[tone]
    return f"""<span style="display:inline-block;padding:3px 12px;border-radius:12px;font-size:{size}px;\
line-height:{size + 5}px;font-weight:600;white-space:nowrap;color:{strong};background:{pale}">{escape(word)}</span>"""


def _opening(letter: Letter) -> str:
    return opening(letter.title, [paragraph for paragraph in letter.summary.split("\n") if paragraph.strip()])


def opening(title: str, paragraphs: Iterable[str]) -> str:
    """The title, and what is said first."""
    style = f"margin:0 0 8px;font-size:15px;line-height:23px;color:{INK}"
    body = "".join(f'<p class="ink" style="{style}">{escape(paragraph)}</p>' for paragraph in paragraphs)
    return part(
        f'<h1 class="ink" style="margin:0 0 12px;font-size:22px;line-height:29px;color:{INK}">{escape(title)}</h1>{body}',
        "0 32px 16px",
    )


def _measure(letter: Letter) -> str:
    if not letter.value:
        return ""
    strong, _ = COLOURS[letter.tone]
    basis = f"<br>measured on {escape(letter.basis)}" if letter.basis else ""
    return part(
        f"""<table role="presentation" cellpadding="0" cellspacing="0"><tr>
<td class="value" style="font-size:42px;line-height:48px;font-weight:700;white-space:nowrap;padding-right:18px;\
color:{strong}">{escape(letter.value)}</td>
<td class="muted" style="font-size:14px;line-height:20px;color:{MUTED}"><b class="ink" style="color:{INK}">\
{escape(letter.measured.capitalize())}</b>, {escape(letter.compared)}{basis}</td></tr></table>{_bar(letter)}"""
    )


def _bar(letter: Letter) -> str:
    """The value as a bar of a hundred, with a mark where the threshold lies; nothing for what is no share."""
    if letter.share is None:
        return ""
    value, threshold = (min(max(share, 0), 1) * (100 - MARK) for share in letter.share)
    full, mark, empty = ("full", COLOURS[letter.tone][0]), ("mark", INK), ("track", LINE)
    if value < threshold:
        cells = [(value, full), (threshold - value, empty), (MARK, mark), (100 - MARK - threshold, empty)]
    else:
        cells = [(threshold, full), (MARK, mark), (value - threshold, full), (100 - MARK - value, empty)]
    row = "".join(_bar_cell(width, *kind) for width, kind in cells if width > 0)
    style = "margin-top:12px;border-collapse:collapse;table-layout:fixed"
    return f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="{style}"><tr>{row}</tr></table>'


def _bar_cell(percent: float, name: str, colour: str) -> str:
    style = f"width:{percent:.1f}%;height:8px;padding:0;font-size:1px;line-height:8px;background:{colour}"
    return f'<td class="{name}" style="{style}">&nbsp;</td>'


def _facts(letter: Letter) -> str:
    label = f"padding:3px 18px 3px 0;font-size:14px;line-height:20px;color:{MUTED};vertical-align:top"
    value = f"padding:3px 0;font-size:14px;line-height:20px;color:{INK}"
    rows = "".join(
        f'<tr><td class="muted" style="{label}">{escape(name)}</td>'
        f'<td class="ink" style="{value}">{escape(text)}</td></tr>'
        for name, text in letter.facts
    )
    return part(f'<table role="presentation" cellpadding="0" cellspacing="0">{rows}</table>')


def _reason(reason: Reason | None) -> str:
    """The cause and what speaks for it, on a ground of its own."""
    if reason is None:
        return ""
    evidence = _list("ul", reason.evidence) if reason.evidence else ""
    style = f"background:{GROUND};border-radius:8px;padding:14px 16px"
    table = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0">'
    return part(f'{table}<tr><td class="marked" style="{style}">{heading(reason.name)}{evidence}</td></tr></table>')


def _actions(letter: Letter) -> str:
    if not letter.actions:
        return ""
    return part(heading("What to do") + _list("ol", letter.actions))


def _list(kind: str, items: Iterable[str]) -> str:
    style = f"margin:0 0 6px;font-size:14px;line-height:21px;color:{INK}"
    lines = "".join(f'<li class="ink" style="{style}">{escape(item)}</li>' for item in items)
    return f'<{kind} class="ink" style="margin:0;padding-left:22px;color:{INK}">{lines}</{kind}>'


def _plot(plot: Plot) -> str:
    bars = _upright(plot.bars) if plot.upright else _lying(plot.bars)
    return part(heading(plot.heading) + bars + muted(plot.note))


def _upright(bars: Iterable[Bar]) -> str:
    """Bars side by side, each in a cell of fixed height; their values are in the text part and in titles."""
    columns = [*bars]
    cells = "".join(_column(bar) for bar in columns)
    every = 1 if len(columns) <= 12 else 2
    names = "".join(_column_name(bar.label if i % every == 0 else "") for i, bar in enumerate(columns))
    return f"""<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse;table-layout:fixed">\
<tr>{cells}</tr><tr>{names}</tr></table>"""


def _column(bar: Bar) -> str:
    height = max(round(bar.share * PLOT_HEIGHT), 1)
    style = f"height:{height}px;font-size:1px;line-height:1px;background:{BARS[bar.mark]};border-radius:2px 2px 0 0"
    return f"""<td class="line" valign="bottom" title="{escape(f"{bar.label}: {bar.text}")}" style="height:{PLOT_HEIGHT}px;\
padding:0 2px;vertical-align:bottom;border-bottom:1px solid {LINE}"><div style="{style}">&nbsp;</div></td>"""


def _column_name(name: str) -> str:
    style = f"padding:4px 0 0;font-size:11px;line-height:14px;color:{MUTED};text-align:center"
    return f'<td class="muted" align="center" style="{style}">{escape(name)}</td>'


def _lying(bars: Iterable[Bar]) -> str:
    """Bars below each other: name, bar, value."""
    table = '<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse">'
    return f"{table}{''.join(map(_line, bars))}</table>"


def _line(bar: Bar) -> str:
    width, top = max(round(bar.share * 100), 1), "7px" if bar.mark == "plain" else "1px"
    text = f"padding:{top} 8px 1px 0;font-size:13px;line-height:16px"
    track = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>'
    full = f"width:{width}%;height:12px;padding:0;font-size:1px;line-height:12px;background:{BARS[bar.mark]}"
    rest = "" if width == 100 else f'<td style="width:{100 - width}%;padding:0"></td>'
    return f"""<tr><td class="ink" width="34%" style="{text};color:{INK}">{escape(bar.label)}</td>\
<td style="padding:{top} 8px 1px 0">{track}<td style="{full}">&nbsp;</td>{rest}</tr></table></td>\
<td class="muted" width="15%" style="{text};color:{MUTED};white-space:nowrap">{escape(bar.text)}</td></tr>"""


def _pictures(pictures: Iterable[Picture]) -> str:
    shown = "".join(map(_picture, pictures))
    return part(heading("Pictures that show it") + shown) if shown else ""


def _picture(picture: Picture) -> str:
    frame = f"display:inline-block;width:{PICTURE_WIDTH}px;margin:0 8px 8px 0;vertical-align:top"
    caption = f"font-size:11px;line-height:15px;color:{MUTED};word-break:break-all"
    name = escape(picture.frame_id)
    return f"""<div class="picture" style="{frame}"><img src="cid:{escape(picture.cid)}" alt="{name}" width="{PICTURE_WIDTH}" \
style="display:block;width:100%;height:auto;border:0;border-radius:6px">\
<div class="muted" style="{caption};padding-top:4px">{name}</div></div>"""


def _day(figures: Figures) -> str:
    head = "".join(_head_cell(name, first=index == 0) for index, name in enumerate(COLUMNS))
    rows = "".join(_figures_row(row) for row in figures.rows)
    left_out = ""
    if figures.cameras_left_out:
        left_out = muted(f"{figures.cameras_left_out} more cameras are not shown; these are the least accurate.")
    table = f"""<table class="figures" width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse">\
<tr>{head}</tr>{rows}</table>"""
    return part(heading(f"The day’s figures: {figures.day}") + table + left_out)


def _head_cell(name: str, *, first: bool = False) -> str:
    align = "left" if first else "right"
    return f"""<th class="muted line{_wide(name)}" scope="col" align="{align}" style="padding:7px 6px;font-size:12px;\
line-height:16px;font-weight:600;color:{MUTED};text-align:{align};border-bottom:2px solid {LINE}">{escape(name)}</th>"""


def _wide(column: str) -> str:
    """Precision and recall give way on a telephone: F1 stands for both, and the text part has them."""
    return " wide" if column in {"Precision", "Recall"} else ""


def _figures_row(row: Row) -> str:
    marked = f"background:{GROUND};font-weight:600;" if row.concerned else ""
    names = "ink line marked" if row.concerned else "ink line"
    style = f"padding:8px 6px;font-size:13px;line-height:18px;color:{INK};border-bottom:1px solid {LINE};{marked}"
    cells = "".join(
        f'<td class="{names}{_wide(column)}" align="right" style="{style};white-space:nowrap">{escape(value)}</td>'
        for column, value in zip(COLUMNS[1:], row.values, strict=True)
    )
    return f'<tr><td class="{names}" style="{style};word-break:break-word">{escape(row.name)}</td>{cells}</tr>'


def _matrix(matrix: Matrix | None) -> str:
    if matrix is None:
        return ""
    head = "".join(_head_cell(f"seen as {label}") for label in matrix.labels)
    rows = "".join(
        _matrix_row(label, counts, matrix.labels) for label, counts in zip(matrix.labels, matrix.counts, strict=True)
    )
    return part(
        heading("What was taken for what")
        + f'<table class="figures" cellpadding="0" cellspacing="0" style="border-collapse:collapse">\
<tr><td class="line" style="border-bottom:2px solid {LINE}"></td>{head}</tr>{rows}</table>'
    )


def _matrix_row(truth: str, counts: tuple[int, ...], labels: tuple[str, ...]) -> str:
    total = sum(counts) or 1
    style = f"padding:8px 6px;font-size:13px;line-height:18px;color:{INK};border-bottom:1px solid {LINE}"
    cells = "".join(
        f'<td class="ink line" align="right" style="{style};background:{_tint(label == truth, count / total)}">{count:,}</td>'
        for label, count in zip(labels, counts, strict=True)
    )
    return f'<tr><td class="ink line" style="{style}">really {escape(truth)}</td>{cells}</tr>'


def _tint(right: bool, share: float) -> str:
    """The stronger, the larger the share; half transparent, so that it suits light and dark paper."""
    return f"rgba({RIGHT if right else WRONG},{0.32 * share:.2f})"


def _notes(figures: Figures) -> str:
    changes = heading("Changes found") + _list("ul", figures.changes) if figures.changes else ""
    absent = muted(f"Sent nothing on this day: {', '.join(figures.absent)}") if figures.absent else ""
    return part(changes + absent) if changes or absent else ""


def muted(text: str) -> str:
    """A line that stands back."""
    return f'<p class="muted" style="margin:8px 0 0;font-size:13px;line-height:19px;color:{MUTED}">{escape(text)}</p>'


def _ending(letter: Letter) -> str:
    model = f"Model {', '.join(letter.figures.model_versions)}. " if letter.figures else ""
    return (
        f"{model}Alert {letter.alert_id}. You get this mail because your address has a subscription to alerts like this"
        " one; subscriptions are under mail.subscriptions in Roadwatch’s settings."
    )


def ending(text: str) -> str:
    """What stands at the foot of the page."""
    return f"""<tr><td class="part muted line" style="padding:16px 32px 22px;border-top:1px solid {LINE};font-size:12px;\
line-height:18px;color:{MUTED};word-break:break-word">{escape(text)}</td></tr>"""
