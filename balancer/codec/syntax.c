/* The syntax of JSON, checked before cJSON sees the text.
 *
 * cJSON 1.7.15 alone would not do: its error pointer stands a character late at a bad key and one
 * early at the end, and it takes leading zeros, control characters, NUL bytes and "\u0000", which
 * would cut a UUID short. */
#include "balancer/codec/json.h"

#include <stdio.h>
#include <string.h>

/* cJSON copies a number into 64 bytes and cuts longer ones. */
enum { MAX_NUMBER_CHARACTERS = 63 };

/* A recursive descent over RFC 8259, which stops at the first sign that does not fit. */
struct scan {
    const char *text;
    size_t size;
    size_t at;
    const char *expected; /* set by fail(): what should stand at `at` */
};

/* Always false; the place is where the scan stands. */
static bool fail(struct scan *scan, const char *expected)
{
    scan->expected = expected;
    return false;
}

/* The character at the scan, or NUL at the end; a NUL in the text fits nowhere either. */
static char peek(const struct scan *scan)
{
    return scan->at < scan->size ? scan->text[scan->at] : '\0';
}

static bool take(struct scan *scan, char wanted)
{
    if (peek(scan) != wanted) {
        return false;
    }
    scan->at++;
    return true;
}

static void skip_blanks(struct scan *scan)
{
    while (peek(scan) == ' ' || peek(scan) == '\n' || peek(scan) == '\r' || peek(scan) == '\t') {
        scan->at++;
    }
}

/* 0xC0 and 0xC1 could only begin overlong forms, 0xF5 and above lie beyond U+10FFFF. */
size_t ek_json_utf8_length(const char *at, size_t left)
{
    const unsigned char *byte = (const unsigned char *)at;
    size_t length = byte[0] < 0x80   ? 1
                    : byte[0] < 0xC2 ? 0
                    : byte[0] < 0xE0 ? 2
                    : byte[0] < 0xF0 ? 3
                    : byte[0] < 0xF5 ? 4
                                     : 0;

    /* A character that is cut by the end of the text. */
    if (length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what lies above U+10FFFF. */
    if ((length == 3 &&
         ((byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xED && byte[1] > 0x9F))) ||
        (length == 4 &&
         ((byte[0] == 0xF0 && byte[1] < 0x90) || (byte[0] == 0xF4 && byte[1] > 0x8F)))) {
        return 0;
    }
    return length;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_digits(struct scan *scan)
{
    if (!is_digit(peek(scan))) {
        return fail(scan, "a digit");
    }
    while (is_digit(peek(scan))) {
        scan->at++;
    }
    return true;
}

/* As RFC 8259 has it; stricter than strtod, which also takes hex, "inf" and "nan". */
static bool scan_number(struct scan *scan)
{
    size_t begin = scan->at;

    (void)take(scan, '-');
    /* A leading zero stands alone: behind "0" no digit is taken, and whoever comes next refuses
     * it. */
    if (!take(scan, '0') && !take_digits(scan)) {
        return false;
    }
    if (take(scan, '.') && !take_digits(scan)) {
        return false;
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+')) {
            (void)take(scan, '-');
        }
        if (!take_digits(scan)) {
            return false;
        }
    }
    /* Pointed out at its first digit, not somewhere behind its 63rd. */
    if (scan->at - begin > MAX_NUMBER_CHARACTERS) {
        scan->at = begin;
        return fail(scan, "a number of at most 63 characters");
    }
    return true;
}

/* The four digits behind "\u". */
static bool scan_hex(struct scan *scan, unsigned int *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(scan);
        unsigned int digit = is_digit(c)              ? (unsigned int)(c - '0')
                             : (c >= 'a' && c <= 'f') ? (unsigned int)(c - 'a') + 10
                             : (c >= 'A' && c <= 'F') ? (unsigned int)(c - 'A') + 10
                                                      : 16;
        if (digit == 16) {
            return fail(scan, "a hexadecimal digit");
        }
        *code = *code * 16 + digit;
        scan->at++;
    }
    return true;
}

/* Behind the backslash; messages point at the backslash itself. */
static bool scan_escape(struct scan *scan)
{
    size_t begin = scan->at - 1;
    unsigned int code;

    if (!take(scan, 'u')) {
        if (peek(scan) == '\0' || strchr("\"\\/bfnrt", peek(scan)) == NULL) {
            return fail(scan, "an escape: one of \"\\/bfnrtu");
        }
        scan->at++;
        return true;
    }
    if (!scan_hex(scan, &code)) {
        return false;
    }
    /* U+0000 would end the C string early; a low surrogate alone is no character. */
    bool well = code != 0 && (code < 0xDC00 || code > 0xDFFF);
    /* A high surrogate: its other half must follow as an escape of its own. */
    if (well && code >= 0xD800 && code <= 0xDBFF) {
        well = take(scan, '\\') && take(scan, 'u') && scan_hex(scan, &code) && code >= 0xDC00 &&
               code <= 0xDFFF;
    }
    if (!well) {
        scan->at = begin;
        return fail(scan, "the escape of a character other than NUL or half a pair");
    }
    return true;
}

static bool scan_string(struct scan *scan)
{
    if (!take(scan, '"')) {
        return fail(scan, "a text in quotes");
    }
    while (scan->at < scan->size && scan->text[scan->at] != '"') {
        unsigned char byte = (unsigned char)scan->text[scan->at];
        if (byte == '\\') {
            scan->at++;
            if (!scan_escape(scan)) {
                return false;
            }
            continue;
        }
        size_t length = ek_json_utf8_length(scan->text + scan->at, scan->size - scan->at);
        /* Control characters must be escaped in JSON; whatever is no UTF-8 would come out of us
         * again. */
        if (byte < ' ' || length == 0) {
            return fail(scan, byte < ' ' ? "an escape in its place" : "UTF-8");
        }
        scan->at += length;
    }
    return take(scan, '"') || fail(scan, "a closing quote");
}

static bool scan_value(struct scan *scan, int depth);

/* Equal names pass here: that a member stands there twice is found by who asks for it. */
static bool scan_member(struct scan *scan, int depth)
{
    if (!scan_string(scan)) {
        return false;
    }
    skip_blanks(scan);
    if (!take(scan, ':')) {
        return fail(scan, "':'");
    }
    return scan_value(scan, depth);
}

static bool scan_container(struct scan *scan, char closing, int depth)
{
    /* Brackets nest on our stack: a document of a million of them must not end the daemon. */
    if (depth > EK_JSON_MAX_DEPTH) {
        scan->at--;
        return fail(scan, "at most 100 levels of brackets");
    }
    skip_blanks(scan);
    if (take(scan, closing)) {
        return true;
    }
    do {
        skip_blanks(scan);
        if (!(closing == '}' ? scan_member(scan, depth) : scan_value(scan, depth))) {
            return false;
        }
        skip_blanks(scan);
        /* A comma must be followed by a value: one at the end, as in JavaScript, is refused. */
    } while (take(scan, ','));
    return take(scan, closing) || fail(scan, closing == '}' ? "',' or '}'" : "',' or ']'");
}

static bool scan_literal(struct scan *scan)
{
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        size_t length = strlen(literals[i]);
        if (scan->size - scan->at >= length &&
            memcmp(scan->text + scan->at, literals[i], length) == 0) {
            scan->at += length;
            return true;
        }
    }
    return fail(scan, "a value");
}

static bool scan_value(struct scan *scan, int depth)
{
    skip_blanks(scan);
    char c = peek(scan);
    if (c == '"') {
        return scan_string(scan);
    }
    if (c == '-' || is_digit(c)) {
        return scan_number(scan);
    }
    if (take(scan, '{')) {
        return scan_container(scan, '}', depth + 1);
    }
    if (take(scan, '[')) {
        return scan_container(scan, ']', depth + 1);
    }
    return scan_literal(scan);
}

/* Line and column are counted only now, when something is wrong: a good document pays nothing. */
static bool refuse(const struct scan *scan, const char *name, struct ek_error *err)
{
    size_t line = 1;
    size_t column = 1;
    char found[32] = "the end of the text";

    for (size_t i = 0; i < scan->at; i++) {
        if (scan->text[i] == '\n') {
            line++;
            column = 1;
            /* Continuation bytes of UTF-8 belong to the character before: columns count characters.
             */
        } else if (((unsigned char)scan->text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    if (scan->at < scan->size) {
        unsigned char byte = (unsigned char)scan->text[scan->at];
        bool printable = byte >= ' ' && byte < 0x7F;
        (void)snprintf(found, sizeof(found), printable ? "'%c'" : "the byte 0x%02X", byte);
    }
    return ek_error_set(err, EK_ERR_INVALID, "%s:%zu:%zu: found %s, expected %s", name, line,
                        column, found, scan->expected);
}

bool ek_json_check_syntax(const char *text, size_t size, const char *name, struct ek_error *err)
{
    struct scan scan = {.text = text, .size = size};

    if (!scan_value(&scan, 0)) {
        return refuse(&scan, name, err);
    }
    skip_blanks(&scan);
    /* Two values, or rubbish behind one: a text that was cut and overwritten looks like that. */
    if (scan.at < size) {
        scan.expected = "the end of the text";
        return refuse(&scan, name, err);
    }
    return true;
}
