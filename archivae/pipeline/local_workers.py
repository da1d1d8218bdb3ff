"""Worker processes on this machine whose death ends the job.

Beam's own would wait for the answer of a worker that was killed, as those are that take too much memory, for ever.
"""

from __future__ import annotations

import threading

from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import SubprocessSdkWorkerHandler, WorkerHandler

_ASKED_EVERY = 0.5  # seconds between answers to what was asked of a dead worker


def watch_workers() -> None:
    """Have the runners of this process watch the worker processes that they start from now on."""
    WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(_WatchedWorker)


class _WatchedWorker(SubprocessSdkWorkerHandler):
    def start_worker(self) -> None:
        self._stopped = threading.Event()
        super().start_worker()
        threading.Thread(target=self._answer_for_the_dead, name="watch_worker", daemon=True).start()

    def stop_worker(self) -> None:
        self._stopped.set()
        super().stop_worker()

    def _answer_for_the_dead(self) -> None:
        """Once the process is gone, say in its place that what it was asked for failed."""
        self.worker_thread.join()
        reason = "a worker process was killed, perhaps for the memory that it took"
        while not self._stopped.wait(_ASKED_EVERY):
            asked = self.control_conn._futures_by_id
            for number in list(asked):
                asked.pop(number).set(beam_fn_api_pb2.InstructionResponse(instruction_id=number, error=reason))
