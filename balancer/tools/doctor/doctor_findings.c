/* The doctor's list of findings, and how one is put together. */
#include "balancer/core/plural.h"
#include "balancer/tools/doctor/doctor_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *well;
} checks[EK_CHECK_COUNT] = {
    [EK_CHECK_LIBVIRT] = {"libvirt", "libvirtd answers"},
    [EK_CHECK_IDENTITY] = {"identity", "each has a UUID of its own"},
    [EK_CHECK_NAMES] = {"names", "where guests are to be sent leads to each host"},
    [EK_CHECK_PORTS] = {"ports", "the migration ports are reached from here"},
    [EK_CHECK_PEERS] = {"peers", "other hosts reach each one at its URI"},
    [EK_CHECK_VERSIONS] = {"versions", "none is older than another"},
    [EK_CHECK_CPU] = {"cpu", "each gives the CPUs of the others and of their domains"},
    [EK_CHECK_NETWORKS] = {"networks", "networks and bridges of the domains are everywhere"},
    [EK_CHECK_FILTERS] = {"filters", "network filters of the domains are the same everywhere"},
    [EK_CHECK_POOLS] = {"pools", "pools of the domains are the same everywhere"},
    [EK_CHECK_LOCKS] = {"locks", "nothing that is shared is written without a lock"},
    [EK_CHECK_OWNERSHIP] = {"ownership", "no shared disk changes its owner"},
    [EK_CHECK_MEMORY] = {"memory", "what runs on any one of them fits on the others"},
    [EK_CHECK_PACEMAKER] = {"pacemaker", "none runs, or its domains are left alone by a rule"},
    [EK_CHECK_RULES] = {"rules", "each is about a domain that runs"},
    [EK_CHECK_CLOCK] = {"clock", "they agree"},
};

const char *ek_grade_name(enum ek_grade grade)
{
    static const char *const names[] = {[EK_GRADE_OK] = "OK",
                                        [EK_GRADE_UNSEEN] = "UNSEEN",
                                        [EK_GRADE_WARN] = "WARN",
                                        [EK_GRADE_FAIL] = "FAIL"};

    return names[grade];
}

const char *ek_check_name(enum ek_check check)
{
    return checks[check].name;
}

const char *ek_check_well(enum ek_check check)
{
    return checks[check].well;
}

/* ---- texts --------------------------------------------------------------------------------- */

const char *ek_judge_text(struct ek_findings *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return ek_arena_strdup(&out->arena, text);
}

enum { SHOWN = 3 };

bool ek_list_shows_next(const struct ek_listed *list)
{
    return list->count < SHOWN;
}

void ek_list_add(struct ek_findings *out, struct ek_listed *list, const char *item)
{
    if (list->count++ >= SHOWN) {
        return;
    }
    list->text = list->text == NULL || item == NULL
                     ? item
                     : ek_arena_printf(&out->arena, "%s, %s", list->text, item);
    out->failed = out->failed || list->text == NULL;
}

const char *ek_list_text(struct ek_findings *out, const struct ek_listed *list)
{
    return list->count > SHOWN && list->text != NULL
               ? ek_arena_printf(&out->arena, "%s and %zu more", list->text, list->count - SHOWN)
               : list->text;
}

void ek_names_add(struct ek_findings *out, struct ek_names *names, const char *name, size_t host)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].name, name) == 0) {
            return;
        }
    }
    if (names->count == names->room) {
        size_t room = names->room == 0 ? 8 : 2 * names->room;
        struct ek_name *grown = ek_arena_alloc(&out->arena, room, sizeof(*grown));
        if (grown == NULL) {
            out->failed = true;
            return;
        }
        if (names->count > 0) {
            memcpy(grown, names->items, names->count * sizeof(*grown));
        }
        names->items = grown;
        names->room = room;
    }
    names->items[names->count++] = (struct ek_name){.name = name, .host = host};
}

const char *ek_names_text(struct ek_findings *out, const char *noun, const struct ek_names *names)
{
    struct ek_listed list = {0};

    for (size_t i = 0; i < names->count; i++) {
        ek_list_add(out, &list, names->items[i].name);
    }
    return ek_arena_printf(&out->arena, "%s%s %s %s", noun, ek_plural(names->count),
                           ek_list_text(out, &list), names->count == 1 ? "is" : "are");
}

bool ek_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const char *ek_version_text(struct ek_findings *out, unsigned long version)
{
    return ek_arena_printf(&out->arena, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
                           version % 1000);
}

/* ---- findings ------------------------------------------------------------------------------ */

static void add(struct ek_findings *out, const struct ek_finding *finding)
{
    if (out->count == out->room) {
        size_t room = out->room == 0 ? 16 : 2 * out->room;
        struct ek_finding *grown = realloc(out->items, room * sizeof(*grown));
        if (grown == NULL) {
            out->failed = true;
            return;
        }
        out->items = grown;
        out->room = room;
    }
    out->items[out->count++] = *finding;
}

struct ek_notes ek_notes_begin(struct ek_findings *out, const char *host, enum ek_check check)
{
    return (struct ek_notes){.out = out, .host = host, .check = check};
}

/* "a", then "a; b". */
static void append(struct ek_findings *out, const char **text, const char *more)
{
    if (more == NULL) {
        out->failed = true;
    } else if (*text == NULL) {
        *text = more;
    } else if (strstr(*text, more) == NULL) {
        *text = ek_arena_printf(&out->arena, "%s; %s", *text, more);
        out->failed = out->failed || *text == NULL;
    }
}

void ek_note(struct ek_notes *notes, enum ek_grade grade, const char *found, const char *change)
{
    notes->grade = grade > notes->grade ? grade : notes->grade;
    append(notes->out, &notes->found, found);
    append(notes->out, &notes->change, change);
}

void ek_notes_end(struct ek_notes *notes, const char *well)
{
    const char *found = notes->found != NULL ? notes->found : well;
    struct ek_finding finding = {.grade = notes->grade,
                                 .check = notes->check,
                                 .host = notes->host,
                                 .found = found == NULL ? "" : found,
                                 .change = notes->change};

    notes->out->failed = notes->out->failed || found == NULL;
    add(notes->out, &finding);
}

void ek_pair_obstruct(struct ek_findings *out, size_t source, size_t destination,
                      enum ek_check check)
{
    out->pairs[source * out->host_count + destination] |= 1U << check;
}

size_t ek_findings_count(const struct ek_findings *findings, enum ek_grade grade)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++) {
        count += findings->items[i].grade == grade ? 1 : 0;
    }
    return count;
}

void ek_findings_finish(struct ek_findings *findings)
{
    free(findings->items);
    ek_arena_finish(&findings->arena);
    memset(findings, 0, sizeof(*findings));
}
