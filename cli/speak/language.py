"""The language that a command speaks to people in: Bahasa Indonesia or English. Programs read JSON."""

import os

import typer

LANGUAGES = ("id", "en")
_VARIABLES = ("LIVINGLAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

# Headers and words of tables, as English has them.
_WORDS = {
    "action": "aksi",
    "active": "aktif",
    "approved": "disetujui",
    "capacity": "kapasitas",
    "cancelled": "dibatalkan",
    "closed": "ditutup",
    "closes": "ditutup pada",
    "coach": "pendamping",
    "code": "kode",
    "cohort": "angkatan",
    "coming": "akan datang",
    "completed": "selesai",
    "date": "tanggal",
    "deadline": "batas waktu",
    "done": "selesai",
    "draft": "rancangan",
    "due": "harus dikerjakan",
    "duty": "tugas",
    "email": "surel",
    "end": "selesai pukul",
    "ended": "berakhir",
    "excused": "dibebaskan",
    "failed": "gagal",
    "from": "dari",
    "gain": "kenaikan",
    "graduated": "lulus",
    "held": "tertahan",
    "host": "tuan rumah",
    "index": "indeks",
    "indicator": "indikator",
    "institution": "instansi",
    "invited": "diundang",
    "kind": "jenis",
    "lacks": "belum",
    "launched": "dimulai",
    "level": "tingkat",
    "line": "baris",
    "missing": "belum",
    "name": "nama",
    "of": "dari",
    "open": "dibuka",
    "opens": "dibuka pada",
    "owner": "penanggung jawab",
    "participants": "peserta",
    "paused": "dijeda",
    "pending": "menunggu",
    "period": "periode",
    "phase": "tahap",
    "place": "tempat",
    "places": "naik/turun",
    "planned": "direncanakan",
    "predicate": "predikat",
    "problem": "kendala",
    "rank": "peringkat",
    "real": "nyata",
    "reason": "alasan",
    "region": "daerah",
    "rehearsal": "gladi",
    "returned": "dikembalikan",
    "role": "peran",
    "running": "berjalan",
    "scheduled": "terjadwal",
    "session": "sesi",
    "since": "sejak",
    "skipped": "dilewati",
    "stage": "tahap penilaian",
    "start": "mulai",
    "state": "keadaan",
    "stopped": "dihentikan",
    "submitted": "diserahkan",
    "title": "judul",
    "to": "ke",
    "until": "sampai",
    "visitor": "pengunjung",
    "waits for": "menunggu",
    "what": "apa",
    "why": "sebab",
    "withdrawn": "mundur",
}

_chosen: list[str] = []


def choose(code: str) -> None:
    """The language of this command, whatever the environment says."""
    if code not in LANGUAGES:
        raise typer.BadParameter(f"--lang is id or en, not {code}")
    _chosen[:] = [code]


def language() -> str:
    """`id` or `en`: what was chosen, else what the environment asks for, else English."""
    if _chosen:
        return _chosen[0]
    for name in _VARIABLES:
        if value := os.environ.get(name):
            return "id" if value.lower().startswith(("id", "in_")) else "en"
    return "en"


def word(english: str) -> str:
    """A header or a word of a table in the language of this command; one that is not known stays as it is."""
    return _WORDS.get(english, english) if language() == "id" else english


def either(indonesian: str, english: str) -> str:
    """The one of two texts that this command speaks; the other where that is empty."""
    return (indonesian or english) if language() == "id" else (english or indonesian)
