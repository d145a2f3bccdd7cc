"""The ground the other tests stand on: the fixtures themselves do what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
from playwright.async_api import Page

from tests.browser import axe_violations
from tests.leftovers import end_processes, processes_left
from tests.postgres import Postgres


def test_a_new_postgres_database_is_empty_and_its_own(new_postgres_database: Callable[..., str]) -> None:
    first, second = new_postgres_database(), new_postgres_database()
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute("CREATE TABLE shoes (pairs bigint NOT NULL)")
    with psycopg.connect(second) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT pairs FROM shoes")


def test_a_postgres_database_can_be_copied_from_a_template(postgres: Postgres, new_postgres_database: Callable[..., str]) -> None:
    template = new_postgres_database()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE shoes AS SELECT 2 AS pairs")
    copy = new_postgres_database(template.partition("?")[0].rpartition("/")[2])
    with psycopg.connect(copy) as connection:
        assert connection.execute("SELECT pairs FROM shoes").fetchall() == [(2,)]


def test_the_server_never_runs_as_root(postgres: Postgres) -> None:
    pid = int((postgres.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    assert os.stat(f"/proc/{pid}").st_uid != 0


def test_a_forgotten_process_is_found_by_the_mark_it_was_given() -> None:
    mark = b"PAYLOOM_GROUND_TEST=1"
    forgotten = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "PAYLOOM_GROUND_TEST": "1"}, start_new_session=True
    )
    left = [line for line in processes_left(mark, grace_s=0.3) if line.startswith(f"{forgotten.pid}:")]
    end_processes(left)
    assert forgotten.wait(5) < 0
    assert len(left) == 1


async def test_axe_finds_a_picture_without_words_even_under_a_strict_policy(page: Page) -> None:
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    await page.set_content(
        f"<!doctype html><html lang=en><head>{policy}<title>x</title></head><body><main><img src=''></main></body></html>"
    )
    assert [line.partition(":")[0] for line in await axe_violations(page)] == ["image-alt"]


async def test_axe_is_content_with_a_sound_page(page: Page) -> None:
    await page.set_content("<!doctype html><html lang=en><head><title>x</title></head><body><main><h1>Shoes</h1></main></body></html>")
    assert await axe_violations(page) == []
    assert page.viewport_size == {"width": 390, "height": 844}
