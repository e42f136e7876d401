/* Files of the spool: written beside their name, synced, renamed, so that a file is whole or not
 * there. */
#include "balancer/daemon/spool.h"

#include "balancer/codec/codec.h"
#include "balancer/daemon/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two records; the longest has its 32 preparations with their paths, all of it escaped. */
enum { FILE_SIZE = 512 * 1024, SPOOL_PATH = 4096 };

struct ek_spool {
    char *state_dir;
    char *dir;
    pthread_mutex_t mutex; /* two threads must not write one temporary file */
};

struct ek_spool *ek_spool_create(const char *state_dir)
{
    struct ek_spool *spool = calloc(1, sizeof(*spool));
    char dir[SPOOL_PATH];

    if (spool == NULL) {
        return NULL;
    }
    (void)snprintf(dir, sizeof(dir), "%s/spool", state_dir);
    (void)pthread_mutex_init(&spool->mutex, NULL);
    spool->state_dir = strdup(state_dir);
    spool->dir = strdup(dir);
    if (spool->state_dir == NULL || spool->dir == NULL) {
        ek_spool_destroy(spool);
        return NULL;
    }
    return spool;
}

void ek_spool_destroy(struct ek_spool *spool)
{
    if (spool != NULL) {
        (void)pthread_mutex_destroy(&spool->mutex);
        free(spool->state_dir);
        free(spool->dir);
        free(spool);
    }
}

/* ---- keeping -------------------------------------------------------------------------------- */

/* Up to `running` a record announces what is to be done: without the journal it is not done, and
 * nothing has happened. */
static bool is_result(enum ek_move_state state)
{
    return state != EK_MOVE_PLANNED && state != EK_MOVE_CLAIMED && state != EK_MOVE_PRECHECK &&
           state != EK_MOVE_PREPARE && state != EK_MOVE_RUNNING;
}

/* Ids come from Redis, too: one that is no plain name must not lead out of the folder. */
static bool path_of(const struct ek_spool *spool, const char *id, char *out, size_t size)
{
    int length = id[0] == '.' || strchr(id, '/') != NULL
                     ? -1
                     : snprintf(out, size, "%s/%s.json", spool->dir, id);

    return length > 0 && (size_t)length < size;
}

static bool sync_dir(const struct ek_spool *spool)
{
    int dir = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = dir >= 0 && fsync(dir) == 0;

    if (dir >= 0) {
        (void)close(dir);
    }
    return done;
}

static bool write_synced(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    size_t left = strlen(text);
    bool done = file >= 0;

    while (done && left > 0) {
        ssize_t written = write(file, text, left);
        done = written > 0;
        if (done) {
            text += written;
            left -= (size_t)written;
        }
    }
    done = done && fsync(file) == 0;
    if (file >= 0) {
        done = close(file) == 0 && done;
    }
    return done;
}

static bool put_file(struct ek_spool *spool, const char *path, const char *text)
{
    char beside[SPOOL_PATH + 8];
    bool done = false;

    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    (void)pthread_mutex_lock(&spool->mutex);
    /* With an external Redis nothing else may have made the state directory yet. */
    (void)mkdir(spool->state_dir, 0750);
    (void)mkdir(spool->dir, 0750);
    done = write_synced(beside, text) && rename(beside, path) == 0 && sync_dir(spool);
    (void)pthread_mutex_unlock(&spool->mutex);
    return done;
}

/* A line each, what the journal should have before and after; NULL: out of memory. */
static char *write_records(const struct ek_move_record *expected,
                           const struct ek_move_record *record)
{
    char *before = ek_codec_write_record(expected);
    char *now = ek_codec_write_record(record);
    size_t size = before == NULL || now == NULL ? 0 : strlen(before) + strlen(now) + 3;
    char *text = size == 0 || size > FILE_SIZE ? NULL : malloc(size);

    if (text != NULL) {
        (void)snprintf(text, size, "%s\n%s\n", before, now);
    }
    free(before);
    free(now);
    return text;
}

void ek_spool_keep(struct ek_spool *spool, const struct ek_move_record *record,
                   const struct ek_move_record *expected)
{
    char path[SPOOL_PATH];

    if (expected == NULL || !is_result(record->state) ||
        !path_of(spool, record->order.id, path, sizeof(path))) {
        return;
    }
    char *text = write_records(expected, record);
    errno = ENOMEM;
    if (text == NULL || !put_file(spool, path, text)) {
        ek_log(EK_LOG_WARNING, "move %s: its state %s waits for Redis in memory alone: %s: %s",
               record->order.id, ek_move_state_name(record->state), path, strerror(errno));
    }
    free(text);
}

void ek_spool_drop(struct ek_spool *spool, const char *id)
{
    char path[SPOOL_PATH];

    if (path_of(spool, id, path, sizeof(path))) {
        (void)unlink(path);
    }
}

/* ---- writing it into the journal ------------------------------------------------------------- */

static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t length = file == NULL ? 0 : fread(text, 1, size - 1, file);

    text[length] = '\0';
    return file != NULL && fclose(file) == 0 && length > 0;
}

static bool parse_records(const char *path, const char *text, struct ek_move_record *expected,
                          struct ek_move_record *record, struct ek_error *err)
{
    const char *second = strchr(text, '\n');
    if (second == NULL) {
        return ek_error_set(err, EK_ERR_INVALID, "%s: found one line, expected two records", path);
    }
    return ek_codec_read_record(expected, text, (size_t)(second - text), path, err) &&
           ek_codec_read_record(record, second + 1, strlen(second + 1), path, err);
}

static bool read_records(const char *path, struct ek_move_record *expected,
                         struct ek_move_record *record, struct ek_error *err)
{
    char *text = malloc(FILE_SIZE);

    errno = ENOMEM;
    bool read = text != NULL && read_file(path, text, FILE_SIZE);
    bool done = read ? parse_records(path, text, expected, record, err)
                     : ek_error_set(err, EK_ERR_IO, "%s: %s", path, strerror(errno));
    free(text);
    return done;
}

/* True: the file is done with. False with an error: it stays, and so does everything behind it. */
static bool replay_file(struct ek_spool *spool, struct ek_store *store, const char *path,
                        int64_t epoch, struct ek_error *err)
{
    struct ek_move_record expected;
    struct ek_move_record record;
    struct ek_error why = {0};

    if (!read_records(path, &expected, &record, &why)) {
        ek_log(EK_LOG_ERROR, "a spooled record is left where it is: %s", why.message);
        return true;
    }
    record.epoch = epoch;
    if (ek_store_write_move(store, &record, &expected, &why)) {
        ek_log(EK_LOG_INFO, "move %s: its state %s was spooled and is in the journal now",
               record.order.id, ek_move_state_name(record.state));
    } else if (why.code == EK_ERR_CONFLICT) {
        ek_log(EK_LOG_WARNING,
               "move %s: its spooled state %s is dropped, for the journal has gone on: %s",
               record.order.id, ek_move_state_name(record.state), why.message);
    } else if (why.code == EK_ERR_INVALID) {
        /* It will never be one: the lead must not fail for it again and again. */
        ek_log(EK_LOG_ERROR, "a spooled record is left where it is: %s", why.message);
        return true;
    } else {
        *err = why;
        return false;
    }
    ek_spool_drop(spool, record.order.id);
    return true;
}

bool ek_spool_replay(struct ek_spool *spool, struct ek_store *store, int64_t epoch,
                     struct ek_error *err)
{
    DIR *dir = opendir(spool->dir);
    const struct dirent *entry = NULL;
    bool done = true;

    if (dir == NULL) {
        return true; /* nothing was ever kept */
    }
    while (done && (entry = readdir(dir)) != NULL) {
        char path[SPOOL_PATH];
        size_t length = strlen(entry->d_name);
        bool whole = length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
        int used = snprintf(path, sizeof(path), "%s/%s", spool->dir, entry->d_name);
        done = !whole || used >= (int)sizeof(path) || replay_file(spool, store, path, epoch, err);
    }
    (void)closedir(dir);
    return done;
}
