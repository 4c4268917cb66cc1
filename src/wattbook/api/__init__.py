"""HTTP: /api/v1, the live stream, the addresses of the systems wattbook replaces."""
