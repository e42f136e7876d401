"""Everything that registers cases, in the order in which they run."""
from ek_faults import doubles, ends, links, wishes
from ek_faults.case import CASES

MODULES = (ends, links, wishes, doubles)
GROUPS = sorted({c.group for c in CASES.values()})
