/* From the texts of a snapshot and a policy to a judged plan, as `evenkeel plan --snapshot` goes.
 */
#ifndef EK_TESTS_LIB_DOCUMENTS_H
#define EK_TESTS_LIB_DOCUMENTS_H

#include "balancer/core/error.h"
#include "tests/lib/text.h"

#include <stdbool.h>

struct ek_documents {
    const char *snapshot;
    size_t snapshot_size;
    const char *policy; /* NULL: the defaults */
    size_t policy_size;
    const char *const *evacuate; /* hosts to be emptied, beside those in maintenance */
    size_t evacuate_count;
};

/* False when the documents are refused, which `err` then says. What the referee has against the
 * plan is added to `complaints`. Planned and not judged are figures outside of what computers are
 * made of, where a double's last digits exceed the referee's tolerance; clusters that it would look
 * at for minutes; and carried rules that it reads more simply than the product. Fails the test when
 * accepted documents cannot be planned. */
bool ek_documents_judge(const struct ek_documents *in, struct ek_text *complaints,
                        struct ek_error *err);

#endif
