/* Folding hours into profiles.
 *
 * The host's own profile alone says which hours of the host are done: it is written last, and a
 * profile passes over an hour that it knows, so that who dies in between does nothing twice. A
 * domain's profile takes hours in any order: of its hosts one may be folded before the other. A
 * first fold begins with the oldest sample that is kept, and none does more than some hours: what
 * is left is the next one's. */
#include "balancer/codec/profile.h"
#include "balancer/core/hour.h"
#include "balancer/store/history_pieces.h"

#include <stdlib.h>
#include <string.h>

/* Blocks are read until they hold so many samples, or an hour is complete: more than a fold adds,
 * so that it catches up, and a few ms of work. */
enum { ENOUGH_SAMPLES = 1000 };

/* A profile that hours go into. */
struct target {
    struct ek_profile profile;
    bool spoilt; /* a domain's that cannot be read: it is left as it is */
};

struct work {
    struct ek_store *store;
    const char *host;
    int64_t keep_ms;
    int64_t newest_hour;     /* it has only begun */
    int64_t from_hour;       /* these go in */
    int64_t end_hour;        /* and this one not any more */
    char key[EK_KEY_SIZE];   /* of the blocks */
    struct ek_pieces chosen; /* those that hold the hours; their bytes are owned */
    struct ek_hour hour;     /* that is being read */
    struct ek_hour_figures *figures;
    size_t figure_count;
    struct target *targets; /* one for each domain that has figures, and the host */
    size_t target_count;
    struct ek_error *noted; /* what could not be read */
};

static bool no_memory(const struct work *work, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "%s: out of memory", work->key);
}

/* ---- what is to be done ---------------------------------------------------------------------- */

/* The first blocks that have something new, and up to which hour they are complete. */
static bool choose(struct work *work, const struct ek_pieces *all, int64_t first_hour)
{
    int64_t samples = 0;

    work->end_hour = work->newest_hour;
    work->chosen.items = calloc(all->count + 1, sizeof(*all->items));
    for (size_t i = 0; work->chosen.items != NULL && i < all->count; i++) {
        const struct ek_piece *it = &all->items[i];
        if (ek_hour_of(it->last_ms) < first_hour) {
            continue;
        }
        if (work->chosen.count == 0) {
            work->from_hour = ek_hour_of(it->first_ms);
            work->from_hour = work->from_hour < first_hour ? first_hour : work->from_hour;
        }
        if (samples >= ENOUGH_SAMPLES && ek_hour_of(it->first_ms) > work->from_hour) {
            int64_t end_hour = ek_hour_of(it->first_ms);
            work->end_hour = end_hour < work->end_hour ? end_hour : work->end_hour;
            break;
        }
        samples += it->samples < ENOUGH_SAMPLES ? it->samples : ENOUGH_SAMPLES; /* as it claims */
        work->chosen.items[work->chosen.count++] = *it;
    }
    return work->chosen.items != NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool close_hour(struct work *work, struct ek_error *err)
{
    size_t room = work->figure_count + ek_hour_room(&work->hour);
    struct ek_hour_figures *grown = realloc(work->figures, (room + 1) * sizeof(*grown));

    if (grown == NULL) {
        return no_memory(work, err);
    }
    work->figures = grown;
    work->figure_count += ek_hour_close(&work->hour, grown + work->figure_count);
    return true;
}

static bool take_sample(struct work *work, const struct ek_history_block *block, size_t index,
                        struct ek_error *err)
{
    int64_t hour = ek_hour_of(ek_history_block_time_ms(block, index));
    struct ek_sample sample;

    if (hour < work->from_hour || hour >= work->end_hour) {
        return true;
    }
    if ((work->hour.samples > 0 && work->hour.hour != hour && !close_hour(work, err)) ||
        !ek_history_block_sample(block, index, &sample, err)) {
        return false;
    }
    bool done = ek_hour_add(&work->hour, &sample, err);
    ek_sample_finish(&sample);
    return done;
}

static bool take_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < ek_history_block_count(block); i++) {
        done = take_sample(context, block, i, err);
    }
    return done;
}

/* A block that cannot be read is told of by who shows the history. */
static bool read_hours(struct work *work, struct ek_error *err)
{
    redisReply **replies = calloc(work->chosen.count + 1, sizeof(*replies));
    bool done = replies != NULL || no_memory(work, err);
    char ignored[8];

    for (size_t i = 0; done && i < work->chosen.count; i++) {
        replies[i] = ek_store_command(work->store, work->key, err, "HGET %s %s", work->key,
                                      work->chosen.items[i].name);
        work->chosen.items[i].bytes = replies[i];
        done = replies[i] != NULL;
    }
    done = done &&
           ek_pieces_visit(work->key, &work->chosen, take_block, work, ignored, sizeof(ignored),
                           err) &&
           close_hour(work, err);
    for (size_t i = 0; replies != NULL && i < work->chosen.count; i++) {
        ek_reply_release(&replies[i]);
    }
    free(replies);
    return done;
}

/* ---- profiles -------------------------------------------------------------------------------- */

/* By name, the host last, since its profile ends the work; then by hour. */
static int compare_figures(const void *a, const void *b)
{
    const struct ek_hour_figures *left = a;
    const struct ek_hour_figures *right = b;
    bool left_host = left->domain[0] == '\0';
    bool right_host = right->domain[0] == '\0';
    int names = strcmp(left->domain, right->domain);

    return left_host != right_host    ? (int)left_host - (int)right_host
           : names != 0               ? names
           : left->hour < right->hour ? -1
                                      : left->hour > right->hour;
}

/* A target for each name, in the order of the figures. */
static bool make_targets(struct work *work, struct ek_error *err)
{
    const struct ek_hour_figures *figures = work->figures;

    work->targets = calloc(work->figure_count + 1, sizeof(*work->targets));
    for (size_t i = 0; work->targets != NULL && i < work->figure_count; i++) {
        const char *name = figures[i].domain;
        if (i == 0 || strcmp(name, figures[i - 1].domain) != 0) {
            struct ek_profile *profile = &work->targets[work->target_count++].profile;
            ek_profile_begin(profile, name[0] == '\0' ? EK_PROFILE_HOST : EK_PROFILE_DOMAIN,
                             name[0] == '\0' ? work->host : name);
        }
    }
    if (work->targets == NULL) {
        return no_memory(work, err);
    }
    /* The host's is there even if no block of these hours could be read: they are over. */
    if (work->figure_count == 0 || figures[work->figure_count - 1].domain[0] != '\0') {
        ek_profile_begin(&work->targets[work->target_count++].profile, EK_PROFILE_HOST, work->host);
    }
    return true;
}

/* A host's that cannot be read is made anew: nothing would ever be done otherwise. */
static bool take_target(struct work *work, struct target *target, const char *key,
                        struct ek_error *err)
{
    redisReply *reply EK_REPLY_SCOPED = ek_store_next(work->store, key, err);
    struct ek_profile known;
    struct ek_error bad;
    bool there = false;

    if (reply == NULL) {
        return false;
    }
    if (!ek_profile_take(work->store, key, reply, &known, &there, &bad)) {
        *(bad.code == EK_ERR_INVALID ? work->noted : err) = bad;
        target->spoilt = target->profile.kind == EK_PROFILE_DOMAIN;
        return bad.code == EK_ERR_INVALID;
    }
    if (there && known.kind == target->profile.kind &&
        strcmp(known.name, target->profile.name) == 0) {
        target->profile = known;
        ek_profile_settle(&target->profile, work->newest_hour);
    }
    return true;
}

/* All targets in one pipeline; one that cannot be read costs the others nothing. */
static bool read_targets(struct work *work, struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    bool done = ek_store_begin(work->store, err);

    for (size_t t = 0; done && t < work->target_count; t++) {
        const struct ek_profile *profile = &work->targets[t].profile;
        done = ek_profile_key(work->store, key, profile->kind, profile->name, err) &&
               ek_store_append(work->store, err, "GET %s", key);
    }
    for (size_t t = 0; done && t < work->target_count; t++) {
        const struct ek_profile *profile = &work->targets[t].profile;
        done = ek_profile_key(work->store, key, profile->kind, profile->name, err) &&
               take_target(work, &work->targets[t], key, err);
    }
    if (!done) {
        ek_store_drop(work->store);
    }
    return done;
}

static void add_hours(struct work *work)
{
    size_t t = 0;

    for (size_t i = 0; i < work->figure_count; i++) {
        t += i > 0 && strcmp(work->figures[i].domain, work->figures[i - 1].domain) != 0;
        ek_profile_add(&work->targets[t].profile, &work->figures[i]);
    }
    struct ek_profile *host = &work->targets[work->target_count - 1].profile;
    if (host->through_hour < work->end_hour - 1) {
        host->through_hour = work->end_hour - 1;
    }
}

static bool append_target(struct work *work, const struct ek_profile *profile, struct ek_error *err)
{
    char key[EK_KEY_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (!ek_profile_key(work->store, key, profile->kind, profile->name, err) ||
        !ek_profile_write(profile, &bytes, &size, err)) {
        return false;
    }
    bool done = ek_store_append(work->store, err, "SET %s %b PX %lld", key, bytes, size,
                                (long long)ek_profile_life_ms(work->keep_ms));
    free(bytes);
    return done;
}

/* In one pipeline, which a server that syncs its file with every write syncs once. */
static bool write_targets(struct work *work, struct ek_error *err)
{
    bool done = ek_store_begin(work->store, err);

    for (size_t t = 0; done && t < work->target_count; t++) {
        done = work->targets[t].spoilt || append_target(work, &work->targets[t].profile, err);
    }
    for (size_t t = 0; done && t < work->target_count; t++) {
        if (!work->targets[t].spoilt) {
            redisReply *reply EK_REPLY_SCOPED = ek_store_next(work->store, "profiles", err);
            done = reply != NULL && (reply->type != REDIS_REPLY_ERROR ||
                                     ek_store_refused(work->store, "profiles", reply, err));
        }
    }
    if (!done) {
        ek_store_drop(work->store);
    }
    return done;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool fold_hours(struct work *work, struct ek_error *err)
{
    if (work->chosen.count == 0 || work->end_hour <= work->from_hour) {
        return true;
    }
    if (!read_hours(work, err)) {
        return false;
    }
    if (work->figure_count > 0) {
        qsort(work->figures, work->figure_count, sizeof(*work->figures), compare_figures);
    }
    if (!make_targets(work, err) || !read_targets(work, err)) {
        return false;
    }
    add_hours(work);
    return write_targets(work, err);
}

/* The first hour that the host's profile does not know. One that cannot be read knows none:
 * profiles of domains pass over what they have. */
static bool find_first(struct work *work, int64_t *first_hour, struct ek_error *err)
{
    struct ek_profile profile;
    struct ek_error bad;
    bool there = false;

    *first_hour = 0;
    if (!ek_store_get_profile(work->store, EK_PROFILE_HOST, work->host, &profile, &there, &bad)) {
        *(bad.code == EK_ERR_INVALID ? work->noted : err) = bad;
        return bad.code == EK_ERR_INVALID;
    }
    if (there) {
        ek_profile_settle(&profile, work->newest_hour);
        *first_hour = profile.through_hour + 1;
    }
    return true;
}

static bool fold_blocks(struct work *work, int64_t first_hour, struct ek_error *err)
{
    struct ek_pieces pieces EK_PIECES_SCOPED = {.items = NULL};

    if (!ek_store_key(work->store, work->key, "history:", work->host, err)) {
        return false;
    }
    redisReply *names EK_REPLY_SCOPED =
        ek_store_command(work->store, work->key, err, "HKEYS %s", work->key);
    return names != NULL && ek_pieces_add(work->store, work->key, names, false, &pieces, err) &&
           (choose(work, &pieces, first_hour) || no_memory(work, err)) && fold_hours(work, err);
}

bool ek_profiles_fold(struct ek_store *store, const char *host, int64_t newest_ms, int64_t keep_ms,
                      struct ek_error *noted, struct ek_error *err)
{
    struct work work = {.store = store,
                        .host = host,
                        .keep_ms = keep_ms,
                        .newest_hour = ek_hour_of(newest_ms),
                        .noted = noted};
    int64_t first_hour = 0;
    bool done = find_first(&work, &first_hour, err) &&
                (first_hour >= work.newest_hour || fold_blocks(&work, first_hour, err));

    ek_hour_finish(&work.hour);
    ek_pieces_release(&work.chosen);
    free(work.figures);
    free(work.targets);
    return done || ek_error_wrap(err, "folding the profiles of %s", host);
}
