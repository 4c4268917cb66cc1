"""A question -> its answers, from the book: which way each is found.

Numpy, 17 MB, is loaded when the first question comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wattbook.config import Config
from wattbook.engine.answer import Answer
from wattbook.engine.asked import in_one, meters_asked
from wattbook.engine.places import Places, places_of
from wattbook.engine.query import POINTS_MAX, Question
from wattbook.model import BookError, ConfigError
from wattbook.store import BookReader


def ask(reader: BookReader, question: Question, config: Config) -> Sequence[Answer]:
    """Answer from the book: one answer for each meter, or for each source, or one for the sum.

    Raises NotThere for unknown meters and locations, ConfigError for what cannot be asked, BookError when an answer
    would be too long.
    """
    from wattbook.engine.answer_one import answer_one
    from wattbook.engine.by_source import by_source
    from wattbook.engine.told import Told

    told = Told(reader, config)
    asked = meters_asked(config, question, _places(reader, question, config))
    told.stays.update({each.name: each.stays for each in asked if each.stays is not None})
    able = [each for each in asked if not each.by_location or told.answers(each.name, question.quantity)]
    if not able:
        raise ConfigError(f'no meter at "{", ".join(question.locations)}" tells {question.quantity}')
    targets = [in_one(able, question)] if question.together else able
    if question.by_source:
        return _bounded(answer for target in targets for answer in by_source(told, target, question))
    return _bounded(answer_one(told, target, question) for target in targets)


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
