"""How the commands about webhooks ask, and how one is shown."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livinglab.notify.v1 import webhook_pb2


def call(method: str, request: Any) -> Any:
    """What the service answers."""
    from livinglab.notify.v1.webhook_service_pb2_grpc import WebhookServiceStub

    from cli.speak import connection

    return connection.call("notify", WebhookServiceStub, method, request)


def word(enum: Any, number: int, prefix: str) -> str:
    """The value of an enumeration in lower case."""
    return str(enum.Name(number)).removeprefix(prefix).lower()


def moment(message: Any, field: str) -> str | None:
    """A time of a message as ISO 8601, None where it has none."""
    from cli.cohort.view import iso

    return iso(getattr(message, field)) if message.HasField(field) else None


def as_dict(webhook: "webhook_pb2.Webhook") -> dict[str, Any]:
    """A webhook for programs."""
    from livinglab.notify.v1 import webhook_pb2

    return {
        "id": webhook.id,
        "url": webhook.url,
        "subjects": list(webhook.subjects),
        "institution": webhook.institution,
        "everything": webhook.everything,
        "rehearsals": webhook.rehearsals,
        "description": webhook.description,
        "state": word(webhook_pb2.WebhookState, webhook.state, "WEBHOOK_STATE_"),
        "reason": webhook.reason,
        "created_by": webhook.created_by,
        "created": moment(webhook, "create_time"),
        "public_keys": list(webhook.public_keys),
        "rotation_ends": moment(webhook, "rotation_end_time"),
        "places": dict(sorted(webhook.places.items())),
        "waiting": webhook.waiting,
        "failed": webhook.failed,
        "last_success": moment(webhook, "last_success_time"),
        "failing_since": moment(webhook, "failing_since"),
        "last_error": webhook.last_error,
        "clock_offset_seconds": webhook.clock_offset_seconds,
    }
