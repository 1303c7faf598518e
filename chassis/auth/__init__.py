"""Who calls, and whether they may: tokens are checked against the issuer's keys, callers without a token are the
public, and each proto says who may call a method."""

from chassis.auth.identity import (
    Caller,
    Identity,
    actor,
    caller,
    moved,
    policy_of,
    require_roles,
    role_name,
    role_number,
    set_caller,
)
from chassis.auth.token_file import TokenFile
from chassis.auth.tokens import Verifier, verifier
from chassis.auth.visitors import Visitors

__all__ = [
    "Caller",
    "Identity",
    "TokenFile",
    "Verifier",
    "Visitors",
    "actor",
    "caller",
    "moved",
    "policy_of",
    "require_roles",
    "role_name",
    "role_number",
    "set_caller",
    "verifier",
]
