"""A real, headless Chromium: one for the session, a fresh private window for every test, and axe for accessibility."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

PHONE = {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

type_of_open_page = Callable[..., Awaitable[Page]]


def chromium() -> str:
    """The path of a Chromium. Raises RuntimeError with what to do where there is none."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise RuntimeError("no Chromium on PATH: run `make browser`, or set CHROMIUM to one")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[type_of_open_page]:
    """`await open_page(width=390, height=844, locale="ar", color_scheme="dark", java_script_enabled=False, ...)`.

    Each call is a private window of its own: no cookie is shared. All are closed after the test.
    """
    contexts: list[BrowserContext] = []

    async def opener(width: int = PHONE["width"], height: int = PHONE["height"], **settings: Any) -> Page:
        context = await browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        context.set_default_timeout(10_000)
        return await context.new_page()

    yield opener
    for context in contexts:
        await context.close()


@pytest.fixture
async def page(open_page: type_of_open_page) -> Page:
    """A window the size of a phone."""
    return await open_page()


async def axe_violations(page: Page, rules: dict[str, Any] | None = None) -> list[str]:
    """What axe finds on the page as it is now, one line for each: rule, what is wrong, where. Works under a strict CSP."""
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    result = await page.evaluate("rules => axe.run(document, rules)", rules or AXE_RULES)
    return [f"{found['id']}: {found['help']} at {node['target']}" for found in result["violations"] for node in found["nodes"]]
