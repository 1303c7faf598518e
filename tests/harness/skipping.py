"""The server on which months pass in a second."""

from temporalio.testing import WorkflowEnvironment

from chassis.temporal import payloads
from services.program.engine import visibility
from stack import binaries


async def time_skipping() -> WorkflowEnvironment:
    """The time-skipping server, found as any other server is."""
    program = binaries.find(binaries.TEMPORAL_TEST_SERVER)
    env = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(program), data_converter=payloads.CONVERTER
    )
    # It takes no workflow with search attributes that it was not told of, and does not say which ones it knows.
    addition = visibility.addition(env.client.namespace, visibility.NAMES)
    await env.client.operator_service.add_search_attributes(addition)
    return env
