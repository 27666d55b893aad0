"""The entry modules of the official backends; importing one imports no framework."""
