"""The verbs: collect, follow."""
