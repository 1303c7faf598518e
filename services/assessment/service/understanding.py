"""RPCs in, for understanding the present: what-if, profile, delegation, work queue."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2, guidance_pb2, understanding_pb2_grpc
from livinglab.assessment.v1 import understanding_pb2 as pb

from chassis import auth, mongo
from chassis.errors import Violation, invalid, not_found
from instruments.guidance import Guides
from instruments.scoring import Scorer
from services.assessment.model import criteria, cycle, self_assessment, work
from services.assessment.model.profile import profile
from services.assessment.model.what_if import what_if
from services.assessment.service import access
from services.assessment.store.editions import Editions
from services.assessment.store.evaluations import Store
from services.assessment.store.evidence import EvidenceStore
from services.assessment.store.guidance import Guidances


class UnderstandingService(understanding_pb2_grpc.UnderstandingServiceServicer):
    """The contract, on one store and the editions of instruments."""

    def __init__(self, store: Store, reach: access.Access, editions: Editions, guidances: Guidances) -> None:
        self._store = store
        self._access = reach
        self._editions = editions
        self._guidances = guidances
        self._evidence = EvidenceStore(store.db)

    async def WhatIf(self, request: pb.WhatIfRequest, context: Any) -> pb.WhatIfResponse:
        values, scorer = await self._base(request)
        self_assessment.require_levels("changes", request.changes, scorer)
        changes = {one.indicator: one.value for one in request.changes}
        self_assessment.require_count(len(values.keys() | changes.keys()))
        return what_if(values, changes, scorer)

    async def GetProfile(self, request: pb.GetProfileRequest, context: Any) -> pb.GetProfileResponse:
        evaluation = await self._access.visible(request.evaluation_id)
        edition = await self._editions.of(evaluation)
        return profile(evaluation, edition.instrument, edition.scorer)

    async def DelegateIndicators(
        self, request: pb.DelegateIndicatorsRequest, context: Any
    ) -> pb.DelegateIndicatorsResponse:
        async def decide(tx: mongo.Tx) -> pb.DelegateIndicatorsResponse:
            evaluation = await self._access.own(request.evaluation_id, tx)
            scorer = (await self._editions.of(evaluation)).scorer
            outcome = work.delegate(evaluation, request, scorer, auth.caller().subject, datetime.now(UTC))
            await access.save(self._store, tx, evaluation, outcome)
            return pb.DelegateIndicatorsResponse(evaluation=access.shown(evaluation, scorer))

        return await self._store.db.once(request, decide, pb.DelegateIndicatorsResponse)

    async def ListWork(self, request: pb.ListWorkRequest, context: Any) -> pb.ListWorkResponse:
        evaluation = await self._access.own_items(request.evaluation_id, ())
        agency = auth.caller().care() or request.agency
        edition = await self._editions.of(evaluation)
        today = cycle.today(datetime.now(UTC))
        items = work.queue(evaluation, edition.instrument, edition.scorer, agency, today)
        guides = await self._guidances.of(evaluation)
        for item, needs in zip(items, await self._needs(evaluation, edition.scorer, guides, items), strict=True):
            item.needs.CopyFrom(needs)
        return pb.ListWorkResponse(items=items)

    async def ListNeeds(self, request: pb.ListNeedsRequest, context: Any) -> pb.ListNeedsResponse:
        evaluation = access.narrowed(await self._access.own_items(request.evaluation_id, request.indicators))
        scorer, guides = (await self._editions.of(evaluation)).scorer, await self._guidances.of(evaluation)
        strangers = dict(scorer.strangers(request.indicators))
        if strangers:
            faults = [
                Violation(f"indicators[{i}]", f"{code} {strangers[code]}")
                for i, code in enumerate(request.indicators)
                if code in strangers
            ]
            raise invalid(faults)
        shown = await self._evidence.all_shown(evaluation.id)
        values = cycle.values_of(evaluation)
        given = {one.indicator for one in evaluation.delegations} if auth.caller().care() else ()
        found = criteria.needs(evaluation, values, scorer, guides, shown, request.indicators or given)
        return pb.ListNeedsResponse(indicators=found, warnings=criteria.warnings(found, guides))

    async def _needs(
        self, evaluation: evaluation_pb2.Evaluation, scorer: Scorer, guides: Guides, items: Iterable[pb.WorkItem]
    ) -> list[guidance_pb2.IndicatorNeeds]:
        """In the order of the items."""
        codes = [item.indicator for item in items]
        if not codes:
            return []
        shown = await self._evidence.all_shown(evaluation.id)
        found = criteria.needs(evaluation, cycle.values_of(evaluation), scorer, guides, shown, codes)
        by_code = {one.indicator: one for one in found}
        return [by_code[code] for code in codes]

    async def _base(self, request: pb.WhatIfRequest) -> tuple[Mapping[str, str], Scorer]:
        if bool(request.evaluation_id) == bool(request.instrument):
            faults = [Violation("evaluation_id", "or instrument is needed, not both")]
            raise invalid(faults)
        if request.evaluation_id:
            if request.values or request.instrument_version:
                field = "values" if request.values else "instrument_version"
                raise invalid([Violation(field, "come from the evaluation: leave it out")])
            evaluation = await self._access.visible(request.evaluation_id)
            values = cycle.values_of(evaluation)
            scorer = (await self._editions.of(evaluation)).scorer
            return values, scorer.without(cycle.absent_of(evaluation, values))
        # Bare values are nobody's.
        auth.caller().institution_checked = True
        edition = await self._editions.find(request.instrument, request.instrument_version)
        if edition is None:
            raise not_found("instrument", request.instrument)
        self_assessment.require_levels("values", request.values, edition.scorer)
        return {one.indicator: one.value for one in request.values}, edition.scorer
