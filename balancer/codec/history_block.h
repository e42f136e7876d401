/* A history block: samples of one host over some time, packed by columns.
 *
 * What a sample says of a host and its domains is facts, which seldom change, and figures
 * (history_facts.h). A block keeps each set of facts once, as a track: which of the samples have it
 * and, figure by figure, a series over those. In memory a block grows sample by sample; as bytes it
 * is what Redis and files hold. Figures are kept in the steps of their column, no finer than what
 * sampling tells apart; all else comes back as it went in. Left out on purpose: what a domain is
 * expected to want, which no collector knows; a host's NUMA cells and storage pools, which are
 * shown to people and decide nothing.
 *
 * The bytes: version (1), count of samples, time of the first in Unix ms; the texts; of the tables
 * how many columns they have; tracks of the host, then of domains, each with its facts and its runs
 * of samples (how many are passed over, how many follow); then the series: times between samples,
 * and all columns of all tracks. docs/history.md has the rest. */
#ifndef EK_CODEC_HISTORY_BLOCK_H
#define EK_CODEC_HISTORY_BLOCK_H

#include "balancer/core/error.h"
#include "balancer/core/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one block may hold; half a million domain-samples take some 100 MiB in memory. */
enum { EK_HISTORY_MAX_SAMPLES = 4096, EK_HISTORY_MAX_DOMAIN_SAMPLES = 1 << 19 };

struct ek_history_block;

/* An empty block; NULL when memory ran out. */
struct ek_history_block *ek_history_block_create(void);

/* NULL is fine. */
void ek_history_block_destroy(struct ek_history_block *block);

/* Adds a sample, which must be of the block's host and later than its last. Errors: INVALID (that,
 * a block that is full, or a sample that no reader would take), NOMEM; the block is as before. */
bool ek_history_block_add(struct ek_history_block *block, const struct ek_sample *sample,
                          struct ek_error *err);

/* Adds all samples of another block, under the same conditions. On failure some may be there. */
bool ek_history_block_append(struct ek_history_block *block, const struct ek_history_block *more,
                             struct ek_error *err);

/* How many samples there are, how many domains they have together, the host's name (NULL: none
 * yet), and when a sample was taken. */
size_t ek_history_block_count(const struct ek_history_block *block);
size_t ek_history_block_domain_samples(const struct ek_history_block *block);
const char *ek_history_block_host(const struct ek_history_block *block);
int64_t ek_history_block_time_ms(const struct ek_history_block *block, size_t index);

/* The UUIDs of its domains, by an index below the count; one may come more than once. */
size_t ek_history_block_domains(const struct ek_history_block *block);
const char *ek_history_block_domain(const struct ek_history_block *block, size_t index);

/* A sample as it was, domains in the order in which the block first saw them. The caller owns its
 * list (ek_sample_finish); texts belong to the block. Error: NOMEM. */
bool ek_history_block_sample(const struct ek_history_block *block, size_t index,
                             struct ek_sample *out, struct ek_error *err);

/* The block as bytes, malloc'ed for the caller; the same samples give the same bytes. Error:
 * NOMEM. */
bool ek_history_block_write(const struct ek_history_block *block, uint8_t **bytes, size_t *size,
                            struct ek_error *err);

/* NULL on error: INVALID as "NAME: byte 17: found ..., expected ...", NOMEM. */
struct ek_history_block *ek_history_block_read(const void *bytes, size_t size, const char *name,
                                               struct ek_error *err);

#endif
