"""Register lists of other people made into drafts of profiles: by text alone, nothing of them is executed."""

from wattbook.profiles.drafts.make import FORMATS, INPUT_SIZE_MAX, Import, make_draft

__all__ = ["FORMATS", "INPUT_SIZE_MAX", "Import", "make_draft"]
