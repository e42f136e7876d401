/* The texts of a block: each once, by number. */
#include "balancer/codec/history_facts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct ek_history_text {
    const char *text;
    size_t number;
    UT_hash_handle hh;
};

/* More than any host's; they bound what a damaged block can ask for. A longer text is cut. */
enum { MAX_TEXTS = 1 << 20, MAX_TEXT_BYTES = 1 << 16 };

static bool make_room(struct ek_history_texts *texts)
{
    if (texts->count < texts->room) {
        return true;
    }
    size_t room = 2 * texts->room + 16;
    struct ek_history_text **items = realloc(texts->items, room * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    texts->items = items;
    texts->room = room;
    return true;
}

const char *ek_history_intern(struct ek_history_texts *texts, const char *text)
{
    const size_t whole = strlen(text);
    const size_t length = whole < MAX_TEXT_BYTES ? whole : MAX_TEXT_BYTES;
    struct ek_history_text *entry = NULL;

    HASH_FIND(hh, texts->head, text, length, entry);
    if (entry != NULL) {
        return entry->text;
    }
    entry = ek_arena_alloc(&texts->arena, 1, sizeof(*entry));
    if (entry == NULL || !make_room(texts)) {
        return NULL;
    }
    entry->number = texts->count;
    entry->text = ek_arena_printf(&texts->arena, "%.*s", (int)length, text);
    if (entry->text == NULL) {
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, texts->head, entry->text, length, entry);
    if (entry->hh.tbl == NULL) {
        return NULL; /* uthash found no memory */
    }
    texts->items[texts->count++] = entry;
    return entry->text;
}

size_t ek_history_text_number(const struct ek_history_texts *texts, const char *text)
{
    struct ek_history_text *entry = NULL;

    HASH_FIND_STR(texts->head, text, entry);
    assert(entry != NULL);
    return entry->number;
}

const char *ek_history_text_at(const struct ek_history_texts *texts, size_t number)
{
    assert(number < texts->count);
    return texts->items[number]->text;
}

void ek_history_texts_finish(struct ek_history_texts *texts)
{
    HASH_CLEAR(hh, texts->head);
    free(texts->items);
    ek_arena_finish(&texts->arena);
    memset(texts, 0, sizeof(*texts));
}

/* ---- as bytes -------------------------------------------------------------------------------- */

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

/* A UUID as libvirt writes it is 16 bytes and not 36; half of all that a block's texts take. */
static bool uuid_to_bytes(const char *text, uint8_t bytes[UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t got = 0;

    for (size_t i = 0; i < UUID_TEXT; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (dash ? text[i] != '-' : digit == NULL) {
            return false;
        }
        if (!dash) {
            uint8_t value = (uint8_t)(digit - digits);
            bytes[got / 2] = (uint8_t)(got % 2 == 0 ? value << 4 : bytes[got / 2] | value);
            got++;
        }
    }
    return text[UUID_TEXT] == '\0';
}

static void uuid_to_text(const uint8_t *bytes, char text[UUID_TEXT + 1])
{
    size_t used = 0;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        used += (size_t)snprintf(text + used, UUID_TEXT + 1 - used, "%s%02x", dash, bytes[i]);
    }
}

/* Length and whether it is a UUID in one number. */
void ek_texts_put(struct ek_bytes *bytes, const struct ek_history_texts *texts)
{
    ek_bytes_put_number(bytes, texts->count);
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = texts->items[i]->text;
        uint8_t uuid[UUID_BYTES];
        bool is_uuid = uuid_to_bytes(text, uuid);
        size_t length = is_uuid ? UUID_BYTES : strlen(text);
        ek_bytes_put_number(bytes, 2 * (uint64_t)length + is_uuid);
        ek_bytes_put(bytes, is_uuid ? (const void *)uuid : text, length);
    }
}

static bool get_text(struct ek_bytes_reader *reader, char text[MAX_TEXT_BYTES + 1])
{
    const size_t start = reader->at;
    uint64_t head = 0;

    if (!ek_bytes_get_number(reader, "a text of at most 64 KiB", 2 * MAX_TEXT_BYTES, &head)) {
        return false;
    }
    const uint8_t *data = ek_bytes_get(reader, (size_t)head / 2);
    if (data == NULL) {
        return false;
    }
    if ((head & 1) != 0 && head / 2 == UUID_BYTES) {
        uuid_to_text(data, text);
        return true;
    }
    memcpy(text, data, (size_t)head / 2);
    text[head / 2] = '\0';
    if ((head & 1) != 0 || strlen(text) != head / 2) {
        reader->at = start;
        return ek_bytes_refuse(reader, "a text", "one that is none");
    }
    return true;
}

bool ek_texts_get(struct ek_bytes_reader *reader, struct ek_history_texts *texts)
{
    char *text = malloc(MAX_TEXT_BYTES + 1);
    uint64_t count = 0;
    bool done =
        text != NULL || ek_error_set(reader->err, EK_ERR_NOMEM, "%s: out of memory", reader->name);

    done = done && ek_bytes_get_number(reader, "at most a million texts", MAX_TEXTS, &count);
    for (uint64_t i = 0; done && i < count; i++) {
        done = get_text(reader, text);
        if (done && ek_history_intern(texts, text) == NULL) {
            done = ek_error_set(reader->err, EK_ERR_NOMEM, "%s: out of memory", reader->name);
        }
        /* The same one again would shift all numbers that follow. */
        if (done && texts->count != i + 1) {
            done = ek_bytes_refuse(reader, "each text once", "\"%.60s\" again", text);
        }
    }
    free(text);
    return done;
}
