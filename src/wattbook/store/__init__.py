"""The book: one SQLite file with the journal, history and positions."""
