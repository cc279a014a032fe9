"""Digests on their way out: collected when they are due, tried until they are taken.

    a cut has passed ─► on record? ─► read the alerts ─► anything to tell? ─┬─ no ──► on record
                                                                            └─ yes ─► mail ─┬─ taken ──► on record
                                                             ▲                              ├─ refused ► on record
                                                             └──────── later, with backoff ─┴─ deferred

On record are the alerts told, each as if by a mail of its own, and after them the digest. A kill before that sends it
once more under the same Message-ID. What a refused digest would have told, the next one tells.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from monitor.digest_mail import compose_digest, digest_message_id
from monitor.digests import (
    Cut,
    Digest,
    Habits,
    Logged,
    Post,
    asked_of,
    begins,
    cut_before,
    digest_id,
    digest_of,
    latest_cut,
    name_of,
    posts_of,
)
from monitor.errands import Courier, Deliveries, Desk, Surroundings
from monitor.mail import NO_MAIL
from schemas.errors import MailError
from schemas.records import Delivery

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A digest that was not taken yet."""

    digest: Digest
    "What it tells."
    taken_s: float
    "When it was made, by the monotonic clock."


class Digester:
    """Sends digests; holds which cuts are done with and which digests wait."""

    def __init__(
        self,
        desk: Desk,
        courier: Courier,
        deliveries: Deliveries,
        alerts: Callable[[], Iterable[Logged]],
        around: Surroundings,
    ) -> None:
        """`alerts` reads their topic, from its beginning to its end."""
        self._desk = desk
        self._courier = courier
        self._deliveries = deliveries
        self._alerts = alerts
        self._around = around
        self._posts = posts_of(desk.subscribers)
        self._habits = Habits(desk.digest_at, desk.timezone, desk.reminder_days)
        self._done: dict[Post, Cut] = {}
        self._waiting: dict[Post, Waiting] = {}

    def forget(self) -> None:
        """Let go of what waits and of what was done: another mailer may go on with it."""
        self._done.clear()
        self._waiting.clear()

    def serve(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Make the digests that have become due, and try each that waits, once, until `go_on` says no.

        Raises BrokerError where the alerts or the record cannot be read.
        """
        self._courier.record_late()
        self._collect()
        for post, waiting in list(self._waiting.items()):
            if not go_on():
                return
            if self._courier.due(post.recipient):
                self._serve(waiting)

    def _collect(self) -> None:
        now = self._around.clock()
        cuts = {post: latest_cut(now, post.pace, self._habits) for post in self._posts}
        due = {post: cut for post, cut in cuts.items() if self._done.get(post) != cut and not self._has(post, cut)}
        if not due:
            return
        logged = list(self._alerts())
        known = self._deliveries.delivered(
            {name for post, cut in due.items() for name in asked_of(post, cut, logged, self._habits)}
        )
        for post, cut in due.items():
            self._take_up(digest_of(post, cut, logged, known, self._habits), known)

    def _has(self, post: Post, cut: Cut) -> bool:
        return post in self._waiting and self._waiting[post].digest.cut == cut

    def _take_up(self, digest: Digest, known: set[str]) -> None:
        """Let it wait for its first try, unless it was told before or has nothing to tell.

        The first of all puts on record where it begins, so that those after it catch up on no more, should it fail.
        """
        post, cut = digest.post, digest.cut
        self._waiting.pop(post, None)
        if digest_id(post, cut.day) in known:
            self._done[post] = cut
            return
        if begins(post, cut, known, self._habits) is None:
            self._courier.record(self._delivery(post, cut_before(cut, post.pace, self._habits), NO_MAIL))
        if digest.told:
            self._waiting[post] = Waiting(digest, self._around.monotonic())
        else:
            self._close(digest, NO_MAIL)

    def _serve(self, waiting: Waiting) -> None:
        digest, recipient = waiting.digest, waiting.digest.post.recipient
        at, timezone = self._around.clock(), self._desk.timezone
        mail = compose_digest(digest, self._desk.sender, at=at, timezone=timezone)
        try:
            taken = self._courier.carry(mail, recipient, waiting.taken_s)
        except MailError as error:
            self._refuse(digest, error)
            return
        if taken:
            log.info("digest delivered", day=digest.cut.day, pace=digest.post.pace, recipient=recipient)
            self._close(digest, digest_message_id(digest, self._desk.sender), digest.told)

    def _refuse(self, digest: Digest, error: MailError) -> None:
        self._around.count("refused")
        log.error(
            "digest refused for good, its alerts are left to the next one",
            day=digest.cut.day,
            pace=digest.post.pace,
            recipient=digest.post.recipient,
            alerts=len(digest.told),
            error=str(error),
        )
        self._close(digest, NO_MAIL)

    def _close(self, digest: Digest, message: str, told: Iterable[tuple[str, str]] = ()) -> None:
        """Be done with a digest: the alerts told go on record before it, so that the next one does not tell them again."""
        post, now = digest.post, self._around.clock()
        self._waiting.pop(post, None)
        self._done[post] = digest.cut
        alerts = [Delivery(name, alert, post.recipient, message, now) for name, alert in told]
        self._courier.record(*alerts, self._delivery(post, digest.cut, message))

    def _delivery(self, post: Post, cut: Cut, message: str) -> Delivery:
        identity = digest_id(post, cut.day), name_of(cut.day), post.recipient
        return Delivery(*identity, message, self._around.clock())
