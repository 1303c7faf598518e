"""TLS: the certificate that a process shows, and the authorities that it trusts. The files are read again when they
change, so a certificate is renewed without a restart."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:
    # Half of what a command takes to start, which needs it for its type alone.
    from chassis.config import Settings


@dataclass(frozen=True)
class Tls:
    """Files in PEM. `authorities` are whose certificates are believed: of servers that are called and, with `mutual`,
    of clients that call. Nothing is encrypted where neither a certificate nor authorities are named."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None
    mutual: bool = False

    def __post_init__(self) -> None:
        """ValueError for half of what belongs together."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a TLS certificate and its key are named together")
        if self.mutual and not (self.certificate and self.authorities):
            raise ValueError("mutual TLS needs a certificate and the authorities of those who call")

    def server(self) -> grpc.ServerCredentials | None:
        """What a gRPC server listens with; None where it speaks plainly."""
        if self.certificate is None:
            return None
        read = _WhenChanged(self._files, self._server_configuration)
        fetched = read.current()

        def fetch() -> Any:
            return read.current()

        return grpc.dynamic_ssl_server_credentials(fetched, fetch, require_client_authentication=self.mutual)

    def channel(self, address: str, options: Any, interceptors: Any) -> grpc.aio.Channel:
        """A gRPC channel that calls so; it connects anew when a file has changed."""
        if self.authorities is None and not self.mutual:
            return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)

        def make() -> grpc.aio.Channel:
            credentials = grpc.ssl_channel_credentials(*self._client_files())
            return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)

        return _Renewed(_WhenChanged(self._files, make))

    def context(self) -> ssl.SSLContext | None:
        """What other clients call with; None where they speak plainly."""
        if self.authorities is None:
            return None
        return _Context.of(self)

    def _files(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.certificate, self.key, self.authorities) if path is not None)

    def _client_files(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        own = (_read(self.key), _read(self.certificate)) if self.mutual else (None, None)
        return _read(self.authorities), *own

    def _server_configuration(self) -> Any:
        pair = (_read(self.key) or b"", _read(self.certificate) or b"")
        return grpc.ssl_server_certificate_configuration([pair], _read(self.authorities) if self.mutual else None)


class _WhenChanged:
    """Something made of files, made again when one of them is another one. Half-written files change nothing: what was
    made last goes on until all of them can be read."""

    def __init__(self, files: Callable[[], tuple[Path, ...]], make: Callable[[], Any]) -> None:
        self._files = files
        self._make = make
        self._stamp: tuple[int, ...] = ()
        self._made: Any = None

    def current(self) -> Any:
        """The newest that could be made; OSError or ValueError where none ever could."""
        try:
            stamp = tuple(path.stat().st_mtime_ns for path in self._files())
            if stamp != self._stamp:
                self._made, self._stamp = self._make(), stamp
        except (OSError, ValueError):
            if self._made is None:
                raise
        return self._made


class _Context(ssl.SSLContext):
    """Looks at its files before each handshake. Each time that they have changed another context is made: one that has
    believed an authority once does so for good, and takes it for a new one of the same name."""

    _renewed: _WhenChanged
    _protocols: tuple[str, ...] = ()

    @classmethod
    def of(cls, tls: Tls) -> "_Context":
        context = cls(ssl.PROTOCOL_TLS_CLIENT)

        def load() -> ssl.SSLContext:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if tls.authorities is not None:
                made.load_verify_locations(tls.authorities)
            if tls.mutual and tls.certificate is not None:
                made.load_cert_chain(tls.certificate, tls.key)
            return made

        context._renewed = _WhenChanged(tls._files, load)
        context._renewed.current()
        return context

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Of every handshake from here on."""
        self._protocols = tuple(alpn_protocols)

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """What event loops wrap their connections with."""
        newest: ssl.SSLContext = self._renewed.current()
        if self._protocols:
            newest.set_alpn_protocols(self._protocols)
        return newest.wrap_bio(*arguments, **named)


class _Renewed(grpc.aio.Channel):
    """A channel in whose place another one comes when its certificates have changed. Calls under way end on the old
    one."""

    def __init__(self, channels: _WhenChanged) -> None:
        self._channels = channels
        self._past: list[grpc.aio.Channel] = []
        self._now: grpc.aio.Channel = channels.current()

    def current(self) -> grpc.aio.Channel:
        """The one for calls that begin now."""
        newest: grpc.aio.Channel = self._channels.current()
        if newest is not self._now:
            self._past.append(self._now)
            self._now = newest
        return newest

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """As the channel of now has it."""
        return _Call(self, lambda channel: channel.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """As the channel of now has it."""
        return _Call(self, lambda channel: channel.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """As the channel of now has it."""
        return _Call(self, lambda channel: channel.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """As the channel of now has it."""
        return _Call(self, lambda channel: channel.stream_stream(*arguments, **named))

    async def close(self, grace: float | None = None) -> None:
        """All of them."""
        for channel in (*self._past, self._now):
            await channel.close(grace)

    async def __aenter__(self) -> "_Renewed":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Of the channel of now."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Of the channel of now."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Of the channel of now."""
        await self.current().channel_ready()


class _Call:
    """One method, on whichever channel is the newest."""

    def __init__(self, owner: _Renewed, make: Callable[[grpc.aio.Channel], Any]) -> None:
        self._owner = owner
        self._make = make
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        channel = self._owner.current()
        if channel is not self._channel:
            self._channel, self._call = channel, self._make(channel)
        return self._call(*arguments, **named)


PLAIN = Tls()


def of(settings: "Settings") -> Tls:
    """As the settings say."""
    return Tls(settings.tls_certificate, settings.tls_key, settings.tls_authorities, settings.tls_mutual)


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
