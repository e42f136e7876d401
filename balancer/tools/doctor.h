/* What `evenkeel doctor` makes of what it saw: findings, each with what to change and where. */
#ifndef EK_TOOLS_DOCTOR_H
#define EK_TOOLS_DOCTOR_H

#include "balancer/core/rule.h"
#include "collector/inspect.h"

enum ek_grade {
    EK_GRADE_OK,
    EK_GRADE_WARN, /* may be right, or cannot be seen from here: somebody should look */
    EK_GRADE_FAIL, /* no domain can be moved there, or not safely */
};

/* Strings are owned by the list's arena. */
struct ek_finding {
    enum ek_grade grade;
    const char *host;
    const char *check; /* a word: "libvirt", "identity", "pacemaker", "locks", "ownership" */
    const char *found;
    const char *change; /* what to change, in which file; NULL when all is well */
};

struct ek_findings {
    struct ek_finding *items;
    size_t count;
    size_t room;
    struct ek_arena arena;
    bool failed; /* memory ran out; no findings are missing as long as it is false */
};

/* Judges every host, in the order given, check by check. `rules` are those of policy.yaml, which
 * tell whether anything is ignored yet. The caller owns the result: ek_findings_finish. */
void ek_doctor_judge(struct ek_findings *out, const struct ek_inspection *hosts, size_t count,
                     const struct ek_rules *rules);

size_t ek_findings_count(const struct ek_findings *findings, enum ek_grade grade);
void ek_findings_finish(struct ek_findings *findings);

const char *ek_grade_name(enum ek_grade grade);

#endif
