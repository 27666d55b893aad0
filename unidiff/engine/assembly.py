"""Puts a domain together: its class of traced arrays, its namespaces, its operators."""

from __future__ import annotations

from collections.abc import Mapping

from unidiff.engine.array import array_class, install_operators
from unidiff.engine.domain import Domain
from unidiff.engine.namespace import build_namespaces
from unidiff.engine.rule import Rule
from unidiff.engine.tracing import ConstantTrace, Library


def build_domain(library: Library, rules: Mapping[str, Rule], kind: type[Domain] = Domain) -> Domain:
    """Join an array library with derivative rules."""
    domain = kind(library)
    domain.array_class = array_class(domain)
    domain.raw, domain.plain, domain.traced = build_namespaces(domain, rules)
    domain.constant = ConstantTrace(domain, 0, True)
    install_operators(domain)
    return domain
