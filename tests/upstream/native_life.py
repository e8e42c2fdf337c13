"""A native pool to which anything may happen in any order."""

from __future__ import annotations

from apigateway.testing.exchanges import exchange_for
from apigateway.testing.receiver import RecordingReceiver
from apigateway.upstream.pool.crowding import PATIENCE_S
from apigateway.upstream.steps.time_limits import NEVER
from tests.upstream.native_bench import LAST, OK, Bench

OPERATIONS = (
    "lease", "lease", "lease", "lease fresh", "connect", "connect", "refuse", "answer", "answer", "answer and close",
    "lose", "stop waiting", "give up", "sweep", "at once", "close", "lease arriving", "drip", "siege", "arrive",
)  # fmt: skip


class Life:
    """A pool to which anything may happen; after each step it must be in order."""

    def __init__(self, case, connections, waiting):
        self.case = case
        self.bench = Bench(connections=connections, waiting=waiting, idle=5.0)
        self.receivers = []
        self.fresh = set()
        self.stopped = {}
        self.is_closed = False
        self.reused = 0

    def waiting(self):
        return [one for one in self.receivers if not (one.attempt or one.error or one in self.stopped)]

    def busy(self):
        return [
            one for one in self.receivers
            if one.attempt and not (one.is_ended or one.error or one.stopped or one in self.stopped)
        ]  # fmt: skip

    def idle(self):
        lent = [one.attempt for one in self.busy()]
        return [one for one in self.bench.connections if one not in lent]

    def lease(self, fresh, arriving=False):
        bench, idle = self.bench, self.idle()
        receiver = RecordingReceiver(lambda attempt: self.leased(receiver, attempt))
        if arriving:
            self.drips(receiver)
        self.receivers.append(receiver)
        if fresh:
            self.fresh.add(receiver)
        bench.pool.lease(receiver, fresh)
        if idle and not fresh and not arriving:
            self.case.assertIs(receiver.attempt, max(idle, key=lambda one: one.idle_since))

    def leased(self, receiver, attempt):
        self.reused += attempt.reused
        self.case.assertFalse(attempt.reused and receiver in self.fresh)
        self.case.assertNotIn(receiver, self.stopped)
        attempt.start(b"GET", b"/", b"", 0)

    def drips(self, receiver):
        """From now on its client is awaited, and sends next to nothing."""
        receiver.exchange = exchange_for("PUT", body=b"x")
        receiver.exchange.downstream.is_whole = False
        receiver.deadline = NEVER

    def dawdle(self, operation, receiver):
        """A client begins to drip, or has sent all; or all drip for so long that it is known."""
        if operation == "arrive":
            receiver.exchange.downstream.is_whole, receiver.deadline = True, 0.0
        elif operation == "drip":
            self.drips(receiver)
        else:
            for one in self.busy():
                self.drips(one)
            self.bench.sweep(0)
            self.bench.sweep(PATIENCE_S)

    def step(self, operation, number):
        def pick(choices):
            return choices[number % len(choices)]

        bench = self.bench
        bench.now += 0.01
        if operation.startswith("lease"):
            self.lease(operation == "lease fresh", operation == "lease arriving")
        elif operation in ("drip", "siege", "arrive") and self.busy():
            self.dawdle(operation, pick(self.busy()))
        elif operation in ("connect", "refuse") and bench.dials:
            bench.end_dial(number % len(bench.dials), operation == "connect")
        elif operation.startswith("answer") and self.busy():
            pick(self.busy()).attempt.dataReceived(OK if operation == "answer" else LAST)
        elif operation == "lose" and bench.connections:
            bench.lose(pick(bench.connections))
        elif operation == "stop waiting" and self.waiting():
            receiver = pick(self.waiting())
            self.stopped[receiver] = list(receiver.events)
            bench.pool.cancel(receiver)
        elif operation == "give up" and self.busy():
            receiver = pick(self.busy())
            self.stopped[receiver] = list(receiver.events)
            receiver.attempt.cancel()
        elif operation == "sweep":
            bench.sweep(number)
            bench.tell_losses()
            self.case.assertFalse([one for one in self.idle() if one.idle_since <= bench.now - 5.0])
        elif operation == "at once":
            bench.at_once = pick((None, True, False))
        elif operation == "close" and number == 0:
            bench.pool.close()
            self.is_closed = True
        bench.tell_losses()
        self.check()

    def check(self):
        case, bench, options = self.case, self.bench, self.bench.options
        waiting, idle, dials = len(self.waiting()), len(self.idle()), len(bench.dials)
        case.assertLessEqual(len(bench.connections) + dials, options.connections)
        case.assertLessEqual(waiting - dials, options.waiting)
        case.assertEqual([one.events for one in self.stopped], list(self.stopped.values()))
        case.assertEqual(
            bench.pool.statistics(),
            {
                "open": len(bench.connections),
                "idle": idle,
                "waiting": waiting,
                "opened": bench.opened,
                "reused": self.reused,
            },
        )
        case.assertTrue(all(one.deadline == NEVER for one in self.receivers if one.stopped), "only who is awaited")
        arriving = [one for one in self.waiting() if not one.exchange.downstream.is_whole]
        if waiting > dials and not self.is_closed and not arriving:
            # Nobody waits in a line while there is something to be had.
            case.assertEqual((len(self.busy()) + dials, idle), (options.connections, 0))
        if self.is_closed:
            case.assertEqual(idle, 0)

    def come_to_rest(self):
        """Make and answer everything that is under way."""
        bench = self.bench
        bench.at_once = None
        # What is enough for all is seen when it is looked.
        self.step("sweep", 0)
        while bench.dials or self.busy():
            self.step("connect", 0)
            self.step("answer", 0)
            self.step("sweep", 0)
