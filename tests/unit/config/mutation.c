/* Damaged files: never a crash, and never a refusal that does not say where. */
#include "support.h"

static uint64_t seed = 20261123;

static size_t below(size_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % limit);
}

static const char *const pieces[] = {"&a ", "*a",  "!!x ", "\t",  "- ", ": ",  "{",    "}",   "[",
                                     "]",   "\"",  "'",    "|\n", ">",  "---", "\n  ", "%",   "~",
                                     "#",   "\\0", "\xff", "?",   ",",  "\r",  "@",    "null"};

/* Flips a bit, cuts the end off, drops a stretch, doubles a stretch, or puts a piece of YAML in. */
static size_t mutate(char *text, size_t size, size_t room)
{
    size_t at = below(size);
    size_t length = 1 + below(size - at);
    const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];

    switch (below(5)) {
    case 0:
        text[at] = (char)(text[at] ^ (1 << below(8)));
        return size;
    case 1:
        return at + 1;
    case 2:
        memmove(text + at, text + at + length, size - at - length);
        return size > length ? size - length : 1;
    case 3:
        if (size + length > room) {
            return size;
        }
        memmove(text + at + length, text + at, size - at);
        return size + length;
    default:
        if (size + strlen(piece) > room) {
            return size;
        }
        memmove(text + at + strlen(piece), text + at, size - at);
        memcpy(text + at, piece, strlen(piece));
        return size + strlen(piece);
    }
}

static void assert_located(const struct ek_config_problems *problems, const struct ek_error *err)
{
    assert_true(problems->count > 0);
    assert_int_not_equal(err->code, EK_ERR_NONE);
    for (size_t i = 0; i < problems->count && i < EK_CONFIG_MAX_PROBLEMS; i++) {
        if (problems->items[i].line < 1 || strncmp(problems->items[i].text, "m:", 2) != 0) {
            fail_msg("no line in: %s", problems->items[i].text);
        }
    }
}

static bool parse_policy(const char *text, size_t size, struct ek_config_problems *problems,
                         struct ek_error *err)
{
    struct ek_policy policy;

    return ek_policy_parse(&policy, NULL, text, size, "m", problems, err);
}

static bool parse_config(const char *text, size_t size, struct ek_config_problems *problems,
                         struct ek_error *err)
{
    struct ek_config config;
    bool read = ek_config_parse(&config, text, size, "m", problems, err);

    if (read) {
        assert_true(config.host_count > 0);
        ek_config_finish(&config);
    }
    return read;
}

static void damage(const char *path, int rounds,
                   bool (*parse)(const char *, size_t, struct ek_config_problems *,
                                 struct ek_error *))
{
    static struct ek_config_problems problems;
    size_t size;
    char *good = load(path, &size);
    size_t room = size * 2;
    int refused = 0;

    for (int i = 0; i < rounds; i++) {
        struct ek_error err = {0};
        char *text = malloc(room); /* a heap block, so that ASan sees the first byte beyond */
        assert_non_null(text);
        memcpy(text, good, size);
        size_t length = size;
        for (size_t count = 1 + below(4); count > 0; count--) {
            length = mutate(text, length, room);
        }
        text = realloc(text, length);
        if (!parse(text, length, &problems, &err)) {
            assert_located(&problems, &err);
            refused++;
        }
        free(text);
    }
    assert_true(refused > rounds / 10); /* the damage does damage ... */
    assert_true(refused < rounds);      /* ... and not only */
    free(good);
}

/* Property: a damaged policy is read, or refused with a line. */
static void damaged_policies(void **state)
{
    (void)state;
    damage(EK_SOURCE_DIR "/conf/policy.yaml", 4000, parse_policy);
}

/* Property: a damaged configuration is read, or refused with a line. */
static void damaged_configurations(void **state)
{
    (void)state;
    damage(EK_SOURCE_DIR "/conf/evenkeel.yaml", 4000, parse_config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_policies),
        cmocka_unit_test(damaged_configurations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
