/* What came of one cycle, and what it was decided by: for the record, so that "why did nothing
 * happen" is answered by what the balancer saw then, and not by what somebody works out later. A
 * value, no pointers. */
#ifndef EK_CORE_CYCLE_H
#define EK_CORE_CYCLE_H

#include "balancer/core/policy.h"

enum ek_cycle_end {
    EK_CYCLE_HELD,        /* nothing was planned: the balancer holds */
    EK_CYCLE_UNDER_WAY,   /* nothing was planned: moves of an earlier plan still wait */
    EK_CYCLE_QUIET,       /* a plan without moves */
    EK_CYCLE_RECOMMENDED, /* a new plan that is only shown */
    EK_CYCLE_STANDS,      /* a plan; what was recommended or proposed before stands */
    EK_CYCLE_PROPOSED,    /* a new plan that waits for its approval */
    EK_CYCLE_STARTED,     /* a new plan that is carried out */
    EK_CYCLE_END_COUNT
};

const char *ek_cycle_end_name(enum ek_cycle_end end);

/* Texts are cut where they are too long; "" says that there is nothing to say. */
struct ek_cycle {
    int64_t at_ms; /* of its snapshot */
    enum ek_cycle_end end;
    char plan_id[EK_ID_SIZE]; /* of the plan it made, or of the one under way */
    uint32_t moves;           /* of the plan it made */
    uint32_t stuck;           /* domains that cannot leave hosts in maintenance, by that plan */
    char summary[2 * EK_TEXT_SIZE];

    char holding[EK_TEXT_SIZE];      /* why nothing starts */
    char paused[EK_TEXT_SIZE];       /* why nothing is balanced until an operator resumes */
    char closed[160];                /* why the calendar lets nothing be balanced */
    char balance_held[EK_TEXT_SIZE]; /* why balancing had to wait, of a cycle that planned */

    bool asked;                 /* the trigger was; else something else held before it */
    bool wants;                 /* moves */
    char trigger[EK_TEXT_SIZE]; /* what it saw */
    int sustained;              /* cycles in a row that wanted moves ... */
    int sustained_cycles;       /* ... of so many that are needed */
    double offered_gain; /* relative fall of the score by the best balance moves; NAN: none was
                            weighed */
    double min_gain;
    double trigger_imbalance;
    double trigger_comfort;

    struct ek_resources resources;
    double imbalance[EK_RESOURCE_MAX];
    char hottest_host[EK_NAME_SIZE]; /* "": no host counts */
    char hottest_resource[EK_RESOURCE_NAME_SIZE];
    double hottest_utilization;

    uint32_t hosts;
    uint32_t hosts_up;
    uint32_t hosts_in_maintenance;
    uint32_t domains;
    uint32_t resting;               /* domains that rest, or failed lately */
    uint32_t blocked;               /* domains that wait for an operator */
    char rests_first[EK_NAME_SIZE]; /* the one of them whose rest ends first ... */
    int64_t rests_until_ms;         /* ... and when */
    uint32_t running;               /* moves, after this cycle */
    uint32_t waiting;
    char circuits[4 * EK_TEXT_SIZE];
};

#endif
