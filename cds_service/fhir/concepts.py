"""From codings to concepts and sides. What is not in the vocabulary's table means nothing here: no guessing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cds_service.domain.codes import Coding, Meaning
from cds_service.domain.facts import NO_CONCEPTS
from cds_service.domain.sides import Side
from cds_service.domain.vocabulary import Vocabulary
from cds_service.fhir import elements
from cds_service.fhir.elements import text_of

_SIDE_WORDS: Final = re.compile(r"\b(?:(right)|(left)|bilateral|both)\b", re.IGNORECASE)
_NO_CODING: Final = Coding("", "")


class Understood(NamedTuple):
    """What a code means: its concepts, the first coding that had a meaning, and the side that code and site name."""

    concepts: frozenset[str]
    coding: Coding
    side: Side = Side.UNSPECIFIED


def each_concept(concepts: elements.Concepts) -> Sequence[elements.CodeableConcept]:
    """The CodeableConcepts of a member, however a feed wrote them; a plain string is only text."""
    if concepts is None:
        return ()
    if isinstance(concepts, elements.CodeableConcept):
        return (concepts,)
    return (elements.CodeableConcept(text=concepts),) if isinstance(concepts, str) else concepts


def each_coding(concepts: elements.Concepts) -> Sequence[elements.Coding]:
    """Every coding of a member. The shape that FHIR prescribes is answered without a copy."""
    if isinstance(concepts, elements.CodeableConcept):
        coding = concepts.coding
        return coding if isinstance(coding, list) else () if coding is None else (coding,)
    return [coding for concept in each_concept(concepts) for coding in each_coding(concept)]


def codes_of(concepts: elements.Concepts) -> frozenset[str]:
    """The bare codes of a FHIR status or category, whatever the system; older feeds send the code as a string."""
    if isinstance(concepts, str):
        return frozenset((concepts.strip(),))
    return frozenset(text_of(coding.code).strip() for coding in each_coding(concepts)) - {""}


def texts_of(concepts: elements.Concepts) -> Iterator[str]:
    """The clinician's words: text first, then the displays."""
    for concept in each_concept(concepts):
        if concept.text:
            yield concept.text
    for coding in each_coding(concepts):
        if coding.display:
            yield coding.display


def words_of(concepts: elements.Concepts) -> str:
    """The first of the clinician's words, or the code where there are none."""
    words = next(texts_of(concepts), "")
    return words or next((text_of(coding.code) for coding in each_coding(concepts)), "")


def says_something(concepts: elements.Concepts) -> bool:
    """Whether there is a code or a word in it; ``{"coding": [{}]}`` says nothing."""
    return bool(words_of(concepts))


def is_text_only(concepts: elements.Concepts) -> bool:
    """Whether only words say what it is."""
    return not any(text_of(coding.code) for coding in each_coding(concepts)) and says_something(concepts)


class ConceptReader:
    """Reads codes and body sites with one vocabulary; shared by all calls."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._look_up = vocabulary.table.look_up
        self._not_at = vocabulary.not_at
        self._cause_words = vocabulary.cause_words
        self._laterality_parameter = vocabulary.laterality_parameter
        self._lateralities = frozenset((self._laterality_parameter,)).union(
            meaning.concept
            for coding in vocabulary.side_codings.values()
            for meaning in self._look_up(coding.system, coding.code)
        )

    def understand(self, code: elements.Concepts, sites: elements.Concepts = None) -> Understood | None:
        """What `code` means at these body sites; None if nothing. Concepts are empty if it only names a side."""
        codings = each_coding(code)
        if not any(self._meanings(coding) for coding in codings):
            return None  # what most of a record comes to
        found = [
            (coding, meaning)
            for coding in codings
            for meaning in self._meanings(coding)
            if not meaning.words or _has_word(meaning.words, (code, sites))
        ]
        concepts = frozenset(meaning.concept for _, meaning in found) - self._lateralities
        if concepts and self._not_at and sites is not None:
            concepts = self._at_these(concepts, sites)
            if not concepts:
                return None
        side = Side.UNSPECIFIED
        for _, meaning in found:
            if meaning.side:  # joining flags costs more than asking
                side |= meaning.side
        if not concepts and not side:
            return None
        first = next((coding for coding, meaning in found if meaning.concept in concepts), None)
        return Understood(concepts, _coding(first, code), side or self.side(sites))

    def _meanings(self, coding: elements.Coding) -> tuple[Meaning, ...]:
        code = coding.code
        return self._look_up(coding.system, code if isinstance(code, str) else text_of(code))

    def _at_these(self, concepts: frozenset[str], sites: elements.Concepts) -> frozenset[str]:
        """Leave out what does not count at any of the sites."""
        places = self.concepts(sites) - self._lateralities
        if not places:
            return concepts
        return frozenset(one for one in concepts if not places <= self._not_at.get(one, NO_CONCEPTS))

    def concepts(self, code: elements.Concepts) -> frozenset[str]:
        """Everything the codings mean, as an answer or a reason."""
        if code is None:
            return NO_CONCEPTS
        return frozenset(
            meaning.concept
            for coding in each_coding(code)
            for meaning in self._meanings(coding)
            if not meaning.words or _has_word(meaning.words, (code,))
        )

    def causes_named(self, code: elements.Concepts) -> frozenset[str]:
        """The concepts that a stated cause names in words: causes are seldom coded."""
        return frozenset(concept for concept, words in self._cause_words.items() if _has_word(words, (code,)))

    def side(self, sites: elements.Concepts) -> Side:
        """The side that body sites name: by their codes, else by the words right, left, both, bilateral."""
        side = self._coded_side(sites)
        if side or sites is None:
            return side
        for text in texts_of(sites):
            for right, left in _SIDE_WORDS.findall(text):
                side |= Side.RIGHT if right else Side.LEFT if left else Side.BOTH
        return side

    def _coded_side(self, concepts: elements.Concepts) -> Side:
        side = Side.UNSPECIFIED
        for coding in each_coding(concepts):
            for meaning in self._meanings(coding):
                side |= meaning.side
        return side

    def side_of_parameters(self, parameters: Iterable[tuple[elements.Concepts, elements.Concepts]]) -> Side:
        """The side among pairs of code and value, where the code asks for laterality."""
        side = Side.UNSPECIFIED
        for code, value in parameters:
            if self._laterality_parameter in self.concepts(code):
                side |= self._coded_side(value)
        return side


def _coding(coding: elements.Coding | None, code: elements.Concepts) -> Coding:
    """The coding as sent, with the record's words for it."""
    if coding is None:
        return _NO_CODING
    text = next((concept.text for concept in each_concept(code) if concept.text), None)
    return Coding((coding.system or "").strip(), text_of(coding.code).strip(), text or coding.display or "")


def _has_word(words: tuple[str, ...], members: Iterable[elements.Concepts]) -> bool:
    pattern = _pattern(words)
    return any(pattern.search(text) for member in members for text in texts_of(member))


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, whole, whatever the case."""
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(word) for word in words) + r")(?!\w)", re.IGNORECASE)
