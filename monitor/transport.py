"""Faust's way to Kafka, reading only what was committed.

Faust reads uncommitted records unless it runs its own transactions, which are not to be trusted; but observations are
written in transactions, and those that were aborted must not be seen.
"""

from typing import Any

from faust import App
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport


class CommittedThread(AIOKafkaConsumerThread):
    """Makes consumers that skip aborted records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class CommittedConsumer(Consumer):
    """Faust's consumer on such a thread."""

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(Transport):
    """Faust's transport with such a consumer."""

    Consumer = CommittedConsumer


class CommittedApp(App):
    """A Faust app on such a transport."""

    def _new_transport(self) -> CommittedTransport:
        return CommittedTransport(self.conf.broker_consumer, self)
