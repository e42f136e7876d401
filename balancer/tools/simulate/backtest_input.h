/* A file of history as a simulation: the cluster as it stood at first, which domains ran when, and
 * what each wanted. */
#ifndef EK_TOOLS_BACKTEST_INPUT_H
#define EK_TOOLS_BACKTEST_INPUT_H

#include "balancer/sim/load_series.h"
#include "balancer/sim/simulation.h"
#include "balancer/tools/simulate/backtest_record.h"

struct ek_backtest_input {
    struct ek_simulation simulation; /* complete but for `tick`; points into what follows */
    struct ek_load_series series;
    struct ek_load load;
    struct ek_backtest_record record;
    struct ek_arena arena;
    size_t samples;        /* that are played */
    size_t left_out;       /* that are not: a pause of a day lies between them and the others */
    int64_t left_first_ms; /* of those, Unix milliseconds */
    int64_t left_last_ms;
};

/* Reads the file. The input must stay where it is; finish it in any case. What a domain wants is
 * what it used and, of CPU, what it waited for. Each begins on the host that had it first. It runs
 * while it was seen: it is started at its first sample and shut down after its last one, and so
 * again when it was not seen for ten minutes, though its host was. What a host used beside its
 * domains is a constant, the mean. Where samples lie more than a day apart from the others, the
 * stretch with most of them is played. Errors: INVALID (also: no domains, less than two cycles),
 * IO, NOMEM. */
bool ek_backtest_read(struct ek_backtest_input *input, const char *path, int64_t cycle_ms,
                      struct ek_error *err);
void ek_backtest_finish(struct ek_backtest_input *input);

#endif
