"""`/insight` over HTTP: the page, and the same figures as JSON and as CSV, for one setting of the filters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cds_service.decision.insight import Figures
from cds_service.errors import InvalidRequestError, LedgerError
from cds_service.knowledge.knowledge import Knowledge
from cds_service.web.insight.address import read_filters
from cds_service.web.insight.page import POLICY, insight_page, problem_page
from cds_service.web.insight.sheets import SHEETS, as_csv, as_json
from cds_service.web.insight.words import InsightWords

_PAGE_HEADERS = {"content-security-policy": POLICY, "cache-control": "no-store"}
_FRESH = {"cache-control": "no-store"}
_LOG = logging.getLogger("cds_service")
Answer = Callable[[Request], Response]


def insight_routes(figures: Figures, knowledge: Knowledge) -> Iterator[tuple[str, Answer]]:
    """Path and answer of each. No answer is async: the ledger is asked, on a thread of its own.

    Those for programs raise InvalidRequestError and LedgerError; the page says for itself what is wrong.
    """
    words = InsightWords(knowledge)

    def shown(request: Request) -> Response:
        try:
            insight = figures.insight(read_filters(request.query_params.multi_items()))
        except InvalidRequestError as error:
            sentence = f"This address cannot be read: “{error.member}” {error.problem}."
            return HTMLResponse(problem_page(sentence), 400, _PAGE_HEADERS)
        except LedgerError as error:
            _LOG.error("insight: the ledger cannot be read: %s", type(error).__name__)
            sentence = "The ledger cannot be read at the moment. Try again later."
            return HTMLResponse(problem_page(sentence), 503, _PAGE_HEADERS | {"retry-after": "5"})
        return HTMLResponse(insight_page(insight, words), headers=_PAGE_HEADERS)

    def as_data(request: Request) -> Response:
        insight = figures.insight(read_filters(request.query_params.multi_items()))
        return Response(as_json(insight, words), headers=_FRESH, media_type="application/json")

    def as_sheet(request: Request) -> Response:
        asked = request.query_params.multi_items()
        names = [value for name, value in asked if name == "table"]
        if len(names) != 1 or names[0] not in SHEETS:
            raise InvalidRequestError("table", f"is needed once: {', '.join(SHEETS)}")
        insight = figures.insight(read_filters(pair for pair in asked if pair[0] != "table"))
        saved_as = {"content-disposition": f'attachment; filename="insight-{names[0]}.csv"'}
        body = as_csv(SHEETS[names[0]](insight, words))
        return Response(body, headers=_FRESH | saved_as, media_type="text/csv; charset=utf-8; header=present")

    yield "/insight", shown
    yield "/insight.json", as_data
    yield "/insight.csv", as_sheet
