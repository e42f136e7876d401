/* Single values: what is taken, what is refused, and that printing gives the same value back. */
#include "support.h"

#include <math.h>

static const struct ek_schema_row ratio_row = {.type = EK_VALUE_RATIO, .min = 0, .max = 1};
static const struct ek_schema_row number_row = {.type = EK_VALUE_NUMBER, .min = 0, .max = 1000};
static const struct ek_schema_row rate_row = {.type = EK_VALUE_RATE, .min = 1, .max = 1 << 20};
static const struct ek_schema_row size_row = {.type = EK_VALUE_SIZE, .min = 1, .max = 1 << 20};
static const struct ek_schema_row int_row = {.type = EK_VALUE_INT, .min = 1, .max = 500};
static const struct ek_schema_row duration_row = {
    .type = EK_VALUE_DURATION, .min = 1, .max = 86400000};

static bool parse(const struct ek_schema_row *row, const char *text, void *field)
{
    bool no_memory;

    return ek_value_parse(row, text, field, NULL, &no_memory);
}

static double real(const struct ek_schema_row *row, const char *text)
{
    double value = -1.0;

    assert_true(parse(row, text, &value));
    return value;
}

static int64_t duration(const char *text)
{
    int64_t value = -1;

    assert_true(parse(&duration_row, text, &value));
    return value;
}

/* A ratio and its percentage are the same bits. */
static void ratios(void **state)
{
    (void)state;
    assert_true(real(&ratio_row, "0.85") == 0.85);
    assert_true(real(&ratio_row, "85%") == 0.85);
    assert_true(real(&ratio_row, "12.5%") == 0.125);
    assert_true(real(&ratio_row, "0") == 0.0);
    assert_true(real(&ratio_row, "1") == 1.0);
    assert_true(real(&ratio_row, "100%") == 1.0);
}

/* Durations become milliseconds; parts of a unit are fine as long as milliseconds stay whole. */
static void durations(void **state)
{
    (void)state;
    assert_int_equal(duration("500ms"), 500);
    assert_int_equal(duration("30s"), 30000);
    assert_int_equal(duration("5m"), 300000);
    assert_int_equal(duration("2h"), 7200000);
    assert_int_equal(duration("1d"), 86400000);
    assert_int_equal(duration("1.5s"), 1500);
    assert_int_equal(duration("1.1s"), 1100);
}

/* Sizes and rates are in MiB. */
static void sizes_and_rates(void **state)
{
    (void)state;
    assert_true(real(&size_row, "4GiB") == 4096.0);
    assert_true(real(&size_row, "512MiB") == 512.0);
    assert_true(real(&rate_row, "110MiB/s") == 110.0);
    assert_true(real(&rate_row, "1.1GiB/s") == 1126.4);
}

/* What is nearly a value is none, and leaves the field as it was. */
static void refuses(void **state)
{
    static const struct {
        const struct ek_schema_row *row;
        const char *text;
    } cases[] = {
        {&ratio_row, "85"},      {&ratio_row, "1.01"},   {&ratio_row, "101%"},
        {&ratio_row, "-0.1"},    {&ratio_row, ".5"},     {&ratio_row, "1e-1"},
        {&ratio_row, "0,5"},     {&ratio_row, "nan"},    {&ratio_row, "5 %"},
        {&ratio_row, "1."},      {&ratio_row, "1.2.3"},  {&ratio_row, "inf"},
        {&int_row, "0"},         {&int_row, "501"},      {&int_row, "3.0"},
        {&int_row, "010"},       {&int_row, "0x10"},     {&int_row, "99999999999999999999"},
        {&int_row, ""},          {&int_row, " 3"},       {&duration_row, "30"},
        {&duration_row, "30 s"}, {&duration_row, "30S"}, {&duration_row, "0.5ms"},
        {&duration_row, "0s"},   {&duration_row, "25h"}, {&duration_row, "1h30m"},
        {&rate_row, "110"},      {&rate_row, "110MB/s"}, {&rate_row, "110MiB"},
        {&size_row, "4GiB/s"},   {&size_row, "4096"},    {&size_row, "0MiB"},
        {&number_row, "1000.1"}, {&number_row, "1e3"},   {&number_row, "12.3456789012"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t field = 0x5A5A;
        if (parse(cases[i].row, cases[i].text, &field) || field != 0x5A5A) {
            fail_msg("\"%s\" was taken", cases[i].text);
        }
    }
}

static double round_trip(const struct ek_schema_row *row, double value)
{
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    assert_non_null(out);
    ek_value_print(row, &value, out);
    assert_int_equal(fclose(out), 0);
    return real(row, text);
}

/* Every number of nine digits is printed so that it reads back as the same bits. */
static void printing_keeps_bits(void **state)
{
    uint64_t seed = 88172645463325252u;
    double power = 1.0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        power = power >= 1e8 ? 1.0 : power * 10.0;
        double value = (double)(seed % 1000000000u) / (10.0 * power);
        if (value <= 1.0) {
            assert_true(round_trip(&ratio_row, value) == value);
        } else if (value <= 1000.0) {
            assert_true(round_trip(&number_row, value) == value);
        } else if (value <= 1 << 20) {
            assert_true(round_trip(&rate_row, value) == value);
        }
    }
}

/* A number that is the nearest to no short text is written to eleven digits, and always readable.
 */
static void printing_rounds(void **state)
{
    double third = 1.0 / 3.0;
    double sum = 0.765 + 0.5;
    double tiny = 1e-300;

    (void)state;
    assert_true(fabs(round_trip(&ratio_row, third) - third) < 1e-11);
    assert_true(fabs(round_trip(&number_row, sum) - sum) < 1e-10);
    assert_true(round_trip(&number_row, tiny) == 0.0);
    assert_true(fabs(round_trip(&number_row, 1000.0 / 3.0) - 1000.0 / 3.0) < 1e-8);
}

/* Messages say the range in the words of the file. */
static void expectations_are_readable(void **state)
{
    char text[EK_EXPECTED_SIZE];

    (void)state;
    assert_string_equal(ek_value_expected(text, &int_row), "a whole number from 1 to 500");
    assert_string_equal(ek_value_expected(text, &duration_row), "a duration from 1ms to 24h");
    assert_string_equal(ek_value_expected(text, &rate_row), "a rate from 1MiB/s to 1024GiB/s");
    assert_string_equal(ek_value_expected(text, &ratio_row), "a ratio from 0 to 1");
}

/* Texts that would not come back from YAML, or would disturb a terminal, are not taken. */
static void printable_texts(void **state)
{
    (void)state;
    assert_true(ek_text_is_printable("plain, M\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x9a\xa2"));
    assert_false(ek_text_is_printable("bell\a"));
    assert_false(ek_text_is_printable("line\nline"));
    assert_false(ek_text_is_printable("nel\xc2\x85"));
    assert_false(ek_text_is_printable("separator\xe2\x80\xa8"));
    assert_false(ek_text_is_printable("\xef\xbb\xbf"
                                      "bom"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes_and_rates),
        cmocka_unit_test(refuses),
        cmocka_unit_test(printing_keeps_bits),
        cmocka_unit_test(printing_rounds),
        cmocka_unit_test(expectations_are_readable),
        cmocka_unit_test(printable_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
