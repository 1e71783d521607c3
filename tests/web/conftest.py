"""A service that shows figures made by hand, made once for all tests of `/insight`."""

import pytest

from cds_service.app import create_app
from cds_service.settings import Settings
from tests.conftest import Client
from tests.web import insight_world


@pytest.fixture(scope="session")
def _insight():
    with pytest.MonkeyPatch.context() as patch:
        figures = insight_world.show(patch)
        served = Client(create_app(Settings(database_url="sqlite://")))
    yield served, figures
    served.close()


@pytest.fixture
def insight(_insight):
    """Asks the service for a page of figures; `insight.figures` remembers what these were asked for."""
    served, figures = _insight
    figures.asked.clear()

    def ask(path="/insight", answer=insight_world.plausible, method="GET"):
        figures.answer = answer
        return served.request(method, path)

    ask.figures = figures
    return ask
