/* What the doctor's checks share: a finding that is put together from several notes. */
#ifndef EK_TOOLS_DOCTOR_INTERNAL_H
#define EK_TOOLS_DOCTOR_INTERNAL_H

#include "balancer/tools/doctor/doctor.h"

/* One look at the whole. */
struct ek_judgement {
    struct ek_findings *out;
    const struct ek_cluster_seen *seen;
    const struct ek_policy *policy;
};

/* A finding of one host in the making. */
struct ek_notes {
    struct ek_findings *out;
    const char *host; /* NULL: of all */
    enum ek_check check;
    enum ek_grade grade;
    const char *found;  /* NULL: nothing yet */
    const char *change; /* likewise */
};

struct ek_notes ek_notes_begin(struct ek_findings *out, const char *host, enum ek_check check);

/* Adds a sentence, and what to change; the worst grade counts. NULL texts stand for memory that ran
 * out. A change that is there already is not said twice. */
void ek_note(struct ek_notes *notes, enum ek_grade grade, const char *found, const char *change);

/* Makes it a finding: OK with `well` when there were no notes. */
void ek_notes_end(struct ek_notes *notes, const char *well);

/* Notes that a check stands in the way from one host to another. */
void ek_pair_obstruct(struct ek_findings *out, size_t source, size_t destination,
                      enum ek_check check);

const char *ek_judge_text(struct ek_findings *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "a, b, c and 4 more". Where many are to come, only those that are shown need a text. */
struct ek_listed {
    const char *text;
    size_t count;
};
bool ek_list_shows_next(const struct ek_listed *list);
void ek_list_add(struct ek_findings *out, struct ek_listed *list, const char *item); /* NULL: only
                                                                                        counted */
const char *ek_list_text(struct ek_findings *out, const struct ek_listed *list);

/* What domains of other hosts need and this one lacks, each name once. */
struct ek_name {
    const char *name;
    size_t host; /* the first one whose domain needs it */
};

struct ek_names {
    struct ek_name *items;
    size_t count;
    size_t room;
};

void ek_names_add(struct ek_findings *out, struct ek_names *names, const char *name, size_t host);

/* "network lan is", "networks lan, dmz are"; for the beginning of a sentence. */
const char *ek_names_text(struct ek_findings *out, const char *noun, const struct ek_names *names);

/* Whether two texts, each of which may be NULL, are the same. */
bool ek_same_text(const char *a, const char *b);

/* A number of the hypervisor's or of libvirt's as "7.2.22". */
const char *ek_version_text(struct ek_findings *out, unsigned long version);

/* Each of one host, which has been reached. */
void ek_judge_identity(struct ek_judgement *judgement, size_t host);
void ek_judge_names(struct ek_judgement *judgement, size_t host);
void ek_judge_ports(struct ek_judgement *judgement, size_t host);
void ek_judge_versions(struct ek_judgement *judgement, size_t host);
void ek_judge_cpu(struct ek_judgement *judgement, size_t host);
void ek_judge_networks(struct ek_judgement *judgement, size_t host);
void ek_judge_filters(struct ek_judgement *judgement, size_t host);
void ek_judge_pools(struct ek_judgement *judgement, size_t host);
void ek_judge_locks(struct ek_judgement *judgement, size_t host);
void ek_judge_ownership(struct ek_judgement *judgement, size_t host);
void ek_judge_memory(struct ek_judgement *judgement, size_t host);

#define EK_QEMU_CONF "/etc/libvirt/qemu.conf"

#endif
