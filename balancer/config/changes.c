/* What differs between two configurations or policies, by what a dump of each says: so that no key
 * can be forgotten here. */
#include "balancer/config/schema.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 8 };

/* One line of a dump: a key by its whole path, and its value. */
struct entry {
    const char *path;
    const char *value;
    const char *other; /* what the other dump has in its place; NULL: nothing */
};

struct entries {
    struct entry *items;
    size_t count;
    struct ek_arena arena;
};

/* The sections that the line at hand is in, each by where it begins. */
struct nesting {
    size_t columns[DEPTH];
    const char *names[DEPTH];
    size_t depth;
};

static void leave(struct nesting *nesting, size_t column)
{
    while (nesting->depth > 0 && nesting->columns[nesting->depth - 1] >= column) {
        nesting->depth--;
    }
}

static bool enter(struct nesting *nesting, size_t column, const char *name)
{
    if (name == NULL || nesting->depth == DEPTH) {
        return false;
    }
    nesting->columns[nesting->depth] = column;
    nesting->names[nesting->depth++] = name;
    return true;
}

/* An item of a list stands behind its list without a dot: "hosts[h1].uri". */
static const char *path_of(const struct nesting *nesting, const char *key, struct ek_arena *arena)
{
    const char *path = "";

    for (size_t i = 0; path != NULL && i < nesting->depth; i++) {
        path = ek_arena_printf(arena, "%s%s%s", path,
                               path[0] == '\0' || nesting->names[i][0] == '[' ? "" : ".",
                               nesting->names[i]);
    }
    return path == NULL ? NULL
                        : ek_arena_printf(arena, "%s%s%s", path, path[0] == '\0' ? "" : ".", key);
}

/* "key: value" at its column, or "key:", which opens a section. */
static bool take_line(struct entries *out, struct nesting *nesting, size_t column, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *value = text[length] == ':' ? text + length + 1 : "";
    const char *key = ek_arena_printf(&out->arena, "%.*s", (int)length, text);

    value += strspn(value, " ");
    if (key == NULL || value[0] == '\0') {
        return enter(nesting, column, key);
    }
    struct entry *entry = &out->items[out->count++];
    entry->path = path_of(nesting, key, &out->arena);
    entry->value = ek_arena_strdup(&out->arena, value);
    entry->other = NULL;
    return entry->path != NULL && entry->value != NULL;
}

/* An item is called by its first value, as people call it: a host by its name. */
static bool take_item(struct entries *out, struct nesting *nesting, size_t column, const char *text)
{
    const char *value = text + strcspn(text, ":");

    value += strspn(value, ": ");
    return enter(nesting, column, ek_arena_printf(&out->arena, "[%s]", value)) &&
           take_line(out, nesting, column + 2, text);
}

/* Comments are skipped, those among them that stand for a key which is not given. */
static bool flatten(struct entries *out, char *dump)
{
    struct nesting nesting = {.depth = 0};
    size_t lines = 1;
    bool ok = true;

    for (const char *at = dump; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    out->items = ek_arena_alloc(&out->arena, lines, sizeof(*out->items));
    ok = out->items != NULL;
    for (char *line = dump; ok && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n' ? 1 : 0);
        line[length] = '\0';
        size_t column = strspn(line, " ");
        const char *text = line + column;
        if (text[0] != '#' && text[0] != '\0') {
            leave(&nesting, column);
            ok = strncmp(text, "- ", 2) == 0 ? take_item(out, &nesting, column, text + 2)
                                             : take_line(out, &nesting, column, text);
        }
        line = next;
    }
    return ok;
}

/* In the order of their paths, those of one path in the order of the dump. */
static int by_place(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a;
    const struct entry *y = *(struct entry *const *)b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : (x > y) - (x < y);
}

static struct entry **sort(struct entries *entries)
{
    struct entry **list = ek_arena_alloc(&entries->arena, entries->count, sizeof(*list));

    for (size_t i = 0; list != NULL && i < entries->count; i++) {
        list[i] = &entries->items[i];
    }
    if (list != NULL) {
        qsort(list, entries->count, sizeof(*list), by_place);
    }
    return list;
}

/* The first under a path belongs to the first, the second to the second: two windows may begin
 * alike. */
static bool match(struct entries *before, struct entries *after)
{
    struct entry **old = sort(before);
    struct entry **now = sort(after);
    bool ok = old != NULL && now != NULL;

    for (size_t i = 0, j = 0; ok && i < before->count && j < after->count;) {
        int order = strcmp(old[i]->path, now[j]->path);
        if (order == 0) {
            old[i]->other = now[j]->value;
            now[j]->other = old[i]->value;
        }
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return ok;
}

/* In the order of the dumps. */
static void compare(const struct entries *before, const struct entries *after, ek_change_fn *say,
                    void *context)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct entry *old = &before->items[i];
        if (old->other == NULL || strcmp(old->other, old->value) != 0) {
            say(context, old->path, old->value, old->other);
        }
    }
    for (size_t i = 0; i < after->count; i++) {
        const struct entry *now = &after->items[i];
        if (now->other == NULL) {
            say(context, now->path, NULL, now->value);
        }
    }
}

static bool tell(char *before, char *after, ek_change_fn *say, void *context, struct ek_error *err)
{
    struct entries old = {.items = NULL};
    struct entries now = {.items = NULL};
    bool ok = flatten(&old, before) && flatten(&now, after) && match(&old, &now);

    if (ok) {
        compare(&old, &now, say, context);
    }
    ek_arena_finish(&old.arena);
    ek_arena_finish(&now.arena);
    return ok || ek_error_set(err, EK_ERR_NOMEM, "out of memory for what has changed");
}

/* Dumps both; `dump` writes what the pointer is to. */
static bool changes(const void *before, const void *after,
                    bool (*dump)(const void *value, FILE *out, struct ek_error *err),
                    ek_change_fn *say, void *context, struct ek_error *err)
{
    const void *const both[2] = {before, after};
    char *texts[2] = {NULL, NULL};
    size_t size = 0;
    bool ok = true;

    for (int i = 0; ok && i < 2; i++) {
        FILE *out = open_memstream(&texts[i], &size);
        ok = out != NULL && dump(both[i], out, err);
        ok = out != NULL && fclose(out) == 0 && ok;
    }
    ok = ok ? tell(texts[0], texts[1], say, context, err)
            : ek_error_set(err, EK_ERR_NOMEM, "out of memory for what has changed");
    free(texts[0]);
    free(texts[1]);
    return ok;
}

static bool dump_policy(const void *value, FILE *out, struct ek_error *err)
{
    return ek_policy_dump(value, out, err);
}

static bool dump_config(const void *value, FILE *out, struct ek_error *err)
{
    return ek_config_dump(value, out, err);
}

bool ek_policy_changes(const struct ek_policy *before, const struct ek_policy *after,
                       ek_change_fn *say, void *context, struct ek_error *err)
{
    return changes(before, after, dump_policy, say, context, err);
}

/* What stands in a secret's file, which no dump has. Another file was told of by its name. */
static void compare_secret(const char *path, const char *const files[2],
                           const char *const secrets[2], ek_change_fn *say, void *context)
{
    bool same_file = files[0] != NULL && files[1] != NULL && strcmp(files[0], files[1]) == 0;

    if (same_file && secrets[0] != NULL && secrets[1] != NULL &&
        strcmp(secrets[0], secrets[1]) != 0) {
        say(context, path, files[0], files[1]);
    }
}

bool ek_config_changes(const struct ek_config *before, const struct ek_config *after,
                       ek_change_fn *say, void *context, struct ek_error *err)
{
    if (!changes(before, after, dump_config, say, context, err)) {
        return false;
    }
    compare_secret("redis.password_file",
                   (const char *[]){before->redis.password_file, after->redis.password_file},
                   (const char *[]){before->redis.password, after->redis.password}, say, context);
    compare_secret("http.token_file",
                   (const char *[]){before->http.token_file, after->http.token_file},
                   (const char *[]){before->http.token, after->http.token}, say, context);
    return true;
}
