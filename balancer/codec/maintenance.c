/* What an operator writes into a maintenance key. */
#include "balancer/codec/codec.h"
#include "balancer/codec/json.h"
#include "balancer/core/calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mistyped "deadline" must not be lost without a word. */
static void find_fault(const cJSON *document, char *out, size_t size)
{
    static const char *const known[] = {"reason", "deadline", "partial", "version"};
    const cJSON *item = NULL;

    out[0] = '\0';
    cJSON_ArrayForEach(item, document)
    {
        bool found = item->string == NULL;
        for (size_t i = 0; !found && i < sizeof(known) / sizeof(known[0]); i++) {
            found = strcmp(item->string, known[i]) == 0;
        }
        if (!found) {
            (void)snprintf(
                out, size,
                "found the unknown member \"%.40s\", expected reason, deadline or partial",
                item->string);
            return;
        }
    }
}

bool ek_codec_read_maintenance(const char *text, size_t size, const char *name,
                               struct ek_maintenance *out, struct ek_error *err)
{
    struct ek_json_reader reader = {.name = name, .err = err};
    cJSON *document EK_JSON_SCOPED = NULL;
    char deadline[40] = "";

    if (!ek_json_check_syntax(text, size, name, err)) {
        return false;
    }
    /* Not ek_json_open(): people write this by hand, without a version. */
    document = cJSON_ParseWithLength(text, size);
    if (document == NULL) {
        return ek_json_no_memory(&reader);
    }
    struct ek_json_node node = {.reader = &reader, .item = document};
    out->reason[0] = '\0';
    out->deadline_ms = 0;
    out->partial = false;
    find_fault(document, out->fault, sizeof(out->fault));
    if (!ek_json_get_chars(&node, "reason", EK_JSON_OPTIONAL, 0, out->reason,
                           sizeof(out->reason)) ||
        !ek_json_get_chars(&node, "deadline", EK_JSON_OPTIONAL, 0, deadline, sizeof(deadline)) ||
        !ek_json_get_bool(&node, "partial", EK_JSON_OPTIONAL, &out->partial)) {
        return false;
    }
    return deadline[0] == '\0' || ek_time_parse(deadline, &out->deadline_ms) ||
           ek_json_refuse(&node, "deadline", "a time such as 2026-12-01T18:00:00Z");
}

/* An object whenever a bare reason could be misread. */
char *ek_codec_write_maintenance_key(const struct ek_maintenance *key)
{
    struct ek_json_writer writer = {0};
    char time[40];

    if (!key->partial && key->deadline_ms == 0 && strchr(key->reason, '{') == NULL) {
        char *bare = malloc(sizeof(key->reason));
        return bare == NULL ? NULL : memcpy(bare, key->reason, sizeof(key->reason));
    }
    ek_json_begin(&writer, '{');
    ek_json_put_text(&writer, "reason", key->reason);
    if (key->deadline_ms != 0) {
        ek_time_print(key->deadline_ms, time, sizeof(time));
        ek_json_put_text(&writer, "deadline", time);
    }
    if (key->partial) {
        ek_json_put_bool(&writer, "partial", true);
    }
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}
