#include "fixture.h"

static char holder[64];

/* The epoch if `owner` holds the lease afterwards, else 0. */
static int64_t lease(const char *owner, int64_t ttl_ms)
{
    bool held = false;
    int64_t epoch = 0;
    struct ek_error err;

    assert_done(
        ek_store_lease(server.store, owner, ttl_ms, &held, &epoch, holder, sizeof(holder), &err),
        &err);
    return held ? epoch : 0;
}

/* One owner holds the lease; who asks in vain is told who it is. */
static void test_one_holder(void **state)
{
    (void)state;
    assert_true(lease("a", 60000) > 0);
    assert_string_equal(holder, "a");
    assert_true(lease("b", 60000) == 0);
    assert_string_equal(holder, "a");
}

/* Renewing keeps the epoch and lengthens the lease, and so does taking it again when nobody else
 * had it meanwhile; another owner raises the epoch. */
static void test_epoch(void **state)
{
    struct ek_error err;

    (void)state;
    int64_t first = lease("a", 1000);
    assert_true(first > 0);
    assert_true(lease("a", 60000) == first);
    assert_true(strtol(server_say(&server, "PTTL evenkeel:leader"), NULL, 10) > 10000);
    assert_done(ek_store_release(server.store, "a", &err), &err);
    int64_t second = lease("b", 60000);
    assert_true(second > first);
    assert_done(ek_store_release(server.store, "b", &err), &err);
    assert_true(lease("b", 60000) == second);
    assert_done(ek_store_release(server.store, "b", &err), &err);
    assert_true(lease("a", 60000) > second);
}

/* A server that lost everything, or fell back to an older state, gives no epoch a second time. */
static void test_epoch_of_a_server_that_forgot(void **state)
{
    (void)state;
    int64_t first = lease("a", 60000);
    assert_string_equal(server_say(&server, "SET evenkeel:epoch 5"), "OK");
    assert_string_equal(server_say(&server, "DEL evenkeel:leader"), "1");
    int64_t second = lease("b", 60000);
    assert_true(second >= first);
    assert_string_equal(server_say(&server, "FLUSHALL"), "OK");
    assert_true(lease("c", 60000) >= second);
}

/* A lease that is not renewed can be taken by another. */
static void test_expiry(void **state)
{
    int64_t taken = 0;

    (void)state;
    int64_t first = lease("a", 20);
    int64_t deadline_ms = monotonic_ms() + 5000;
    while (taken == 0 && monotonic_ms() < deadline_ms) {
        taken = lease("b", 60000);
    }
    assert_true(taken > first && first > 0);
}

/* Nobody gives another's lease back. */
static void test_foreign_release(void **state)
{
    struct ek_error err;

    (void)state;
    assert_true(lease("a", 60000) > 0);
    assert_done(ek_store_release(server.store, "b", &err), &err);
    assert_true(lease("b", 60000) == 0);
}

/* Renewing lengthens one's own lease, and neither takes a free one nor another's. */
static void test_renew(void **state)
{
    struct ek_error err;
    bool held = true;

    (void)state;
    assert_done(ek_store_renew(server.store, "a", 60000, &held, &err), &err);
    assert_false(held);
    assert_string_equal(server_say(&server, "EXISTS evenkeel:leader"), "0");
    int64_t epoch = lease("a", 1000);
    assert_done(ek_store_renew(server.store, "a", 60000, &held, &err), &err);
    assert_true(held);
    assert_true(strtol(server_say(&server, "PTTL evenkeel:leader"), NULL, 10) > 10000);
    assert_true(lease("a", 60000) == epoch);
    assert_done(ek_store_renew(server.store, "b", 60000, &held, &err), &err);
    assert_false(held);
    assert_true(lease("b", 60000) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_holder, clean),
        cmocka_unit_test_setup(test_epoch, clean),
        cmocka_unit_test_setup(test_epoch_of_a_server_that_forgot, clean),
        cmocka_unit_test_setup(test_expiry, clean),
        cmocka_unit_test_setup(test_foreign_release, clean),
        cmocka_unit_test_setup(test_renew, clean),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
