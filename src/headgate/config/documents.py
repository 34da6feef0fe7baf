"""Reading YAML in which every value knows its line, for the configuration files of other layers."""

from headgate.config._environment import variables_of
from headgate.config._findings import Finding, Findings, KeyPath, Severity, dotted
from headgate.config._include import read_with_includes
from headgate.config._section import Count, Integer, Section
from headgate.config._tree import DocumentError, Node, mapping, parse, plain, read
from headgate.config._validation import validate

__all__ = [
    "Count",
    "DocumentError",
    "Finding",
    "Findings",
    "Integer",
    "KeyPath",
    "Node",
    "Section",
    "Severity",
    "dotted",
    "mapping",
    "parse",
    "plain",
    "read",
    "read_with_includes",
    "validate",
    "variables_of",
]
