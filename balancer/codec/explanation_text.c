/* Explanations for people: one fact to a line, so that no line has to be searched. */
#include "balancer/codec/explanation.h"

#include "balancer/core/plural.h"

#include <inttypes.h>

/* Domains that are named for each reason to stay. */
enum { EXAMPLES = 3 };

/* Snapshots from a file may leave names out; the UUID is always there. */
static const char *name_of(const struct ek_plan *plan, uint32_t domain)
{
    const struct ek_domain *it = &plan->snapshot->domains[domain];

    return it->name == NULL ? it->uuid : it->name;
}

static const char *host_of(const struct ek_plan *plan, uint32_t host)
{
    return plan->snapshot->hosts[host].name;
}

/* ---- lines that several answers have --------------------------------------------------------- */

/* Six decimals: in a cluster of a thousand hosts one move is worth hundred-thousandths. */
static void print_rating(FILE *out, const struct ek_rating *rating)
{
    (void)fprintf(out, "gain %.6f, price %.6f, worth %.6f", rating->gain, rating->price,
                  rating->worth);
    if (rating->overload_fall > 1e-6 || rating->overload_fall < -1e-6) {
        (void)fprintf(out, ", overload %+.3f", -rating->overload_fall);
    }
    if (rating->should_fall > 1e-9 || rating->should_fall < -1e-9) {
        (void)fprintf(out, ", should rules %+.3f", -rating->should_fall);
    }
    if (rating->should_worth > 5e-7 || rating->should_worth < -5e-7) {
        (void)fprintf(out, " count %.6f", rating->should_worth);
    }
    (void)fprintf(out, "\n");
}

static void print_offer(FILE *out, const struct ek_plan *plan, const char *title,
                        const struct ek_offer *offer)
{
    if (offer->host != EK_NONE) {
        (void)fprintf(out, "  %-10s %s: ", title, host_of(plan, offer->host));
        print_rating(out, &offer->rating);
    }
}

static void print_blocked(FILE *out, const struct ek_plan *plan,
                          const struct ek_host_offers *offers)
{
    for (size_t i = 0; i < offers->blocked_count; i++) {
        const struct ek_blocked_hosts *it = &offers->blocked[i];
        const char *title = i == 0 ? "blocked" : "";
        if (it->count == 1) {
            (void)fprintf(out, "  %-10s %s: %s\n", title, host_of(plan, it->host), it->text);
        } else {
            (void)fprintf(out, "  %-10s %" PRIu32 " hosts, e.g. %s: %s\n", title, it->count,
                          host_of(plan, it->host), it->text);
        }
    }
}

/* ---- moves ----------------------------------------------------------------------------------- */

static void print_levels(FILE *out, const struct ek_plan *plan,
                         const struct ek_move_explanation *it)
{
    const struct ek_levels *before = &it->before.levels;
    const struct ek_levels *after = &it->after.levels;

    (void)fprintf(out, "  score      %.4f -> %.4f", before->score.spread, after->score.spread);
    for (unsigned int r = 0; r < plan->resources.count; r++) {
        (void)fprintf(out, "%s%s %.4f -> %.4f", r == 0 ? "; imbalance of " : ", of ",
                      plan->resources.names[r], before->imbalance[r], after->imbalance[r]);
    }
    (void)fprintf(out, "\n");
    if (before->score.overload > 0 || after->score.overload > 0) {
        (void)fprintf(out, "  overload   %.3f -> %.3f\n", before->score.overload,
                      after->score.overload);
    }
    if (it->rules != NULL) {
        (void)fprintf(out, "  rules      %s; broken must rules %zu -> %zu\n", it->rules,
                      it->before.broken, it->after.broken);
    }
}

static void print_move(FILE *out, const struct ek_plan *plan, const struct ek_move_explanation *it)
{
    const struct ek_plan_move *move = it->move;

    (void)fprintf(out, "\nmove %" PRIu32 ": %s from %s to %s (%s)\n", move->seq,
                  name_of(plan, move->domain), host_of(plan, move->source),
                  host_of(plan, move->destination), ek_move_kind_name(move->kind));
    (void)fprintf(out, "  reason     %s\n", move->reason);
    (void)fprintf(out, "  brings     ");
    print_rating(out, &it->rating);
    print_levels(out, plan, it);
    (void)fprintf(out, "  costs      %.0f MiB in %.1f s, downtime %" PRId64 " ms%s\n",
                  move->cost.transfer_mib, (double)move->cost.duration_ms / 1000,
                  move->cost.downtime_ms, move->cost.converges ? "" : "; does not converge");
    print_offer(out, plan, "runner-up", &it->others.best);
    if (it->others.open == 0) {
        (void)fprintf(out, "  runner-up  none, %s\n",
                      it->others.blocked_count == 0 ? "there is no other host"
                                                    : "no other host can take it");
    } else if (it->runner_up_first) {
        (void)fprintf(out, "             better at this moment; the moves were chosen together\n");
    }
    print_blocked(out, plan, &it->others);
}

/* ---- domains that stay ----------------------------------------------------------------------- */

/* Those of one reason are told apart by it, or all share one sentence. */
static bool shared(enum ek_stay_cause cause)
{
    return cause == EK_STAY_HELD || cause == EK_STAY_UNWANTED || cause == EK_STAY_WHOLE;
}

static bool in_group(const struct ek_stay_explanation *stay, enum ek_stay_cause cause,
                     enum ek_block block)
{
    return stay->cause == cause && (cause != EK_STAY_DOMAIN || stay->block == block);
}

/* Nearest to a move first: of equal causes that is what a reader asks about. Without a rating the
 * order is the snapshot's. */
static bool nearer(const struct ek_stay_explanation *a, const struct ek_stay_explanation *b)
{
    const struct ek_rating *left = &a->offers.best.rating;
    const struct ek_rating *right = &b->offers.best.rating;

    if (a->offers.best.host == EK_NONE || b->offers.best.host == EK_NONE) {
        return a->offers.best.host != EK_NONE && b->offers.best.host == EK_NONE;
    }
    if (left->overload_fall > right->overload_fall + 1e-6 ||
        left->overload_fall < right->overload_fall - 1e-6) {
        return left->overload_fall > right->overload_fall;
    }
    return left->worth > right->worth + 1e-9;
}

/* Finds how many are in the group, and the first of them to name. */
static size_t collect(const struct ek_explanation *explanation, enum ek_stay_cause cause,
                      enum ek_block block, const struct ek_stay_explanation *examples[EXAMPLES])
{
    size_t count = 0;

    for (size_t i = 0; i < explanation->stay_count; i++) {
        const struct ek_stay_explanation *stay = &explanation->stays[i];
        if (!in_group(stay, cause, block)) {
            continue;
        }
        size_t at = count < EXAMPLES ? count : EXAMPLES;
        for (; at > 0 && nearer(stay, examples[at - 1]); at--) {
            if (at < EXAMPLES) {
                examples[at] = examples[at - 1];
            }
        }
        if (at < EXAMPLES) {
            examples[at] = stay;
        }
        count++;
    }
    return count;
}

static void print_group(FILE *out, const struct ek_explanation *explanation,
                        enum ek_stay_cause cause, enum ek_block block)
{
    const struct ek_plan *plan = explanation->plan;
    const struct ek_stay_explanation *examples[EXAMPLES];
    size_t count = collect(explanation, cause, block, examples);

    if (count == 0) {
        return;
    }
    (void)fprintf(out, "%6zu  %s%s%s\n", count,
                  cause == EK_STAY_DOMAIN ? ek_block_text(block) : ek_stay_cause_text(cause),
                  shared(cause) ? ": " : "", shared(cause) ? examples[0]->reason : "");
    for (size_t i = 0; i < count && i < EXAMPLES; i++) {
        (void)fprintf(out, "          %s%s on %s%s%s\n", i == 0 && count > EXAMPLES ? "e.g. " : "",
                      name_of(plan, examples[i]->domain), host_of(plan, examples[i]->host),
                      shared(cause) ? "" : ": ", shared(cause) ? "" : examples[i]->reason);
    }
}

static void print_stays(FILE *out, const struct ek_explanation *explanation)
{
    if (explanation->stay_count == 0) {
        return;
    }
    (void)fprintf(out, "\n%zu domain%s stay%s\n", explanation->stay_count,
                  ek_plural(explanation->stay_count), explanation->stay_count == 1 ? "s" : "");
    for (int block = 0; block < EK_BLOCK_COUNT; block++) {
        print_group(out, explanation, EK_STAY_DOMAIN, (enum ek_block)block);
    }
    for (int cause = EK_STAY_DOMAIN + 1; cause < EK_STAY_COUNT; cause++) {
        print_group(out, explanation, (enum ek_stay_cause)cause, EK_BLOCK_NONE);
    }
}

void ek_codec_print_explanation(FILE *out, const struct ek_explanation *explanation)
{
    for (size_t i = 0; i < explanation->move_count; i++) {
        print_move(out, explanation->plan, &explanation->moves[i]);
    }
    print_stays(out, explanation);
}

/* ---- one domain ------------------------------------------------------------------------------ */

static void print_stay(FILE *out, const struct ek_plan *plan,
                       const struct ek_stay_explanation *stay)
{
    bool domain = stay->cause == EK_STAY_DOMAIN;

    (void)fprintf(out, "%s stays on %s: %s\n", name_of(plan, stay->domain),
                  host_of(plan, stay->host),
                  domain ? ek_block_text(stay->block) : ek_stay_cause_text(stay->cause));
    (void)fprintf(out, "  reason     %s\n", stay->reason);
    if (domain) {
        return;
    }
    print_offer(out, plan, "best", &stay->offers.best);
    (void)fprintf(out, "  open       %" PRIu32 " other host%s could take it\n", stay->offers.open,
                  ek_plural(stay->offers.open));
    print_blocked(out, plan, &stay->offers);
}

void ek_codec_print_why(FILE *out, const struct ek_explanation *explanation, uint32_t domain)
{
    const struct ek_plan *plan = explanation->plan;

    if (explanation->stay_count > 0) {
        print_stay(out, plan, &explanation->stays[0]);
    } else {
        (void)fprintf(out, "%s moves\n", name_of(plan, domain));
    }
    for (size_t i = 0; i < explanation->move_count; i++) {
        print_move(out, plan, &explanation->moves[i]);
    }
    (void)fprintf(out, "\nplan %s: %s\n", plan->id, plan->summary);
}

/* The first line: the verdict. */
static void print_verdict(FILE *out, const struct ek_plan *plan, const struct ek_why_not *it)
{
    const char *domain = name_of(plan, it->domain);
    const char *source = host_of(plan, it->source);
    const char *host = host_of(plan, it->host);

    switch (it->verdict) {
    case EK_WHY_NOT_GOES:
        (void)fprintf(out, "%s goes from %s to %s: move %" PRIu32 " of the plan\n", domain, source,
                      host, it->move->seq);
        break;
    case EK_WHY_NOT_IS_THERE:
        (void)fprintf(out, "%s is on %s", domain, host);
        if (it->move != NULL) {
            (void)fprintf(out, ", and leaves for %s: move %" PRIu32 " of the plan",
                          host_of(plan, it->move->destination), it->move->seq);
        }
        (void)fprintf(out, "\n");
        break;
    case EK_WHY_NOT_BLOCKED:
        (void)fprintf(out, "%s cannot go from %s to %s\n", domain, source, host);
        break;
    case EK_WHY_NOT_POSSIBLE:
    case EK_WHY_NOT_COUNT:
        (void)fprintf(out, "%s could go from %s to %s\n", domain, source, host);
        break;
    }
}

void ek_codec_print_why_not(FILE *out, const struct ek_plan *plan, const struct ek_why_not *it)
{
    print_verdict(out, plan, it);
    (void)fprintf(out, "  reason     %s\n", it->reason);
    if (it->remedy != NULL) {
        (void)fprintf(out, "  needs      %s\n", it->remedy);
    }
    if (it->verdict != EK_WHY_NOT_IS_THERE) {
        (void)fprintf(out, "  %-10s ", it->verdict == EK_WHY_NOT_GOES ? "brings" : "if it did");
        print_rating(out, &it->rating);
    }
    print_offer(out, plan, it->move == NULL ? "best" : "instead", &it->instead);
    if (it->moves_made > 0 && it->verdict != EK_WHY_NOT_IS_THERE) {
        (void)fprintf(out, "  when       after %zu move%s of the plan\n", it->moves_made,
                      ek_plural(it->moves_made));
    }
    if (it->at_first != NULL) {
        (void)fprintf(out, "  at first   %s\n", it->at_first);
    }
    (void)fprintf(out, "\nplan %s: %s\n", plan->id, plan->summary);
}
