"""Somebody else's instrument needs a file only: lint, publish, evaluate, score, all the way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livinglab.assessment.v1 import evaluation_pb2, events_pb2, instrument_pb2, service_pb2, understanding_pb2

from chassis.errors import Kind
from instruments.file import lint_content, load
from stack.issuer import Issuer
from tests.harness.evaluation import DOCUMENT, INTERVIEW, REVIEW, People, answers, request_id
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually

FILES = Path(__file__).parents[2] / "data" / "instruments"


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield People(running)


async def publish(people: People, instrument: instrument_pb2.Instrument) -> None:
    request = service_pb2.PublishInstrumentRequest(request_id=request_id(), instrument=instrument)
    await people.basic("manager").PublishInstrument(request)


async def from_file(people: People, name: str) -> instrument_pb2.Instrument:
    content = (FILES / f"{name}.yaml").read_bytes()
    assert lint_content(content) == []
    instrument = load(content)
    await publish(people, instrument)
    people.instrument = instrument.id
    return instrument


async def rest_of_the_way(people: People) -> str:
    await people.assign("ani")
    await people.conclude(DOCUMENT)
    await people.conclude(INTERVIEW)
    await people.review_all()
    await people.conclude(REVIEW)
    await people.determine()
    final = await people.publish()
    assert final.published_index == final.score.index
    return final.score.predicate


async def test_four_components_of_equal_weight_go_all_the_way(people: People) -> None:
    await from_file(people, "four-components")
    await people.open()
    given = answers("0.913", ["I"]) + answers("0.8255", ["II"]) + answers("0.5", ["III"]) + answers("1", ["IV"])
    await people.answer(given)
    after = await people.submit()
    # (0.913 + 0.8255 + 0.5 + 1) / 4 = 0.809625
    assert (after.score.index, after.score.index_exact, after.score.predicate) == ("0.81", "0.809625000000", "A")
    assert await rest_of_the_way(people) == "A"


async def test_86_binary_items_in_five_criteria_go_all_the_way(people: People) -> None:
    instrument = await from_file(people, "five-criteria")
    codes = [str(n) for n in range(1, 87)]
    assert len(instrument.nodes) == 5
    await people.open()
    refused = await refusal(people.answer(answers("0.5", ["1"])))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID_ARGUMENT, "answers[0]")
    await people.answer(answers("1", codes[:43]) + answers("0", codes[43:]))
    after = await people.submit()
    assert (after.score.index, after.score.predicate) == ("0.50", "High")
    assert await rest_of_the_way(people) == "High"


async def test_controls_with_brackets_in_their_numbers_answers_of_a_set_and_a_lowest_part_go_all_the_way(
    people: People,
) -> None:
    await from_file(people, "controls")
    await people.open()
    refused = await refusal(people.answer(answers("0.75", ["AC-2(1)"])))
    assert "0.75 is none of 0, 0.25, 0.5, 1" in refused.violations[0].description
    await people.answer(answers("1", ["AC-2(1)", "AT-1", "AT-2"]) + answers("0.5", ["AC-2(2)", "AC-2(3)", "HCI"]))
    after = await people.submit()
    # The lowest of three, 0.5; training 1; 0.5.
    assert (after.score.index, after.score.predicate) == ("0.67", "Closed")
    await people.assign("ani")
    assessed = await people.assess("ani", {"AC-2(2)": "0.25"})
    assert assessed.stage == DOCUMENT
    await people.conclude(DOCUMENT)
    await people.conclude(INTERVIEW)
    await people.review_all()
    await people.conclude(REVIEW)
    await people.determine()
    assert (await people.publish()).published_index == "0.58"


async def test_a_changed_file_under_the_same_version_is_refused(people: People) -> None:
    instrument = await from_file(people, "four-components")
    await publish(people, instrument)
    instrument.title = "Four other components"
    refused = await refusal(publish(people, instrument))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "INSTRUMENT_CHANGED")

    async def once() -> bool:
        facts = await people.running.published(events_pb2.InstrumentPublished)
        return [f.instrument_id for f in facts].count("four-components") == 1

    await eventually(once)


async def test_a_new_version_stands_beside_the_old_and_running_evaluations_keep_theirs(people: People) -> None:
    instrument = await from_file(people, "four-components")
    await people.open("2022")
    running = people.evaluation_id
    instrument.version = 2
    instrument.nodes.add(kind="component", number="V", name="Data")
    await publish(people, instrument)
    await people.open("2023")
    get = people.basic("operator").GetEvaluation
    old = (await get(service_pb2.GetEvaluationRequest(evaluation_id=running))).evaluation
    new = (await get(service_pb2.GetEvaluationRequest(evaluation_id=people.evaluation_id))).evaluation
    assert [(e.instrument_version, len(e.missing)) for e in (old, new)] == [(1, 4), (2, 5)]
    listed = (await people.basic("public").ListInstruments(service_pb2.ListInstrumentsRequest())).instruments
    assert [i.version for i in listed if i.id == "four-components"] == [2, 1]


async def test_every_fault_of_an_instrument_is_named_and_nothing_is_stored(people: People) -> None:
    instrument = instrument_pb2.Instrument(
        id="four.",
        title="Bad",
        source="invented",
        scale=instrument_pb2.Scale(kind=instrument_pb2.SCALE_KIND_ORDINAL, min="1", max="5"),
        aggregation=instrument_pb2.AGGREGATION_WEIGHTED_MEAN,
        nodes=[
            instrument_pb2.Node(kind="indicator", number="1", name="One", weight="60"),
            instrument_pb2.Node(kind="indicator", number="1", name="Two", weight="30"),
        ],
    )
    refused = await refusal(publish(people, instrument))
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert sorted(v.field for v in refused.violations) == [
        "instrument.id",
        "instrument.nodes",
        "instrument.nodes[1].number",
        "instrument.version",
    ]
    assert await people.running.db["instruments"].count_documents({"_id": {"$regex": "^four"}}) == 0


async def test_only_managers_publish_instruments(people: People) -> None:
    instrument = load((FILES / "four-components.yaml").read_bytes())
    request = service_pb2.PublishInstrumentRequest(request_id=request_id(), instrument=instrument)
    assert (await refusal(people.basic("head").PublishInstrument(request))).reason == "ROLE"


async def test_what_does_not_apply_leaves_the_mean_and_says_why(people: People) -> None:
    instrument = load((FILES / "four-components.yaml").read_bytes())
    instrument.nodes[3].may_not_apply = True
    await publish(people, instrument)
    people.instrument = instrument.id
    await people.open()
    absent = evaluation_pb2.Answer(indicator="IV", not_applicable=True, note="Tidak punya pelabuhan")
    given = answers("0.913", ["I"]) + answers("0.8255", ["II"]) + answers("0.5", ["III"])
    for wrong, reason in (
        (evaluation_pb2.Answer(indicator="IV", not_applicable=True), "answers[0].note"),
        (evaluation_pb2.Answer(indicator="IV", not_applicable=True, note="x", value="1"), "answers[0].value"),
        (evaluation_pb2.Answer(indicator="I", not_applicable=True, note="x"), "answers[0].not_applicable"),
        (evaluation_pb2.Answer(indicator="I"), "answers[0].value"),
    ):
        refused = await refusal(people.answer([wrong]))
        assert [one.field for one in refused.violations] == [reason]
    saved = await people.answer([absent])
    assert list(saved.missing) == ["I", "II", "III"]
    await people.answer(given)
    after = await people.submit()
    # (0.913 + 0.8255 + 0.5) / 3
    assert (after.score.index, after.score.index_exact) == ("0.75", "0.746166666667")
    [told] = await people.running.published(events_pb2.EvaluationSubmitted)
    assert (list(told.not_applicable), sorted(told.values)) == (["IV"], ["I", "II", "III"])
    profile = await people.understanding("head").GetProfile(
        understanding_pb2.GetProfileRequest(evaluation_id=people.evaluation_id)
    )
    assert [len(row.cells) for row in profile.rows] == [1, 1, 1, 0]
    await rest_of_the_way(people)
    [out] = await eventually(lambda: people.running.published(events_pb2.EvaluationPublished))
    assert list(out.not_applicable) == ["IV"]


async def test_an_assessor_who_gives_a_level_overrules_that_it_does_not_apply(people: People) -> None:
    instrument = load((FILES / "four-components.yaml").read_bytes())
    instrument.nodes[3].may_not_apply = True
    await publish(people, instrument)
    people.instrument = instrument.id
    await people.open()
    absent = evaluation_pb2.Answer(indicator="IV", not_applicable=True, note="Tidak punya pelabuhan")
    await people.answer([*answers("0.6", ["I", "II", "III"]), absent])
    await people.submit()
    await people.assign("ani")
    await people.assess("ani", {"IV": "0.2"})
    after = await people.conclude(DOCUMENT)
    # (0.6 + 0.6 + 0.6 + 0.2) / 4
    assert after.score.index == "0.50"
