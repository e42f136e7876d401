"""Everything that registers cases, in the order in which they run."""
from ek_faults import doubles, ends, lacks, links, record, trust, wishes
from ek_faults.case import CASES

MODULES = (ends, links, wishes, doubles, lacks, record, trust)
GROUPS = sorted({c.group for c in CASES.values()})
