"""SML (Smart Message Language 1.04) as German meters push it: transport frame, messages, values."""

from __future__ import annotations

from wattbook.codecs.sml_encode import encode_telegram

__all__ = ["encode_telegram"]
