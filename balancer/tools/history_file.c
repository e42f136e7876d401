#include "balancer/tools/history_file.h"

#include "balancer/codec/history_file.h"
#include "balancer/codec/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

static bool fail_write(const struct ek_history_output *output, struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_IO, "%s: cannot write it: %s", output->name, strerror(errno));
}

static bool put(struct ek_history_output *output, const void *bytes, size_t size,
                struct ek_error *err)
{
    return fwrite(bytes, 1, size, output->file) == size || fail_write(output, err);
}

static bool put_frame(struct ek_history_output *output, struct ek_history_frame frame,
                      struct ek_error *err)
{
    uint8_t bytes[EK_HISTORY_FRAME_SIZE];

    ek_history_frame_write(frame, bytes);
    return put(output, bytes, sizeof(bytes), err);
}

bool ek_history_file_begin(struct ek_history_output *output, const char *path, struct ek_error *err)
{
    bool to_stdout = strcmp(path, "-") == 0;

    *output = (struct ek_history_output){.file = to_stdout ? stdout : fopen(path, "we"),
                                         .name = to_stdout ? "standard output" : path};
    if (output->file == NULL) {
        return fail_write(output, err);
    }
    return put(output, EK_HISTORY_FILE_LINE, strlen(EK_HISTORY_FILE_LINE), err);
}

/* Frees the bytes. */
static bool put_framed(struct ek_history_output *output, uint8_t *bytes, size_t size, bool profile,
                       struct ek_error *err)
{
    const struct ek_history_frame frame = {
        .size = (uint32_t)size, .sum = ek_history_sum(bytes, size), .profile = profile};
    bool done = put_frame(output, frame, err) && put(output, bytes, size, err);

    free(bytes);
    output->frames += done;
    return done;
}

bool ek_history_file_put(struct ek_history_output *output, const struct ek_history_block *block,
                         struct ek_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    return ek_history_block_write(block, &bytes, &size, err) &&
           put_framed(output, bytes, size, false, err);
}

bool ek_history_file_put_profile(struct ek_history_output *output, const struct ek_profile *profile,
                                 struct ek_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    return ek_profile_write(profile, &bytes, &size, err) &&
           put_framed(output, bytes, size, true, err);
}

void ek_history_file_abandon(struct ek_history_output *output)
{
    if (output->file != NULL && output->file != stdout) {
        (void)fclose(output->file);
    }
    output->file = NULL;
}

bool ek_history_file_end(struct ek_history_output *output, struct ek_error *err)
{
    if (!put_frame(output, (struct ek_history_frame){.sum = output->frames}, err)) {
        return false;
    }
    /* A disk that is full may show only now. */
    bool done = output->file == stdout ? fflush(stdout) == 0 : fclose(output->file) == 0;
    output->file = NULL;
    return done || fail_write(output, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct input {
    FILE *file;
    const char *name;
    uint64_t at; /* bytes that were read */
    uint32_t frames;
    const struct ek_history_visitor *visitor;
    struct ek_error *err;
};

static bool refuse(struct input *input, uint64_t at, const char *found, const char *expected)
{
    return ek_error_set(input->err, EK_ERR_INVALID, "%s: byte %llu: found %s, expected %s",
                        input->name, (unsigned long long)at, found, expected);
}

static bool get(struct input *input, void *bytes, size_t size, const char *expected)
{
    size_t got = fread(bytes, 1, size, input->file);

    input->at += got;
    if (ferror(input->file)) {
        return ek_error_set(input->err, EK_ERR_IO, "%s: cannot read it: %s", input->name,
                            strerror(errno));
    }
    return got == size || refuse(input, input->at, "the end of the file", expected);
}

static bool give_block(const struct input *input, const uint8_t *bytes, size_t size,
                       const char *name)
{
    struct ek_history_block *block = ek_history_block_read(bytes, size, name, input->err);
    const struct ek_history_visitor *visitor = input->visitor;
    bool done = block != NULL &&
                (visitor->block == NULL || visitor->block(visitor->context, block, input->err));

    ek_history_block_destroy(block);
    return done;
}

static bool give_profile(const struct input *input, const uint8_t *bytes, size_t size,
                         const char *name)
{
    const struct ek_history_visitor *visitor = input->visitor;
    struct ek_profile profile;

    return ek_profile_read(&profile, bytes, size, name, input->err) &&
           (visitor->profile == NULL || visitor->profile(visitor->context, &profile, input->err));
}

static bool get_framed(struct input *input, struct ek_history_frame frame)
{
    const uint64_t at = input->at;
    char name[300];
    uint8_t *bytes = malloc(frame.size);

    (void)snprintf(name, sizeof(name), "%.250s %s %u", input->name,
                   frame.profile ? "profile" : "block", (unsigned int)input->frames + 1);
    bool done = bytes != NULL || ek_error_set(input->err, EK_ERR_NOMEM, "%s: out of memory", name);
    done = done && get(input, bytes, frame.size, "a block to its end");
    if (done && ek_history_sum(bytes, frame.size) != frame.sum) {
        done = refuse(input, at, "a block whose sum is another", "the bytes that were written");
    }
    done = done && (frame.profile ? give_profile(input, bytes, frame.size, name)
                                  : give_block(input, bytes, frame.size, name));
    free(bytes);
    input->frames++;
    return done;
}

static bool get_end(struct input *input, struct ek_history_frame frame)
{
    uint64_t at = input->at;
    char found[60];

    if (frame.sum != input->frames) {
        (void)snprintf(found, sizeof(found), "the end after %u blocks",
                       (unsigned int)input->frames);
        return refuse(input, at, found, "as many as were written");
    }
    return fgetc(input->file) == EOF || refuse(input, at, "more", "the end of the file");
}

static bool get_all(struct input *input)
{
    static const char line[] = EK_HISTORY_FILE_LINE;
    char first[sizeof(line) - 1];
    uint8_t bytes[EK_HISTORY_FRAME_SIZE];

    if (!get(input, first, sizeof(first), "\"evenkeel history 1\" and a line end")) {
        return false;
    }
    if (memcmp(first, line, sizeof(first)) != 0) {
        return refuse(input, 0, "another beginning", "\"evenkeel history 1\" and a line end");
    }
    for (;;) {
        uint64_t at = input->at;
        if (!get(input, bytes, sizeof(bytes), "a block, or the end that was written")) {
            return false;
        }
        struct ek_history_frame frame = ek_history_frame_read(bytes);
        if (frame.size == 0 && !frame.profile) {
            return get_end(input, frame);
        }
        if (frame.size > EK_HISTORY_MAX_BLOCK_BYTES) {
            return refuse(input, at, "a larger size", "a block of at most 64 MiB");
        }
        if (!get_framed(input, frame)) {
            return false;
        }
    }
}

bool ek_history_file_read(const char *path, const struct ek_history_visitor *visitor,
                          struct ek_error *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    struct input input = {.file = from_stdin ? stdin : fopen(path, "re"),
                          .name = from_stdin ? "standard input" : path,
                          .visitor = visitor,
                          .err = err};

    if (input.file == NULL) {
        return ek_error_set(err, EK_ERR_IO, "%s: cannot read it: %s", input.name, strerror(errno));
    }
    bool done = get_all(&input);
    if (!from_stdin) {
        (void)fclose(input.file);
    }
    return done;
}
