/* What `evenkeel doctor` makes of what it saw: findings, each with what to change and where, and
 * for each pair of hosts what is in the way from one to the other. */
#ifndef EK_TOOLS_DOCTOR_H
#define EK_TOOLS_DOCTOR_H

#include "balancer/core/policy.h"
#include "balancer/tools/tool.h"
#include "collector/inspect/inspect.h"

enum ek_grade {
    EK_GRADE_OK,
    EK_GRADE_UNSEEN, /* cannot be told from here: neither good nor bad */
    EK_GRADE_WARN,   /* may be right, but somebody should look */
    EK_GRADE_FAIL,   /* no domain can be moved there, or not safely */
};

/* In the order in which they are judged and shown. */
enum ek_check {
    EK_CHECK_LIBVIRT,
    EK_CHECK_IDENTITY,
    EK_CHECK_NAMES,
    EK_CHECK_PORTS,
    EK_CHECK_PEERS,
    EK_CHECK_VERSIONS,
    EK_CHECK_CPU,
    EK_CHECK_NETWORKS,
    EK_CHECK_FILTERS,
    EK_CHECK_POOLS,
    EK_CHECK_LOCKS,
    EK_CHECK_OWNERSHIP,
    EK_CHECK_MEMORY,
    EK_CHECK_PACEMAKER,
    EK_CHECK_RULES,
    EK_CHECK_CLOCK,
    EK_CHECK_COUNT
};

/* Strings are owned by the list's arena. */
struct ek_finding {
    enum ek_grade grade;
    enum ek_check check;
    const char *host; /* NULL: of all hosts */
    const char *found;
    const char *change; /* what to change, in which file; NULL when all is well */
};

struct ek_findings {
    struct ek_finding *items;
    size_t count;
    size_t room;
    const char *const *hosts; /* names, in the order given */
    size_t host_count;
    unsigned int *pairs; /* by source, then by destination: bits of the checks in the way there */
    struct ek_arena arena;
    bool failed; /* memory ran out; no findings are missing as long as it is false */
};

/* Judges every host, in the order given, check by check. The policy's rules tell whether anything
 * is ignored yet, its capacity what fits. The caller owns the result: ek_findings_finish. */
void ek_doctor_judge(struct ek_findings *out, const struct ek_cluster_seen *seen,
                     const struct ek_policy *policy);

size_t ek_findings_count(const struct ek_findings *findings, enum ek_grade grade);
void ek_findings_finish(struct ek_findings *findings);

const char *ek_grade_name(enum ek_grade grade);
const char *ek_check_name(enum ek_check check);
const char *ek_check_well(enum ek_check check); /* what is said when no host has anything */

/* ---- showing (doctor_show.c) ----------------------------------------------------------------- */

/* The tables; with `matrix` one of all pairs, too. False when memory ran out. */
bool ek_doctor_print(const struct ek_findings *findings, bool matrix);

/* The document of --json; NULL when memory ran out. The caller frees it. */
char *ek_doctor_write(const struct ek_findings *findings);

#endif
