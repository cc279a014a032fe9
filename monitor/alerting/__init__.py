"""Alerts that live: opened by findings and broken rules, acknowledged by people, resolved by themselves.

    news of a camera ─► findings ─► held together ─► a cause ─┐                    ┌─► acknowledged ─┐
                                                              ├─► open ─┬──────────┴─────────────────┴─► resolved
    a day's report ───► rules ────► broken ───────────────────┘         └── worse: told again             │
                                                                  ▲                                       │
                                                                  └── the same within a day: no new alert ┘

One fault is one alert, and an alert is one mail for each recipient. Times are event times: nothing here reads a clock,
and the same records in the same order give the same alerts. What a clock or another topic tells is kept apart.
"""

from monitor.alerting.book import AlertBook
from monitor.alerting.pace import Pace

__all__ = ["AlertBook", "Pace"]
