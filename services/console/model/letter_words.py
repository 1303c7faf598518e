"""What the page says on which somebody leaves a kind of letters."""

from collections.abc import Mapping

# Key: Bahasa Indonesia, English.
LETTERS: Mapping[str, tuple[str, str]] = {
    "unsubscribe": ("Berhenti menerima surel", "Stop these e-mails"),
    "unsubscribe_asked": (
        "Surel tentang {kind} tidak akan dikirim lagi. Isinya tetap ada di kotak masuk di platform ini.",
        "E-mails about {kind} will not be sent any more. What they say stays in the inbox on this platform.",
    ),
    "unsubscribed": (
        "Surel tentang {kind} tidak dikirim lagi. Isinya tetap ada di kotak masuk di platform ini; di sana pula "
        "pilihan ini dapat diubah kembali.",
        "E-mails about {kind} are not sent any more. What they say stays in the inbox on this platform, where this "
        "choice can be changed back.",
    ),
    "letters_plans": ("rencana aksi", "action plans"),
    "letters_coaching": ("pendampingan", "coaching"),
    "letters_visits": ("kunjungan dan kerja sama", "visits and agreements"),
    "letters_assessments": ("penilaian", "assessments"),
    "letters_evidence": ("bukti dukung", "evidence"),
    "letters_systems": ("sistem yang terhubung", "connected systems"),
    "letters_digests": ("semua yang dirangkum setiap pagi", "everything that is summed up each morning"),
}
