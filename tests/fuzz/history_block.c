/* Any bytes as a history block: read, or refused with a place; what is read comes back from what is
 * written of it. */
#include "balancer/codec/history_block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
    if (!good) {
        abort();
    }
}

/* All samples can be had, and make the same block again. */
static void check_samples(const struct ek_history_block *block, const uint8_t *bytes, size_t size)
{
    struct ek_history_block *again = ek_history_block_create();
    struct ek_history_block *back = NULL;
    struct ek_error err;
    uint8_t *copy = NULL;
    size_t copy_size = 0;

    demand(again != NULL && ek_history_block_append(again, block, &err));
    demand(ek_history_block_count(again) == ek_history_block_count(block));
    demand(ek_history_block_domain_samples(again) == ek_history_block_domain_samples(block));
    back = ek_history_block_read(bytes, size, "back", &err);
    demand(back != NULL && ek_history_block_write(back, &copy, &copy_size, &err));
    demand(copy_size == size && memcmp(copy, bytes, size) == 0);
    free(copy);
    ek_history_block_destroy(back);
    ek_history_block_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ek_error err;
    uint8_t *bytes = NULL;
    size_t written = 0;
    struct ek_history_block *block = ek_history_block_read(data, size, "fuzz", &err);

    if (block == NULL) {
        demand(err.code == EK_ERR_NOMEM || strncmp(err.message, "fuzz: ", 6) == 0);
        return 0;
    }
    demand(ek_history_block_write(block, &bytes, &written, &err));
    check_samples(block, bytes, written);
    free(bytes);
    ek_history_block_destroy(block);
    return 0;
}
