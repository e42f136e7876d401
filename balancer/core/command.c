/* Commands by name, as streams and tools write them. */
#include "balancer/core/command.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
#define X(kind, name) [kind] = (name),
    EK_COMMANDS(X)
#undef X
};

const char *ek_command_name(enum ek_command_kind kind)
{
    assert((unsigned int)kind < EK_COMMAND_KIND_COUNT);
    return names[kind];
}

enum ek_command_kind ek_command_parse(const char *name)
{
    unsigned int kind = 0;

    while (kind < EK_COMMAND_KIND_COUNT && strcmp(names[kind], name) != 0) {
        kind++;
    }
    return (enum ek_command_kind)kind;
}
