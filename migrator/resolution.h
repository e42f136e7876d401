/* What an operator may have done about a move that ended without a clear outcome.
 *
 * From what both ends and all other hosts say now to the choices that are safe: data, no I/O. It
 * adds nothing to the decision table (migrator/verdict.h) but an operator's word: an end that the
 * table calls clear may be accepted, a repair that the table asks for may be made, and what the
 * table cannot tell may be forgotten by somebody who has looked. Laws, tested over all pairs of
 * observations: a copy is destroyed or resumed only where the table asks for it; nothing is
 * accepted while the domain runs on a host that the acceptance would leave out; nothing at all is
 * offered while it verifiably runs twice, or while a migration or a save of it goes on. */
#ifndef EK_MIGRATOR_RESOLUTION_H
#define EK_MIGRATOR_RESOLUTION_H

#include "migrator/verdict.h"

#define EK_CHOICES(X)                                       \
    X(EK_CHOICE_ACCEPT_SOURCE, "accept-source")             \
    X(EK_CHOICE_ACCEPT_DESTINATION, "accept-destination")   \
    X(EK_CHOICE_ACCEPT_DOWN, "accept-down")                 \
    X(EK_CHOICE_RESUME_SOURCE, "resume-source")             \
    X(EK_CHOICE_RESUME_DESTINATION, "resume-destination")   \
    X(EK_CHOICE_DESTROY_SOURCE, "destroy-source")           \
    X(EK_CHOICE_DESTROY_DESTINATION, "destroy-destination") \
    X(EK_CHOICE_FORGET, "forget")

enum ek_choice {
#define X(choice, name) choice,
    EK_CHOICES(X)
#undef X
        EK_CHOICE_COUNT
};

const char *ek_choice_name(enum ek_choice choice);

/* The choice of that name, or EK_CHOICE_COUNT. */
enum ek_choice ek_choice_parse(const char *name);

/* Whether a person must say so twice (`--yes`): what destroys, and what rests on his word alone. */
bool ek_choice_needs_yes(enum ek_choice choice);

struct ek_offer {
    enum ek_choice choice;
    /* As what the record is closed. After a repair what is seen then decides: UNKNOWN here, and of
     * `forget`, whose record keeps its state. */
    enum ek_move_state closes_as;
    enum ek_repair
        repair;       /* the port's call that it makes; NONE: it destroys and resumes nothing */
    const char *does; /* one sentence for people, static */
};

struct ek_resolution {
    const struct ek_verdict_row *row; /* of the decision table */
    const char *meaning;              /* the row's text, or that it is saved; static */
    const char *refused;              /* why nothing is offered; NULL: something is. Static */
    struct ek_offer offers[2];        /* what the table gives, and `forget` */
    size_t count;
};

/* The choices for what was read; `record` gives the move's id. */
void ek_resolution_judge(const struct ek_move_record *record, const struct ek_observation *source,
                         const struct ek_observation *destination,
                         const struct ek_elsewhere *elsewhere, struct ek_resolution *out);

/* The offer of that choice; NULL: it is not safe now. Owned by the resolution. */
const struct ek_offer *ek_resolution_offer(const struct ek_resolution *resolution,
                                           enum ek_choice choice);

/* The offer that closes the record without a repair and without anybody's word; NULL: none. */
const struct ek_offer *ek_resolution_clear(const struct ek_resolution *resolution);

#endif
