"""What the command centre says, in Bahasa Indonesia and English."""

from collections.abc import Mapping

WALL: Mapping[str, tuple[str, str]] = {
    "nav_wall": ("Ruang komando", "Command centre"),
    "wall_title": ("Ruang komando", "Command centre"),
    "decide": ("Yang perlu diputuskan", "What has to be decided"),
    "nothing_to_decide": ("Tidak ada keputusan yang menunggu.", "No decision is waiting."),
    "decide_gate": (
        "{phase}: gerbang menunggu keputusan sejak {time}; {count} peserta belum lengkap.",
        "{phase}: its gate waits for a decision since {time}; {count} participants lack something.",
    ),
    "decide_second": (
        "{phase}: usulan {actor} menunggu manajer kedua ({action}).",
        "{phase}: a proposal of {actor} waits for a second manager ({action}).",
    ),
    "decide_problems": ("{count} masalah menunggu manajer.", "{count} problems wait for a manager."),
    "ladder_hint": (
        "Dari kebijakan turun ke data: tiap anak tangga membuka yang menopangnya.",
        "From policy down to data: each step opens the one that it stands on.",
    ),
    "step_policy": ("Kebijakan", "Policy"),
    "step_insight": ("Wawasan", "Insight"),
    "step_knowledge": ("Pengetahuan", "Knowledge"),
    "step_information": ("Informasi", "Information"),
    "step_data": ("Data", "Data"),
    "step_policy_what": ("apa yang bisa dilakukan", "what could be done"),
    "step_insight_what": ("apa artinya", "what it means"),
    "step_knowledge_what": ("apa yang perlu perhatian", "what deserves attention"),
    "step_information_what": ("apa yang berkaitan", "what goes together"),
    "step_data_what": ("apa yang tercatat", "what is recorded"),
    "option_text": (
        "Angkat yang tertinggal di {indicator}: rata-rata indeks naik {gain}.",
        "Bring up those behind in {indicator}: the mean index gains {gain}.",
    ),
    "option_first": ("Mulai dari {first}.", "Start with {first}."),
    "insight_text": (
        "{lowest} dari {bodies} masih di tingkat terendah: {indicator}.",
        "{lowest} of {bodies} are at the lowest level: {indicator}.",
    ),
    "insight_first": (
        "Yang sudah maju di sini semuanya juga kuat di {first}.",
        "All who are ahead here are strong in {first} too.",
    ),
    "grade_1": ("bukti lemah", "weak evidence"),
    "grade_2": ("bukti sedang", "moderate evidence"),
    "grade_3": ("bukti kuat", "strong evidence"),
    "attention_text": (
        "{indicator}: rata-rata kehilangan {cost} poin indeks.",
        "{indicator}: the mean loses {cost} points of the index.",
    ),
    "correlation_text": (
        "{one} dan {other} naik turun bersama ({coefficient}).",
        "{one} and {other} go together ({coefficient}).",
    ),
    "spread": (
        "Rata-rata {mean}, median {median}, dari {lowest} sampai {highest}.",
        "Mean {mean}, median {median}, from {lowest} to {highest}.",
    ),
    "phase_done": ("{title}: {phase}, {done} dari {total} selesai.", "{title}: {phase}, {done} of {total} done."),
    "data_text": (
        "{count} hasil: {instrument} {period}, {stage}, {group}.",
        "{count} results: {instrument} {period}, {stage}, {group}.",
    ),
    "open_race": ("Buka papan peringkat", "Open the race"),
    "step_empty": ("Belum ada yang dapat dikatakan.", "Nothing can be said yet."),
}
