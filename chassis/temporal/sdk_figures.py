"""The figures of Temporal's own library, told with those of the process: on the same port, at the same path.

The library is native and tells them at an address of its own; here that is one that only this machine can reach, and
whoever asks the process is given both. One port to scrape, one to open in a policy."""

import functools
import socket
import urllib.request
from collections.abc import Iterable

from prometheus_client import REGISTRY, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from chassis import telemetry

# A port that is free may be taken by somebody else before the library has it.
_TRIES = 20
_SECONDS = 2.0


class _Figures(Collector):
    """What the library tells at that address."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/metrics"

    def describe(self) -> Iterable[Metric]:
        """Nothing before it is asked for: which figures there are the library knows when it has some."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Empty where the library does not answer: the figures of the process are told all the same."""
        try:
            with urllib.request.urlopen(self._url, timeout=_SECONDS) as answer:
                text = answer.read().decode()
        except OSError as error:
            telemetry.log.warning("no figures of Temporal's library", because=str(error))
            return
        yield from text_string_to_metric_families(text)


@functools.cache
def runtime() -> Runtime:
    """The library's runtime whose figures this process tells; one, however often it is asked for. ValueError where it
    finds no port to tell them at."""
    for last in range(_TRIES):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        told = PrometheusConfig(
            bind_address=address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        )
        try:
            made = Runtime(telemetry=TelemetryConfig(metrics=told))
        except ValueError:
            if last == _TRIES - 1:
                raise
            continue
        REGISTRY.register(_Figures(address))
        return made
    raise AssertionError
