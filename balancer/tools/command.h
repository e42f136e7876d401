/* What verbs that tell the balancer something share: sending a command, its reply, and watching
 * what becomes of a move. */
#ifndef EK_TOOLS_COMMAND_H
#define EK_TOOLS_COMMAND_H

#include "balancer/codec/command.h"
#include "balancer/core/command.h"
#include "balancer/tools/tool.h"

/* How long a reply is waited for: one that looks at hosts takes as long as they take. */
enum { EK_COMMAND_WAIT_MS = 10000, EK_COMMAND_LOOK_MS = 180000 };

/* Takes a word as the command's subject; false: it has complained, return tool->exit_status. */
bool ek_command_subject(struct ek_tool *tool, struct ek_command *command, const char *word);

/* Sends the command and waits for its reply. False: nobody leads, nobody answered in time, or it
 * was interrupted; it has complained, return tool->exit_status. A command that nobody had taken by
 * then is withdrawn, so that it does not happen later. */
bool ek_command_send(struct ek_tool *tool, struct ek_command *command, int64_t wait_ms,
                     struct ek_command_reply *reply);

/* The program's exit status for a reply: 0 done; 2 what was named is not there or cannot be; 1 the
 * balancer failed; 3 it refused. */
int ek_command_status(const struct ek_command_reply *reply);

/* Prints the reply: with --json as a document, else its sentence, on standard error when it says
 * no. Returns the exit status. */
int ek_command_print(struct ek_tool *tool, const struct ek_command_reply *reply);

/* The whole of a verb that only sends: opens, sends, prints. */
int ek_command_run(struct ek_tool *tool, struct ek_command *command);

/* Watches a move until it has ended, with its progress; returns the exit status: 0 when it ended in
 * `wanted` or in `or_wanted`. It complains of every other end, and of an interrupt, which does not
 * end the move. */
int ek_command_follow(struct ek_tool *tool, const char *id, enum ek_move_state wanted,
                      enum ek_move_state or_wanted);

#endif
