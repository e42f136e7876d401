/* Writes a file of history with a past of which a test knows what is true: six hours of h1 and h2,
 * 8 cores and 32 GiB each, a sample a minute.
 *
 *     churn PATH    on h1 one guest of 8 GiB after the other, each for 50 minutes of an hour, and
 *                   `nightly`, which is off from the third hour to the fourth
 *     full PATH     two guests that may not move want 7.1 of h1's cores
 *     ahead PATH    the same, and h2's clock was wrong for two samples: once in 2001, once in 2040
 */
#include "balancer/codec/history_block.h"
#include "balancer/codec/history_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOURS = 6, MINUTES = 60 * HOURS };

#define BEGIN_MS ((int64_t)1764000000000)
#define MINUTE_MS ((int64_t)60000)

static struct ek_domain guest(int number, double cores, double memory_mib, bool movable)
{
    static char uuids[100][40];

    (void)snprintf(uuids[number], sizeof(uuids[number]), "00000000-0000-4000-8000-%012d", number);
    return (struct ek_domain){.uuid = uuids[number],
                              .name = number == 99 ? "nightly" : uuids[number],
                              .vcpus = 4,
                              .memory_mib = memory_mib,
                              .cpu_used_cores = cores,
                              .cpu_steal = NAN,
                              .memory_used_mib = NAN,
                              .memory_rss_mib = memory_mib - 100,
                              .movable = movable,
                              .immovable_reason = movable ? NULL : "it stays"};
}

static size_t churn(int minute, struct ek_domain *out)
{
    size_t count = 0;

    if (minute % 60 < 50) {
        out[count++] = guest(minute / 60, 1, 8192, true);
    }
    if (minute < 120 || minute >= 240) {
        out[count++] = guest(99, 0.1, 1024, true);
    }
    return count;
}

static size_t full(struct ek_domain *out)
{
    out[0] = guest(1, 3.4, 4096, false);
    out[1] = guest(2, 3.4, 4096, false);
    return 2;
}

static bool add(struct ek_history_block *block, const char *host, int64_t at_ms,
                struct ek_domain *domains, size_t count, struct ek_error *err)
{
    double cores = 0.3;
    double memory_mib = 1000;

    for (size_t d = 0; d < count; d++) {
        cores += domains[d].cpu_used_cores;
        memory_mib += domains[d].memory_rss_mib;
    }
    const struct ek_sample sample = {.taken_at_ms = at_ms,
                                     .period_ms = 15000,
                                     .collector = "test:1",
                                     .host = {.name = host,
                                              .cpu_cores = 8,
                                              .memory_mib = 32768,
                                              .cpu_used_cores = cores,
                                              .memory_used_mib = memory_mib,
                                              .migration_mib_s = 1100},
                                     .domains = domains,
                                     .domain_count = count};
    return ek_history_block_add(block, &sample, err);
}

/* One block for each host, as an export has them. */
static bool fill(struct ek_history_block *block, const char *host, const char *kind,
                 struct ek_error *err)
{
    bool first = strcmp(host, "h1") == 0;
    bool wrong = !first && strcmp(kind, "ahead") == 0;
    bool done = !wrong || add(block, host, (int64_t)1000000000000, NULL, 0, err);

    for (int m = 0; done && m < MINUTES; m++) {
        struct ek_domain domains[2];
        size_t count = !first ? 0 : strcmp(kind, "churn") == 0 ? churn(m, domains) : full(domains);
        done = add(block, host, BEGIN_MS + m * MINUTE_MS, domains, count, err);
    }
    return done && (!wrong || add(block, host, (int64_t)2222222222000, NULL, 0, err));
}

static bool put(FILE *file, const struct ek_history_block *block, struct ek_error *err)
{
    uint8_t head[EK_HISTORY_FRAME_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (!ek_history_block_write(block, &bytes, &size, err)) {
        return false;
    }
    const struct ek_history_frame frame = {.size = (uint32_t)size,
                                           .sum = ek_history_sum(bytes, size)};
    ek_history_frame_write(frame, head);
    bool done =
        fwrite(head, 1, sizeof(head), file) == sizeof(head) && fwrite(bytes, 1, size, file) == size;
    free(bytes);
    return done || ek_error_set(err, EK_ERR_IO, "cannot write it");
}

static bool write_all(FILE *file, const char *kind, struct ek_error *err)
{
    const char *const names[] = {"h1", "h2"};
    uint8_t head[EK_HISTORY_FRAME_SIZE];
    bool done = fputs(EK_HISTORY_FILE_LINE, file) >= 0;

    for (size_t h = 0; done && h < 2; h++) {
        struct ek_history_block *block = ek_history_block_create();
        done = block != NULL && fill(block, names[h], kind, err) && put(file, block, err);
        ek_history_block_destroy(block);
    }
    ek_history_frame_write((struct ek_history_frame){.sum = 2}, head);
    return done && fwrite(head, 1, sizeof(head), file) == sizeof(head);
}

int main(int argc, char **argv)
{
    struct ek_error err = {.message = "out of memory"};
    FILE *file = argc == 3 ? fopen(argv[2], "we") : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "usage: cli_history churn|full|ahead PATH\n");
        return 2;
    }
    bool done = write_all(file, argv[1], &err);
    if (fclose(file) != 0 || !done) {
        (void)fprintf(stderr, "%s: %s\n", argv[2], err.message);
        return 1;
    }
    return 0;
}
