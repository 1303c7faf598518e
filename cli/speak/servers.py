"""Where the servers behind the services are, for commands that look after a platform."""

import os
from typing import TYPE_CHECKING

from cli.speak.output import fail
from stack.home import Home, home_folder

if TYPE_CHECKING:
    from stack.doctor.patient import Servers


def servers() -> "Servers":
    """Those that the variables of our processes name; what they do not, as the platform that runs here says."""
    from stack.doctor.patient import Servers

    here = Home(home_folder()).running_addresses()
    found = Servers(
        mongodb=os.environ.get("LIVINGLAB_MONGO_URI") or here.get("mongodb", ""),
        nats=os.environ.get("LIVINGLAB_NATS_URL") or here.get("nats", ""),
        temporal=os.environ.get("LIVINGLAB_TEMPORAL_ADDRESS") or here.get("temporal", ""),
        prefix=os.environ.get("LIVINGLAB_DATABASE_PREFIX", ""),
        namespace=os.environ.get("LIVINGLAB_TEMPORAL_NAMESPACE", "default"),
    )
    if not (found.mongodb and found.nats):
        fail("no platform runs here: start one with 'livinglab up', or name LIVINGLAB_MONGO_URI and LIVINGLAB_NATS_URL")
    return found
