"""``unidiff new-backend``: writes a plugin for an array library, as a project of its own."""
