"""What the inbox and the page of whom to learn from say, in Bahasa Indonesia and English."""

from collections.abc import Mapping

REGION: Mapping[str, tuple[str, str]] = {
    "in_care_of": ("Ditangani {agency}", "In the care of {agency}"),
    "given_only": (
        "Di sini hanya indikator dan aksi yang diserahkan kepada perangkat daerah Anda.",
        "Here are the indicators and actions that were given to your agency, and nothing else.",
    ),
    "actions_given": ("aksi milik perangkat daerah Anda", "actions of your agency"),
    "progress_note": ("Sampai di mana pekerjaannya", "How far the work is"),
    "report_progress": ("Laporkan kemajuan", "Report progress"),
    "inbox": ("Kotak masuk", "Inbox"),
    "unread_count": ("{count} belum dibaca", "{count} unread"),
    "unread": ("belum dibaca", "unread"),
    "mark_read": ("Tandai sudah dibaca", "Mark as read"),
    "mark_all_read": ("Tandai semua sudah dibaca", "Mark all as read"),
    "inbox_empty": ("Belum ada pesan untuk Anda.", "Nobody has written to you yet."),
    "inbox_newest": ("Ini {count} pesan terbaru.", "These are the newest {count} messages."),
    "learn": ("Belajar dari siapa", "Who to learn from"),
    "learn_lead": (
        "Yang paling menahan indeks Anda ({instrument} {period}), dan daerah yang sudah bisa.",
        "What holds your index back most ({instrument} {period}), and who can do it already.",
    ),
    "learn_nothing": (
        "Belum ada hasil daerah Anda untuk dibandingkan.",
        "There is no result of your region to compare yet.",
    ),
    "own_level": ("Nilai Anda {value}.", "Your value is {value}."),
    "no_hosts": ("Belum ada daerah yang dapat menjadi contoh.", "Nobody can show how yet."),
    "host_at": ("nilai {value}", "value {value}"),
    "host_rose": ("naik {gain} sejak {start}", "won {gain} since {start}"),
    "same_province": ("satu provinsi", "same province"),
    "same_kind": ("sejenis", "same kind"),
    "practices_for": ("Praktik baik yang menjawab kekurangan Anda", "Good practices that solve what you lack"),
    "no_practices_for": ("Belum ada praktik yang cocok.", "No practice fits yet."),
    "practice_worth": (
        "{indicator}: dari {value} ke {level}, indeks naik {gain}",
        "{indicator}: from {value} to {level}, the index gains {gain}",
    ),
}
