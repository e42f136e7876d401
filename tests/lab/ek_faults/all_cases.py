"""Everything that registers cases, in the order in which they run."""
from ek_faults import ends
from ek_faults.case import CASES

MODULES = (ends,)
GROUPS = sorted({c.group for c in CASES.values()})
