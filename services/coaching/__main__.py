"""Wiring of the coaching process."""

from livinglab.coaching.v1 import (
    assignment_service_pb2,
    assignment_service_pb2_grpc,
    follow_up_service_pb2,
    follow_up_service_pb2_grpc,
    memorandum_service_pb2,
    memorandum_service_pb2_grpc,
    minutes_service_pb2,
    minutes_service_pb2_grpc,
    plan_service_pb2,
    plan_service_pb2_grpc,
    practice_service_pb2,
    practice_service_pb2_grpc,
    service_pb2,
    service_pb2_grpc,
    visit_service_pb2,
    visit_service_pb2_grpc,
)

from chassis import runtime
from chassis.rpc import Served
from directory.assignments import Assignments
from directory.projection import Institutions
from services.coaching import reactions
from services.coaching.service.assignments import AssignmentService
from services.coaching.service.coaching import CoachingService
from services.coaching.service.follow_ups import FollowUpService
from services.coaching.service.memoranda import MemorandumService
from services.coaching.service.minutes import MinutesService
from services.coaching.service.plans import PlanService
from services.coaching.service.practices import PracticeService
from services.coaching.service.visits import VisitService
from services.coaching.store.assignments import AssignmentRows
from services.coaching.store.coaching import Store
from services.coaching.store.follow_ups import FollowUps
from services.coaching.store.memoranda import Memoranda
from services.coaching.store.minutes import MinutesStore
from services.coaching.store.plans import PlanStore
from services.coaching.store.practices import Practices


async def main(process: runtime.Process) -> None:
    """Listens to evaluations, serves, and publishes what it decides."""
    store = Store(await process.database())
    await store.prepare()
    rows = AssignmentRows(store)
    await rows.prepare()
    plans = PlanStore(store.db)
    await plans.prepare()
    catalogue = Practices(store.db)
    await catalogue.prepare()
    institutions = Institutions(store.db)
    await institutions.prepare()
    process.background("institutions", institutions.follow())
    assignments = Assignments(store.db)
    await assignments.prepare()
    kept = FollowUps(store.db)
    await kept.prepare()
    follow_ups = FollowUpService(kept, store, assignments, institutions.known)
    process.background("follow-ups", follow_ups.look_out())
    minutes_kept = MinutesStore(store.db)
    await minutes_kept.prepare()
    minutes = MinutesService(minutes_kept, store, plans, assignments, institutions.known)
    process.background("missed sessions", minutes.look_out())
    memoranda_kept = Memoranda(store.db)
    await memoranda_kept.prepare()
    memoranda = MemorandumService(memoranda_kept, assignments, institutions.known)
    process.background("memoranda", memoranda.look_out())
    await process.relay(store.db)
    await process.consume(store.db, reactions.table(store, plans, institutions))
    await process.serve(
        Served(
            service_pb2.DESCRIPTOR.services_by_name["CoachingService"],
            CoachingService(store, plans, assignments, institutions.known),
            service_pb2_grpc.add_CoachingServiceServicer_to_server,
        ),
        Served(
            plan_service_pb2.DESCRIPTOR.services_by_name["PlanService"],
            PlanService(store, plans, assignments, institutions.known),
            plan_service_pb2_grpc.add_PlanServiceServicer_to_server,
        ),
        Served(
            visit_service_pb2.DESCRIPTOR.services_by_name["VisitService"],
            VisitService(store, assignments, institutions.known),
            visit_service_pb2_grpc.add_VisitServiceServicer_to_server,
        ),
        Served(
            follow_up_service_pb2.DESCRIPTOR.services_by_name["FollowUpService"],
            follow_ups,
            follow_up_service_pb2_grpc.add_FollowUpServiceServicer_to_server,
        ),
        Served(
            minutes_service_pb2.DESCRIPTOR.services_by_name["MinutesService"],
            minutes,
            minutes_service_pb2_grpc.add_MinutesServiceServicer_to_server,
        ),
        Served(
            memorandum_service_pb2.DESCRIPTOR.services_by_name["MemorandumService"],
            memoranda,
            memorandum_service_pb2_grpc.add_MemorandumServiceServicer_to_server,
        ),
        Served(
            practice_service_pb2.DESCRIPTOR.services_by_name["PracticeService"],
            PracticeService(catalogue, store, assignments, institutions.known),
            practice_service_pb2_grpc.add_PracticeServiceServicer_to_server,
        ),
        Served(
            assignment_service_pb2.DESCRIPTOR.services_by_name["AssignmentService"],
            AssignmentService(rows, plans, store, institutions.known),
            assignment_service_pb2_grpc.add_AssignmentServiceServicer_to_server,
        ),
    )


if __name__ == "__main__":
    runtime.run("coaching", main)
