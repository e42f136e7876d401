#include "balancer/core/noise.h"

#include "policies/policy_ops.h"
#include "tests/lib/cluster_text.h"
#include "tests/lib/cmocka.h"
#include "tests/lib/planning.h"

#include <math.h>

static struct ek_policy policy;

static int setup(void **state)
{
    (void)state;
    ek_policy_defaults(&policy);
    policy.weight[EK_MEMORY] = 0;
    return 0;
}

static struct ek_cluster model(struct ek_snapshot *snapshot, const char *text)
{
    struct ek_cluster cluster;
    struct ek_error err = {0};

    ek_test_cluster(snapshot, text);
    assert_true(ek_cluster_init(&cluster, snapshot, &policy, &err));
    return cluster;
}

static double beyond(const char *text)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster = model(&snapshot, text);
    double left = ek_noise_beyond(&cluster, EK_CPU, ek_cluster_imbalance(&cluster, EK_CPU));

    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    return left;
}

/* Noise of the move of the first domain from h1 to h2. */
static double of_move(const char *text, uint32_t back)
{
    struct ek_snapshot snapshot;
    struct ek_cluster cluster = model(&snapshot, text);
    double noise =
        ek_noise_of_move(&cluster, ek_cluster_score(&cluster).spread,
                         ek_test_domain(&snapshot, "a"), ek_test_host(&snapshot, "h2"), back);

    ek_cluster_finish(&cluster);
    ek_snapshot_finish(&snapshot);
    return noise;
}

/* Samples without variance have no noise, and none is heeded when it is switched off. */
static void no_noise_explains_nothing(void **state)
{
    static const char quiet[] = "h1 8c; h2 8c; a@h1 4v 1G 4c; b@h1 4v 1G 2c";
    static const char noisy[] = "h1 8c; h2 8c; a@h1 4v 1G 4c noise=2c; b@h1 4v 1G 2c noise=2c";

    (void)state;
    assert_near(beyond(quiet), 0.375, 1e-12);
    assert_near(of_move(quiet, EK_NONE), 0, 0);
    policy.noise_sigma = 0;
    assert_near(beyond(noisy), 0.375, 1e-12);
    assert_near(of_move(noisy, EK_NONE), 0, 0);
}

/* Two hosts of 8 cores, of which one has 0.8 cores of noise: H^2 is 0.005 on the mean, and two
 * deviations of that mean over two hosts are twice as much again. */
static void imbalance_loses_what_noise_explains(void **state)
{
    (void)state;
    assert_near(beyond("h1 8c; h2 8c; a@h1 4v 1G 4c noise=0.8c"),
                sqrt(0.25 * 0.25 - 0.005 * (1 + 2 * 1.0)), 1e-9);
    assert_near(beyond("h1 8c; h2 8c; a@h1 4v 1G 1c noise=0.8c"), 0, 0);
}

/* The noise of those that stay decides: the domain's own only adds to its weight. */
static void others_make_the_noise_of_a_move(void **state)
{
    (void)state;
    /* 2 sigma * (1 / 8 demanded) * (0.8 / 8 noise) / (2 hosts * spread) */
    assert_near(of_move("h1 8c; h2 8c; a@h1 4v 1G 1c; b@h1 4v 1G 4c noise=0.8c", EK_NONE),
                2 * (1.0 / 8) * 0.1 / (2 * 5.0 / 16), 1e-9);
    assert_near(of_move("h1 8c; h2 8c; a@h1 4v 1G 1c noise=0.8c; b@h1 4v 1G 4c", EK_NONE), 0, 0);
}

/* Of an exchange only the difference changes hosts. */
static void an_exchange_has_the_noise_of_its_difference(void **state)
{
    static const char text[] = "h1 8c; h2 8c; a@h1 4v 1G 3c; b@h1 4v 1G 2c noise=0.8c;"
                               "c@h2 4v 1G 2c";
    double alone = of_move(text, EK_NONE);

    (void)state;
    assert_near(of_move(text, 2), alone / 3, 1e-9);
}

static void plan(const char *text, double noise_sigma, const char *moves)
{
    struct ek_planning planning;

    ek_planning_begin(&planning, text);
    planning.policy = policy;
    ek_policy_set_aggressiveness(&planning.policy, 5);
    planning.policy.noise_sigma = noise_sigma;
    ek_planning_run(&planning, NULL);
    ek_planning_expect(&planning, moves);
    ek_planning_end(&planning);
}

/* A difference that the noise of those that stay explains is no reason to move a quiet domain. */
static void a_move_must_beat_the_noise(void **state)
{
    static const char text[] =
        "h1 8c; h2 8c; a@h1 1v 1G 0.5c; b@h1 4v 1G 3c noise=%s; c@h2 4v 1G 2c";
    struct ek_text quiet = {.used = 0};
    struct ek_text noisy = {.used = 0};

    (void)state;
    ek_text_add(&quiet, text, "0.1c");
    ek_text_add(&noisy, text, "0.6c");
    plan(quiet.text, 2, "a h1->h2 balance\n");
    plan(noisy.text, 2, "");
    plan(noisy.text, 0, "a h1->h2 balance\n");
}

/* Copying 14 GiB to relieve a host by a hundredth of a percent is pointless; for a percent it is
 * not. */
static void relief_must_earn_its_cost(void **state)
{
    (void)state;
    policy.target_max[EK_MEMORY] = 1;
    plan("h1 8c 16G; h2 8c 16G; a@h1 2v 14G 0.001c; b@h1 8v 1G 5.6c immovable", 2, "");
    plan("h1 8c 16G; h2 8c 16G; a@h1 2v 14G 0.1c; b@h1 8v 1G 5.6c immovable", 2,
         "a h1->h2 balance\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_noise_explains_nothing, setup),
        cmocka_unit_test_setup(imbalance_loses_what_noise_explains, setup),
        cmocka_unit_test_setup(others_make_the_noise_of_a_move, setup),
        cmocka_unit_test_setup(an_exchange_has_the_noise_of_its_difference, setup),
        cmocka_unit_test_setup(a_move_must_beat_the_noise, setup),
        cmocka_unit_test_setup(relief_must_earn_its_cost, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
