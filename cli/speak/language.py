"""The language that a command speaks to people in: Bahasa Indonesia or English. Programs read JSON."""

import os

import typer

LANGUAGES = ("id", "en")
_VARIABLES = ("LIVINGLAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

# Headers and words of tables, as English has them.
_WORDS = {
    "accepted": "diterima",
    "action": "aksi",
    "active": "aktif",
    "actor": "pelaku",
    "after": "sesudah",
    "agency": "perangkat daerah",
    "answered": "terjawab",
    "approved": "disetujui",
    "assessed": "dinilai",
    "assessor": "asesor",
    "attempts": "percobaan",
    "attendance": "kehadiran",
    "attended": "hadir",
    "before": "sebelum",
    "by": "oleh",
    "by delegate": "diwakili",
    "cancelled": "dibatalkan",
    "cancelling": "sedang dibatalkan",
    "capacity": "kapasitas",
    "close": "penutupan",
    "closed": "ditutup",
    "closes": "ditutup pada",
    "coach": "pendamping",
    "code": "kode",
    "cohort": "angkatan",
    "cohorts": "angkatan",
    "coming": "akan datang",
    "completed": "selesai",
    "concluded": "diselesaikan",
    "count": "jumlah",
    "criterion": "kriteria",
    "date": "tanggal",
    "deadline": "batas waktu",
    "definition": "definisi",
    "delivered": "terkirim",
    "determination": "penetapan",
    "document": "dokumen",
    "done": "selesai",
    "draft": "rancangan",
    "due": "harus dikerjakan",
    "duty": "tugas",
    "email": "surel",
    "end": "selesai pukul",
    "ended": "berakhir",
    "error": "kesalahan",
    "escalation": "eskalasi",
    "evaluation": "evaluasi",
    "evidence": "bukti",
    "excuse": "pembebasan",
    "excused": "dibebaskan",
    "explanation": "penjelasan",
    "failed": "gagal",
    "file": "berkas",
    "from": "dari",
    "from_index": "indeks awal",
    "gain": "kenaikan",
    "gap": "selisih",
    "graduated": "lulus",
    "graduation": "kelulusan",
    "group": "kelompok",
    "head": "kepala",
    "held": "tertahan",
    "host": "tuan rumah",
    "id": "id",
    "in": "masuk",
    "index": "indeks",
    "indicator": "indikator",
    "institution": "instansi",
    "instrument": "instrumen",
    "interview": "wawancara",
    "invitation": "undangan",
    "invited": "diundang",
    "justification": "justifikasi",
    "kabupaten": "kabupaten",
    "kind": "jenis",
    "kota": "kota",
    "lacks": "belum",
    "last day": "hari terakhir",
    "last problem": "kendala terakhir",
    "last_error": "kesalahan terakhir",
    "launched": "dimulai",
    "letter": "surat",
    "level": "tingkat",
    "line": "baris",
    "manager": "pengelola",
    "mean": "rata-rata",
    "message": "pesan",
    "met": "terpenuhi",
    "missed": "terlewat",
    "missing": "belum",
    "movement": "naik/turun",
    "name": "nama",
    "next": "berikutnya",
    "no": "no",
    "note": "catatan",
    "objections": "sanggahan",
    "of": "dari",
    "open": "dibuka",
    "opens": "dibuka pada",
    "operator": "operator",
    "outcome": "hasil",
    "owner": "penanggung jawab",
    "parent": "induk",
    "participants": "peserta",
    "paused": "dijeda",
    "pending": "menunggu",
    "people": "orang",
    "percentile": "persentil",
    "period": "periode",
    "phase": "tahap",
    "place": "tempat",
    "places": "naik/turun",
    "planned": "direncanakan",
    "postponed": "perubahan jadwal",
    "predicate": "predikat",
    "problem": "kendala",
    "province": "provinsi",
    "publication": "publikasi",
    "published": "ditetapkan",
    "queued": "antre",
    "rank": "peringkat",
    "readmitted": "bergabung kembali",
    "real": "nyata",
    "reason": "alasan",
    "regent": "kepala daerah",
    "region": "daerah",
    "rehearsal": "gladi",
    "reminder": "pengingat",
    "required": "wajib",
    "resumed": "dilanjutkan",
    "returned": "dikembalikan",
    "review": "reviu",
    "right value": "nilai yang benar",
    "role": "peran",
    "running": "berjalan",
    "schedule": "jadwal",
    "scheduled": "terjadwal",
    "scope": "cakupan",
    "secretary": "sekretaris daerah",
    "self-assessment": "penilaian mandiri",
    "sent again as": "dikirim lagi sebagai",
    "session": "sesi",
    "session_cancelled": "pembatalan acara",
    "session_moved": "perubahan acara",
    "since": "sejak",
    "skipped": "dilewati",
    "stage": "tahap penilaian",
    "start": "mulai",
    "starts": "mulai",
    "state": "keadaan",
    "stop": "penghentian",
    "stopped": "dihentikan",
    "strengths": "kekuatan",
    "submitted": "diserahkan",
    "template": "surat",
    "time": "waktu",
    "title": "judul",
    "to": "ke",
    "to next": "ke atasnya",
    "to_index": "indeks tujuan",
    "until": "sampai",
    "value": "nilai",
    "version": "versi",
    "visit": "kunjungan",
    "visitor": "pengunjung",
    "waits for": "menunggu",
    "wanted": "diminta",
    "weaknesses": "kelemahan",
    "weight": "bobot",
    "what": "apa",
    "when": "kapan",
    "who": "siapa",
    "why": "sebab",
    "withdrawal": "pengunduran diri",
    "withdrawn": "mundur",
    "yes": "ya",
}

# Columns whose cells are words of ours; what people wrote stays as it is.
SPOKEN = frozenset({"kind", "state", "role", "template", "stage", "required", "scope", "outcome"})

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
