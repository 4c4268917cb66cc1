"""Messages to people: what one is, the picture in it, and how it is sent. Knows no book and no configuration."""

from wattbook.notify.curve import draw_curve
from wattbook.notify.message import Message, NotSent, SomeRefused
from wattbook.notify.send import Post

__all__ = ["Message", "NotSent", "Post", "SomeRefused", "draw_curve"]
