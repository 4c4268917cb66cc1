"""Going on with another configuration in the same process: who asks for it, and how it comes out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from wattbook.config import Config
from wattbook.model import ConfigError, WattbookError


class Anew:
    """What is asked for while a configuration is in force, one at a time. On the event loop only."""

    def __init__(self) -> None:
        self.refused = ("", "")  # the text of a file that could not be put in force, and why
        self._wanted: asyncio.Future[Config] = asyncio.get_running_loop().create_future()
        self._done: asyncio.Future[None] | None = None
        self._failure: WattbookError | None = None

    async def begin(self, config: Config) -> None:
        """Return when it is in force. Raises why it cannot be; then the one before is in force again."""
        self._done = asyncio.get_running_loop().create_future()
        self._wanted.set_result(config)
        await self._done

    @property
    def wanted(self) -> asyncio.Future[Config]:
        """Done when another one is asked for."""
        return self._wanted

    def take(self, now: Config) -> Config:
        """The one that is asked for, at the address that is served: that can only change with a new start."""
        api, served = self._wanted.result().api, now.api
        found = replace(
            self._wanted.result(),
            api=replace(api, listen=served.listen, certificate=served.certificate, key=served.key),
        )
        self._wanted = asyncio.get_running_loop().create_future()
        self._failure, self.refused = None, ("", "")
        return found

    def failed(self, config: Config, error: WattbookError | OSError) -> None:
        """It cannot be put in force; this is told once the one before is again."""
        self._failure = error if isinstance(error, WattbookError) else ConfigError(str(error))
        self.refused = (config.text, str(error))

    def in_force(self) -> None:
        """One is in force: the new one, or after a failure the one before."""
        done, self._done = self._done, None
        if done is None or done.done():
            return
        if self._failure is None:
            done.set_result(None)
        else:
            done.set_exception(self._failure)
