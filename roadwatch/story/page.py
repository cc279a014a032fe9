"""The story as one page that needs nothing else: what the days were like, what was found, done, and what it brought."""

import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import jinja2

from models.qualification.charts import Box, Dot, Line, Plot, Tick
from models.qualification.page import environment
from roadwatch.reporting.figures import accuracy, percent, points
from roadwatch.reporting.page import long_day
from roadwatch.reporting.plots import Scale, linear, of_share, path, upright
from roadwatch.story.chapters import Chapter, Story

CHART: Final = Box(992, 260, left=48, right=984, top=14, bottom=226)
MARKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def story_page(story: Story) -> str:
    """The page."""
    return (
        _environment()
        .get_template("story.html")
        .render(
            story=story,
            headline=headline(story),
            plot=accuracy_plot(story),
            rows=[(chapter, accuracy(chapter.report)) for chapter in story.chapters],
            document=json.dumps(story.plain(), indent=1),
        )
    )


def headline(story: Story) -> str:
    """What happened, in a sentence: the first day, the worst, and the last one that was like it."""
    told = [(each, each.true_accuracy) for each in story.chapters if each.true_accuracy is not None]
    if not told:
        return "Nothing has been filmed yet"
    worst, least = min(told, key=lambda each: each[1])
    learnt = [value for each, value in told if each.day.conditions == worst.day.conditions][-1]
    began = f"Right on {percent(told[0][1])} of vehicles, then on {percent(least)}"
    return f"{began}, and on {percent(learnt)} of the same kind once it had learnt" if learnt > least else began


def accuracy_plot(story: Story) -> Plot:
    """Accuracy over the days: of labels with their intervals, and of all vehicles."""
    chapters, threshold = story.chapters, story.threshold
    across = linear(0, max(len(chapters) - 1, 1), CHART.left + 60, CHART.right - 60)
    up = linear(0.0, 1.0, CHART.bottom, CHART.top)
    labelled = [(x, share) for x, each in enumerate(chapters) if (share := accuracy(each.report))]
    truths = [(x, each.true_accuracy) for x, each in enumerate(chapters) if each.true_accuracy is not None]
    whiskers = [upright(across(x), up(share.low), up(share.high), "one") for x, share in labelled]
    return Plot(
        "Accuracy over the days",
        CHART,
        x_ticks=[Tick(across(x), each.day.name[5:]) for x, each in enumerate(chapters)],
        y_ticks=[Tick(up(value), percent(value, 0)) for value in MARKS],
        lines=[
            Line(path([(0, threshold), (max(len(chapters) - 1, 1), threshold)], across, up), "ideal"),
            Line(path(truths, across, up), "two"),
            *whiskers,
        ],
        dots=[
            *(Dot(across(x), up(value), 3.2, "two", f"all vehicles: {percent(value)}") for x, value in truths),
            *(Dot(across(x), up(share.value), 4.4, "one", f"{of_share(share)} labelled") for x, share in labelled),
        ],
        rules=list(_promotions(chapters, across)),
    )


def _promotions(chapters: list[Chapter], across: Scale) -> Iterator[Tick]:
    """Where another model began to serve."""
    for x, (before, after) in enumerate(pairwise(chapters)):
        if before.champion != after.champion:
            yield Tick(across(x + 0.5), f"{after.champion} serves")


@cache
def _environment() -> jinja2.Environment:
    made = environment(Path(__file__).parent)
    made.filters.update(percent=percent, points=points, long_day=long_day)
    return made
