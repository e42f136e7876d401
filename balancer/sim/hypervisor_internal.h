/* What the files of the simulated hypervisor share. Not for others. */
#ifndef EK_SIM_HYPERVISOR_INTERNAL_H
#define EK_SIM_HYPERVISOR_INTERNAL_H

#include "balancer/sim/hypervisor.h"

/* One call that is out. */
struct ek_sim_call {
    bool used;
    bool awaited; /* its caller has not been answered yet */
    uint32_t serial;
    uint32_t caller;
    uint32_t ticket;
    enum ek_sim_operation operation;
    bool known; /* domain and hosts are of this cluster */
    uint32_t domain;
    uint32_t source;
    uint32_t destination;
    struct ek_move_record record; /* as it was when the call was made */
    char mark[EK_ID_SIZE];
    struct ek_tuning tuning; /* of TUNE */
    bool auto_converge;
    bool two_step;
    bool user_paused;
    bool committing; /* made in commit-pending: no other host is asked */
    double bandwidth_mib_s;

    /* of a migrate call, or of a save */
    bool began;
    bool over;   /* its result will not come any more */
    bool ending; /* the end of its connection is on its way */
};

/* Does what the call asks for and writes its reply; false: the reply comes later (a migration). */
bool ek_sim_call_perform(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                         struct ek_sim_reply *reply);

/* The migrate call, or the save, ended so; its reply is on its way if the source can still send it.
 * Does nothing unless the call in that slot is still the one with that serial. */
void ek_sim_call_ended(void *context, uint32_t index, uint32_t serial,
                       const struct ek_call_result *result);

/* stop.c: the calls of a stop, to its one host. Of `stop` false: the reply comes later. */
void ek_sim_stop_precheck(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                          struct ek_sim_reply *reply);
bool ek_sim_stop(struct ek_sim_hypervisor *hypervisor, uint32_t index, struct ek_sim_reply *reply);
void ek_sim_stop_progress(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                          struct ek_sim_reply *reply);
void ek_sim_stop_abort(struct ek_sim_hypervisor *hypervisor, const struct ek_sim_call *call,
                       struct ek_sim_reply *reply);

/* The connection of this migrate call breaks a little later; its migration goes on. */
void ek_sim_call_lose_later(struct ek_sim_hypervisor *hypervisor, uint32_t index);

/* The reply of a call that was given up or whose connection broke. */
void ek_sim_reply_lost(enum ek_sim_operation operation, const char *error,
                       struct ek_sim_reply *reply);

#endif
