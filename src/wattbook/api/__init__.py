"""The page and the addresses for programs.

`Serving` is all the daemon needs. FastAPI and uvicorn take half a second to import, so it imports them itself,
beside lines that already run; `import wattbook.api` is cheap.
"""

from wattbook.api.context import ApiContext
from wattbook.api.exposed import exposed
from wattbook.api.serve import Served, Serving, serving

__all__ = ["ApiContext", "Served", "Serving", "exposed", "serving"]
