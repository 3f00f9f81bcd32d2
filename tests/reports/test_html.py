"""The HTML report: whole in one file, escaped, and right in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from conftest import compare_runs

from grubench.comparison.comparison import Comparison
from grubench.errors import RunError, UsageError
from grubench.reports import html, vega
from grubench.runs.records import Metrics
from grubench.runs.run import Run

EVIL = "<script>document.title='pwned'</script>"


@pytest.fixture(scope="module")
def found(trained: dict[str, Run]) -> Comparison:
    return compare_runs({name.upper(): [run] for name, run in trained.items()}, notes=(EVIL,))


@pytest.fixture(scope="module")
def page(found: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    html.write(found, path)
    return path


def test_nothing_is_fetched(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:)', outside)
    assert "default-src 'none'" in text
    assert page.stat().st_size < 3_000_000


def test_the_answer_comes_first_and_one_picture(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = [text.index(part) for part in ('class="answer"', "<figure", "<strong>Speed:</strong>", "<table")]
    assert places == sorted(places)
    assert text.index("<figure", places[1] + 1) > places[3]


def test_the_columns_are_explained(page: Path) -> None:
    assert "s/epoch: median of the epochs after the first." in page.read_text(encoding="utf-8")


def test_what_comes_from_data_is_escaped(trained: dict[str, Run], found: Comparison) -> None:
    text = html.render(found)
    assert EVIL not in text
    assert "&lt;script&gt;document.title" in text
    text = msgspec.json.encode(trained["gru"].metrics).replace(b"activity0", b"</script><script>alert(1)//")
    metrics = msgspec.json.decode(text, type=Metrics)
    named = compare_runs({"GRU": [replace(trained["gru"], metrics=metrics)]})
    assert "</script><script>alert(1)" not in html.render(named)


def test_every_picture_has_a_title_a_description_and_named_axes(found: Comparison) -> None:
    for draw in (
        vega.chart_loss,
        vega.chart_forecasts,
        vega.chart_horizon,
        vega.chart_series,
        vega.chart_time,
        vega.chart_parameters,
    ):
        chart = draw(found)
        assert chart is not None
        assert chart["title"]
        assert len(chart["description"]) > 20
        json.dumps(chart, allow_nan=False)


def test_a_report_that_cannot_be_written_is_told(found: Comparison, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="could not be written"):
        html.write(found, tmp_path / "absent" / "report.html")


def test_without_its_extra_the_remedy_is_named(found: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(UsageError, match=r"vl_convert is not installed") as caught:
        html.render(found)
    assert "pip install jinja2 vl-convert-python" in caught.value.remedy


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(page: Path, width: int, tmp_path: Path) -> None:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs Debian's chromium and chromium-driver")
    webdriver, wait = (pytest.importorskip(f"selenium.webdriver{part}") for part in ("", ".support.wait"))
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", f"--window-size={width},900", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        charts_drawn = "return document.querySelectorAll('.chart svg').length"
        wait.WebDriverWait(driver, 30).until(lambda _: driver.execute_script(charts_drawn) == 6)
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        requests = [
            message["params"]["request"]["url"]
            for entry in driver.get_log("performance")
            if (message := json.loads(entry["message"])["message"])["method"] == "Network.requestWillBeSent"
        ]
        assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
        assert driver.title != "pwned"
        assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        names = "return [...document.querySelectorAll('table.sortable tbody')][0].innerText"
        before = driver.execute_script(names)
        button = driver.find_elements("css selector", "table.sortable th button")[1]
        button.click()
        ascending = driver.execute_script(names)
        button.click()
        assert driver.execute_script(names) != ascending
        assert sorted(before.splitlines()) == sorted(ascending.splitlines())
    finally:
        driver.quit()
