/* evenkeel maintenance: the operator's key, and the balancer's answer to it. */
#include "balancer/tools/maintenance.h"

#include "balancer/codec/status.h"

#include <stdlib.h>
#include <string.h>

/* What the command line asked for; strings are argv's. */
struct request {
    const char *action; /* "enter", "leave", "status" */
    const char *host;   /* NULL: all */
    const char *reason; /* NULL: none */
    bool wait;
};

/* Always false, so that whoever finds something wrong can return it. */
static bool usage(struct ek_tool *tool, const char *what)
{
    tool->exit_status =
        ek_tool_complain(EK_EXIT_USAGE, "maintenance: %s; see `evenkeel maintenance --help`", what);
    return false;
}

/* Options first: getopt moves them before the words, wherever they stood. */
static bool take_options(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    static const struct option own[] = {{"reason", required_argument, NULL, 'r'},
                                        {"wait", no_argument, NULL, 'w'},
                                        {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (option == 'r') {
            request->reason = optarg;
        } else {
            request->wait = true;
        }
    }
    return option == EK_OPTION_END && ek_tool_words(tool, argc, argv, 2);
}

static bool take_words(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    request->action = optind < argc ? argv[optind] : "";
    request->host = optind + 1 < argc ? argv[optind + 1] : NULL;
    /* A missing action is "", and falls through to what was expected. */
    bool enter = strcmp(request->action, "enter") == 0;
    bool leave = strcmp(request->action, "leave") == 0;

    if (!enter && !leave && strcmp(request->action, "status") != 0) {
        return usage(tool, "expected enter, leave or status");
    }
    if ((enter || leave) && request->host == NULL) {
        return usage(tool, "expected the name of a host");
    }
    /* A reason that would be dropped silently is refused instead. */
    if (!enter && (request->reason != NULL || request->wait)) {
        return usage(tool, "--reason and --wait go with enter only");
    }
    return true;
}

/* By the configuration, not by samples: a host that is down can be put into maintenance, too. A key
 * for a name that nobody knows would never be looked at. */
static bool known_host(const struct ek_tool *tool, const char *host)
{
    for (size_t h = 0; h < tool->config.host_count; h++) {
        if (strcmp(tool->config.hosts[h].name, host) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- status -------------------------------------------------------------------------------- */

/* A host that was asked for is shown in any case, with "wanted" false if so: a script need not tell
 * an empty list from an error. */
static char *write_items(const struct ek_host_maintenance *items, size_t count, const char *host)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        if (host == NULL ? items[i].key.wanted : strcmp(items[i].host, host) == 0) {
            ek_json_break(&writer);
            ek_host_maintenance_write(&writer, &items[i]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* The others are hidden by unsetting their key in this copy. */
static int print_items(struct ek_host_maintenance *items, size_t count, const char *host)
{
    size_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        items[i].key.wanted =
            items[i].key.wanted && (host == NULL || strcmp(items[i].host, host) == 0);
        wanted += items[i].key.wanted;
    }
    if (wanted == 0) {
        (void)printf(host == NULL ? "no host is in maintenance\n" : "%s is not in maintenance\n",
                     host);
        return EK_EXIT_DONE;
    }
    return ek_host_maintenance_print(items, count, stdout) ? EK_EXIT_DONE : EK_EXIT_FAILED;
}

/* All hosts in maintenance, or that one. */
static int show(struct ek_tool *tool, const char *host)
{
    struct ek_arena arena = {.newest = NULL};
    size_t count = tool->config.host_count;
    const char **names = ek_tool_host_names(tool, &arena);
    struct ek_maintenance *keys = ek_arena_alloc(&arena, count, sizeof(*keys));
    struct ek_host_maintenance *items = NULL;
    struct ek_error err;
    int status = EK_EXIT_DONE;

    /* One place to complain: whichever step failed has left its reason. */
    if (names == NULL || keys == NULL) {
        (void)ek_error_set(&err, EK_ERR_NOMEM, "out of memory");
    } else if (ek_store_get_maintenance(tool->store, names, count, keys, &err)) {
        items = ek_host_maintenance_read(tool, keys, &arena, &err);
    }
    if (items == NULL) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    } else {
        ek_host_maintenance_warn_of_strays(tool, &arena);
        status = tool->json ? ek_tool_print_json(write_items(items, count, host))
                            : print_items(items, count, host);
    }
    ek_arena_finish(&arena);
    return status;
}

/* ---- enter and leave ----------------------------------------------------------------------- */

/* What stands in the way of anything happening, as a warning. */
static void warn_of_balancer(struct ek_tool *tool)
{
    struct ek_balancer_status balancer;
    bool there = false;
    struct ek_error err;

    if (!ek_view_balancer(tool, &balancer, &there, &err)) {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: %s", err.message);
    } else if (!there) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: no balancer runs; the key stays set until one does");
    } else if (strcmp(balancer.mode, ek_mode_name(EK_MODE_RECOMMEND)) == 0) {
        (void)ek_tool_complain(EK_EXIT_DONE,
                               "warning: the mode is recommend, so nothing will be moved; "
                               "`mode: automatic` in policy.yaml changes that");
    }
}

/* What is there before is noted before the key is set: after it nobody could tell the balancer's
 * old words from its answer. */
static int enter(struct ek_tool *tool, const struct request *request)
{
    struct ek_wait_before before = {.status = NULL};
    struct ek_error err;
    int status = EK_EXIT_DONE;

    if ((request->wait && !ek_wait_note(tool, request->host, &before, &err)) ||
        !ek_store_set_maintenance(tool->store, request->host, true, request->reason, &err)) {
        free(before.status);
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (request->wait) {
        status = ek_wait_evacuated(tool, request->host, &before);
    } else {
        warn_of_balancer(tool);
    }
    free(before.status);
    if (tool->json) {
        int shown = show(tool, request->host);
        return status == EK_EXIT_DONE ? shown : status;
    }
    /* Otherwise the waiting has complained already. */
    if (status == EK_EXIT_DONE) {
        (void)printf(request->wait ? "%s is empty; `evenkeel maintenance leave %s` uses it again\n"
                                   : "%s is to be emptied; `evenkeel maintenance status %s` shows "
                                     "how far it is\n",
                     request->host, request->host);
    }
    return status;
}

/* To leave twice is no mistake: the host is used, which is what was asked for. The key is read
 * first only to say which it was. */
static int leave(struct ek_tool *tool, const struct request *request)
{
    struct ek_maintenance key;
    struct ek_balancer_status balancer;
    bool there = false;
    struct ek_error err;

    if (!ek_store_get_maintenance(tool->store, &request->host, 1, &key, &err) ||
        !ek_store_set_maintenance(tool->store, request->host, false, NULL, &err) ||
        !ek_view_balancer(tool, &balancer, &there, &err) ||
        /* A balancer deletes its status itself; nobody else will, and it would be taken for a
         * new one when the host is to be emptied again. */
        (!there && !ek_store_delete_maintenance_status(tool->store, request->host, &err))) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (tool->json) {
        return show(tool, request->host);
    }
    (void)printf(key.wanted ? "%s is used again\n" : "%s was not in maintenance\n", request->host);
    return EK_EXIT_DONE;
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct request request = {.action = NULL};

    if (!take_options(tool, argc, argv, &request) || !take_words(tool, argc, argv, &request) ||
        !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    if (request.host != NULL && !known_host(tool, request.host)) {
        return ek_tool_unknown_host(tool, request.host);
    }
    /* The three words were checked, and differ in their first letter. */
    switch (request.action[0]) {
    case 'e':
        return enter(tool, &request);
    case 'l':
        return leave(tool, &request);
    default:
        return show(tool, request.host);
    }
}

const struct ek_verb ek_verb_maintenance = {
    .name = "maintenance",
    .arguments = " enter HOST [--reason TEXT] [--wait] | leave HOST | status [HOST]",
    .help = "empty a host, use it again, or show how far it is",
    .details =
        "  enter HOST       ask for the host to be emptied; it gets no new domains\n"
        "    --reason TEXT  why, for those who look\n"
        "    --wait         until it is empty; exit status 3: it cannot be emptied. An interrupt\n"
        "                   ends the waiting, not the maintenance\n"
        "  leave HOST       use it again\n"
        "  status [HOST]    all hosts in maintenance, or that one\n",
    .run = run,
};
