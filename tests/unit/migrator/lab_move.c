/* One real move, by hand, in the lab:
 *
 *   lab_move SRC_NAME SRC_URI DST_NAME DST_URI DOMAIN_UUID
 *            [--abort-after-ms N] [--bandwidth MIB_S] [--timeout-ms N] [--journal FILE] [--adopt]
 *            [--downtime-ms N] [--two-step] [--post-copy] [--tls] [--parallel N]
 *            [--limit-after-ms N --limit MIB_S]
 *
 * Executor and libvirt port as in the daemon, over a journal in memory (and in FILE, when given)
 * that prints each state and note with its time. --adopt goes on with the record in FILE, as after
 * a restart. Exit status: 0 when the move is done, 1 for any other end, 2 for wrong usage, 3 when
 * the life was dropped. */
#include "migrator/executor.h"
#include "migrator/libvirt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct lab {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *file; /* NULL: in memory only */
    struct ek_move_record stored;
    bool is_stored;
    bool ended;
    bool dropped;
    struct ek_outcome outcome;
    int64_t begin_ms;
};

struct arguments {
    struct ek_libvirt_host hosts[2];
    const char *uuid;
    const char *journal;
    long abort_after_ms; /* -1: never */
    long limit_after_ms; /* -1: never */
    uint64_t limit_mib_s;
    struct ek_move_order order;
    bool adopt;
};

/* ---- clock and journal --------------------------------------------------------------------- */

static int64_t now_ms(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_time(const struct lab *lab)
{
    printf("%8.3f ", (double)(now_ms(NULL) - lab->begin_ms) / 1000);
}

static bool save(const struct lab *lab)
{
    FILE *file = lab->file == NULL ? NULL : fopen(lab->file, "wb");
    bool saved;

    if (lab->file == NULL) {
        return true;
    }
    saved = file != NULL && fwrite(&lab->stored, sizeof(lab->stored), 1, file) == 1;
    return file != NULL && fclose(file) == 0 && saved;
}

static bool write_record(void *context, const struct ek_move_record *record,
                         const struct ek_move_record *expected, struct ek_error *err)
{
    struct lab *lab = context;
    bool done;

    pthread_mutex_lock(&lab->mutex);
    done = lab->is_stored == (expected != NULL) &&
           (expected == NULL ||
            (lab->stored.state == expected->state && lab->stored.attempt == expected->attempt &&
             lab->stored.epoch == expected->epoch));
    if (done) {
        lab->stored = *record;
        lab->is_stored = true;
        done = save(lab) || ek_error_set(err, EK_ERR_UNAVAILABLE, "cannot write %s", lab->file);
        print_time(lab); /* after it: whoever kills this program at a state finds it in the file */
        printf("%-15s attempt %d%s%s\n", ek_move_state_name(record->state), record->attempt,
               record->error[0] == '\0' ? "" : "  ", record->error);
    } else {
        ek_error_set(err, EK_ERR_CONFLICT, "the record is not as expected");
    }
    pthread_mutex_unlock(&lab->mutex);
    return done;
}

static void write_progress(void *context, const struct ek_move_record *record)
{
    print_time(context);
    printf("  progress %3.0f %%, %.1f MiB sent, eta %lld ms\n", record->progress * 100,
           record->transferred_mib, (long long)record->eta_ms);
}

static void note(void *context, const struct ek_move_record *record, const char *step,
                 const char *text)
{
    (void)record;
    print_time(context);
    printf("  %s: %s\n", step, text);
}

static void ended(void *context, const struct ek_outcome *outcome)
{
    struct lab *lab = context;

    pthread_mutex_lock(&lab->mutex);
    lab->outcome = *outcome;
    lab->ended = true;
    pthread_cond_broadcast(&lab->changed);
    pthread_mutex_unlock(&lab->mutex);
}

static void dropped(void *context, const struct ek_move_record *record, const struct ek_error *why)
{
    struct lab *lab = context;

    (void)record;
    fprintf(stderr, "dropped: %s\n", why->message);
    pthread_mutex_lock(&lab->mutex);
    lab->dropped = true;
    pthread_cond_broadcast(&lab->changed);
    pthread_mutex_unlock(&lab->mutex);
}

/* ---- the move ------------------------------------------------------------------------------ */

/* Waits for the end, or until that long after the beginning; negative: without a limit. True: it
 * ended. */
static bool await(struct lab *lab, long after_ms)
{
    int64_t at_ms = lab->begin_ms + after_ms;
    struct timespec until = {.tv_sec = (time_t)(at_ms / 1000),
                             .tv_nsec = (long)(at_ms % 1000) * 1000000L};
    int late = 0;
    bool over;

    pthread_mutex_lock(&lab->mutex);
    while (!lab->ended && !lab->dropped && late == 0) {
        late = after_ms < 0 ? pthread_cond_wait(&lab->changed, &lab->mutex)
                            : pthread_cond_timedwait(&lab->changed, &lab->mutex, &until);
    }
    over = lab->ended || lab->dropped;
    pthread_mutex_unlock(&lab->mutex);
    return over;
}

static void await_end(struct lab *lab, struct ek_executor *executor, const struct arguments *given)
{
    if (given->limit_after_ms >= 0 && !await(lab, given->limit_after_ms)) {
        print_time(lab);
        printf("limit of %llu MiB/s wanted\n", (unsigned long long)given->limit_mib_s);
        ek_executor_limit(executor, given->order.id, given->limit_mib_s);
    }
    if (given->abort_after_ms >= 0 && !await(lab, given->abort_after_ms)) {
        print_time(lab);
        printf("cancel wanted\n");
        ek_executor_cancel(executor, given->order.id, EK_ABORT_OPERATOR);
    }
    await(lab, -1);
}

static bool load(struct lab *lab)
{
    FILE *file = lab->file == NULL ? NULL : fopen(lab->file, "rb");

    lab->is_stored = file != NULL && fread(&lab->stored, sizeof(lab->stored), 1, file) == 1;
    if (file != NULL) {
        fclose(file);
    }
    return lab->is_stored;
}

static bool begin(struct lab *lab, struct ek_executor *executor, const struct arguments *given,
                  struct ek_error *err)
{
    if (!given->adopt) {
        return ek_executor_start(executor, &given->order, 1, err);
    }
    if (!load(lab)) {
        return ek_error_set(err, EK_ERR_IO, "no record in %s", given->journal);
    }
    return ek_executor_adopt(executor, &lab->stored, lab->stored.epoch + 1, err);
}

static int report(const struct lab *lab)
{
    const struct ek_outcome *outcome = &lab->outcome;

    if (lab->dropped) {
        return 3;
    }
    printf("outcome %s, attempts %d, %.1f MiB, downtime %lld ms, %lld ms in all%s%s%s\n",
           ek_move_state_name(outcome->state), outcome->attempts, outcome->transferred_mib,
           (long long)outcome->downtime_ms,
           (long long)(outcome->ended_at_ms - outcome->started_at_ms),
           outcome->destination_at_fault ? ", destination at fault" : "",
           outcome->error[0] == '\0' ? "" : ": ", outcome->error);
    return outcome->state == EK_MOVE_DONE ? 0 : 1;
}

static int run(const struct arguments *given)
{
    struct lab lab = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .file = given->journal,
                      .begin_ms = now_ms(NULL)};
    struct ek_journal journal = {write_record, write_progress, note, &lab};
    struct ek_executor_options options = {.journal = &journal,
                                          .now_ms = now_ms,
                                          .ended = ended,
                                          .dropped = dropped,
                                          .listener_context = &lab};
    struct ek_error err = {0};
    struct ek_libvirt_port *port = ek_libvirt_port_create(given->hosts, 2, 3000, 30000, &err);
    struct ek_executor *executor = NULL;

    if (port != NULL) {
        options.hypervisor = ek_libvirt_port_hypervisor(port);
        ek_move_timing_defaults(&options.timing);
        executor = ek_executor_create(&options, &err);
    }
    if (executor == NULL || !begin(&lab, executor, given, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    await_end(&lab, executor, given);
    if (ek_executor_shutdown(executor, 5000)) {
        ek_executor_destroy(executor);
        ek_libvirt_port_destroy(port);
    }
    return report(&lab);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static bool read_flag(const char *name, struct arguments *out)
{
    if (strcmp(name, "--adopt") == 0) {
        out->adopt = true;
    } else if (strcmp(name, "--two-step") == 0) {
        out->order.two_step = EK_TWO_STEP_ALWAYS;
    } else if (strcmp(name, "--post-copy") == 0) {
        out->order.post_copy = true;
    } else if (strcmp(name, "--tls") == 0) {
        out->order.tls = true;
    } else {
        return false;
    }
    return true;
}

static bool read_option(int argc, char **argv, int *i, struct arguments *out)
{
    const char *name = argv[*i];
    long number;

    if (read_flag(name, out)) {
        return true;
    }
    if (*i + 1 >= argc) {
        return false;
    }
    number = strtol(argv[++*i], NULL, 10);
    if (strcmp(name, "--abort-after-ms") == 0) {
        out->abort_after_ms = number;
    } else if (strcmp(name, "--limit-after-ms") == 0) {
        out->limit_after_ms = number;
    } else if (strcmp(name, "--limit") == 0) {
        out->limit_mib_s = (uint64_t)number;
    } else if (strcmp(name, "--bandwidth") == 0) {
        out->order.bandwidth_mib_s = (uint64_t)number;
    } else if (strcmp(name, "--timeout-ms") == 0) {
        out->order.timeout_ms = number;
    } else if (strcmp(name, "--downtime-ms") == 0) {
        out->order.max_downtime_ms = number;
    } else if (strcmp(name, "--parallel") == 0) {
        out->order.parallel_connections = (int)number;
    } else if (strcmp(name, "--journal") == 0) {
        out->journal = argv[*i];
    } else {
        return false;
    }
    return true;
}

static bool read_arguments(int argc, char **argv, struct arguments *out)
{
    struct ek_move_order *order = &out->order;

    if (argc < 6) {
        return false;
    }
    *out = (struct arguments){.hosts = {{argv[1], argv[2], NULL}, {argv[3], argv[4], NULL}},
                              .uuid = argv[5],
                              .abort_after_ms = -1,
                              .limit_after_ms = -1};
    *order = (struct ek_move_order){.id = "lab-1",
                                    .plan_id = "lab",
                                    .seq = 1,
                                    .kind = EK_MOVE_MANUAL,
                                    .timeout_ms = 300000,
                                    .progress_timeout_ms = 150000,
                                    .max_downtime_ms = 500,
                                    .backoff_ms = 20000,
                                    .two_step = EK_TWO_STEP_NEVER,
                                    .retries = 0,
                                    .auto_converge = true};
    snprintf(order->source, sizeof(order->source), "%s", argv[1]);
    snprintf(order->destination, sizeof(order->destination), "%s", argv[3]);
    snprintf(order->domain, sizeof(order->domain), "%s", argv[5]);
    snprintf(order->name, sizeof(order->name), "%s", argv[5]);
    for (int i = 6; i < argc; i++) {
        if (!read_option(argc, argv, &i, out)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments given;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &given)) {
        fprintf(stderr, "usage: lab_move SRC_NAME SRC_URI DST_NAME DST_URI DOMAIN_UUID "
                        "[--abort-after-ms N] [--bandwidth MIB_S] [--timeout-ms N] "
                        "[--journal FILE] [--adopt] [--downtime-ms N] [--two-step] [--post-copy] "
                        "[--tls] [--parallel N] [--limit-after-ms N --limit MIB_S]\n");
        return 2;
    }
    return run(&given);
}
