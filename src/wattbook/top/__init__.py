"""The Now and Meters pages in a terminal, from the HTTP API of a daemon and nothing else: it may run elsewhere."""
