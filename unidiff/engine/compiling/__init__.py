"""Compiled functions: a function is recorded as a program, made smaller, and replayed while its surroundings stay the same."""
