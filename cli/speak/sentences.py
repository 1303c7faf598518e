"""What commands say in sentences, in Bahasa Indonesia and English: all of them stand here, and nowhere else. Single
words and the headers of tables are in `language`."""

from datetime import date

from cli.speak.language import either, language

# Indonesian, English. Names in braces are filled in.
_SENTENCES: dict[str, tuple[str, str]] = {
    # how a cohort stands
    "counts": ("{count} peserta: {told}", "{count} participants: {told}"),
    "since": (" sejak {time}", " since {time}"),
    "moved": (" (diubah)", " (moved)"),
    "optional": (" (tidak wajib)", " (optional)"),
    "split_from": ("dipisahkan dari {cohort}", "split from {cohort}"),
    "held": ("{phase} masih dibuka setelah batas waktunya {time}", "{phase} waits beyond its deadline since {time}"),
    "blocked": ("{phase} menunggu {count}: {names}", "{phase} waits for {count}: {names}"),
    "waits_for": ("{phase} menunggu", "{phase} waits for"),
    "more": ("dan {count} lagi", "and {count} more"),
    "more_participants": ("... dan {count} peserta lagi", "... and {count} participants more"),
    "proposal": (
        "{phase}: {actor} mengusulkan {action}, pengelola lain harus menyetujui ({reason})",
        "{phase}: {actor} proposes {action}, another manager has to agree ({reason})",
    ),
    "mend": (
        "perbaiki sebabnya, lalu: livinglab cohort resolve {cohort} --reason ...",
        "mend the cause, then: livinglab cohort resolve {cohort} --reason ...",
    ),
    # its days
    "calendar": (
        "{title}: hari menurut {zone}, jam acara menurut tempatnya",
        "{title}: days are those of {zone}, hours of a session those of its place",
    ),
    "phase_days": ("{phase}: {first} sampai {last} ({state})", "{phase}: {first} to {last} ({state})"),
    "cancelled": (" (dibatalkan)", " (cancelled)"),
    "hours": ("{start} sampai {end} {zone}", "{start} to {end} {zone}"),
    # orders
    "would": ("belum ada yang dilakukan; perintah ini akan:", "nothing is done yet; the order would bring about:"),
    "would_move": ("  {what}: {before} -> {after}", "  {what}: {before} -> {after}"),
    "no_day_moves": ("  tidak ada tanggal yang berubah", "  no day moves"),
    "letter": (
        "  surat {letter}{phase}: {people} dari {participants}",
        "  letter {letter}{phase}: {people} of {participants}",
    ),
    "nobody_written": ("  tidak ada surat yang dikirim", "  nobody is written to"),
    "note": ("  catatan: {note}", "  note: {note}"),
    "one_person": ("1 orang", "one person"),
    "people": ("{count} orang", "{count} people"),
    "one_participant": ("1 peserta", "one participant"),
    "participants": ("{count} peserta", "{count} participants"),
    "opens": ("{phase} dibuka", "{phase} opens"),
    "closes": ("{phase} ditutup", "{phase} closes"),
    "session": ("{phase}: acara {session}", "{phase}: session {session}"),
    "is_paused": ("{cohort} dijeda", "{cohort} is paused"),
    "is_resumed": ("{cohort} dilanjutkan", "{cohort} is resumed"),
    "closes_later": ("{phase} ditutup {days} hari lebih lambat", "{phase} closes {days} later"),
    "closes_earlier": ("{phase} ditutup {days} hari lebih awal", "{phase} closes {days} earlier"),
    "is_later": ("{phase} mundur {days} hari", "{phase} is {days} later"),
    "is_earlier": ("{phase} maju {days} hari", "{phase} is {days} earlier"),
    "open_again": ("{phase} dibuka kembali", "{phase} is open again"),
    "phase_closes": ("{phase} ditutup", "{phase} closes"),
    "phase_stops": ("{phase} menghentikan angkatan", "{phase} stops the cohort"),
    "second": (
        "disimpan sebagai usulan: berlaku setelah pengelola lain meminta yang sama",
        "kept as a proposal: it counts once another manager asks for the same",
    ),
    # what an institution owes
    "all_done": ("{name}: semua tugas sampai sekarang selesai", "{name}: every duty so far is done"),
    "no_cohort": ("{name}: tidak dalam angkatan yang berjalan", "{name}: in no cohort that runs"),
    # sessions
    "no_session": (
        "zona waktu {session} tidak diketahui: beri waktu dengan selisihnya, 2022-11-07T09:00+07:00",
        "the time zone of {session} is not known: give times with their offset, 2022-11-07T09:00+07:00",
    ),
    "session_is": ("{session} {state}, {when}{reason}", "{session} is {state}, {when}{reason}"),
    "came": ("{name} hadir di {session} mewakili {institution}", "{name} came to {session} for {institution}"),
    # plans and coaches
    "plan_is": ("{plan} {state}, {done} aksi selesai{reason}", "{plan} is {state}, {done} actions done{reason}"),
    "plan_title": (
        "{plan} {state}, pendamping {coach}: {before} ke {after}",
        "{plan} is {state}, coach {coach}: {before} to {after}",
    ),
    "sent_back": ("dikembalikan: {reason}", "sent back: {reason}"),
    "draft_title": ("indeks {index} dengan {effort} hari kerja", "index {index} for {effort} days of work"),
    "out_of_reach": (
        "indeks {target} di luar jangkauan: paling tinggi {most_index}; perlu {effort_days} hari kerja, {days} hari",
        "index {target} is out of reach: {most_index} at most; {effort_days} days of work or {days} days would do",
    ),
    "plan_written": ("ditulis: {file}", "written: {file}"),
    "plan_status": (
        "{plan}: {reported} dari {actions} aksi dilaporkan, {proven} terbukti",
        "{plan}: {reported} of {actions} actions reported, {proven} proven",
    ),
    "plan_overdue": ("terlambat: {which}", "overdue: {which}"),
    "plan_stalled": ("mandek: {which}", "stalled: {which}"),
    "plan_forecast": ("dengan laju ini selesai {day}", "at this pace done on {day}"),
    "amendment_waits": (
        "perubahan {amendment} menunggu pendamping: {reason}",
        "amendment {amendment} waits for the coach: {reason}",
    ),
    "no_amendment": ("tidak ada perubahan {plan} yang menunggu", "no amendment of {plan} waits"),
    "comment_open": ("komentar {comment}{about}: belum ditanggapi", "comment {comment}{about}: open"),
    "comment_resolved": (
        "komentar {comment}{about}: ditanggapi oleh {by}",
        "comment {comment}{about}: resolved by {by}",
    ),
    "of": ("{some} dari {all}", "{some} of {all}"),
    # evaluations
    "index": ("indeks {index} {predicate}", "index {index} {predicate}"),
    "published": ("ditetapkan {index}, revisi {revision}", "published {index}, revision {revision}"),
    "unanswered": ("{count} belum dijawab", "{count} without an answer"),
    "next": ("berikutnya {stage}", "next {stage}"),
    "somebody_else": (
        "ini akan menimpa tulisan orang lain, tidak ada yang disimpan; dengan --force tetap disimpan",
        "this would write over what somebody else has written, nothing was saved; with --force it would be",
    ),
    "their_answer": (
        "indikator {indicator}: {who} menulis {value}, Anda {mine}",
        "indicator {indicator}: {who} has {value}, you have {mine}",
    ),
    "doubtful": ("Meragukan: {message}", "Doubtful: {message}"),
    # the report
    "mean": (
        "rata-rata {count}: {before} -> {after}; lompatan: {leaps}",
        "mean of {count}: {before} -> {after}; leaps: {leaps}",
    ),
    "follow_up": (
        "tindak lanjut: {done} dari {all} aksi selesai ({share})",
        "follow-up: {done} of {all} actions done ({share})",
    ),
    "target": (
        "target {index} pada {year} ({scope}): {reached} dari {assessed}{mean}",
        "target {index} in {year} ({scope}): {reached} of {assessed}{mean}",
    ),
    "target_mean": (", rata-rata {mean}", ", mean {mean}"),
    "no_gain": (
        "kenaikan: belum ada dua penilaian yang dapat dibandingkan",
        "gains: nobody has two comparable assessments yet",
    ),
    "cost": ("biaya: {currency} {total}", "cost: {currency} {total}"),
    # refusals
    "refused": ("ditolak: {why}", "refused: {why}"),
    "not_for_you": ("ini untuk {roles}", "this is for {roles}"),
    "no_platform": (
        "tidak ada platform yang berjalan di sini: mulai dengan 'livinglab up', atau sebut alamatnya di {variable}",
        "no platform runs here: start one with 'livinglab up', or name one in {variable}",
    ),
    "not_logged_in": (
        "belum masuk: 'livinglab login --as manager' untuk masuk",
        "not logged in: 'livinglab login --as manager' does that",
    ),
    "no_institution": (
        "token Anda tidak menyebut instansi: sebut dengan --institution",
        "your token names no institution: name one with --institution",
    ),
}

_DAYS = ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min")


def sentence(which: str, /, **values: object) -> str:
    """The sentence of that name in the language of the command."""
    return either(*_SENTENCES[which]).format(**values)


def counted(count: int, one: str, many: str) -> str:
    """`one person`, `3 people`: by the names of the two sentences."""
    return sentence(one if count == 1 else many, count=count)


def days(count: int) -> str:
    """2 days; in Indonesian the number alone, which its sentence goes on from."""
    if language() == "id":
        return str(count)
    return f"{count} day{'' if count == 1 else 's'}"


def day(at: date) -> str:
    """Mon 2026-11-30, with the name of the day in the language of the command."""
    name = _DAYS[at.weekday()] if language() == "id" else f"{at:%a}"
    return f"{name} {at:%Y-%m-%d}"
