"""What people are told, over everything that runs: a cohort is launched, extended, moved, paused, split, left, joined
again and reopened across a change of clocks, and each date in each letter, calendar and list of duties is that of a
calendar on the wall. On the same platform: what was imported by mistake is taken out, and the ranking follows."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.harness.terminal import Person, mail, text
from tests.harness.waiting import eventually

COHORT, SPLIT = "jam-1", "jam-2"
ONE, TWO, THREE = "32.11", "32.04", "33.74"
WHY = ("--reason", "banjir")
# Whoever runs this, at what hour: in one of them it is no hour at which a day could end meanwhile.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney")
DAYS = {
    "id": ["Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"],
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
}
_MONTHS_ID = "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"
_MONTHS_EN = "January February March April May June July August September October November December"
MONTHS = {"id": _MONTHS_ID.split(" "), "en": _MONTHS_EN.split(" ")}


@dataclass
class Stands:
    """The dates as they stand, by the calendar on the wall."""

    zone: ZoneInfo
    one: date
    two: tuple[date, date]
    s1: datetime
    s2: datetime


def planned() -> Stands:
    """Around the next change of clocks that is at least ten days ahead."""
    name = next(name for name in ZONES if 2 <= datetime.now(ZoneInfo(name)).hour < 22)
    zone = ZoneInfo(name)
    day = datetime.now(zone).date() + timedelta(days=10)
    while _offset(day, zone) == _offset(day + timedelta(days=1), zone):
        day += timedelta(days=1)
    return Stands(
        zone,
        one=day - timedelta(days=1),
        two=(day + timedelta(days=5), day + timedelta(days=9)),
        s1=datetime.combine(day - timedelta(days=3), time(9)),
        s2=datetime.combine(day + timedelta(days=7), time(13)),
    )


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


def files(folder: Path, stands: Stands) -> Path:
    """Definition, roster and cohort as people write them; the third institution reads English."""
    s1, s2 = (f"{at:%Y-%m-%dT%H:%M}" for at in (stands.s1, stands.s2))
    ends = [f"{at + timedelta(minutes=90):%Y-%m-%dT%H:%M}" for at in (stands.s1, stands.s2)]
    (folder / "jam.yaml").write_text(f"""
id: jam
version: 1
title: Pergantian jam
source: invented for this test
time_zone: {stands.zone.key}
role_model: "32.11"
phases:
  - id: one
    title: Pertama
    title_en: First
    opens: {datetime.now(stands.zone).date()}
    closes: {stands.one}
    invites: [head]
    sessions:
      - {{id: s1, title: Rapat, place: Balai Kota, start: {s1}, end: {ends[0]}, time_zone: {stands.zone.key}}}
    duties:
      - {{id: assessed, kind: self_assess, instrument: pemdi-8-2026, period: "{stands.one.year}", required: true}}
    gate: {{quorum_percent: 100, on_miss: hold}}
  - id: two
    title: Kedua
    title_en: Second
    opens: {stands.two[0]}
    closes: {stands.two[1]}
    invites: [head]
    sessions:
      - {{id: s2, title: Klinik, place: Balai Kota, start: {s2}, end: {ends[1]}, time_zone: {stands.zone.key}}}
    duties:
      - {{id: came, kind: attend, roles: [head], required: true}}
    gate: {{quorum_percent: 100, on_miss: hold}}
""")
    rows = [
        f'{code};head;"Dr. Ir. Kepala {code}, M.Si.";kepala@r{code.replace(".", "")}.example;{language}'
        for code, language in ((ONE, "id"), (TWO, "id"), (THREE, "en"))
    ]
    (folder / "peserta.csv").write_text("\n".join(["Kode;Peran;Nama;Surel;Bahasa", *rows]) + "\n")
    cohort = folder / "angkatan.yaml"
    cohort.write_text(f"id: {COHORT}\ntitle: Jam\ndefinition: jam\nroster_file: peserta.csv\n")
    return cohort


@dataclass
class Journey:
    """A manager with a cohort, and all letters so far."""

    manager: Person
    stands: Stands
    read: int = 0

    async def order(self, *arguments: str, letters: int) -> list[EmailMessage]:
        """The letters that went out because of it, as many as are meant to, each with the dates that stand."""
        await self.manager.does("cohort", *arguments)
        return await self.letters(letters)

    async def letters(self, count: int) -> list[EmailMessage]:
        await eventually(lambda: self._are_there(count), timeout=60)
        await self.check_calendar(COHORT)
        found = mail(self.manager.home)[self.read :]
        assert len(found) == count, [str(one["Subject"]) for one in found]
        self.read += count
        for letter in found:
            self.check(letter)
        return found

    async def _are_there(self, count: int) -> bool:
        return len(await asyncio.to_thread(mail, self.manager.home)) >= self.read + count

    def check(self, letter: EmailMessage) -> None:
        """One recipient; and of the dates and hours in it none that does not stand."""
        [address] = letter["To"].addresses
        language = "en" if address.domain == "r3374.example" else "id"
        assert address.display_name.startswith("Dr. Ir. Kepala 3")
        said = text(letter)
        names = "|".join(MONTHS[language])
        told = set(re.findall(rf"\w+, \d{{1,2}} (?:{names}) \d{{4}}", said))
        assert told <= {self.words(at, language) for at in (self.stands.one, self.stands.s1.date())}, said
        separator = ":" if language == "en" else "."
        hours = {f"{at:%H}{separator}{at:%M}" for at in (self.stands.s1, self.stands.s1 + timedelta(minutes=90))}
        assert set(re.findall(rf"\b\d\d[{separator}]\d\d\b", said.replace(address.display_name, ""))) <= hours, said

    def tells_the_phase(self, letters: list[EmailMessage]) -> None:
        """Each with the last day and the session."""
        for letter in letters:
            language = "en" if "@r3374" in str(letter["To"]) else "id"
            for at in (self.stands.one, self.stands.s1.date()):
                assert self.words(at, language) in text(letter)

    def words(self, at: date, language: str) -> str:
        return f"{DAYS[language][at.weekday()]}, {at.day} {MONTHS[language][at.month - 1]} {at.year}"

    async def check_calendar(self, cohort: str) -> None:
        shown = await self.manager.asks("cohort", "calendar", cohort)
        one, two = shown["phases"]
        assert one["last_day"] == self.stands.one.isoformat()
        assert (two["first_day"], two["last_day"]) == tuple(day.isoformat() for day in self.stands.two)
        for phase, at in ((one, self.stands.s1), (two, self.stands.s2)):
            [session] = phase["sessions"]
            starts = datetime.fromisoformat(session["start"]).astimezone(self.stands.zone)
            assert starts.replace(tzinfo=None) == at

    async def check_duties(self, code: str) -> None:
        """What the region's own people are told, with the offset of that day."""
        owed = await Person(self.manager.home, "head", code).asks("duties")
        ends = {one["phase"]: one["deadline"] for one in owed}
        last = {"one": self.stands.one, "two": self.stands.two[1]}
        assert {phase: datetime.fromisoformat(at) for phase, at in ends.items()} == {
            phase: datetime.combine(day + timedelta(days=1), time(), self.stands.zone) for phase, day in last.items()
        }
        assert all(
            datetime.fromisoformat(at).utcoffset() == _offset(last[phase] + timedelta(days=1), self.stands.zone)
            for phase, at in ends.items()
        )


@pytest.mark.timeout(900)
async def test_every_date_that_people_are_told_across_a_change_of_clocks(home: Path, tmp_path: Path) -> None:
    manager = Person(home, "manager", subject="manager-1")
    code, _, err = await manager.run("up")
    assert code == 0, err
    stands = planned()
    change = stands.one + timedelta(days=1)
    journey = Journey(manager, stands)
    journey.tells_the_phase(await journey.order("launch", str(files(tmp_path, stands)), letters=3))
    await journey.check_duties(ONE)

    stands.one = change + timedelta(days=3)
    journey.tells_the_phase(await journey.order("extend", COHORT, "one", "--days", "4", *WHY, letters=3))
    stands.two = (change + timedelta(days=7), change + timedelta(days=11))
    stands.s2 += timedelta(days=2)
    await journey.order("move", COHORT, "two", "--days", "2", *WHY, letters=0)
    await journey.check_duties(THREE)

    # By the clocks of its place, to the other side of the change.
    stands.s1 = datetime.combine(change + timedelta(days=1), time(14, 30))
    times = (f"{at:%Y-%m-%dT%H:%M}" for at in (stands.s1, stands.s1 + timedelta(minutes=90)))
    start, end = times
    await manager.does("session", "move", f"{COHORT}:s1", "--start", start, "--end", end, *WHY)
    for letter in await journey.letters(3):
        assert journey.words(stands.s1.date(), "en" if "@r3374" in str(letter["To"]) else "id") in text(letter)

    await journey.order("pause", COHORT, *WHY, letters=3)
    journey.tells_the_phase(await journey.order("resume", COHORT, *WHY, letters=3))
    await journey.order("withdraw", COHORT, THREE, *WHY, letters=1)
    journey.tells_the_phase(await journey.order("readmit", COHORT, THREE, *WHY, letters=2))
    split = ("split", COHORT, SPLIT, TWO, "--title", "Jam kedua", *WHY)
    [told] = (await manager.asks("cohort", *split, "--dry-run"))["letters"]
    assert (told["template"], told["people"]) == ("invitation", 1)
    journey.tells_the_phase(await journey.order(*split, letters=1))
    await journey.check_calendar(SPLIT)

    stands.one = datetime.now(stands.zone).date()
    await manager.does("cohort", "override", COHORT, "one", "--excuse", *WHY)
    assert await journey.letters(0) == []
    stands.one = change + timedelta(days=6)
    ahead = str((stands.one - datetime.now(stands.zone).date()).days)
    journey.tells_the_phase(await journey.order("reopen", COHORT, "one", "--days", ahead, *WHY, letters=2))
    await journey.check_duties(ONE)
    kept = tmp_path / "jam.ics"
    await manager.does("cohort", "calendar", COHORT, "--ics", str(kept))
    begins = stands.s1.replace(tzinfo=stands.zone).astimezone(UTC)
    assert f"{begins:%Y%m%dT%H%M%SZ}" in kept.read_text()
    assert f"DTEND;VALUE=DATE:{stands.one + timedelta(days=1):%Y%m%d}" in kept.read_text()
    await _taken_out_again(manager, tmp_path)


async def _taken_out_again(manager: Person, folder: Path) -> None:
    """What was brought in by mistake leaves the ranking; what was right comes back at its place."""
    results = folder / "hasil.csv"
    header, first, second = "kode;instrumen;tahun;tahap;indeks", "32.11;spbe-59-2020;2023;publication;3,84", "33.74;"
    results.write_text(f"{header}\n{first}\n{second}spbe-59-2020;2023;publication;3,10\n")
    about = ("--instrument", "spbe-59-2020", "--period", "2023")

    async def ranked() -> list[tuple[int, str]]:
        rows = (await manager.asks("ranking", *about, "--stage", "publication"))["rows"]
        return [(row["rank"], row["institution"]) for row in rows]

    async def stand(*wanted: tuple[int, str]) -> None:
        async def they_do() -> bool:
            return await ranked() == list(wanted)

        await eventually(they_do, timeout=60)

    await manager.does("assessment", "import", str(results))
    await stand((1, ONE), (2, THREE))
    await manager.does("assessment", "withdraw-result", ONE, *about, "--reason", "another region's")
    await stand((1, THREE))
    await manager.does("assessment", "import", str(results))
    await stand((1, ONE), (2, THREE))
    _, _, refused = await manager.run("institution", "withdraw", ONE, "--reason", "x", token=await manager.token())
    assert "official region" in refused
    (folder / "badan.csv").write_text("kode,nama,jenis\nBADAN-1,Badan Salah,agency\n")
    await manager.does("institution", "import", str(folder / "badan.csv"))
    results.write_text(f"{header}\nBADAN-1;spbe-59-2020;2023;publication;4,00\n")
    await manager.does("assessment", "import", str(results))
    await stand((1, "BADAN-1"), (2, ONE), (3, THREE))
    await manager.does("institution", "withdraw", "BADAN-1", "--reason", "no such body")
    await stand((1, ONE), (2, THREE))
