"""Everything that registers cases, in the order in which they run."""
from ek_faults import crowd, doubles, ends, lacks, links, postcopy, record, trust, wishes
from ek_faults.case import CASES

MODULES = (ends, links, wishes, doubles, lacks, record, trust, postcopy, crowd)
GROUPS = sorted({c.group for c in CASES.values()})
