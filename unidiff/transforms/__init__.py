"""Transforms of programs: batching, compiling, control flow, rules of one's own, memory, bridges and traces."""
