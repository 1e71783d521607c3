"""The exported value sets hold exactly what the service recognises by a code alone."""

import pytest

from cds_service.fhir.export.edition import resource_id
from tests.export.conftest import Exported, everywhere

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"


def composed(one, exported):
    """The codes and the open families of a set's definition, included sets followed."""
    known, codes, families = exported.by_canonical(), set(), set()
    for include in one.get("compose", {}).get("include", []):
        system = include.get("system")
        codes |= {(system, concept["code"]) for concept in include.get("concept", [])}
        families |= {(system, only["value"]) for only in include.get("filter", [])}
        for other in include.get("valueSet", []):
            more, below = composed(known[other], exported)
            codes, families = codes | more, families | below
    return codes, families


def expanded(one):
    return {(found["system"], found["code"]) for found in one["expansion"].get("contains", [])}


def known_codes(exported, knowledge):
    """Every code that stands anywhere in the knowledge, with its system."""
    systems = knowledge.names.systems
    for entry in knowledge.names.value_sets.values():
        yield from ((systems[code.system].uri, code.code) for code in entry.codes)
    for one in exported.of("ValueSet").values():
        yield from expanded(one)


def counts_alone(knowledge, system, code):
    """The concepts a code means without any words beside it."""
    return {m.concept for m in knowledge.vocabulary.table.look_up(system, code) if not m.words}


def is_below(code, families, system):
    return any(at == system and code.startswith(top) for at, top in families)


@pytest.fixture(scope="session")
def sets(exported, knowledge):
    found = exported.of("ValueSet")
    return {name: found[resource_id(name)] for name in knowledge.names.value_sets}


def test_every_exported_code_is_recognised_as_the_sets_concept(sets, exported, knowledge):
    for name, one in sets.items():
        for system, code in composed(one, exported)[0]:
            assert name in counts_alone(knowledge, system, code), (name, code)


def test_every_recognised_code_is_exported(sets, exported, knowledge):
    definitions = {name: composed(one, exported) for name, one in sets.items()}
    for system, code in set(known_codes(exported, knowledge)):
        for name in counts_alone(knowledge, system, code):
            codes, families = definitions[name]
            assert (system, code) in codes or is_below(code, families, system), (name, code)


def test_an_open_family_is_recognised_below_its_code(sets, exported, knowledge):
    checked = 0
    for name, one in sets.items():
        for system, top in composed(one, exported)[1]:
            checked += 1
            assert name in counts_alone(knowledge, system, f"{top}8"), (name, top)
    assert checked


def test_the_expansion_is_the_definition_written_out(sets, exported):
    for name, one in sets.items():
        codes, families = composed(one, exported)
        assert expanded(one) == codes, name
        assert one["expansion"]["total"] == len(codes)
        unclosed = any(e["url"].endswith("valueset-unclosed") for e in one["expansion"].get("extension", []))
        assert unclosed == bool(families), name


def test_codes_that_need_words_stay_out_and_are_named(sets, exported, knowledge):
    checked = 0
    for name, entry in knowledge.names.value_sets.items():
        for code in entry.codes:
            system = knowledge.names.systems[code.system].uri
            if code.only_when_text_says and name not in counts_alone(knowledge, system, code.code):
                checked += 1
                assert (system, code.code) not in composed(sets[name], exported)[0]
                assert code.code in sets[name]["purpose"]
                assert code.only_when_text_says[0] in sets[name]["purpose"]
    assert checked


def test_a_set_whose_codes_all_need_words_is_empty_and_says_so(sets):
    empty = [one for one in sets.values() if one["expansion"]["total"] == 0]
    assert empty
    for one in empty:
        assert "compose" not in one
        assert "it is empty" in one["purpose"]


def test_no_include_names_a_code_twice_or_mixes_codes_with_filters(exported):
    for include in everywhere(list(exported.of("ValueSet").values())):
        if "concept" in include or "filter" in include:
            assert "system" in include
            assert not ("concept" in include and "filter" in include)
        codes = [concept["code"] for concept in include.get("concept", [])]
        assert len(set(codes)) == len(codes)


def test_cpt_codes_carry_no_display(exported: Exported):
    cpt = [c for i in everywhere(exported.bundle) if i.get("system") == CPT for c in (*i.get("concept", []), i)]
    assert any("code" in one for one in cpt)
    assert not any("display" in one for one in cpt)


def test_descendants_carry_their_own_titles(sets):
    foot_drop = sets["foot drop"]["compose"]["include"][0]
    assert foot_drop["system"] == ICD
    assert {c["code"]: c["display"] for c in foot_drop["concept"]}["M21.371"] == "Foot drop, right foot"


def test_every_set_carries_the_licences_of_its_systems(sets, exported, knowledge):
    names = {system.uri: name for name, system in knowledge.names.systems.items()}
    for one in sets.values():
        for system in {system for system, _ in composed(one, exported)[0]}:
            assert f"{names[system]}:" in one["copyright"]
