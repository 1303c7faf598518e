"""Our own options against the released contract: who may call, what a field must look like, where an event goes.

buf compares fields and numbers and sees nothing of these, while a role that comes or goes, a limit that shrinks or a
subject with another field breaks callers, or lets them in, all the same. What is changed on purpose is named in CHANGED
until the next release of the contract (`make released`)."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import Message
from livinglab.common.v1 import options_pb2

FOLDER = Path(__file__).parent
PROTOS = FOLDER.parents[1] / "protos"

# Place: why it has another value than in the released contract.
CHANGED: dict[str, str] = {}
_LARGER = "a method that takes more than 64 KiB says so since requests are bounded by method"
CHANGED |= dict.fromkeys(
    (
        f"livinglab.{method} max_request_bytes"
        for method in (
            "assessment.v1.AssessmentService.PublishInstrument",
            "assessment.v1.AssessmentService.SaveAnswers",
            "assessment.v1.EvidenceService.AttachEvidence",
            "assessment.v1.EvidenceService.HandInEvidence",
            "assessment.v1.EvidenceService.SendUpload",
            "assessment.v1.ResultService.ImportResults",
            "assessment.v1.UnderstandingService.DelegateIndicators",
            "assessment.v1.UnderstandingService.WhatIf",
            "assessment.v1.VerificationService.AnswerObjections",
            "assessment.v1.VerificationService.ConcludeStage",
            "assessment.v1.VerificationService.CorrectEvaluation",
            "assessment.v1.VerificationService.RaiseObjections",
            "assessment.v1.VerificationService.SaveAssessments",
            "assessment.v1.VerificationService.SaveVerdicts",
            "benchmark.v1.StewardService.SetCluster",
            "coaching.v1.VisitService.ConfirmVisitHeld",
            "common.v1.DeadLetterService.ReplayDeadLetters",
            "notify.v1.NotifyService.SendMessages",
            "program.v1.DirectoryService.ImportInstitutions",
            "program.v1.ProgramService.LaunchCohort",
            "program.v1.ScheduleService.CreateSchedule",
            "program.v1.SteeringService.SplitCohort",
        )
    ),
    _LARGER,
)
CHANGED |= dict.fromkeys(
    (
        f"livinglab.{field} format"
        for field in (
            "assessment.v1.Answer.indicator",
            "assessment.v1.AssessedLevel.indicator",
            "assessment.v1.AttachEvidenceRequest.indicators",
            "assessment.v1.Decision.indicator",
            "assessment.v1.Delegation.indicator",
            "assessment.v1.DetachEvidenceRequest.indicator",
            "assessment.v1.HandInEvidenceRequest.indicators",
            "assessment.v1.Level.indicator",
            "assessment.v1.Objection.indicator",
            "assessment.v1.ObjectionAnswer.indicator",
            "assessment.v1.ReviewEvidenceRequest.indicator",
            "assessment.v1.ReviewVerdict.indicator",
            "assessment.v1.Visit.indicators",
            "benchmark.v1.GetVisitPlanRequest.indicator",
            "coaching.v1.CompleteActionRequest.action_id",
            "benchmark.v1.ListTeachersRequest.indicator",
        )
    ),
    "numbers of indicators have a format of their own, which spreadsheets' spellings are read by",
)
CHANGED |= dict.fromkeys(
    (
        f"livinglab.{method} roles"
        for method in (
            "assessment.v1.AssessmentService.GetEvaluation",
            "assessment.v1.AssessmentService.GetGuidance",
            "assessment.v1.AssessmentService.GetInstrument",
            "assessment.v1.AssessmentService.ListEvaluations",
            "assessment.v1.AssessmentService.ListInstruments",
            "assessment.v1.AssessmentService.SaveAnswers",
            "assessment.v1.EvidenceService.AttachEvidence",
            "assessment.v1.EvidenceService.DetachEvidence",
            "assessment.v1.EvidenceService.DownloadEvidence",
            "assessment.v1.EvidenceService.GetUpload",
            "assessment.v1.EvidenceService.ListIndicatorEvidence",
            "assessment.v1.EvidenceService.SendUpload",
            "assessment.v1.EvidenceService.StartUpload",
            "assessment.v1.UnderstandingService.ListNeeds",
            "assessment.v1.UnderstandingService.ListWork",
            "coaching.v1.CoachingService.CompleteAction",
            "coaching.v1.CoachingService.GetPlan",
            "coaching.v1.CoachingService.ListPlans",
            "coaching.v1.PlanService.ReportProgress",
        )
    ),
    "agencies answer and report what is in their care",
)
CHANGED["livinglab.assessment.v1.Answer.value required"] = (
    "an answer may say that its indicator does not apply, and has no value then"
)
CHANGED["livinglab.coaching.v1.ListPlansRequest.cohort_id required"] = (
    "an agency knows its institution, and not always in which cohort that is"
)
CHANGED["livinglab.notify.v1.Recipient.email format"] = (
    "an address that is none is refused by itself, not with its list"
)


def values(files: list[descriptor_pb2.FileDescriptorProto]) -> dict[str, str]:
    """Every value of an option of ours, by its place: a method, a field, an event, and the part of the option."""
    found: dict[str, str] = {}
    for file in files:
        for service in file.service:
            for method in service.method:
                place = f"{file.package}.{service.name}.{method.name}"
                found |= parts(place, method.options.Extensions[options_pb2.policy])
        for message in file.message_type:
            found |= dict(_of_message(file.package, message))
    return found


def _of_message(scope: str, message: descriptor_pb2.DescriptorProto) -> Iterator[tuple[str, str]]:
    place = f"{scope}.{message.name}"
    yield from parts(place, message.options.Extensions[options_pb2.event]).items()
    for field in message.field:
        yield from parts(f"{place}.{field.name}", field.options.Extensions[options_pb2.rules]).items()
    for inner in message.nested_type:
        yield from _of_message(place, inner)


def parts(place: str, option: Message) -> dict[str, str]:
    """What is not said is said too: it is the default."""
    return {f"{place} {field.name}": _written(getattr(option, field.name)) for field in option.DESCRIPTOR.fields}


def _written(value: object) -> str:
    return str(sorted(value)) if isinstance(value, list) or hasattr(value, "extend") else str(value)  # type: ignore[call-overload]


def compare(released: dict[str, str], now: dict[str, str], changed: dict[str, str]) -> list[str]:
    """What has another value than it had; what is new has none to be compared with."""
    return [
        f"{place}: {before} is now {now[place]}"
        for place, before in sorted(released.items())
        if place in now and now[place] != before and place not in changed and not _unsaid(place, before)
    ]


def _unsaid(place: str, before: str) -> bool:
    """What an event's aggregate is and who outside may hear it was not said yet; once it is, it stays."""
    return (place.endswith(" key") and before == "") or (place.endswith(" audience") and before == "0")


@pytest.fixture(scope="module")
def released() -> dict[str, str]:
    image = descriptor_pb2.FileDescriptorSet.FromString((FOLDER / "released.binpb").read_bytes())
    return values([file for file in image.file if file.package.startswith("livinglab.")])


@pytest.fixture(scope="module")
def now() -> dict[str, str]:
    return values(ours())


def ours() -> list[descriptor_pb2.FileDescriptorProto]:
    found = []
    for path in sorted(PROTOS.rglob("*.proto")):
        name = str(path.relative_to(PROTOS)).removesuffix(".proto").replace("/", ".")
        file = descriptor_pb2.FileDescriptorProto()
        importlib.import_module(f"{name}_pb2").DESCRIPTOR.CopyToProto(file)
        found.append(file)
    return found


def test_no_option_of_the_released_contract_has_another_value(released: dict[str, str], now: dict[str, str]) -> None:
    assert not compare(released, now, CHANGED)


def test_what_is_named_as_changed_exists(now: dict[str, str]) -> None:
    assert not [place for place in CHANGED if place not in now]


def test_a_changed_role_limit_format_or_subject_is_seen(now: dict[str, str]) -> None:
    files = ours()
    for file in files:
        if file.name == "livinglab/assessment/v1/service.proto":
            method = file.service[0].method[0]
            method.options.Extensions[options_pb2.policy].roles.append(options_pb2.ROLE_PUBLIC)
            field = next(f for m in file.message_type for f in m.field if f.name == "request_id")
            field.options.Extensions[options_pb2.rules].max_size = 16
            field.options.Extensions[options_pb2.rules].format = options_pb2.FORMAT_UNSPECIFIED
        if file.name == "livinglab/coaching/v1/events.proto":
            del file.message_type[0].options.Extensions[options_pb2.event].subject[:]
    kinds = {line.split(":")[0].split(" ")[1] for line in compare(now, values(files), {})}
    assert kinds >= {"max_size", "format", "subject"}
    assert len(compare(now, values(files), {})) >= 3
