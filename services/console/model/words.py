"""What pages say, in Bahasa Indonesia and English, and how either is chosen."""

from collections.abc import Mapping

from services.console.model.cohort_words import COHORT
from services.console.model.letter_words import LETTERS
from services.console.model.platform_words import PLATFORM
from services.console.model.region_words import REGION
from services.console.model.session_words import SESSION
from services.console.model.wall_words import WALL
from services.console.model.work_words import WORK

LANGUAGES = ("id", "en")

# Key: Bahasa Indonesia, English.
_TEXTS: Mapping[str, tuple[str, str]] = {
    **WORK,
    **COHORT,
    **REGION,
    **PLATFORM,
    **WALL,
    **SESSION,
    **LETTERS,
    "site": ("Living Lab Layanan Digital", "Digital Services Living Lab"),
    "skip": ("Langsung ke isi", "Skip to content"),
    "other_language": ("English", "Bahasa Indonesia"),
    "menu": ("Menu utama", "Main menu"),
    "nav_race": ("Papan peringkat", "The race"),
    "nav_program": ("Program", "Programs"),
    "nav_work": ("Pekerjaan saya", "My work"),
    "nav_sign_in": ("Masuk", "Sign in"),
    "nav_sign_out": ("Keluar", "Sign out"),
    # Good practices.
    "nav_practices": ("Praktik baik", "Good practices"),
    "practices_lead": (
        "Apa yang sudah berhasil di daerah lain, untuk indikator mana, dan bagaimana menirunya.",
        "What has worked elsewhere, for which indicator, and how to copy it.",
    ),
    "choose_practices": ("Pilih praktik", "Choose practices"),
    "service_kind": ("Untuk siapa", "For whom"),
    "any": ("semua", "any"),
    "kind_of_service_1": ("antarpemerintah (G2G)", "between governments (G2G)"),
    "kind_of_service_2": ("masyarakat (G2C)", "citizens (G2C)"),
    "kind_of_service_3": ("pegawai (G2E)", "employees (G2E)"),
    "kind_of_service_4": ("dunia usaha (G2B)", "businesses (G2B)"),
    "no_practices": ("Belum ada praktik yang cocok.", "No practice fits yet."),
    "serves": ("Untuk indikator", "For indicator"),
    "copied_by": ("ditiru {count} daerah", "copied by {count} regions"),
    "how_to_copy": ("Cara menirunya", "How to copy it"),
    "whom_to_ask": ("Kepada siapa bertanya", "Whom to ask"),
    "look_at": ("Lihat juga", "Look at"),
    "asked_and_copied": (
        "{asked} daerah pernah bertanya, {copied} sudah menjalankannya.",
        "{asked} regions have asked, {copied} run it too.",
    ),
    # The program.
    "programs_lead": (
        "Daerah mana yang belajar bersama, tahapan apa yang sedang berjalan, dan apa sasarannya.",
        "Which regions learn together, which phase is under way, and what they aim for.",
    ),
    "no_programs": ("Belum ada kohort yang diumumkan.", "No cohort has been announced yet."),
    "role_model": ("Daerah teladan", "Role model"),
    "begun": ("Dimulai", "Begun"),
    "goal_region": ("tiap daerah", "each region"),
    "goal_mean": ("rata-rata", "the mean"),
    "goal": ("Indeks {index} untuk {scope} pada {year}", "Index {index} for {scope} in {year}"),
    "stands_at": (
        "Rata-rata kohort sekarang {mean} ({period}, {count} daerah).",
        "The cohort's mean is now {mean} ({period}, {count} regions).",
    ),
    "who_takes_part": ("Siapa yang ikut", "Who takes part"),
    "its_race": ("Peringkat kohort ini", "The race of this cohort"),
    "meetings": ("Pertemuan", "Meetings"),
    "called_off": ("dibatalkan", "called off"),
    # The race.
    "race_title": ("Papan peringkat pemerintahan digital", "The race of digital government"),
    "race_lead": (
        "Siapa berada di mana, siapa melompat, dan dari siapa daerah lain dapat belajar.",
        "Who stands where, who leaps, and whom others can learn from.",
    ),
    "choose": ("Pilih perbandingan", "Choose what is compared"),
    "instrument": ("Instrumen", "Instrument"),
    "period": ("Tahun", "Period"),
    "stage": ("Tahap", "Stage"),
    "group": ("Kelompok", "Group"),
    "basis": ("Dasar angka", "Values"),
    "show": ("Tampilkan", "Show"),
    "find": ("Cari daerah", "Find a region"),
    "find_hint": ("Nama atau kode, misalnya Sumedang", "A name or a code, such as Sumedang"),
    "find_button": ("Cari", "Find"),
    "found_none": ("Tidak ada daerah dengan nama atau kode itu.", "There is no region of that name or code."),
    "found_title": ("Hasil pencarian", "What was found"),
    "nation": ("Nasional: semua", "The nation: everybody"),
    "kind_provinsi": ("Provinsi", "Provinces"),
    "kind_kabupaten": ("Kabupaten", "Regencies (kabupaten)"),
    "kind_kota": ("Kota", "Cities (kota)"),
    "by_kind": ("Menurut jenis", "By kind"),
    "by_province": ("Kabupaten/kota di provinsi", "Regencies and cities of a province"),
    "others": ("Lainnya", "Others"),
    "rank": ("Peringkat", "Rank"),
    "rank_short": ("No.", "Rank"),
    "name": ("Nama", "Name"),
    "index": ("Indeks", "Index"),
    "predicate": ("Predikat", "Predicate"),
    "movement": ("Naik/ turun", "Places won"),
    "gain": ("Perubahan indeks", "Change of index"),
    "new": ("baru", "new"),
    "participants": ("Peserta", "Participants"),
    "mean": ("Rata-rata", "Mean"),
    "median": ("Median", "Median"),
    "lowest": ("Terendah", "Lowest"),
    "highest": ("Tertinggi", "Highest"),
    "weighted": ("Rata-rata tertimbang penduduk", "Mean weighted by population"),
    "ranking": ("Peringkat", "Ranking"),
    "ranking_caption": ("Peringkat {first}–{last} dari {total}", "Places {first} to {last} of {total}"),
    "since": ("Naik dan turun dihitung sejak {period}.", "Places won and lost are counted since {period}."),
    "distribution": ("Sebaran indeks", "Distribution of the index"),
    "from_to": ("Indeks", "Index"),
    "count": ("Jumlah", "Count"),
    "targets": ("Sasaran", "Targets"),
    "target": ("Sasaran indeks", "Target index"),
    "of_all": ("{count} dari {total}", "{count} of {total}"),
    "leaps": ("Lompatan terbesar sejak {period}", "The largest leaps since {period}"),
    "leap_from_to": ("Dari → ke", "From → to"),
    "map": ("Peta petak 38 provinsi", "Tile map of the 38 provinces"),
    "map_mean": (
        "Rata-rata indeks kabupaten dan kota di tiap provinsi. Satu petak satu provinsi; pilih petak untuk melihat "
        "peringkatnya.",
        "Mean index of the regencies and cities of each province. One tile is one province; choose one to see it.",
    ),
    "map_own": (
        "Indeks tiap pemerintah provinsi. Satu petak satu provinsi.",
        "The index of each provincial government. One tile is one province.",
    ),
    "no_data": ("belum ada data", "no data"),
    "download": ("Unduh", "Download"),
    "previous": ("Sebelumnya", "Previous"),
    "next": ("Berikutnya", "Next"),
    "pages": ("Halaman peringkat", "Pages of the ranking"),
    "empty": (
        "Belum ada hasil untuk pilihan ini. Pilih tahun, tahap, atau kelompok lain.",
        "There is no result for this choice yet. Choose another period, stage or group.",
    ),
    "nothing": (
        "Belum ada hasil yang dapat ditampilkan. Hasil muncul di sini begitu diimpor atau diumumkan.",
        "There is nothing to show yet. Results appear here as soon as they are imported or published.",
    ),
    "mixed": (
        "Sebagian hasil hanya ada sebagai angka yang diumumkan, sebagian dihitung dari nilai indikator. "
        "Keduanya tidak pernah dibandingkan; yang tampil: {basis}.",
        "Some results are only published numbers, others are computed from indicators. "
        "The two are never compared; shown here: {basis}.",
    ),
    "basis_computed": ("dihitung dari indikator", "computed from indicators"),
    "basis_published": ("sebagaimana diumumkan", "as published"),
    "like_with_like": (
        "Yang dibandingkan selalu sejenis: satu instrumen, satu tahun, satu tahap. Nilai yang sama berbagi peringkat.",
        "Like is compared with like: one instrument, one period, one stage. Equal values share a rank.",
    ),
    # A region.
    "region_of": ("{kind} di {parent}", "{kind} in {parent}"),
    "place_nation": ("Peringkat nasional", "Rank in the nation"),
    "place_group": ("Peringkat: {group}", "Rank: {group}"),
    "course": ("Indeks dari tahun ke tahun", "The index over the years"),
    "course_hint": (
        "Garis terputus di tempat instrumen berganti: angka dari instrumen yang berbeda tidak dapat dibandingkan.",
        "The line breaks where the instrument changes: values of different instruments cannot be compared.",
    ),
    "course_both": (
        "Garis penuh: sebagaimana diumumkan. Garis putus-putus: dihitung dari nilai indikator.",
        "Full line: as published. Dashed line: computed from the indicators.",
    ),
    "published": ("Diumumkan", "Published"),
    "computed": ("Dihitung", "Computed"),
    "difference": ("Selisih", "Difference"),
    "aspects": ("Aspek dibandingkan dengan kelompoknya", "Aspects against the group"),
    "aspects_hint": (
        "Rata-rata kelompok: {group}, {count} daerah pada tahun yang sama.",
        "Mean of the group: {group}, {count} regions in the same period.",
    ),
    "part": ("Bagian", "Part"),
    "own_value": ("Nilai", "Value"),
    "group_mean": ("Rata-rata kelompok", "Mean of the group"),
    "weight": ("Bobot", "Weight"),
    "contribution": ("Sumbangan ke indeks", "Contribution to the index"),
    "how": ("Dari mana angka ini berasal", "How this number came about"),
    "how_lead": (
        "Indeks {index} ({predicate}) menurut {title}, dihitung dari nilai yang tidak dibulatkan dan "
        "dibulatkan sekali di akhir.",
        "Index {index} ({predicate}) by {title}, computed from unrounded values and rounded once at the end.",
    ),
    "how_published": (
        "Angka yang diumumkan adalah {published}; selisih dengan hitungan: {difference}.",
        "The published number is {published}; its difference from the computed one: {difference}.",
    ),
    "how_unknown": (
        "Untuk daerah ini hanya indeks yang diumumkan yang diketahui, bukan nilai tiap indikator.",
        "Only the published index is known of this region, not the value of each indicator.",
    ),
    "indicator": ("Indikator", "Indicator"),
    "indicators": ("Indikator", "Indicators"),
    "exact": ("Sebelum dibulatkan: {exact}", "Before rounding: {exact}"),
    "strengths": ("Yang sudah baik", "What it is good at"),
    "strengths_hint": (
        "Indikator dengan nilai tertinggi (4 ke atas): bahan studi tiru bagi daerah lain.",
        "Indicators of 4 and above: others can come here to learn them.",
    ),
    "weaknesses": ("Yang perlu dikejar", "What it has to catch up with"),
    "no_results": (
        "Belum ada hasil evaluasi yang diumumkan untuk daerah ini.",
        "No result of an evaluation has been published for this region yet.",
    ),
    "awaiting": (
        "menunggu nilai dari instansi lain, sementara dihitung dengan nilai terendah",
        "awaits another institution's value, counted at the lowest until then",
    ),
    "back": ("Kembali ke papan peringkat", "Back to the race"),
    # Kinds, stages.
    "provinsi": ("Provinsi", "Province"),
    "kabupaten": ("Kabupaten", "Regency"),
    "kota": ("Kota", "City"),
    "self-assessment": ("Penilaian mandiri", "Self-assessment"),
    "document": ("Evaluasi dokumen", "Document evaluation"),
    "interview": ("Wawancara", "Interview"),
    "visit": ("Visitasi", "Visit"),
    "review": ("Reviu", "Review"),
    "determination": ("Penetapan", "Determination"),
    "publication": ("Pengumuman", "Publication"),
    "domain": ("Domain", "Domain"),
    "aspect": ("Aspek", "Aspect"),
    # When something is wrong.
    "not_found": ("Halaman ini tidak ada", "There is no such page"),
    "not_found_text": (
        "Alamatnya mungkin salah ketik, atau daerah dengan kode itu tidak dikenal.",
        "The address may be mistyped, or no region has that code.",
    ),
    "refused_order": ("Ini tidak dapat dilakukan:", "This cannot be done:"),
    "refused": ("Pilihan ini tidak dapat ditampilkan", "This choice cannot be shown"),
    "away": ("Layanan sedang tidak tersedia", "The service is not available right now"),
    "away_text": (
        "Sebagian sistem sedang tidak menjawab. Muat ulang halaman ini sebentar lagi.",
        "A part of the system does not answer. Load this page again in a moment.",
    ),
    "footer": (
        "Semua angka dihitung dengan aritmetika desimal dan dapat diunduh sebagai CSV atau JSON.",
        "All numbers are computed in decimal arithmetic and can be downloaded as CSV or JSON.",
    ),
}


def text(key: str, language: str, /, **values: object) -> str:
    """The text of that key; KeyError for one that nobody wrote."""
    found = _TEXTS[key][LANGUAGES.index(language)]
    return found.format(**values) if values else found


def known(key: str) -> bool:
    """Whether there is a text of that key."""
    return key in _TEXTS


def word(key: str, language: str) -> str:
    """The text of that key, or the key itself: a kind or stage that others have named."""
    return text(key, language) if key in _TEXTS else key
