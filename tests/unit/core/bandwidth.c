/* Shares of bandwidth: what must hold of any flows over any links. */
#include "balancer/core/bandwidth.h"

#include "balancer/core/snapshot.h"
#include "tests/lib/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 12, MOST_FLOWS = 20, CASES = 4000 };

struct random_case {
    uint64_t budgets[MOST_LINKS];
    size_t budget_count;
    struct ek_flow flows[MOST_FLOWS];
    size_t flow_count;
    char keys[MOST_FLOWS][8];
};

static uint32_t state_of_chance = 1;

static uint32_t chance(uint32_t below)
{
    state_of_chance = state_of_chance * 1664525u + 1013904223u;
    return (state_of_chance >> 8) % below;
}

static bool crosses(const struct ek_flow *flow, uint32_t link)
{
    bool found = false;

    for (size_t i = 0; i < EK_FLOW_LINKS; i++) {
        found = found || flow->links[i] == link;
    }
    return found;
}

static void make(struct random_case *it)
{
    memset(it, 0, sizeof(*it));
    it->budget_count = 2 + chance(MOST_LINKS - 2);
    it->flow_count = 1 + chance(MOST_FLOWS - 1);
    for (size_t i = 0; i < it->budget_count; i++) {
        it->budgets[i] = chance(4) == 0 ? 1 + chance(3) : 1 + chance(200);
    }
    for (size_t f = 0; f < it->flow_count; f++) {
        uint32_t out = chance((uint32_t)it->budget_count);
        uint32_t in =
            (out + 1 + chance((uint32_t)it->budget_count - 1)) % (uint32_t)it->budget_count;
        (void)snprintf(it->keys[f], sizeof(it->keys[f]), "m%02u", (unsigned int)f);
        it->flows[f] = (struct ek_flow){
            .key = it->keys[f],
            .links = {out, chance(5) == 0 ? EK_NONE : in, EK_NONE, EK_NONE, EK_NONE, EK_NONE}};
        /* Two budgets at once bind many of them. */
        for (size_t i = 2; chance(3) == 0 && i < EK_FLOW_LINKS; i++) {
            uint32_t more = chance((uint32_t)it->budget_count);
            it->flows[f].links[i] = crosses(&it->flows[f], more) ? EK_NONE : more;
        }
    }
}

static void share(struct random_case *it)
{
    struct ek_arena arena = {0};

    assert_true(
        ek_bandwidth_share(it->budgets, it->budget_count, it->flows, it->flow_count, &arena));
    ek_arena_finish(&arena);
}

static void load_of(const struct random_case *it, uint32_t link, uint64_t *sum, uint64_t *count,
                    uint64_t *largest)
{
    *sum = 0;
    *count = 0;
    *largest = 0;
    for (size_t f = 0; f < it->flow_count; f++) {
        if (crosses(&it->flows[f], link)) {
            *sum += it->flows[f].share_mib_s;
            *count += 1;
            *largest = it->flows[f].share_mib_s > *largest ? it->flows[f].share_mib_s : *largest;
        }
    }
}

/* No budget is exceeded, unless one unit for each exceeds it already; nobody gets nothing. */
static void no_budget_is_exceeded(void **state)
{
    struct random_case it;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        make(&it);
        share(&it);
        for (uint32_t link = 0; link < it.budget_count; link++) {
            uint64_t sum = 0;
            uint64_t count = 0;
            uint64_t largest = 0;
            load_of(&it, link, &sum, &count, &largest);
            assert_true(sum <= (it.budgets[link] > count ? it.budgets[link] : count));
        }
        for (size_t f = 0; f < it.flow_count; f++) {
            assert_true(it.flows[f].share_mib_s >= 1);
        }
    }
}

/* No share can be raised without lowering one that is not larger: each flow crosses a link that is
 * used up, where nobody has more than one unit above it. */
static void no_share_can_be_raised(void **state)
{
    struct random_case it;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        make(&it);
        share(&it);
        for (size_t f = 0; f < it.flow_count; f++) {
            bool bound = false;
            for (uint32_t link = 0; link < it.budget_count; link++) {
                uint64_t sum = 0;
                uint64_t count = 0;
                uint64_t largest = 0;
                load_of(&it, link, &sum, &count, &largest);
                bound = bound || (crosses(&it.flows[f], link) && sum >= it.budgets[link] &&
                                  it.flows[f].share_mib_s + 1 >= largest);
            }
            assert_true(bound);
        }
    }
}

/* The same flows in any order get the same shares. */
static void the_order_does_not_matter(void **state)
{
    struct random_case it;
    struct random_case turned;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        make(&it);
        turned = it;
        for (size_t f = 0; f < it.flow_count; f++) {
            turned.flows[f] = it.flows[it.flow_count - 1 - f];
        }
        share(&it);
        share(&turned);
        for (size_t f = 0; f < it.flow_count; f++) {
            assert_string_equal(it.flows[f].key, turned.flows[f].key);
            assert_true(it.flows[f].share_mib_s == turned.flows[f].share_mib_s);
        }
    }
}

/* Who is limited by its slower end leaves the rest to the other. */
static void the_slower_end_leaves_the_rest(void **state)
{
    const uint64_t budgets[] = {100, 30, 1000};
    struct ek_flow flows[] = {{.key = "a", .links = {0, 1, EK_NONE, EK_NONE, EK_NONE, EK_NONE}},
                              {.key = "b", .links = {0, 2, EK_NONE, EK_NONE, EK_NONE, EK_NONE}}};
    struct ek_arena arena = {0};

    (void)state;
    assert_true(ek_bandwidth_share(budgets, 3, flows, 2, &arena));
    assert_true(flows[0].share_mib_s == 30 && flows[1].share_mib_s == 70);
    ek_arena_finish(&arena);
}

/* What nothing bounds is not limited; nothing at all is shared by nobody. */
static void without_links_there_is_no_limit(void **state)
{
    struct ek_flow flow = {.key = "a",
                           .links = {EK_NONE, EK_NONE, EK_NONE, EK_NONE, EK_NONE, EK_NONE}};
    struct ek_arena arena = {0};

    (void)state;
    assert_true(ek_bandwidth_share(NULL, 0, &flow, 1, &arena));
    assert_true(flow.share_mib_s == 0);
    assert_true(ek_bandwidth_share(NULL, 0, NULL, 0, &arena));
    ek_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_budget_is_exceeded),
        cmocka_unit_test(no_share_can_be_raised),
        cmocka_unit_test(the_order_does_not_matter),
        cmocka_unit_test(the_slower_end_leaves_the_rest),
        cmocka_unit_test(without_links_there_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
