/* What is seen of a host only on the host itself: qemu.conf, and which processes run. */
#include "collector/inspect/inspect.h"
#include "collector/libvirt/handles.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* ---- qemu.conf ----------------------------------------------------------------------------- */

static void file_release(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static char *trim(char *text)
{
    char *end = NULL;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) {
        end--;
    }
    *end = '\0';
    return text;
}

/* What stands between the quotes; a number stands alone, before a comment. */
static char *value_of(char *text)
{
    char quote = text[0];

    if (quote == '"' || quote == '\'') {
        text++;
        text[strcspn(text, quote == '"' ? "\"" : "'")] = '\0';
        return text;
    }
    text[strcspn(text, "#")] = '\0';
    return trim(text);
}

static bool take_line(struct ek_qemu_conf *out, char *line, struct ek_arena *arena)
{
    const struct {
        const char *key;
        const char **value;
    } wanted[] = {{"lock_manager", &out->lock_manager},
                  {"dynamic_ownership", &out->dynamic_ownership},
                  {"remember_owner", &out->remember_owner},
                  {"migration_host", &out->migration_host},
                  {"migration_port_min", &out->migration_port_min},
                  {"migration_port_max", &out->migration_port_max}};
    char *equals = strchr(line, '=');

    /* "#lock_manager = ..." is a key of another name, and passed over as that. */
    if (equals == NULL) {
        return true;
    }
    *equals = '\0';
    const char *key = trim(line);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strcmp(key, wanted[i].key) == 0) {
            *wanted[i].value = ek_arena_strdup(arena, value_of(trim(equals + 1)));
            return *wanted[i].value != NULL;
        }
    }
    return true;
}

bool ek_qemu_conf_read(struct ek_qemu_conf *out, const char *path, struct ek_arena *arena,
                       struct ek_error *err)
{
    EK_SCOPED(file_release) FILE *file = fopen(path, "r");
    char line[1024];

    *out = (struct ek_qemu_conf){.seen = file != NULL};
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (!take_line(out, line, arena)) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for %s", path);
        }
    }
    return true;
}

/* ---- processes ----------------------------------------------------------------------------- */

static void directory_release(DIR **directory)
{
    if (*directory != NULL) {
        (void)closedir(*directory);
    }
}

static const char *cluster_process(const char *name)
{
    static const char *const known[] = {"pacemakerd", "corosync"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i]) == 0) {
            return known[i];
        }
    }
    return NULL;
}

const char *ek_pacemaker_process(const char *proc)
{
    EK_SCOPED(directory_release) DIR *directory = opendir(proc);
    const struct dirent *entry = NULL;
    const char *found = NULL;

    while (found == NULL && directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[512];
        char name[64] = "";
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s/comm", proc, entry->d_name);
        /* A process may end between the two calls: then it does not run. */
        EK_SCOPED(file_release) FILE *file = fopen(path, "r");
        if (file != NULL && fgets(name, sizeof(name), file) != NULL) {
            found = cluster_process(trim(name));
        }
    }
    return found;
}
