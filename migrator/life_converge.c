/* Whether the copying comes to an end, and what helps it: the downtime ladder, the bandwidth's
 * limit, the evidence when it does not. */
#include "migrator/life_internal.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* After a tuning that libvirt refused. */
enum { TUNE_AGAIN_MS = 10000 };

/* Stalled iterations after which a guest may have all of the downtime that its order allows. */
enum { LADDER_TOP = 6 };

void ek_life_converge_begin(struct ek_life *life)
{
    life->convergence = (struct ek_convergence){
        .least_round_mib = DBL_MAX, .improved_ms = life->now_ms, .data_ms = life->now_ms};
    life->tuning_out = false;
    life->signs = 0;
}

/* How long it has stalled is not known any more, nor what downtime it was given: what it may have
 * at most, rather than less than it had. */
void ek_life_converge_adopt(struct ek_life *life)
{
    ek_life_converge_begin(life);
    life->convergence.stalled = LADDER_TOP;
}

/* ---- what the looks say -------------------------------------------------------------------- */

static void improve(struct ek_life *life, int iteration)
{
    life->convergence.improved_ms = life->now_ms;
    life->convergence.improved_iteration = iteration;
}

/* In its first iteration the migration's own log knows nothing yet. */
double ek_life_converge_dirty_mib_s(const struct ek_life *life,
                                    const struct ek_job_progress *progress)
{
    return progress->iteration > 1 ? progress->dirty_mib_s
                                   : fmax(progress->dirty_mib_s, life->convergence.sampled_mib_s);
}

/* An iteration sends what was written during the one before: it is the size at its beginning that
 * falls when a migration converges. Within one, what remains falls in any case. */
static void note_iteration(struct ek_life *life, const struct ek_job_progress *progress)
{
    struct ek_convergence *it = &life->convergence;
    int more = progress->iteration - it->seen.iteration;

    if (more > 0 || progress->iteration <= 1) {
        if (progress->remaining_mib < it->least_round_mib) {
            it->least_round_mib = progress->remaining_mib;
            improve(life, progress->iteration);
        } else if (it->seen.iteration > 0 && more > 0) {
            it->stalled += more;
        }
    }
}

/* Of the memory, that is: before its first iteration the disks are copied. */
static bool is_ending(const struct ek_life *life, const struct ek_job_progress *progress)
{
    return progress->iteration > 0 && progress->transferred_mib > 0 &&
           progress->remaining_mib < progress->total_mib && life->record.eta_ms >= 0 &&
           life->record.eta_ms <= EK_LIFE_ENDING_MS;
}

static bool is_sampled(const struct ek_life *life)
{
    return life->convergence.sampled_mib_s > 0;
}

/* A sample that came while disks were copied is old by the time it matters, and by then more is
 * lost than won by following it. */
void ek_life_converge_sample(struct ek_life *life, const struct ek_job_progress *progress)
{
    if (!is_sampled(life) && progress->sampled_mib_s > 0) {
        life->convergence.sampled_mib_s = progress->sampled_mib_s;
        life->signs |= progress->iteration == 1 ? 1U << EK_SIGN_SAMPLED : 0;
    }
}

bool ek_life_sign(const struct ek_life *life, unsigned int *told, struct ek_sign *sign)
{
    enum ek_sign_kind kind = EK_SIGN_ANEW;

    /* Signs are only ever taken back when an attempt begins. */
    if ((*told & ~life->signs) == 0) {
        while (kind < EK_SIGN_COUNT && (life->signs & ~*told & 1U << kind) == 0) {
            kind++;
        }
    }
    if (kind == EK_SIGN_COUNT) {
        return false;
    }
    *told = kind == EK_SIGN_ANEW ? 0 : *told | 1U << kind;
    *sign = (struct ek_sign){.kind = kind, .dirty_mib_s = life->convergence.sampled_mib_s};
    memcpy(sign->id, life->record.order.id, sizeof(sign->id));
    return true;
}

void ek_life_converge_note(struct ek_life *life, const struct ek_job_progress *progress)
{
    struct ek_convergence *it = &life->convergence;

    if (progress->total_mib > 0) {
        /* The first iteration is everything; the second is measured by itself. */
        if (it->seen.iteration <= 1 && progress->iteration > 1) {
            it->least_round_mib = DBL_MAX;
        }
        note_iteration(life, progress);
    }
    if (progress->transferred_mib > it->seen.transferred_mib) {
        it->data_ms = life->now_ms;
    }
    if (progress->throttle_percent > it->seen.throttle_percent) {
        improve(life, progress->iteration);
    }
    it->seen = *progress;
    life->signs |= is_ending(life, progress) ? 1U << EK_SIGN_ENDING : 0;
}

/* ---- when it does not ---------------------------------------------------------------------- */

const char *ek_life_converge_evidence(const struct ek_life *life, char *out, size_t size)
{
    const struct ek_job_progress *seen = &life->convergence.seen;

    snprintf(out, size,
             "iteration %d, %.0f MiB remain, %.0f MiB/s are written, %.0f MiB/s copied, "
             "throttled by %d %%",
             seen->iteration, seen->remaining_mib, seen->dirty_mib_s, seen->bandwidth_mib_s,
             seen->throttle_percent);
    return out;
}

bool ek_life_converge_is_stuck(struct ek_life *life, int64_t progress_ms)
{
    const struct ek_convergence *it = &life->convergence;
    char evidence[EK_TEXT_SIZE];

    /* Bytes that flow without an end are the guest's doing; none that flow are the network's. */
    if (life->now_ms - it->data_ms >= progress_ms) {
        life->at_fault = true;
        ek_life_error(life, "aborted: no data reached the destination for %lld s",
                      (long long)(progress_ms / 1000));
        return true;
    }
    /* One iteration of a big guest may take longer than this: two must have passed. */
    if (life->now_ms - it->improved_ms < progress_ms ||
        it->seen.iteration - it->improved_iteration < 2) {
        return false;
    }
    ek_life_error(life,
                  "aborted: the guest changed its memory faster than it was copied for %lld s (%s)",
                  (long long)(progress_ms / 1000),
                  ek_life_converge_evidence(life, evidence, sizeof(evidence)));
    return true;
}

/* ---- tuning -------------------------------------------------------------------------------- */

/* By stalled iterations, in percent of what the order allows: a short downtime first, a longer one
 * only for a guest that needs it (oVirt's policy "minimal downtime"). */
static int64_t ladder_ms(const struct ek_life *life)
{
    static const struct {
        int stalled;
        int percent;
    } steps[] = {{LADDER_TOP, 100}, {4, 80}, {3, 60}, {2, 40}, {1, 30}, {0, 20}};
    size_t i = 0;

    while (life->convergence.stalled < steps[i].stalled) {
        i++;
    }
    return life->record.order.max_downtime_ms * steps[i].percent / 100;
}

bool ek_life_limit_differs(const struct ek_life *life)
{
    return life->limited && life->limit_mib_s != life->record.order.bandwidth_mib_s;
}

static int64_t tuned_bandwidth(uint64_t mib_s)
{
    return mib_s == 0 || mib_s > INT64_MAX ? EK_TUNING_UNLIMITED : (int64_t)mib_s;
}

bool ek_life_converge_tune(struct ek_life *life, struct ek_life_action *action)
{
    const struct ek_convergence *it = &life->convergence;
    struct ek_tuning tuning = {0};
    int64_t downtime_ms = ladder_ms(life);

    if (life->now_ms < it->tune_after_ms) {
        return false;
    }
    /* Until bytes are counted libvirt has not yet set the call's own parameters: they would undo
     * this. */
    if (!(it->seen.total_mib > 0)) {
        life->convergence.tune_after_ms = life->now_ms + life->timing.progress_poll_ms;
        return false;
    }
    if (downtime_ms > 0 && downtime_ms != it->downtime_ms) {
        tuning.max_downtime_ms = downtime_ms;
    }
    if (ek_life_limit_differs(life)) {
        tuning.bandwidth_mib_s = tuned_bandwidth(life->limit_mib_s);
    }
    if (tuning.max_downtime_ms == 0 && tuning.bandwidth_mib_s == 0) {
        return false;
    }
    life->tuning = tuning;
    life->tuning_limit_mib_s = life->limit_mib_s;
    life->tuning_out = true;
    *action = ek_life_call(EK_LIFE_TUNE, life->timing.action_ms);
    action->tuning = tuning;
    return true;
}

/* What was set, for the journal. */
static void describe(const struct ek_life *life, char *out, size_t size)
{
    const struct ek_tuning *tuning = &life->tuning;
    char downtime[80] = "";
    char bandwidth[64] = "";

    if (tuning->max_downtime_ms > 0) {
        snprintf(downtime, sizeof(downtime), "downtime %lld ms after %d stalled iterations",
                 (long long)tuning->max_downtime_ms, life->convergence.stalled);
    }
    if (tuning->bandwidth_mib_s == EK_TUNING_UNLIMITED) {
        snprintf(bandwidth, sizeof(bandwidth), "bandwidth unlimited");
    } else if (tuning->bandwidth_mib_s > 0) {
        snprintf(bandwidth, sizeof(bandwidth), "bandwidth %lld MiB/s",
                 (long long)tuning->bandwidth_mib_s);
    }
    snprintf(out, size, "%s%s%s", downtime, downtime[0] != '\0' && bandwidth[0] != '\0' ? ", " : "",
             bandwidth);
}

/* An order that was refused leads to the abort that it was to spare; one whose answer did not come
 * may have been followed. */
static void post_copy_answered(struct ek_life *life, const struct ek_call_result *result,
                               char *note, size_t size)
{
    snprintf(note, size, "%s%s", result->ok ? "post-copy begun" : "post-copy: ", result->error);
    if (!result->ok && result->failure != EK_FAILURE_LOST) {
        life->post_copy_refused = true;
        life->copy_until_ms = life->now_ms;
    }
}

void ek_life_converge_tuned(struct ek_life *life, const struct ek_call_result *result, char *note,
                            size_t size)
{
    struct ek_convergence *it = &life->convergence;

    assert(life->tuning_out);
    life->tuning_out = false;
    if (life->tuning.start_post_copy) {
        post_copy_answered(life, result, note, size);
        return;
    }
    if (!result->ok) {
        it->tune_after_ms = life->now_ms + TUNE_AGAIN_MS;
        snprintf(note, size, "%s", result->error);
        return;
    }
    if (life->tuning.max_downtime_ms > 0) {
        it->downtime_ms = life->tuning.max_downtime_ms;
        improve(life, it->seen.iteration); /* a longer downtime is a new chance */
    }
    if (life->tuning.bandwidth_mib_s > 0) {
        life->record.order.bandwidth_mib_s = life->tuning_limit_mib_s;
    }
    describe(life, note, size);
}
