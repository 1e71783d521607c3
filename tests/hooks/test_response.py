"""Answers: what breaks the standard cannot be built, what exists is encoded without a null or an empty member."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.hooks.response import (
    Action,
    ActionType,
    Card,
    CDSResponse,
    Coding,
    Indicator,
    Link,
    LinkType,
    OverrideReason,
    SelectionBehavior,
    Source,
    Suggestion,
    SystemAction,
    encode,
)

UUID = "4ccc001c-0238-46cb-b2e0-88e981f27c07"
RESOURCE = {"resourceType": "ServiceRequest", "status": "draft"}


def card(**members):
    return Card(**{"uuid": UUID, "summary": "Stretch", "indicator": "info", "source": Source(label="Us")} | members)


def suggestion(**members):
    return Suggestion(**{"label": "Order it", "uuid": UUID} | members)


def sent(response):
    return json.loads(encode(response))


def has_hole(value):
    """Whether a null or something empty is anywhere inside."""
    if isinstance(value, dict):
        return not value or any(map(has_hole, value.values()))
    if isinstance(value, list):
        return not value or any(map(has_hole, value))
    return value is None or value == ""


@pytest.mark.norm("RSP-1", "RSP-2", "RSP-3", "JSN-3")
def test_no_guidance_is_an_empty_list_of_cards():
    assert encode(CDSResponse(cards=())) == b'{"cards":[]}'
    assert encode(CDSResponse(cards=[], system_actions=[], extension={})) == b'{"cards":[]}'


@pytest.mark.norm("JSN-2", "JSN-3", "JSN-4", "RSP-4")
def test_a_minimal_card_has_nothing_but_what_is_required():
    assert sent(CDSResponse(cards=[card()])) == {
        "cards": [{"uuid": UUID, "summary": "Stretch", "indicator": "info", "source": {"label": "Us"}}]
    }


@pytest.mark.norm("JSN-3")
def test_empty_optional_lists_and_objects_are_left_out():
    full = card(suggestions=[], links=[], override_reasons=[], extension={})
    assert full == card()
    assert not has_hole(sent(CDSResponse(cards=[full])))


@pytest.mark.norm(
    "CARD-1", "CARD-3", "CARD-6", "CARD-7", "CARD-9", "CARD-10", "SRC-5", "SUG-1", "SUG-2", "SUG-3", "SUG-5"
)
def test_a_full_card_has_the_standards_names():
    full = card(
        detail="**Why**",
        indicator=Indicator.WARNING,
        source=Source(
            label="Us",
            url="https://a.example/x",
            icon="https://a.example/i.png",
            topic=Coding(system="https://a.example", code="FD-1", display="Brace"),
        ),
        suggestions=[
            suggestion(is_recommended=True, actions=[Action(type="create", description="Order", resource=RESOURCE)])
        ],
        selection_behavior=SelectionBehavior.ANY,
        override_reasons=[OverrideReason(system="https://a.example", code="done", display="Done already")],
        links=[Link(label="App", url="https://a.example/launch", type="smart", app_context='{"a":1}')],
        extension={"org.example.x": 1},
    )
    assert sent(CDSResponse(cards=[full]))["cards"][0] == {
        "uuid": UUID,
        "summary": "Stretch",
        "detail": "**Why**",
        "indicator": "warning",
        "source": {
            "label": "Us",
            "url": "https://a.example/x",
            "icon": "https://a.example/i.png",
            "topic": {"system": "https://a.example", "code": "FD-1", "display": "Brace"},
        },
        "suggestions": [
            {
                "label": "Order it",
                "uuid": UUID,
                "isRecommended": True,
                "actions": [{"type": "create", "description": "Order", "resource": RESOURCE}],
            }
        ],
        "selectionBehavior": "any",
        "overrideReasons": [{"system": "https://a.example", "code": "done", "display": "Done already"}],
        "links": [{"label": "App", "url": "https://a.example/launch", "type": "smart", "appContext": '{"a":1}'}],
        "extension": {"org.example.x": 1},
    }


@pytest.mark.norm("CARD-2")
def test_a_summary_has_fewer_than_140_characters():
    assert card(summary="ä" * 139)
    with pytest.raises(ValueError, match="CARD-2"):
        card(summary="ä" * 140)


@pytest.mark.norm("CARD-2", "JSN-3", "JSN-5")
@pytest.mark.parametrize("summary", ["", "  ", "a\nb", "a\r\nb", "a\u2028b"])
def test_a_summary_is_one_line_of_words(summary):
    with pytest.raises(ValueError, match="summary"):
        card(summary=summary)


@pytest.mark.norm("CARD-4")
@pytest.mark.parametrize("indicator", ["error", "hard-stop", "INFO", ""])
def test_an_unknown_indicator_is_refused(indicator):
    with pytest.raises(ValueError, match="Indicator"):
        card(indicator=indicator)


@pytest.mark.norm("CARD-4")
def test_indicators_rank_by_urgency():
    assert max(["warning", "critical", "info"], key=lambda code: Indicator(code).rank) == "critical"
    assert Indicator.INFO.rank < Indicator.WARNING.rank < Indicator.CRITICAL.rank


@pytest.mark.norm("CARD-7", "CARD-8")
def test_suggestions_and_selection_behavior_go_together():
    with pytest.raises(ValueError, match="CARD-7"):
        card(suggestions=[suggestion()])
    with pytest.raises(ValueError, match="CARD-7"):
        card(selection_behavior="any")
    with pytest.raises(ValueError, match="SelectionBehavior"):
        card(suggestions=[suggestion()], selection_behavior="all")


@pytest.mark.norm("SUG-4")
def test_only_one_suggestion_is_recommended_where_one_may_be_taken():
    two = [suggestion(is_recommended=True), suggestion(is_recommended=True)]
    assert card(suggestions=two, selection_behavior="any")
    assert card(suggestions=[two[0], suggestion()], selection_behavior="at-most-one")
    with pytest.raises(ValueError, match="SUG-4"):
        card(suggestions=two, selection_behavior="at-most-one")


@pytest.mark.norm("CARD-1", "SUG-2", "FBK-10")
@pytest.mark.parametrize("make", [card, suggestion])
def test_cards_and_suggestions_have_a_uuid(make):
    for wrong in ("", "card-1", UUID + "0"):
        with pytest.raises(ValueError, match="uuid"):
            make(uuid=wrong)
    with pytest.raises(TypeError):
        Card(summary="a", indicator="info", source=Source(label="Us"))
    with pytest.raises(TypeError):
        Suggestion(label="a")


@pytest.mark.norm("JSN-3", "JSN-5", "SRC-1", "SUG-1", "LNK-1", "COD-1", "OVR-1", "COD-2", "ACT-2")
@pytest.mark.parametrize(
    "make",
    [
        lambda: card(detail=""),
        lambda: Source(label=" "),
        lambda: suggestion(label=""),
        lambda: Link(label="", url="https://a.example", type="absolute"),
        lambda: Link(label="a", url="https://a.example", type="smart", app_context=""),
        lambda: Coding(system="", code="a"),
        lambda: Coding(system="a", code=""),
        lambda: OverrideReason(system="a", code="b", display=""),
        lambda: Action(type="create", description="", resource=RESOURCE),
    ],
)
def test_an_empty_string_is_refused(make):
    with pytest.raises(ValueError, match="is empty"):
        make()


@pytest.mark.norm("OVR-1", "COD-2")
def test_an_override_reason_has_a_display_and_a_topic_need_not():
    assert Coding(system="a", code="b", display="") == Coding(system="a", code="b")
    with pytest.raises(TypeError):
        OverrideReason(system="a", code="b")


@pytest.mark.norm("CARD-5")
def test_a_card_has_a_source():
    with pytest.raises(TypeError):
        Card(uuid=UUID, summary="a", indicator="info")


@pytest.mark.norm("SRC-2", "SRC-4", "LNK-2")
@pytest.mark.parametrize("url", ["", "cards/1", "/cards/1", "//a.example", "javascript:alert(1)", "https://a b"])
def test_urls_are_absolute(url):
    for make in (
        lambda: Source(label="a", url=url),
        lambda: Source(label="a", icon=url),
        lambda: Link(label="a", url=url, type="absolute"),
    ):
        with pytest.raises(ValueError, match="absolute"):
            make()


@pytest.mark.norm("LNK-3")
def test_a_link_is_absolute_or_smart():
    assert Link(label="a", url="https://a.example", type="absolute").type is LinkType.ABSOLUTE
    with pytest.raises(ValueError, match="LinkType"):
        Link(label="a", url="https://a.example", type="relative")


@pytest.mark.norm("LNK-4")
def test_app_context_is_for_smart_links_only():
    with pytest.raises(ValueError, match="LNK-4"):
        Link(label="a", url="https://a.example", type="absolute", app_context="x")


@pytest.mark.norm("ACT-1")
def test_an_action_creates_updates_or_deletes():
    assert Action(type="update", description="a", resource=RESOURCE).type is ActionType.UPDATE
    with pytest.raises(ValueError, match="ActionType"):
        Action(type="patch", description="a", resource=RESOURCE)


@pytest.mark.norm("ACT-3", "ACT-4")
@pytest.mark.parametrize("kind", ["create", "update"])
@pytest.mark.parametrize("resource", [None, {}, {"status": "draft"}, "ServiceRequest/1"])
def test_create_and_update_carry_a_whole_resource(kind, resource):
    with pytest.raises(ValueError, match="whole resource"):
        Action(type=kind, description="a", resource=resource)


@pytest.mark.norm("ACT-5", "ACT-6")
def test_delete_names_a_resource_by_reference():
    assert sent(
        CDSResponse(cards=[], system_actions=[SystemAction(type="delete", resource_id="ServiceRequest/1")])
    ) == {"cards": [], "systemActions": [{"type": "delete", "resourceId": "ServiceRequest/1"}]}
    for wrong in (None, "", "1", "https://a.example/ServiceRequest/1", "ServiceRequest/"):
        with pytest.raises(ValueError, match="ACT-5"):
            Action(type="delete", description="a", resource_id=wrong)
    with pytest.raises(ValueError, match="ACT-6"):
        Action(type="delete", description="a", resource=RESOURCE, resource_id="ServiceRequest/1")
    with pytest.raises(ValueError, match="ACT-5"):
        Action(type="create", description="a", resource=RESOURCE, resource_id="ServiceRequest/1")


@pytest.mark.norm("ACT-2", "SYS-1")
def test_an_action_is_described_and_a_system_action_may_be():
    with pytest.raises(TypeError):
        Action(type="create", resource=RESOURCE)
    assert SystemAction(type="create", resource=RESOURCE).description is None


@pytest.mark.norm("JSN-2", "JSN-6")
def test_nulls_inside_a_resource_go_out_untouched():
    resource = {
        "resourceType": "Patient",
        "name": [{"given": ["Ada", None], "_given": [None, {"extension": []}]}],
        "x": None,
    }
    action = Action(type="update", description="a", resource=resource)
    full = card(suggestions=[suggestion(actions=[action])], selection_behavior="any")
    assert sent(CDSResponse(cards=[full]))["cards"][0]["suggestions"][0]["actions"][0]["resource"] == resource


@pytest.mark.norm("JSN-6")
def test_a_decimal_inside_a_resource_keeps_its_digits_as_a_number():
    action = SystemAction(type="create", resource={"resourceType": "Observation", "value": Decimal("1.50")})
    assert b'"value":1.50' in encode(CDSResponse(cards=[], system_actions=[action]))


def test_an_answer_cannot_be_changed_once_built():
    with pytest.raises(AttributeError):
        card().summary = "x"


def test_what_was_sent_can_be_read_back():
    response = CDSResponse(cards=[card(suggestions=[suggestion()], selection_behavior="any")])
    assert msgspec.json.decode(encode(response), type=CDSResponse) == response


words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)
codings = st.builds(Coding, system=words, code=words, display=st.none() | words)
cards = st.builds(
    card,
    summary=words,
    detail=st.none() | words,
    indicator=st.sampled_from(Indicator),
    source=st.builds(Source, label=words, topic=st.none() | codings),
    links=st.lists(st.builds(Link, label=words, url=st.just("https://a.example"), type=st.sampled_from(LinkType))),
    extension=st.none() | st.just({}) | st.dictionaries(words, words),
)


@pytest.mark.norm("JSN-2", "JSN-3", "JSN-4")
@settings(deadline=None)
@given(st.lists(cards, min_size=1, max_size=3))
def test_nothing_null_or_empty_is_ever_emitted(some):
    assert not has_hole(sent(CDSResponse(cards=some)))
