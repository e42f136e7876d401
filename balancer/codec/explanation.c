/* Explanations as JSON: everything that the text says, and all domains. */
#include "balancer/codec/explanation.h"

#include "balancer/codec/json.h"
#include "balancer/codec/plan.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* The word of a block: EK_BLOCK_SAME_HOST is "same_host". */
static void put_block(struct ek_json_writer *writer, enum ek_block block)
{
    static const char *const names[EK_BLOCK_COUNT] = {
#define X(name, text) [name] = #name,
        EK_BLOCKS(X)
#undef X
    };
    const char *name = names[block] + strlen("EK_BLOCK_");
    char word[40] = "";

    for (size_t i = 0; i + 1 < sizeof(word) && name[i] != '\0'; i++) {
        word[i] = (char)tolower((unsigned char)name[i]);
    }
    ek_json_put_text(writer, "block", word);
}

static void write_rating(struct ek_json_writer *writer, const char *key,
                         const struct ek_rating *rating)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    ek_json_put_number(writer, "overload_fall", rating->overload_fall);
    ek_json_put_number(writer, "gain", rating->gain);
    ek_json_put_number(writer, "price", rating->price);
    ek_json_put_number(writer, "should_worth", rating->should_worth);
    ek_json_put_number(writer, "worth", rating->worth);
    ek_json_put_number(writer, "should_fall", rating->should_fall);
    ek_json_put_bool(writer, "pays", rating->pays);
    ek_json_end(writer, '}');
}

/* Nothing when there is none. */
static void write_offer(struct ek_json_writer *writer, const char *key,
                        const struct ek_snapshot *snapshot, const struct ek_offer *offer)
{
    if (offer->host == EK_NONE) {
        return;
    }
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "host", snapshot->hosts[offer->host].name);
    write_rating(writer, "rating", &offer->rating);
    ek_json_end(writer, '}');
}

/* All hosts of one reason, where they are known. */
static void put_hosts(struct ek_json_writer *writer, const struct ek_snapshot *snapshot,
                      const struct ek_blocked_hosts *it)
{
    if (it->hosts == NULL) {
        return;
    }
    ek_json_key(writer, "names");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < it->count; i++) {
        ek_json_text(writer, snapshot->hosts[it->hosts[i]].name);
    }
    ek_json_end(writer, ']');
}

static void put_offers(struct ek_json_writer *writer, const char *best,
                       const struct ek_snapshot *snapshot, const struct ek_host_offers *offers)
{
    write_offer(writer, best, snapshot, &offers->best);
    ek_json_put_integer(writer, "hosts_open", offers->open);
    ek_json_put_bool(writer, "all_hosts", offers->all);
    ek_json_key(writer, "blocked");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < offers->blocked_count; i++) {
        const struct ek_blocked_hosts *it = &offers->blocked[i];
        ek_json_begin(writer, '{');
        put_block(writer, it->block);
        ek_json_put_text(writer, "rule", it->rule);
        ek_json_put_integer(writer, "hosts", it->count);
        ek_json_put_text(writer, "host", snapshot->hosts[it->host].name);
        ek_json_put_text(writer, "reason", it->text);
        put_hosts(writer, snapshot, it);
        ek_json_end(writer, '}');
    }
    ek_json_end(writer, ']');
}

static void write_moment(struct ek_json_writer *writer, const char *key,
                         const struct ek_resources *resources, const struct ek_moment *moment)
{
    ek_json_key(writer, key);
    ek_json_begin(writer, '{');
    ek_json_put_number(writer, "score", moment->levels.score.spread);
    ek_json_put_number(writer, "overload", moment->levels.score.overload);
    ek_json_put_figures(writer, "imbalance", resources, moment->levels.imbalance);
    ek_json_put_integer(writer, "must_rules_broken", (int64_t)moment->broken);
    ek_json_put_number(writer, "should_cost", moment->should_cost);
    ek_json_end(writer, '}');
}

static void write_move(struct ek_json_writer *writer, const struct ek_plan *plan,
                       const struct ek_move_explanation *it)
{
    const struct ek_snapshot *snapshot = plan->snapshot;
    const struct ek_plan_move *move = it->move;

    ek_json_break(writer);
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "seq", move->seq);
    ek_json_put_text(writer, "domain", snapshot->domains[move->domain].uuid);
    ek_json_put_text(writer, "name", snapshot->domains[move->domain].name);
    ek_json_put_text(writer, "source", snapshot->hosts[move->source].name);
    ek_json_put_text(writer, "destination", snapshot->hosts[move->destination].name);
    ek_json_put_text(writer, "kind", ek_move_kind_name(move->kind));
    ek_json_put_text(writer, "reason", move->reason);
    write_moment(writer, "before", &plan->resources, &it->before);
    write_moment(writer, "after", &plan->resources, &it->after);
    write_rating(writer, "rating", &it->rating);
    ek_json_put_text(writer, "rules", it->rules);
    ek_json_put_number(writer, "transfer_mib", ceil(move->cost.transfer_mib));
    ek_json_put_seconds(writer, "copy_s", move->cost.duration_ms);
    ek_json_put_integer(writer, "downtime_ms", move->cost.downtime_ms);
    ek_json_put_bool(writer, "converges", move->cost.converges);
    put_offers(writer, "runner_up", snapshot, &it->others);
    ek_json_put_bool(writer, "runner_up_first", it->runner_up_first);
    ek_json_end(writer, '}');
}

static void write_stay(struct ek_json_writer *writer, const struct ek_plan *plan,
                       const struct ek_stay_explanation *stay)
{
    const struct ek_snapshot *snapshot = plan->snapshot;

    ek_json_begin(writer, '{');
    ek_json_put_text(writer, "domain", snapshot->domains[stay->domain].uuid);
    ek_json_put_text(writer, "name", snapshot->domains[stay->domain].name);
    ek_json_put_text(writer, "host", snapshot->hosts[stay->host].name);
    ek_json_put_text(writer, "cause", ek_stay_cause_name(stay->cause));
    if (stay->cause == EK_STAY_DOMAIN) {
        put_block(writer, stay->block);
    }
    ek_json_put_text(writer, "reason", stay->reason);
    if (stay->cause != EK_STAY_DOMAIN) {
        put_offers(writer, "best", snapshot, &stay->offers);
    }
    ek_json_end(writer, '}');
}

static void write_moves(struct ek_json_writer *writer, const struct ek_explanation *explanation)
{
    ek_json_key(writer, "moves");
    ek_json_begin(writer, '[');
    for (size_t i = 0; i < explanation->move_count; i++) {
        write_move(writer, explanation->plan, &explanation->moves[i]);
    }
    ek_json_end(writer, ']');
}

char *ek_codec_write_explained_plan(const struct ek_plan *plan, const struct ek_schedule *schedule,
                                    const struct ek_explanation *explanation)
{
    struct ek_json_writer writer = {0};

    ek_json_begin(&writer, '{');
    ek_json_put_plan(&writer, plan, schedule);
    ek_json_break(&writer);
    ek_json_key(&writer, "explanation");
    ek_json_begin(&writer, '{');
    write_moves(&writer, explanation);
    ek_json_break(&writer);
    ek_json_key(&writer, "stays");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < explanation->stay_count; i++) {
        ek_json_break(&writer);
        write_stay(&writer, plan, &explanation->stays[i]);
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* What both answers about one domain begin with. */
static void begin_answer(struct ek_json_writer *writer, const struct ek_plan *plan, uint32_t domain)
{
    ek_json_begin(writer, '{');
    ek_json_put_integer(writer, "version", 1);
    ek_json_put_text(writer, "plan", plan->id);
    ek_json_put_text(writer, "domain", plan->snapshot->domains[domain].uuid);
    ek_json_put_text(writer, "name", plan->snapshot->domains[domain].name);
}

char *ek_codec_write_why(const struct ek_explanation *explanation, uint32_t domain)
{
    struct ek_json_writer writer = {0};

    begin_answer(&writer, explanation->plan, domain);
    ek_json_put_text(&writer, "summary", explanation->plan->summary);
    write_moves(&writer, explanation);
    if (explanation->stay_count > 0) {
        ek_json_break(&writer);
        ek_json_key(&writer, "stay");
        write_stay(&writer, explanation->plan, &explanation->stays[0]);
    }
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

char *ek_codec_write_why_not(const struct ek_plan *plan, const struct ek_why_not *why_not)
{
    const struct ek_snapshot *snapshot = plan->snapshot;
    struct ek_json_writer writer = {0};

    begin_answer(&writer, plan, why_not->domain);
    ek_json_put_text(&writer, "source", snapshot->hosts[why_not->source].name);
    ek_json_put_text(&writer, "host", snapshot->hosts[why_not->host].name);
    ek_json_put_text(&writer, "verdict", ek_why_not_verdict_name(why_not->verdict));
    ek_json_put_integer(&writer, "after_moves", (int64_t)why_not->moves_made);
    if (why_not->move != NULL) {
        ek_json_put_integer(&writer, "move", why_not->move->seq);
    }
    if (why_not->verdict == EK_WHY_NOT_BLOCKED) {
        put_block(&writer, why_not->block);
    }
    ek_json_put_text(&writer, "reason", why_not->reason);
    ek_json_put_text(&writer, "remedy", why_not->remedy);
    ek_json_put_text(&writer, "at_first", why_not->at_first);
    if (why_not->verdict != EK_WHY_NOT_IS_THERE) {
        write_rating(&writer, "rating", &why_not->rating);
    }
    write_offer(&writer, "instead", snapshot, &why_not->instead);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
