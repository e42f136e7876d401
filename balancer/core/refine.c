#include "balancer/core/refine.h"

#include <math.h>

/* A change must lower the objective by more than rounding does, or passes would not end. */
#define PROGRESS 1e-9

/* What is made small: overload first, then the score with should rules and the price of all moves
 * so far. */
struct objective {
    double overload;
    double cost;
};

static bool less(const struct objective *a, const struct objective *b)
{
    if (fabs(a->overload - b->overload) > PROGRESS) {
        return a->overload < b->overload;
    }
    return a->cost < b->cost - PROGRESS;
}

static struct objective objective(const struct ek_search *search, double price)
{
    struct ek_score score = ek_cluster_score(search->cluster);

    return (struct objective){score.overload, score.spread + score.soft + price};
}

/* Whether the domain could stay at its source with all the others where they are now. */
static bool may_stay(const struct ek_search *search, const struct ek_choice *choice)
{
    return ek_constraint_pair(search->cluster, search->cooldown, choice->domain, choice->source,
                              EK_PURPOSE_EVACUATE_FORCED) == EK_BLOCK_NONE;
}

/* Chooses once more what move i should be. *price: of all choices but this one, kept up to date.
 * True: changed. */
static bool choose_again(struct ek_search *search, struct ek_choice *choice, bool *dropped,
                         double *price, ek_pays *pays)
{
    const struct ek_choice old = *choice;
    double old_price = search->price[old.domain];
    struct objective before = objective(search, *price + old_price);

    *dropped = false;
    if (!may_stay(search, choice)) {
        *price += old_price;
        return false;
    }
    ek_search_undo(search, old.domain, old.source);
    struct objective without = objective(search, *price);
    struct ek_candidate best = ek_search_best(search, pays);
    if (best.domain != EK_NONE) {
        uint32_t source = search->cluster->host_of[best.domain];
        ek_search_move(search, best.domain, best.destination);
        struct objective with = objective(search, *price + search->price[best.domain]);
        if (less(&with, &before) && less(&with, &without)) {
            *choice = (struct ek_choice){best.domain, source, best.destination};
            *price += search->price[best.domain];
            return true;
        }
        ek_search_undo(search, best.domain, source);
    }
    if (less(&without, &before)) {
        *dropped = true;
        return true;
    }
    ek_search_move(search, old.domain, old.destination);
    *price += old_price;
    return false;
}

/* One pass over all choices; true: something changed. */
static bool pass(struct ek_search *search, struct ek_choice *choices, size_t *count, ek_pays *pays,
                 uint64_t until)
{
    size_t kept = 0;
    bool changed = false;
    double price = 0;

    for (size_t i = 0; i < *count; i++) {
        price += search->price[choices[i].domain];
    }
    for (size_t i = 0; i < *count; i++) {
        bool dropped = false;
        if (search->ratings < until) {
            price -= search->price[choices[i].domain];
            changed = choose_again(search, &choices[i], &dropped, &price, pays) || changed;
        }
        if (!dropped) {
            choices[kept++] = choices[i];
        }
    }
    *count = kept;
    return changed;
}

void ek_refine(struct ek_search *search, struct ek_choice *choices, size_t *count, ek_pays *pays,
               uint64_t budget)
{
    uint64_t until = search->ratings + budget;

    while (search->ratings < until && pass(search, choices, count, pays, until)) {
    }
}
