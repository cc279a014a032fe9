"""Rules about a day's report: a table in TOML, a pure judgement, and words that a person can act on.

shipped.toml, or a team's own ──► Rules ─┐
DayReport ──► History ───────────────────┴─► judge ──► Judgement
"""

from monitor.rules.history import History
from monitor.rules.judging import judge
from monitor.rules.rule import Rule, Rules
from monitor.rules.table import load_rules, shipped_rules

__all__ = ["History", "Rule", "Rules", "judge", "load_rules", "shipped_rules"]
