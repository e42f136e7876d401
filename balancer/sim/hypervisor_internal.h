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

    /* of a migrate call */
    bool began;
    bool over;   /* its result will not come any more */
    bool ending; /* the end of its connection is on its way */
};

/* Does what the call asks for and writes its reply; false: the reply comes later (a migration). */
bool ek_sim_call_perform(struct ek_sim_hypervisor *hypervisor, uint32_t index,
                         struct ek_sim_reply *reply);

/* The connection of this migrate call breaks a little later; its migration goes on. */
void ek_sim_call_lose_later(struct ek_sim_hypervisor *hypervisor, uint32_t index);

/* The reply of a call that was given up or whose connection broke. */
void ek_sim_reply_lost(enum ek_sim_operation operation, const char *error,
                       struct ek_sim_reply *reply);

#endif
