/* What the files of the world share. Not for others. */
#ifndef EK_SIM_WORLD_INTERNAL_H
#define EK_SIM_WORLD_INTERNAL_H

#include "balancer/core/engine/engine_keep.h"
#include "balancer/core/engine/engine_memory.h"
#include "balancer/sim/world.h"

struct ek_world_trace {
    char *text;
    size_t length;
    size_t room;
    uint64_t digest;
    bool keep;
};

/* An operator looked at the domain: its older unknown outcomes block it no more. */
struct ek_world_resolved {
    uint32_t domain;
    int64_t at_ms;
};

/* What is shown of a host in maintenance. */
struct ek_world_status {
    bool shown;
    enum ek_maintenance_state state;
    uint32_t left;
};

struct ek_world {
    struct ek_world_options options;
    struct ek_sim_queue queue;
    struct ek_sim_cluster cluster;
    struct ek_sim_migrations migrations;
    struct ek_sim_hypervisor hypervisor;
    struct ek_sim_journal journal;
    struct ek_sim_driver driver;
    struct ek_sim_sampler sampler;
    struct ek_world_trace trace;
    struct ek_world_counters counters;

    struct ek_host_entry *entries; /* as evenkeel.yaml and the maintenance keys would say */
    struct ek_world_status *statuses;
    size_t host_room;
    struct ek_world_fault *faults;
    size_t fault_count;
    size_t fault_room;

    /* The daemon; all of it is gone when it dies, but for what is kept in the store. */
    struct ek_engine *engine; /* NULL: it is down */
    struct ek_effects effects;
    struct ek_policy policy;
    struct ek_known_move *known;
    size_t known_room;
    int64_t wake_ms;                /* an extra cycle that is wanted; 0: none */
    struct ek_kept kept;            /* over a restart */
    struct ek_engine_memory memory; /* kept as well */
    struct ek_world_resolved *resolved;
    size_t resolved_count;

    bool crash_armed;
    bool crash_before_effect;
    enum ek_move_state crash_state;
    int crash_after; /* so many entries of that state pass first */
    int64_t crash_down_ms;

    bool failed;
    struct ek_error failure;
};

/* One line of the trace: what, and why. */
void ek_world_say(struct ek_world *world, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The run cannot go on; the first reason is kept. */
void ek_world_fail(struct ek_world *world, const struct ek_error *err);

/* ---- world_daemon.c ------------------------------------------------------------------------- */

/* Lets the driver tell the daemon what came of moves; wants the first cycle. */
void ek_world_daemon_init(struct ek_world *world);

/* Engine and effects for an event of this moment; nothing while the daemon is down. */
void ek_world_step(struct ek_world *world, struct ek_event *event);

/* A cycle at that time beside the regular ones. */
void ek_world_want_cycle(struct ek_world *world, int64_t at_ms);

#endif
