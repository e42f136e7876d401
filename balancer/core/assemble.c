/* From the newest samples to one snapshot. Samples are taken at different moments, so a domain that
 * has just moved may be seen twice or not at all; what is known of moves settles it. */
#include "balancer/core/snapshot_copy.h"
#include "balancer/core/utilization.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One sighting of a domain: which sample of which host shows it. */
struct sighting {
    const struct ek_domain *domain;
    uint32_t host;
    int64_t sampled_at_ms;
};

/* Everything that is needed while one snapshot is assembled; its scratch lists are pieces of the
 * snapshot's own arena, so that nothing is left to free on any way out. */
struct work {
    const struct ek_assembly *in;
    struct ek_snapshot *out;
    const struct ek_sample **sample_of; /* per host; NULL: none */
    const struct ek_sample **by_name;   /* all samples, in the order of their hosts' names */
    struct sighting *sightings;
    size_t sighting_count;
    size_t incoming_count; /* of the sightings */
};

static bool nomem(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOMEM, "out of memory while the snapshot is assembled");
}

/* Two periods forgive one lost sample, four are an outage. Ages come from the collector's own
 * period, since collectors may run at different ones. A sample from the future was taken by another
 * clock: how old it is cannot be told. */
static enum ek_host_state state_of(const struct ek_sample *sample, int64_t now_ms)
{
    if (sample == NULL || now_ms - sample->taken_at_ms > 4 * sample->period_ms) {
        return EK_HOST_DOWN;
    }
    int64_t away_ms = now_ms - sample->taken_at_ms;
    return away_ms > 2 * sample->period_ms || away_ms < -2 * sample->period_ms ? EK_HOST_STALE
                                                                               : EK_HOST_UP;
}

/* A host without any sample still stands in the snapshot, so that it is seen to be down. */
static struct ek_host host_make(const struct ek_host_entry *entry, const struct ek_sample *sample,
                                int64_t now_ms)
{
    /* 1, not 0: capacity divides, and a down host is no destination whatever its size. */
    struct ek_host host = {.cpu_cores = 1,
                           .memory_mib = 1,
                           .cpu_used_cores = NAN,
                           .memory_used_mib = NAN,
                           .migration_mib_s = EK_DEFAULT_MIGRATION_MIB_S};

    if (sample != NULL) {
        host = sample->host;
        host.sampled_at_ms = sample->taken_at_ms;
        host.period_ms = sample->period_ms;
    }
    /* The operator's list outranks the sample: labels, maintenance and the link's rate are his. */
    host.name = entry->name;
    host.labels = entry->labels;
    host.maintenance = entry->maintenance;
    host.partial = entry->maintenance && entry->partial;
    host.begun = false;
    host.deadline_ms = entry->maintenance ? entry->deadline_ms : 0;
    host.state = state_of(sample, now_ms);
    if (entry->migration_mib_s > 0) {
        host.migration_mib_s = entry->migration_mib_s;
    }
    return host;
}

/* By host, the newest first; of equally old ones the one that was given first. */
static int sample_cmp(const void *left, const void *right)
{
    const struct ek_sample *a = *(const struct ek_sample *const *)left;
    const struct ek_sample *b = *(const struct ek_sample *const *)right;
    int order = strcmp(a->host.name, b->host.name);
    int age = (a->taken_at_ms < b->taken_at_ms) - (a->taken_at_ms > b->taken_at_ms);

    return order != 0 ? order : age != 0 ? age : (a > b) - (a < b);
}

/* Each host among each sample would be a million comparisons for 1,000 hosts. */
static bool samples_sort(struct work *work, struct ek_error *err)
{
    size_t count = work->in->sample_count;

    work->by_name = ek_arena_alloc(&work->out->arena, count, sizeof(*work->by_name));
    if (work->by_name == NULL) {
        return nomem(err);
    }
    for (size_t s = 0; s < count; s++) {
        work->by_name[s] = &work->in->samples[s];
    }
    qsort(work->by_name, count, sizeof(*work->by_name), sample_cmp);
    return true;
}

/* NULL: no collector has reported that host, or its key expired. */
static const struct ek_sample *newest_sample(const struct work *work, const char *host)
{
    const struct ek_sample *found = NULL;
    size_t low = 0;

    /* Left of a hit there may be a newer one. */
    for (size_t high = work->in->sample_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(work->by_name[middle]->host.name, host);
        found = order == 0 ? work->by_name[middle] : found;
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return found;
}

static bool hosts_fill(struct work *work, struct ek_error *err)
{
    const struct ek_assembly *in = work->in;
    struct ek_snapshot *out = work->out;

    out->host_count = in->host_count;
    out->hosts = ek_arena_alloc(&out->arena, in->host_count, sizeof(*out->hosts));
    work->sample_of = ek_arena_alloc(&out->arena, in->host_count, sizeof(*work->sample_of));
    if (out->hosts == NULL || work->sample_of == NULL) {
        return nomem(err);
    }
    for (size_t h = 0; h < in->host_count; h++) {
        work->sample_of[h] = newest_sample(work, in->hosts[h].name);
        out->hosts[h] = host_make(&in->hosts[h], work->sample_of[h], in->now_ms);
        if (!ek_host_copy(&out->hosts[h], &out->arena)) {
            return nomem(err);
        }
    }
    return true;
}

static int host_uuid_cmp(const void *left, const void *right)
{
    const struct ek_host *a = *(const struct ek_host *const *)left;
    const struct ek_host *b = *(const struct ek_host *const *)right;
    int order = strcmp(a->uuid, b->uuid);

    return order != 0 ? order : (a > b) - (a < b);
}

/* libvirt tells hosts apart by this UUID and refuses to migrate "to the same host". */
static bool host_uuids_check(struct ek_snapshot *out, struct ek_error *err)
{
    const struct ek_host **known = ek_arena_alloc(&out->arena, out->host_count, sizeof(*known));
    size_t count = 0;

    if (known == NULL) {
        return nomem(err);
    }
    for (size_t h = 0; h < out->host_count; h++) {
        if (out->hosts[h].uuid != NULL) {
            known[count++] = &out->hosts[h];
        }
    }
    qsort(known, count, sizeof(*known), host_uuid_cmp);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(known[i - 1]->uuid, known[i]->uuid) == 0) {
            return ek_error_set(
                err, EK_ERR_INVALID,
                "hosts %s and %s have one hypervisor UUID, %s: is one machine listed twice? "
                "Otherwise set a different host_uuid in /etc/libvirt/libvirtd.conf of one",
                known[i - 1]->name, known[i]->name, known[i]->uuid);
        }
    }
    return true;
}

/* Total order: sightings of one domain become neighbours, in the order of the hosts, so that the
 * result does not depend on the order of the samples; copies that come in stand behind the others.
 */
static int sighting_cmp(const void *left, const void *right)
{
    const struct sighting *a = left;
    const struct sighting *b = right;
    int order = strcmp(a->domain->uuid, b->domain->uuid);

    if (order == 0 && a->domain->incoming != b->domain->incoming) {
        return a->domain->incoming ? 1 : -1;
    }
    return order != 0 ? order : (a->host > b->host) - (a->host < b->host);
}

/* A down host's sample is too old to place domains by; what ran there is not known. */
static bool sightings_gather(struct work *work, struct ek_error *err)
{
    const struct ek_snapshot *out = work->out;
    size_t count = 0;

    for (size_t h = 0; h < out->host_count; h++) {
        count += out->hosts[h].state == EK_HOST_DOWN ? 0 : work->sample_of[h]->domain_count;
    }
    work->sightings = ek_arena_alloc(&work->out->arena, count, sizeof(*work->sightings));
    if (work->sightings == NULL) {
        return nomem(err);
    }
    for (size_t h = 0; h < out->host_count; h++) {
        const struct ek_sample *sample = work->sample_of[h];
        for (size_t d = 0; out->hosts[h].state != EK_HOST_DOWN && d < sample->domain_count; d++) {
            assert(sample != NULL);
            work->sightings[work->sighting_count++] =
                (struct sighting){&sample->domains[d], (uint32_t)h, sample->taken_at_ms};
            work->incoming_count += sample->domains[d].incoming ? 1 : 0;
        }
    }
    assert(work->sighting_count == count);
    qsort(work->sightings, work->sighting_count, sizeof(*work->sightings), sighting_cmp);
    return true;
}

/* The newest of our moves of it that decides where it is: a domain may have moved twice since some
 * host was sampled. */
static const struct ek_known_move *move_of(const struct ek_assembly *in, const char *uuid)
{
    const struct ek_known_move *newest = NULL;

    for (size_t m = 0; m < in->move_count; m++) {
        if (!in->moves[m].foreign && !in->moves[m].failed &&
            strcmp(in->moves[m].domain, uuid) == 0 &&
            (newest == NULL || in->moves[m].started_at_ms > newest->started_at_ms)) {
            newest = &in->moves[m];
        }
    }
    return newest;
}

/* The foreign migration that the snapshot before showed between these hosts; NULL: none. */
static const struct ek_known_move *foreign_of(const struct work *work, const char *uuid,
                                              uint32_t source, uint32_t destination)
{
    for (size_t m = 0; m < work->in->move_count; m++) {
        const struct ek_known_move *move = &work->in->moves[m];
        if (move->foreign && strcmp(move->domain, uuid) == 0 &&
            strcmp(move->source, work->out->hosts[source].name) == 0 &&
            strcmp(move->destination, work->out->hosts[destination].name) == 0) {
            return move;
        }
    }
    return NULL;
}

/* Of two hosts that report a domain: the index of the one where a foreign migration has just
 * brought it, while the other's sample is from before that; `count`: none. Only until the next
 * snapshot: a domain that the source's next sample shows again is really there twice. */
static size_t sighting_arrived(const struct work *work, const struct sighting *seen, size_t count)
{
    for (size_t i = 0; count == 2 && i < count; i++) {
        const struct sighting *source = &seen[1 - i];
        if (seen[i].sampled_at_ms > source->sampled_at_ms &&
            foreign_of(work, seen[i].domain->uuid, source->host, seen[i].host) != NULL) {
            return i;
        }
    }
    return count;
}

/* Each further host gets its entry, so that neither is believed to be empty. */
static void copies_note(struct ek_snapshot *out, uint32_t domain, const struct sighting *seen,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (seen[i].host != out->domains[domain].host) {
            out->copies[out->copy_count++] = (struct ek_copy){domain, seen[i].host};
        }
    }
}

/* Chooses among `count` sightings of one domain; returns the index of the one that holds, and sets
 * *host to where the domain is. *twice: no move explains them. */
static size_t sighting_choose(const struct work *work, const struct sighting *seen, size_t count,
                              uint32_t *host, bool *twice)
{
    const struct ek_known_move *move = move_of(work->in, seen[0].domain->uuid);

    *twice = false;
    *host = seen[0].host;
    if (move == NULL) {
        size_t arrived = sighting_arrived(work, seen, count);
        /* Unexplained, it may be a split brain: nothing is guessed. */
        *twice = count > 1 && arrived == count;
        arrived = arrived == count ? 0 : arrived;
        *host = seen[arrived].host;
        return arrived;
    }
    uint32_t source = ek_snapshot_find_host(work->out, move->source);
    uint32_t destination = ek_snapshot_find_host(work->out, move->destination);
    /* libvirt shows the incoming domain on the destination long before it runs there; until the end
     * the source is right. */
    uint32_t wanted = move->ended_at_ms == 0 ? source : destination;
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        chosen = seen[i].host == wanted ? i : chosen;
        /* A third host, or the source in a sample taken after the move had ended: the move does not
         * explain it. */
        *twice = *twice || (seen[i].host != source && seen[i].host != destination) ||
                 (seen[i].host == source && move->ended_at_ms != 0 && count > 1 &&
                  seen[i].sampled_at_ms > move->ended_at_ms);
    }
    *host = seen[chosen].host;
    /* Seen only in a sample of the source that is older than the move's end. */
    if (move->ended_at_ms != 0 && *host == source && destination != EK_NONE &&
        seen[chosen].sampled_at_ms <= move->ended_at_ms) {
        *host = destination;
    }
    return chosen;
}

/* The hosts' own figures follow the domain: a host whose sample still shows it, or shows it
 * arriving, gives its part back; the host that it is on gets it if no sample shows it there. */
static void figures_follow(struct work *work, const struct sighting *seen, size_t count,
                           const struct ek_domain *domain)
{
    struct ek_host *hosts = work->out->hosts;
    bool counted = false;

    for (size_t i = 0; i < count; i++) {
        counted = counted || seen[i].host == domain->host;
        /* How much of it has come in already is often not known; then nothing is given back. */
        bool has_figure = !seen[i].domain->incoming || !isnan(seen[i].domain->memory_rss_mib);
        if (seen[i].host != domain->host && has_figure) {
            ek_use_shift(&hosts[seen[i].host], seen[i].domain, -1);
        }
    }
    assert(domain->host < work->out->host_count);
    if (!counted) {
        ek_use_shift(&hosts[domain->host], domain, 1);
    }
}

/* How many sightings from this one on are of one domain. */
static size_t sightings_of_one(const struct work *work, size_t first, bool with_incoming)
{
    const struct sighting *seen = &work->sightings[first];
    size_t count = 0;

    while (first + count < work->sighting_count &&
           strcmp(seen[0].domain->uuid, seen[count].domain->uuid) == 0 &&
           (with_incoming || !seen[count].domain->incoming)) {
        count++;
    }
    return count;
}

/* The domain of `count` sightings, with its place and what became of its figures. */
static bool domain_fill(struct work *work, size_t first, size_t count, struct ek_error *err)
{
    struct ek_snapshot *out = work->out;
    const struct sighting *seen = &work->sightings[first];
    /* Who has it is asked among those that run it; a copy that comes in is believed only when it
     * is the last that is seen. */
    size_t whole = sightings_of_one(work, first, false);
    uint32_t host = EK_NONE;
    bool twice = false;
    size_t chosen = sighting_choose(work, seen, whole == 0 ? count : whole, &host, &twice);

    assert(host < out->host_count);
    struct ek_domain *domain = &out->domains[out->domain_count++];
    *domain = *seen[chosen].domain;
    domain->host = host;
    if (!ek_domain_copy(domain, &out->arena)) {
        return nomem(err);
    }
    /* Its figures stay where they were sampled: which of the two is real is not known. */
    if (twice) {
        domain->movable = false;
        domain->immovable_reason = "two hosts report it as theirs";
        copies_note(out, (uint32_t)out->domain_count - 1, seen, whole == 0 ? count : whole);
    } else {
        figures_follow(work, seen, count, domain);
    }
    return true;
}

/* One domain for each UUID, in their order, so that ek_snapshot_find_uuid() can halve. */
static bool domains_fill(struct work *work, struct ek_error *err)
{
    struct ek_snapshot *out = work->out;
    size_t count = 0;

    out->domains = ek_arena_alloc(&out->arena, work->sighting_count, sizeof(*out->domains));
    out->copies = ek_arena_alloc(&out->arena, work->sighting_count, sizeof(*out->copies));
    if (out->domains == NULL || out->copies == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < work->sighting_count; i += count) {
        count = sightings_of_one(work, i, true);
        if (!domain_fill(work, i, count, err)) {
            return false;
        }
    }
    return true;
}

/* Whether the destination was sampled after the move had ended: a domain that is not there then was
 * stopped since. */
static bool sampled_since(const struct ek_snapshot *out, const struct ek_known_move *move,
                          uint32_t destination)
{
    return move->ended_at_ms != 0 && destination != EK_NONE &&
           out->hosts[destination].sampled_at_ms > move->ended_at_ms;
}

/* Running moves, and ended ones whose domain no sample shows yet: the second kind has EK_NONE for a
 * domain and keeps its destination closed, for nobody knows how full it has become. */
static void flights_of_ours(struct work *work)
{
    struct ek_snapshot *out = work->out;
    const struct ek_assembly *in = work->in;

    for (size_t m = 0; m < in->move_count; m++) {
        struct ek_in_flight flight = {.domain = ek_snapshot_find_uuid(out, in->moves[m].domain),
                                      .source = ek_snapshot_find_host(out, in->moves[m].source),
                                      .destination =
                                          ek_snapshot_find_host(out, in->moves[m].destination),
                                      .started_at_ms = in->moves[m].started_at_ms};
        /* A host that left the configuration meanwhile is EK_NONE: the limits of hosts that are not
         * there bind nobody. */
        bool runs = in->moves[m].ended_at_ms == 0;
        bool unseen =
            flight.domain == EK_NONE && !sampled_since(out, &in->moves[m], flight.destination);
        /* On a third host: the move does not explain it, and still something arrives. */
        if (flight.domain != EK_NONE && out->domains[flight.domain].host != flight.source &&
            out->domains[flight.domain].host != flight.destination) {
            flight.domain = EK_NONE;
        }
        bool ours = !in->moves[m].foreign && !in->moves[m].failed;
        if (ours && flight.source != EK_NONE && flight.destination != EK_NONE && (runs || unseen)) {
            out->in_flight[out->in_flight_count++] = flight;
        }
    }
}

/* Whether a move of ours tells why this copy comes in: it runs, or ended after the sample, well or
 * not. */
static bool explained(const struct work *work, const struct sighting *seen)
{
    for (size_t m = 0; m < work->in->move_count; m++) {
        const struct ek_known_move *move = &work->in->moves[m];
        if (!move->foreign && strcmp(move->domain, seen->domain->uuid) == 0 &&
            (move->ended_at_ms == 0 || seen->sampled_at_ms <= move->ended_at_ms)) {
            return true;
        }
    }
    return false;
}

static bool is_in_flight(const struct ek_snapshot *out, uint32_t domain)
{
    for (size_t f = 0; f < out->in_flight_count; f++) {
        if (out->in_flight[f].domain == domain) {
            return true;
        }
    }
    return false;
}

/* Copies that come in without a move of ours. A domain is in flight once: further ones (orphans of
 * somebody's earlier attempt) are left out. */
static void flights_of_others(struct work *work)
{
    struct ek_snapshot *out = work->out;

    for (size_t i = 0; work->incoming_count > 0 && i < work->sighting_count; i++) {
        const struct sighting *seen = &work->sightings[i];
        if (!seen->domain->incoming || explained(work, seen)) {
            continue;
        }
        uint32_t domain = ek_snapshot_find_uuid(out, seen->domain->uuid);
        assert(domain != EK_NONE);
        uint32_t source = out->domains[domain].host;
        if (source == seen->host || is_in_flight(out, domain)) {
            continue; /* its source is no host of ours, or was not sampled */
        }
        const struct ek_known_move *known =
            foreign_of(work, seen->domain->uuid, source, seen->host);
        out->in_flight[out->in_flight_count++] = (struct ek_in_flight){
            .domain = domain,
            .source = source,
            .destination = seen->host,
            .started_at_ms = known == NULL ? seen->sampled_at_ms : known->started_at_ms,
            .foreign = true};
    }
}

static bool in_flight_fill(struct work *work, struct ek_error *err)
{
    size_t room = work->in->move_count + work->incoming_count;

    work->out->in_flight = ek_arena_alloc(&work->out->arena, room, sizeof(*work->out->in_flight));
    if (work->out->in_flight == NULL) {
        return nomem(err);
    }
    flights_of_ours(work);
    flights_of_others(work);
    assert(work->out->in_flight_count <= room);
    return true;
}

bool ek_snapshot_assemble(struct ek_snapshot *out, const struct ek_assembly *in,
                          struct ek_error *err)
{
    struct work work = {.in = in, .out = out};

    memset(out, 0, sizeof(*out));
    out->taken_at_ms = in->now_ms;
    bool ok = samples_sort(&work, err) && hosts_fill(&work, err) && host_uuids_check(out, err) &&
              sightings_gather(&work, err) && domains_fill(&work, err) &&
              in_flight_fill(&work, err) && ek_snapshot_sort(out, err);
    if (!ok) {
        ek_snapshot_finish(out);
    }
    return ok;
}
