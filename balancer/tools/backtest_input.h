/* A file of history as a simulation: the cluster as it stood at first, and what each domain wanted
 * from then on. */
#ifndef EK_TOOLS_BACKTEST_INPUT_H
#define EK_TOOLS_BACKTEST_INPUT_H

#include "balancer/codec/history_facts.h"
#include "balancer/sim/load_series.h"
#include "balancer/sim/simulation.h"

struct ek_backtest_host;
struct ek_backtest_domain;

struct ek_backtest_input {
    struct ek_simulation simulation; /* complete but for `tick`; points into what follows */
    struct ek_load_series series;
    struct ek_load load;
    struct ek_history_texts texts;  /* own all that facts point to */
    struct ek_backtest_host *hosts; /* uthash's tables, in the order in which they were seen */
    struct ek_backtest_domain *domains;
    struct ek_arena arena;
};

/* Reads the file. The input must stay where it is; finish it in any case. What a domain wants is
 * what it used and, of CPU, what it waited for. Each begins on the host that had it first; one that
 * came later is there from the beginning and wants nothing until then, one that is not seen in the
 * last ten minutes is shut off when it was seen last. What a host used beside its domains is a
 * constant, the mean. Errors: INVALID (also: no domains, less than two cycles), IO, NOMEM. */
bool ek_backtest_read(struct ek_backtest_input *input, const char *path, int64_t cycle_ms,
                      struct ek_error *err);
void ek_backtest_finish(struct ek_backtest_input *input);

#endif
