"""gRPC in and out."""

from chassis.outgoing import channel
from chassis.rpc.server import Served, Server

__all__ = ["Served", "Server", "channel"]
