/* evenkeel top: what is read once per second (top_read.c), the frame that is made of it
 * (top_frame.c), and the terminal that shows it (top.c). */
#ifndef EK_TOOLS_TOP_H
#define EK_TOOLS_TOP_H

#include "balancer/codec/plan.h"
#include "balancer/codec/status.h"
#include "balancer/tools/maintenance/maintenance.h"
#include "balancer/tools/view.h"

enum { EK_TOP_WAITING = 8 };

/* One look at the cluster. */
struct ek_top {
    const struct ek_tool *tool;
    struct ek_view view;
    struct ek_policy policy;
    struct ek_rules rules;
    struct ek_evaluation evaluation;
    const struct ek_host_maintenance *maintenance; /* per host */
    bool has_balancer;
    struct ek_balancer_status balancer;
    struct ek_move_record *blocking;
    size_t blocking_count;
    struct ek_plan_line waiting[EK_TOP_WAITING]; /* the first moves of the plan that wait */
    size_t waiting_count;
};

/* Reads it all. False: it has complained. The caller owns the result: ek_top_finish. */
bool ek_top_read(struct ek_top *top, struct ek_tool *tool);
void ek_top_finish(struct ek_top *top);

/* Prints the frame, lines of any length, in colour if `colours`. */
void ek_top_print(const struct ek_top *top, bool colours, FILE *out);

/* Prints as much of a text as fits `rows` lines of `columns` characters, which colour sequences are
 * none of; what does not fit is told in the last line. Each line ends with `end`. */
void ek_top_print_cut(const char *text, int columns, int rows, const char *end, FILE *out);

#endif
