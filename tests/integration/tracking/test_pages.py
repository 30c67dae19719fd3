"""`make ui` on a folder of runs that was moved, looked at in a browser."""

import os
import re
import signal
import subprocess

import browser
import pytest
from playwright.sync_api import sync_playwright

from image_classifier import load_run, tracking


@pytest.fixture
def pages(run, new_store, repository, tmp_path, free_port, wait_for):
    """The address of MLflow's pages, which `make ui` serves, and the run they show."""
    assert tracking.send(run, new_store)
    moved = run.folder.parent.parent.rename(tmp_path / "moved away")
    ((run_id,),) = [tuple(os.listdir(moved / "mlartifacts" / "e"))]
    port = free_port()
    command = ["make", "-o", ".venv/.prod-installed", "-o", "preflight", "ui", f"EXPERIMENTS={moved}", f"PORT={port}"]
    unwanted = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MLFLOW_TRACKING_URI"}
    served = subprocess.Popen(
        command, cwd=repository, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in unwanted},
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/health", served)
        yield f"http://127.0.0.1:{port}", run_id, load_run(moved / "e/r")
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.wait()


def test_the_pages_show_run_metric_and_picture(pages):
    address, run_id, run = pages
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.needed(), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(f"{address}/#/experiments/1/runs")
        page.get_by_role("link", name="r", exact=True).click()
        page.wait_for_url(re.compile(run_id))
        row = page.get_by_role("row").filter(has_text="macro_f1").first
        row.wait_for()
        shown = float(re.search(r"[01]\.\d+", row.inner_text())[0])
        page.goto(f"{address}/#/experiments/1/runs/{run_id}/artifacts/metrics.png")
        picture = page.locator("img[src^='blob:']").first
        picture.wait_for()
        width = picture.evaluate("each => each.decode().then(() => each.naturalWidth)")
        chromium.close()
    assert shown == pytest.approx(run.metrics()["macro_f1"], abs=0.001)
    assert width == int.from_bytes(run.path("metrics.png").read_bytes()[16:20], "big")
