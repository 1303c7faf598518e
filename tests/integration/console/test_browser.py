"""The pages in a real Chromium: accessible in both languages, on a phone, without script, by keyboard."""

from tests.harness.browsing import browser, cut, faults, moving
from tests.integration.console.conftest import SUMEDANG, Console, opened

WIDTHS = (1280, 320)
PATHS = (
    "/",
    "/programs",
    "/practices",
    "/?group=province:32",
    f"/r/{SUMEDANG}",
    "/r/EVIL-1",
    "/find?q=bandung",
    "/nothing",
)


async def test_every_public_page_is_accessible_and_fits_a_phone(nation: Console) -> None:
    found = []
    async with browser(bypass_csp=True) as context:
        page = await context.new_page()
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 740})
            for path in (*PATHS, *(f"/en{path}" for path in PATHS)):
                await page.goto(nation.url + path)
                found += [f"{path} at {width}: {fault}" for fault in await faults(page)]
                found += [f"{path} at {width}: {fault}" for fault in await cut(page)]
        # What 1280 pixels are at 200 %, for somebody whom motion makes ill.
        await page.set_viewport_size({"width": 640, "height": 370})
        for path in PATHS:
            await page.emulate_media(reduced_motion="no-preference")
            await page.goto(nation.url + path)
            found += [f"{path} at 200 %: {fault}" for fault in await cut(page)]
            assert await moving(page), "nothing glides for anybody: this says nothing"
            await page.emulate_media(reduced_motion="reduce")
            found += [f"{path} moves: {fault}" for fault in await moving(page)]
    assert not found, "\n".join(found)


async def test_the_race_can_be_used_by_keyboard_without_script(nation: Console) -> None:
    complaints: list[str] = []
    async with browser(java_script_enabled=False) as context:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(nation.url + "/")
        await page.keyboard.press("Tab")
        assert await page.locator(":focus").inner_text() == "Langsung ke isi"
        await page.get_by_label("Cari daerah").fill("sumedang")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Kabupaten Sumedang").click()
        assert await page.get_by_role("heading", level=1).inner_text() == "Kabupaten Sumedang"
        await page.goto(nation.url + "/")
        await page.get_by_label("Kelompok").select_option("province:32")
        await page.get_by_role("button", name="Tampilkan").press("Enter")
        await page.wait_for_url("**group=province*")
        assert "Jawa Barat, 2025" in await page.locator("h2#ringkasan").inner_text()
        assert await context.cookies() == []
    assert complaints == []


async def test_a_head_signs_in_and_answers_on_a_phone_with_accessible_pages(console: Console) -> None:
    evaluation = await opened(console)
    found = []
    async with browser(bypass_csp=True, viewport={"width": 320, "height": 740}) as context:
        page = await context.new_page()
        await page.goto(console.url + "/")
        await page.get_by_role("link", name="Masuk").click()
        await page.get_by_label("Peran").select_option("head")
        await page.get_by_role("button", name="Masuk").click()
        await page.wait_for_url("**/work")
        for path in ("/work", f"/work/assessment/{evaluation}", f"/en/work/assessment/{evaluation}/2"):
            await page.goto(console.url + path)
            found += [f"{path}: {fault}" for fault in await faults(page)]
            found += [f"{path}: {fault}" for fault in await cut(page)]
        # Lost, but not signed out.
        await page.goto(console.url + "/work/nowhere")
        assert await page.get_by_role("heading", level=1).inner_text() == "Halaman ini tidak ada"
        found += await faults(page) + await cut(page)
        await page.get_by_role("navigation").get_by_role("link", name="Pekerjaan saya").press("Enter")
        await page.wait_for_url("**/work")
        await page.goto(f"{console.url}/work/assessment/{evaluation}")
        await page.get_by_role("link", name="Isi indikator berikutnya yang kosong").press("Enter")
        await page.get_by_role("radio").nth(2).check()
        await page.get_by_label("Penjelasan").fill("Ada peraturan bupati.")
        await page.get_by_role("button", name="Simpan dan lanjut").press("Enter")
        await page.get_by_text("Tersimpan.").wait_for()
        assert (await page.get_by_role("heading", level=1).inner_text()).startswith("2.")
    assert not found, "\n".join(found)
