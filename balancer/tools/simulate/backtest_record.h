/* What a file of history tells, by host and by domain, before a simulation is made of it. Times are
 * Unix milliseconds. */
#ifndef EK_TOOLS_BACKTEST_RECORD_H
#define EK_TOOLS_BACKTEST_RECORD_H

#include "balancer/codec/history_facts.h"
#include "balancer/sim/load_series.h"

/* HASH_NONFATAL_OOM is the including file's to define, before. */
#include <uthash.h>

/* A pause of a day is none that a collector makes: what lies beyond it was written by a clock that
 * was wrong, or has nothing to do with the rest. */
#define EK_BACKTEST_PAUSE_MS ((int64_t)86400000)

/* A domain that is not seen for so long is gone: longer than any reboot or handover takes. */
#define EK_BACKTEST_GONE_MS ((int64_t)600000)

/* A host, sampled without such a pause. */
struct ek_backtest_stint {
    struct ek_history_host facts; /* as of its first sample */
    int64_t first_ms;
    int64_t last_ms;
    size_t samples;
    double base_cpu; /* what it used beside its domains: sums over samples in which that is known */
    double base_memory;
    size_t cpu_samples;
    size_t memory_samples;
    struct ek_backtest_host *host;
    struct ek_backtest_stint *next; /* the one before it */
};

/* A domain on a host in one sample after the other, with gaps of EK_BACKTEST_GONE_MS at most. */
struct ek_backtest_stay {
    struct ek_domain facts; /* as of its first sample */
    int64_t first_ms;
    int64_t last_ms;
    const struct ek_backtest_stint *stint;
    struct ek_backtest_stay *next; /* the one read before it */
};

struct ek_backtest_host {
    struct ek_backtest_stint *stints;
    int64_t read_ms; /* of the sample that was read last */
    uint32_t index;  /* for whoever makes a cluster of them */
    UT_hash_handle hh;
};

struct ek_backtest_domain {
    const char *uuid;
    struct ek_backtest_stay *stays;
    size_t stay_count;
    struct ek_load_point *points; /* in the order of the file */
    size_t count;
    size_t room;
    UT_hash_handle hh;
};

struct ek_backtest_record {
    struct ek_history_texts texts;  /* own all that facts point to */
    struct ek_backtest_host *hosts; /* uthash's tables, in the order in which they were seen */
    struct ek_backtest_domain *domains;
    struct ek_arena arena;
};

/* Reads the file; points are what domains used and, of CPU, what they waited for. Finish the record
 * in any case. Errors: INVALID, IO, NOMEM. */
bool ek_backtest_record_read(struct ek_backtest_record *record, const char *path,
                             struct ek_error *err);
void ek_backtest_record_finish(struct ek_backtest_record *record);

#endif
