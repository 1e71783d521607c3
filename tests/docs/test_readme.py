"""README.md says what is so: a first call, the number of recommendations, the commands."""

import asyncio
import re

import httpx
import pytest

from cds_service.app import create_app
from cds_service.knowledge.loader import load_knowledge
from cds_service.settings import Settings
from tests.docs.pages import PAGES, ROOT, blocks, read

README = read("README.md")


@pytest.fixture(scope="module")
def app():
    return create_app(Settings(database_url="sqlite://"))


def _send(app, path, body):
    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(path, content=body, headers={"content-type": "application/json"})

    return asyncio.run(send())


def test_the_first_call_brings_cards_that_say_what_was_not_sent(app):
    (command,) = (block for block in blocks(README, "sh") if block.startswith("curl "))
    path, body = re.search(r"127\.0\.0\.1:8080(\S+) -d '(.+)' \|", command, re.DOTALL).groups()
    answer = _send(app, path, body)
    assert answer.status_code == 200
    codes = {card["source"]["topic"]["code"]: card["detail"] for card in answer.json()["cards"]}
    assert "Not seen in this record:" in codes["FD-AFO-01"]
    assert "data-gap" in codes


def test_it_says_that_the_knowledge_is_not_approved_before_it_says_how_to_start():
    assert README.index("Not clinically approved") < README.index("make run")


@pytest.mark.parametrize("name", ["README.md", "docs/index.md"])
def test_it_says_how_many_recommendations_there_are_and_that_all_are_drafts(name):
    recommendations = load_knowledge(ROOT / "cards").recommendations
    assert {recommendation.stewardship.status for recommendation in recommendations} == {"draft"}
    assert set(re.findall(r"(\d+) recommendations", read(name))) == {str(len(recommendations))}


def test_every_setting_that_a_page_names_exists():
    named = {found for page in PAGES for found in re.findall(r"\bCDS_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))}
    assert named <= {f"CDS_{name.upper()}" for name in Settings.model_fields}


def test_it_can_be_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 130
