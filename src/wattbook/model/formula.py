"""Formulas of virtual meters: `main-a + main-b`, `house - 'heat pump'`, `-(a + b) * 0.5`.

    sum     = product { ("+" | "-") product }
    product = operand { ("*" | "/") operand }
    operand = ("-" | "+") operand | number | meter | "(" sum ")"

A meter's name stands as it is, hyphens and blanks included: of the known names that fit, the longest wins. In single
or double quotes it is taken to the letter. Numbers are factors only, so that every formula is so many times each
meter: that alone makes the energy of a day the sum of its hours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from wattbook.model.errors import WattbookError
from wattbook.model.nearest import did_you_mean

FORMULA_SIZE_MAX = 4_000  # characters; a hundred meters with long names
DEPTH_MAX = 40  # of parentheses and signs

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?![\w.,])", re.ASCII)
_WORD = re.compile(r"[^\s()*/+'\"]+")
_WORD_GOES_ON = re.compile(r"\w")


class FormulaError(WattbookError):
    """What is wrong with a formula. `at` counts characters from 1."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(f"at character {at}: {message}")
        self.at = at


Factors = Mapping[str, Fraction]  # meter -> how many times it counts


@dataclass(frozen=True, slots=True)
class _Term:
    """A number, or so many times some meters."""

    number: Fraction
    factors: Factors | None = None  # None = the number alone

    def times(self, by: Fraction) -> _Term:
        if self.factors is None:
            return _Term(self.number * by)
        return _Term(Fraction(0), {name: factor * by for name, factor in self.factors.items()})


def parse_formula(text: str, names: Collection[str]) -> Factors:
    """Return how many times each meter counts. `names`: all meters there are. Raises FormulaError."""
    if len(text) > FORMULA_SIZE_MAX:
        raise FormulaError(f"longer than {FORMULA_SIZE_MAX} characters", FORMULA_SIZE_MAX)
    return _Parser(text, names).parse()


class _Parser:
    """Reads a text from left to right; `_at` is the character that comes next."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text, self._names = text, names
        self._longest_first = sorted(names, key=len, reverse=True)
        self._at = 0

    def parse(self) -> Factors:
        if not self._next():
            raise self._wrong('empty; write for example "main-a + main-b"')
        term = self._sum(0)
        if self._next():
            raise self._wrong(f'"{self._word()}" where an operator (+ - * /) or the end was expected')
        if term.factors is None:
            raise self._wrong("it names no meter", at=0)
        return term.factors

    def _sum(self, depth: int) -> _Term:
        left = self._product(depth)
        while self._next() and self._next() in "+-":
            at, sign = self._at, self._take()
            left = self._added(left, self._product(depth).times(Fraction(-1 if sign == "-" else 1)), at)
        return left

    def _product(self, depth: int) -> _Term:
        left = self._operand(depth)
        while self._next() and self._next() in "*/":
            at, operator = self._at, self._take()
            right = self._operand(depth)
            left = self._divided(left, right, at) if operator == "/" else self._multiplied(left, right, at)
        return left

    def _operand(self, depth: int) -> _Term:
        if depth > DEPTH_MAX:
            raise self._wrong(f"more than {DEPTH_MAX} parentheses or signs within each other")
        match self._next():
            case "":
                raise self._wrong("a meter or a number is missing at the end")
            case "-" | "+" as sign:
                self._take()
                return self._operand(depth + 1).times(Fraction(-1 if sign == "-" else 1))
            case "(":
                return self._parenthesis(depth)
            case "'" | '"':
                return self._quoted()
            case _:
                return self._number_or_meter()

    def _parenthesis(self, depth: int) -> _Term:
        at = self._at
        self._take()
        term = self._sum(depth + 1)
        if self._next() != ")":
            raise self._wrong('this "(" is not closed', at=at)
        self._take()
        return term

    def _quoted(self) -> _Term:
        at = self._at
        end = self._text.find(self._text[at], at + 1)
        if end < 0:
            raise self._wrong(f"this {self._text[at]} is not closed", at=at)
        name = self._text[at + 1 : end]
        if name not in self._names:
            raise self._wrong(f'no meter is called "{name}"{did_you_mean(name, self._names)}', at=at)
        self._at = end + 1
        return _Term(Fraction(0), {name: Fraction(1)})

    def _number_or_meter(self) -> _Term:
        number = _NUMBER.match(self._text, self._at)
        name = next(filter(self._stands_here, self._longest_first), "")
        if number and len(number[0]) >= len(name):
            self._at = number.end()
            return _Term(Fraction(number[0]))
        if not name:
            word = self._word()
            raise self._wrong(f'no meter is called "{word}"{did_you_mean(word, self._names)}')
        self._at += len(name)
        return _Term(Fraction(0), {name: Fraction(1)})

    def _stands_here(self, name: str) -> bool:
        """Whether this name comes next, and a longer word does not."""
        end = self._at + len(name)
        return self._text.startswith(name, self._at) and not (
            _WORD_GOES_ON.match(name[-1]) and _WORD_GOES_ON.match(self._text, end)
        )

    def _added(self, left: _Term, right: _Term, at: int) -> _Term:
        if left.factors is None and right.factors is None:
            return _Term(left.number + right.number)
        if left.factors is None or right.factors is None:
            raise self._wrong("a number cannot be added to a meter, only be a factor of it", at=at)
        both = dict(left.factors)
        for name, factor in right.factors.items():
            both[name] = both.get(name, Fraction(0)) + factor
        return _Term(Fraction(0), both)

    def _multiplied(self, left: _Term, right: _Term, at: int) -> _Term:
        if left.factors is None:
            return right.times(left.number)
        if right.factors is None:
            return left.times(right.number)
        raise self._wrong("meters cannot be multiplied with each other", at=at)

    def _divided(self, left: _Term, right: _Term, at: int) -> _Term:
        if right.factors is not None:
            raise self._wrong("nothing can be divided by a meter", at=at)
        if not right.number:
            raise self._wrong("nothing can be divided by 0", at=at)
        return left.times(1 / right.number)

    def _next(self) -> str:
        """The next character that is not blank, "" at the end."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _word(self) -> str:
        word = _WORD.match(self._text, self._at)
        return word[0] if word else self._text[self._at]

    def _wrong(self, message: str, *, at: int | None = None) -> FormulaError:
        return FormulaError(message, (self._at if at is None else at) + 1)
