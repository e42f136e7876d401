/* The choices as data: one row for each verdict that leaves nothing to guess. */
#include "migrator/resolution.h"

#include <assert.h>
#include <string.h>

/* What the other hosts must say before a row is offered. */
enum others {
    NOT_ACTIVE,   /* none runs it; one that cannot be asked is no hindrance, since an end has it */
    NOWHERE_ELSE, /* each was asked and says that it does not run it */
};

struct rule {
    enum ek_verdict verdict;
    enum others others;
    struct ek_offer offer;
};

/* clang-format off */
static const struct rule rules[] = {
    {EK_VERDICT_MOVED, NOT_ACTIVE,
     {EK_CHOICE_ACCEPT_DESTINATION, EK_MOVE_DONE, EK_REPAIR_NONE,
      "calls the move done: the domain is on its destination, what the move left on the source is cleaned up"}},
    {EK_VERDICT_ROLLED_BACK, NOT_ACTIVE,
     {EK_CHOICE_ACCEPT_SOURCE, EK_MOVE_ROLLED_BACK, EK_REPAIR_NONE,
      "calls the move rolled back: the domain is on its source, what the move made on the destination is undone"}},
    {EK_VERDICT_FAULTY, NOT_ACTIVE,
     {EK_CHOICE_ACCEPT_SOURCE, EK_MOVE_FAILED, EK_REPAIR_NONE,
      "calls the move failed: the domain is on its source, paused by a fault, which stays to be mended"}},
    {EK_VERDICT_GUEST_OFF, NOWHERE_ELSE,
     {EK_CHOICE_ACCEPT_DOWN, EK_MOVE_GUEST_OFF, EK_REPAIR_NONE,
      "takes it that the domain was shut down; nothing is started"}},
    {EK_VERDICT_VM_DOWN, NOWHERE_ELSE,
     {EK_CHOICE_ACCEPT_DOWN, EK_MOVE_VM_DOWN, EK_REPAIR_NONE,
      "takes it that the domain is down; nothing is started"}},
    {EK_VERDICT_REPAIR, NOWHERE_ELSE,
     {EK_CHOICE_RESUME_SOURCE, EK_MOVE_UNKNOWN, EK_REPAIR_RESUME_SOURCE,
      "resumes the source's copy, which the move left paused; no other host has one"}},
    {EK_VERDICT_REPAIR, NOWHERE_ELSE,
     {EK_CHOICE_RESUME_DESTINATION, EK_MOVE_UNKNOWN, EK_REPAIR_RESUME_DESTINATION,
      "resumes the destination's copy, which the move left paused; no other host runs one"}},
    {EK_VERDICT_REPAIR, NOT_ACTIVE,
     {EK_CHOICE_DESTROY_SOURCE, EK_MOVE_UNKNOWN, EK_REPAIR_DESTROY_SOURCE,
      "destroys the source's paused copy, which the running destination has replaced"}},
    {EK_VERDICT_REPAIR, NOT_ACTIVE,
     {EK_CHOICE_DESTROY_DESTINATION, EK_MOVE_UNKNOWN, EK_REPAIR_DESTROY_DESTINATION,
      "destroys the destination's paused copy, which never ran; the source keeps the domain"}},
};
/* clang-format on */

static const struct ek_offer forget = {
    EK_CHOICE_FORGET, EK_MOVE_UNKNOWN, EK_REPAIR_NONE,
    "does nothing on any host and lets the domain be moved again: you have looked yourself, and it "
    "runs once or not at all"};

static const char *const names[] = {
#define X(choice, name) name,
    EK_CHOICES(X)
#undef X
};

const char *ek_choice_name(enum ek_choice choice)
{
    assert(choice < EK_CHOICE_COUNT);
    return names[choice];
}

enum ek_choice ek_choice_parse(const char *name)
{
    unsigned int choice = 0;

    while (choice < EK_CHOICE_COUNT && strcmp(names[choice], name) != 0) {
        choice++;
    }
    return (enum ek_choice)choice;
}

bool ek_choice_needs_yes(enum ek_choice choice)
{
    return choice == EK_CHOICE_FORGET || choice == EK_CHOICE_DESTROY_SOURCE ||
           choice == EK_CHOICE_DESTROY_DESTINATION;
}

static bool is_running(const struct ek_observation *end)
{
    enum ek_sight sight = ek_sight_of(end);

    return sight == EK_SIGHT_RUNNING || sight == EK_SIGHT_POSTCOPY;
}

/* Active elsewhere counts as running: whether a third host's copy is paused was not asked. */
static bool runs_twice(const struct ek_observation *source,
                       const struct ek_observation *destination,
                       const struct ek_elsewhere *elsewhere)
{
    return (unsigned int)is_running(source) + (unsigned int)is_running(destination) +
               elsewhere->active >
           1;
}

static bool others_agree(enum others needed, const struct ek_elsewhere *elsewhere)
{
    return elsewhere->active == 0 && (needed == NOT_ACTIVE || elsewhere->unreachable == 0);
}

static const char *why_refused(const struct ek_resolution *resolution,
                               const struct ek_observation *source,
                               const struct ek_observation *destination,
                               const struct ek_elsewhere *elsewhere)
{
    enum ek_verdict verdict = resolution->row->verdict;

    if (runs_twice(source, destination, elsewhere)) {
        return "it RUNS ON MORE THAN ONE HOST: suspend all but one at once, compare their disks, "
               "destroy what is wrong, and ask again";
    }
    if (verdict == EK_VERDICT_IN_PROGRESS || verdict == EK_VERDICT_SWITCHOVER ||
        (source->presence == EK_PRESENCE_ACTIVE && source->job == EK_JOB_OUT) ||
        (destination->presence == EK_PRESENCE_ACTIVE && destination->job == EK_JOB_IN)) {
        return "a migration of it goes on: wait for its end, or end it on the source with virsh "
               "domjobabort, and ask again";
    }
    /* To the table a save's job is one that moves nothing: what it makes of the domain is still
     * open. */
    if (source->presence == EK_PRESENCE_ACTIVE && source->saving) {
        return "a save of it goes on: wait for its end, or end it with virsh domjobabort, and ask "
               "again";
    }
    return NULL;
}

/* The table knows of no images: to it what is saved is down. */
static const char *meaning_of(const struct ek_verdict_row *row, const struct ek_observation *source)
{
    return source->presence == EK_PRESENCE_INACTIVE && source->saved
               ? "it is off and saved: virsh start, on the host that it was saved on, goes on with "
                 "it"
               : row->text;
}

void ek_resolution_judge(const struct ek_move_record *record, const struct ek_observation *source,
                         const struct ek_observation *destination,
                         const struct ek_elsewhere *elsewhere, struct ek_resolution *out)
{
    *out = (struct ek_resolution){.row = ek_verdict_decide(record, source, destination)};
    out->meaning = meaning_of(out->row, source);
    out->refused = why_refused(out, source, destination, elsewhere);
    if (out->refused != NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].verdict == out->row->verdict && rules[i].offer.repair == out->row->repair &&
            others_agree(rules[i].others, elsewhere)) {
            out->offers[out->count++] = rules[i].offer;
        }
    }
    /* One row of the table has one rule at most. */
    assert(out->count <= 1);
    out->offers[out->count++] = forget;
}

const struct ek_offer *ek_resolution_offer(const struct ek_resolution *resolution,
                                           enum ek_choice choice)
{
    for (size_t i = 0; i < resolution->count; i++) {
        if (resolution->offers[i].choice == choice) {
            return &resolution->offers[i];
        }
    }
    return NULL;
}

const struct ek_offer *ek_resolution_clear(const struct ek_resolution *resolution)
{
    const struct ek_offer *first = resolution->count > 0 ? &resolution->offers[0] : NULL;

    return first != NULL && first->repair == EK_REPAIR_NONE && first->choice != EK_CHOICE_FORGET
               ? first
               : NULL;
}
