/* Circuit breakers: where moves keep failing, fewer are made, then none for a while, then one for
 * trial.
 *
 * There is one circuit for each pair of hosts, one for each host as a destination and one as a
 * source. A pair's opens after circuit.failures failures; a host's only when they came with more
 * than one host on the other side, so that one bad source does not close every destination. A
 * success takes half of the failures back: where two of three fail it opens as well. At half of the
 * failures the limits of its hosts are halved. Once open for circuit.open it lets one move pass for
 * trial: when that works it closes, when it fails it opens for twice as long, up to
 * circuit.open_max. Failures older than circuit.window are forgotten. */
#ifndef EK_CORE_CIRCUIT_H
#define EK_CORE_CIRCUIT_H

#include "balancer/core/arena.h"
#include "balancer/core/error.h"
#include "balancer/core/policy.h"

struct ek_circuit;

/* One circuit that had failures, for showing and for keeping. */
struct ek_circuit_entry {
    char source[EK_NAME_SIZE];      /* "": of the destination, whatever the source */
    char destination[EK_NAME_SIZE]; /* "": of the source */
    char other[EK_NAME_SIZE];       /* of a host's circuit: where the newest failure came from or
                                       went */
    bool several;                   /* there was more than one such host; of a pair true */
    int failures;
    int trips; /* how often it opened in a row; 0: it is closed */
    int64_t failed_at_ms;
    int64_t until_ms; /* open until then */
};

enum ek_circuit_state { EK_CIRCUIT_CLOSED, EK_CIRCUIT_OPEN, EK_CIRCUIT_TRIAL };

enum ek_circuit_state ek_circuit_state(const struct ek_circuit_entry *entry, int64_t now_ms);

/* NULL: out of memory. Destroy takes NULL. */
struct ek_circuit *ek_circuit_create(void);
void ek_circuit_destroy(struct ek_circuit *circuit);

/* A move between the hosts failed by their fault. *opened: the first circuit that this opened, or
 * NULL; valid until the next change. Error: NOMEM. */
bool ek_circuit_failed(struct ek_circuit *circuit, const struct ek_policy *policy,
                       const char *source, const char *destination, int64_t now_ms,
                       const struct ek_circuit_entry **opened, struct ek_error *err);

/* A move between them worked. True: a circuit that was open or on trial is closed by it. */
bool ek_circuit_worked(struct ek_circuit *circuit, const char *source, const char *destination);

/* The circuit that lets nothing pass from the one to the other now; NULL: none. A NULL circuit has
 * none. */
const struct ek_circuit_entry *ek_circuit_block(const struct ek_circuit *circuit,
                                                const char *source, const char *destination,
                                                int64_t now_ms);

/* How many moves may be under way at once. */
struct ek_circuit_limits {
    int out;  /* of the source */
    int in;   /* into the destination */
    int pair; /* between the two */
};

/* Lowers the limits as the circuits of the two hosts want it; none below 1. */
void ek_circuit_lower(const struct ek_circuit *circuit, const struct ek_policy *policy,
                      const char *source, const char *destination, int64_t now_ms,
                      struct ek_circuit_limits *limits);

/* "the circuit of h1 to h2 is open after 3 failures (for another 240 s)"; NULL: out of memory. */
const char *ek_circuit_text(const struct ek_circuit_entry *entry, int64_t now_ms,
                            struct ek_arena *arena);

/* Forgets what failed longer ago than circuit.window and is not open. One that is open for longer
 * than circuit.open_max, which only a clock that was set back can show, is open for that long. */
void ek_circuit_expire(struct ek_circuit *circuit, const struct ek_policy *policy, int64_t now_ms);

/* All entries, by their hosts' names; fills at most `room`, returns how many there are. */
size_t ek_circuit_export(const struct ek_circuit *circuit, struct ek_circuit_entry *out,
                         size_t room);

/* Puts a kept entry back. Error: NOMEM. */
bool ek_circuit_import(struct ek_circuit *circuit, const struct ek_circuit_entry *entry,
                       struct ek_error *err);

#endif
