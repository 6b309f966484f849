"""Code systems: lookup, validity by release, hierarchy and search."""

from cclearn.codes.system import Code, CodeSystem, Status
from cclearn.codes.table import Kind

__all__ = ["Code", "CodeSystem", "Kind", "Status"]
