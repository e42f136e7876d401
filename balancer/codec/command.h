/* reply:<id>, the balancer's answer to a command: written by the daemon, read by `evenkeel`. */
#ifndef EK_CODEC_COMMAND_H
#define EK_CODEC_COMMAND_H

#include "balancer/core/error.h"
#include "balancer/core/move.h"

#include <stddef.h>

struct ek_json_writer;

/* One of the things that an operator may have done about a blocked domain. */
struct ek_evidence_choice {
    char name[32];
    char does[EK_TEXT_SIZE];
    bool needs_yes;
};

/* What `resolve` found out: the move, what each end says now, what that means. */
struct ek_evidence {
    char move[EK_ID_SIZE]; /* "": the reply has no evidence */
    char domain[EK_UUID_SIZE];
    char name[EK_NAME_SIZE];
    char source[EK_NAME_SIZE];
    char destination[EK_NAME_SIZE];
    char state[16];           /* in which its record ended */
    int64_t since_ms;         /* Unix milliseconds */
    char error[EK_TEXT_SIZE]; /* the journal's */
    char on_source[EK_TEXT_SIZE];
    char on_destination[EK_TEXT_SIZE];
    char elsewhere[EK_TEXT_SIZE];
    char verdict[16]; /* of the decision table, and what its row means */
    char meaning[EK_TEXT_SIZE];
    char refused[EK_TEXT_SIZE]; /* why there is no choice; "": there is one */
    struct ek_evidence_choice choices[2];
    size_t choice_count;
};

enum { EK_REPLY_SIZE = 1024 };

struct ek_command_reply {
    char id[EK_ID_SIZE];
    enum ek_error_code code; /* NONE: done */
    char text[EK_REPLY_SIZE];
    struct ek_evidence evidence;
};

/* Malloc'ed for the caller, NULL when memory ran out. */
char *ek_codec_write_reply(const struct ek_command_reply *reply);

/* Errors: INVALID, NOMEM. */
bool ek_codec_read_reply(struct ek_command_reply *out, const char *text, size_t size,
                         const char *name, struct ek_error *err);

/* The same object as the next value of a larger document. */
void ek_json_write_reply(struct ek_json_writer *writer, const struct ek_command_reply *reply);

#endif
