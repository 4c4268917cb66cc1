"""A question -> its answers, from the book: which way each is found.

Numpy, 17 MB, is loaded when the first question comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from wattbook.config import Config
from wattbook.engine.answer import Answer
from wattbook.engine.asked import Asked, in_one, meters_asked
from wattbook.engine.places import Places, places_of
from wattbook.engine.query import POINTS_MAX, Question
from wattbook.model import BookError, ConfigError
from wattbook.store import BookReader
from wattbook.store.steps import boundaries

if TYPE_CHECKING:
    from wattbook.engine.told import Told

T = TypeVar("T")


class NobodyTells(ConfigError):
    """There are meters at a location, and none of them tells this quantity."""


def ask(reader: BookReader, question: Question, config: Config) -> Sequence[Answer]:
    """Answer from the book: one answer for each meter, source or location, or one for the sum.

    Raises NotThere for unknown meters and locations, ConfigError for what cannot be asked, BookError when an answer
    would be too long.
    """
    if question.by_location:
        return _bounded(of_each_place(question, lambda one: ask(reader, one, config)))
    from wattbook.engine.answer_one import answer_one
    from wattbook.engine.by_source import by_source
    from wattbook.engine.told import Told

    told = Told(reader, config)
    able = able_of(told, question)
    targets = [in_one(able, question)] if question.together else able
    if question.by_source:
        return _bounded(answer for target in targets for answer in by_source(told, target, question))
    _check_steps(question)
    return _bounded(answer_one(told, target, question) for target in targets)


def _check_steps(question: Question) -> None:
    """Raise ConfigError for more steps than one answer has."""
    try:
        if question.every is not None:
            boundaries(question.span, question.every, question.zone)
    except BookError as error:
        raise ConfigError(str(error)) from error


def able_of(told: Told, question: Question) -> Sequence[Asked]:
    """The meters that a question is about, of those at a location the ones that tell its quantity.

    Raises NotThere, NobodyTells.
    """
    asked = meters_asked(told.config, question, _places(told.reader, question, told.config))
    told.stays.update({each.name: each.stays for each in asked if each.stays is not None})
    able = [each for each in asked if not each.by_location or told.answers(each.name, question.quantity)]
    if not able:
        raise _nobody(question)
    return able


def _nobody(question: Question) -> NobodyTells:
    return NobodyTells(f'no meter at "{", ".join(question.locations)}" tells {question.quantity}')


def of_each_place(question: Question, answer: Callable[[Question], Iterable[T]]) -> Iterator[T]:
    """What is answered of each location as a sum; one where nobody tells the quantity is left out, unless it is so at
    all of them. Raises NobodyTells then."""
    found = False
    for location in question.locations:  # each by itself: a meter that was moved was at several of them
        with suppress(NobodyTells):
            for each in answer(replace(question, locations=(location,), by_location=False, together=True)):
                found = True
                yield each
    if not found:
        raise _nobody(question)


def _places(reader: BookReader, question: Question, config: Config) -> Mapping[str, Places]:
    """Where every meter was, when the question is about places."""
    return {meter.name: places_of(reader, meter) for meter in config.meters} if question.locations else {}


def _bounded(answers: Iterable[Answer]) -> Sequence[Answer]:
    kept, points = [], 0
    for answer in answers:
        points += len(answer.series)
        if points > POINTS_MAX:
            raise BookError(f"more than {POINTS_MAX} values; ask for steps (every = 1min), or for a shorter time")
        kept.append(answer)
    return kept
