/* When which host is read, as arithmetic: spread over the period, and later and later while it
 * fails. */
#include "collector/sampling/timetable.h"

#include <assert.h>

/* splitmix64 (Steele, Lea, Flood 2014): one multiplication chain per draw, any seed will do. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Hosts that are hastened, or whose turn was missed, come beside the raster: none waits longer. */
#define PATIENCE_MAX_NS (INT64_C(1000) * 1000 * 1000)

int64_t ek_timetable_next(const struct ek_timetable *table, size_t host, int64_t now_ns)
{
    assert(host < table->host_count && table->period_ns > 0);
    /* Host i of n at i/n of the period: reads never come in a burst, whatever the number of hosts.
     */
    double part = (double)host / (double)table->host_count;
    int64_t first_ns = table->start_ns + (int64_t)(part * (double)table->period_ns);

    if (now_ns <= first_ns) {
        return first_ns;
    }
    /* Rounded up to the host's own raster: what was missed is left out, not caught up with. */
    int64_t periods = (now_ns - first_ns + table->period_ns - 1) / table->period_ns;
    return first_ns + periods * table->period_ns;
}

/* With n hosts of which one in turn begins every 1/n of the period, w workers are never all taken
 * when each is free again after w/n of it. Half of that leaves room for reads out of turn. */
int64_t ek_timetable_patience(const struct ek_timetable *table, size_t workers)
{
    assert(table->host_count > 0);
    double share = (double)workers / (double)table->host_count / 2;
    double patience_ns = (double)table->period_ns * share;

    return patience_ns < (double)PATIENCE_MAX_NS ? (int64_t)patience_ns : PATIENCE_MAX_NS;
}

int64_t ek_timetable_retry(const struct ek_timetable *table, unsigned int failures, bool away,
                           uint64_t *lot, int64_t now_ns)
{
    int64_t pause_ns = away ? table->period_ns / 8 : table->period_ns;
    int64_t longest_ns = away ? table->period_ns / 2 : table->backoff_max_ns;

    assert(failures >= 1);
    /* Bounded in the loop's condition, so that the doubling cannot overflow. */
    while (failures-- > 1 && pause_ns < longest_ns) {
        pause_ns *= 2;
    }
    if (pause_ns > longest_ns) {
        pause_ns = longest_ns;
    }
    /* Three quarters to five quarters: hosts that failed together (a switch, a restart of the
     * daemon) do not come back together. 53 bits are what a double takes exactly. */
    double share = 0.75 + 0.5 * ((double)(draw(lot) >> 11) / (double)(UINT64_C(1) << 53));
    return now_ns + (int64_t)((double)pause_ns * share);
}

/* 200 ms: between the events of one step of a migration lie milliseconds. */
#define MOMENT_NS (INT64_C(200) * 1000 * 1000)
#define APART_NS (INT64_C(500) * 1000 * 1000)

enum { READING_COST = 2, STORE = 4 * READING_COST };

void ek_hints_init(struct ek_hints *hints)
{
    *hints = (struct ek_hints){.credit = STORE};
}

void ek_hints_read(struct ek_hints *hints, bool in_turn, int64_t now_ns)
{
    hints->credit += in_turn && hints->credit < STORE ? 1 : 0;
    hints->read_at_ns = now_ns;
}

bool ek_hints_take(struct ek_hints *hints, int64_t now_ns, int64_t due_ns, int64_t *at_ns)
{
    int64_t soonest_ns = hints->read_at_ns == 0 ? now_ns : hints->read_at_ns + APART_NS;

    *at_ns = now_ns + MOMENT_NS > soonest_ns ? now_ns + MOMENT_NS : soonest_ns;
    if (*at_ns >= due_ns) {
        *at_ns = due_ns; /* its turn comes as soon */
        return true;
    }
    if (hints->credit < READING_COST) {
        return false;
    }
    hints->credit -= READING_COST;
    return true;
}
