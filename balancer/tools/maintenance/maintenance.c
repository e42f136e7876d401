/* evenkeel maintenance: the operator's key, and the balancer's answer to it. */
#include "balancer/tools/maintenance/maintenance.h"

#include "balancer/codec/status.h"
#include "balancer/config/schema.h" /* ek_value_parse */
#include "balancer/core/calendar.h"
#include "balancer/tools/plan_input.h"

#include <stdlib.h>
#include <string.h>

/* What the command line asked for; strings are argv's. */
struct request {
    const char *action; /* "check", "enter", "leave", "status" */
    bool wants_entry;   /* an option of `enter` was given */
    struct ek_entry entry;
    struct ek_plan_input *input; /* its `evacuate` are all hosts that were named */
};

enum option_value {
    REASON = 'r',
    WAIT = 'w',
    DEADLINE = 'd',
    TTL = 't',
    PARTIAL = 'a',
    FORCE = 'f'
};

/* Always false, so that whoever finds something wrong can return it. */
static bool usage(struct ek_tool *tool, const char *what)
{
    tool->exit_status =
        ek_tool_complain(EK_EXIT_USAGE, "maintenance: %s; see `evenkeel maintenance --help`", what);
    return false;
}

/* As the keys of evenkeel.yaml take it. */
static bool read_span(const char *text, int64_t *ms)
{
    static const struct ek_schema_row row = {
        .path = "ttl", .type = EK_VALUE_DURATION, .min = 1000, .max = 366.0 * 86400 * 1000};
    bool no_memory = false;

    return ek_value_parse(&row, text, ms, NULL, &no_memory);
}

/* A time, or a span from now on; of a snapshot in a file, from when it was taken. */
static bool read_deadline(const char *text, struct request *request)
{
    struct ek_plan_input *input = request->input;
    int64_t *key_ms = &request->entry.key.deadline_ms;

    input->deadline_ms = 0;
    input->deadline_span_ms = 0;
    if (ek_time_parse(text, &input->deadline_ms)) {
        *key_ms = input->deadline_ms;
        return true;
    }
    if (!read_span(text, &input->deadline_span_ms)) {
        return false;
    }
    *key_ms = ek_tool_now_ms() + input->deadline_span_ms;
    return true;
}

static bool take_option(struct ek_tool *tool, struct request *request, int option)
{
    struct ek_entry *entry = &request->entry;

    switch (option) {
    case EK_PLAN_SNAPSHOT:
    case EK_PLAN_POLICY:
        return ek_plan_input_option(request->input, tool, option);
    case REASON:
        if (strlen(optarg) >= sizeof(entry->key.reason)) {
            return usage(tool, "--reason: found a longer text, expected one of at most 255 bytes");
        }
        (void)snprintf(entry->key.reason, sizeof(entry->key.reason), "%s", optarg);
        break;
    case DEADLINE:
        return read_deadline(optarg, request) ||
               usage(tool, "--deadline: expected a time such as 2026-12-01T18:00:00Z, or a span "
                           "from now such as 90m");
    case TTL:
        if (!read_span(optarg, &entry->ttl_ms)) {
            return usage(tool, "--ttl: expected a span such as 2h, of 1 s or more");
        }
        break;
    case PARTIAL:
        entry->key.partial = true;
        break;
    case FORCE:
        entry->force = true;
        break;
    default:
        entry->wait = true;
        break;
    }
    request->wants_entry = true;
    return true;
}

/* Options first: getopt moves them before the words, wherever they stood. */
static bool take_options(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    static const struct option own[] = {{"reason", required_argument, NULL, REASON},
                                        {"wait", no_argument, NULL, WAIT},
                                        {"deadline", required_argument, NULL, DEADLINE},
                                        {"ttl", required_argument, NULL, TTL},
                                        {"partial", no_argument, NULL, PARTIAL},
                                        {"force", no_argument, NULL, FORCE},
                                        {"snapshot", required_argument, NULL, EK_PLAN_SNAPSHOT},
                                        {"policy", required_argument, NULL, EK_PLAN_POLICY},
                                        {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        if (!take_option(tool, request, option)) {
            return false;
        }
    }
    return option == EK_OPTION_END;
}

/* An option that would be dropped silently is refused instead. */
static bool check_options(struct ek_tool *tool, const struct request *request)
{
    bool files = request->input->snapshot_path != NULL || request->input->policy_path != NULL;
    bool enters = strcmp(request->action, "enter") == 0;
    bool checks = strcmp(request->action, "check") == 0;

    if (!enters && request->wants_entry) {
        return usage(tool, "--reason, --ttl, --partial, --force and --wait go with enter only");
    }
    if (!enters && !checks && request->entry.key.deadline_ms != 0) {
        return usage(tool, "--deadline goes with check and enter only");
    }
    if (enters && !request->entry.force && request->entry.key.deadline_ms != 0 &&
        request->entry.key.deadline_ms <= ek_tool_now_ms()) {
        return usage(tool, "--deadline: found a time that is over, expected one to come");
    }
    return checks || !files || usage(tool, "--snapshot and --policy go with check only");
}

static bool take_words(struct ek_tool *tool, int argc, char **argv, struct request *request)
{
    struct ek_plan_input *input = request->input;

    request->action = optind < argc ? argv[optind] : "";
    /* A missing action is "", and falls through to what was expected. */
    bool status = strcmp(request->action, "status") == 0;
    bool needs_host = strcmp(request->action, "check") == 0 ||
                      strcmp(request->action, "enter") == 0 ||
                      strcmp(request->action, "leave") == 0;

    if (!needs_host && !status) {
        const char *quote = optind < argc ? "\"" : "";
        char what[120];
        (void)snprintf(what, sizeof(what),
                       "found %s%.40s%s, expected check, enter, leave or status", quote,
                       optind < argc ? request->action : "nothing", quote);
        return usage(tool, what);
    }
    for (int i = optind + 1; i < argc; i++) {
        input->evacuate[input->evacuate_count++] = argv[i];
    }
    if (needs_host && input->evacuate_count == 0) {
        return usage(tool, "expected the name of a host");
    }
    request->entry.hosts = input->evacuate;
    request->entry.host_count = input->evacuate_count;
    request->entry.input = input;
    return check_options(tool, request);
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

/* Which hosts are shown, and what beside them. */
struct shown {
    const char *const *hosts;
    size_t count;          /* 0: all that are in maintenance */
    const char *preflight; /* NULL: none */
};

static bool is_shown(const struct shown *shown, const char *host)
{
    bool found = shown->count == 0;

    for (size_t i = 0; !found && i < shown->count; i++) {
        found = strcmp(shown->hosts[i], host) == 0;
    }
    return found;
}

/* A host that was asked for is shown in any case, with "wanted" false if so: a script need not tell
 * an empty list from an error. */
static char *write_items(const struct ek_host_maintenance *items, size_t count,
                         const struct shown *shown)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    if (shown->preflight != NULL) {
        ek_json_key(&writer, "preflight");
        ek_json_raw(&writer, shown->preflight);
    }
    ek_json_key(&writer, "hosts");
    ek_json_begin(&writer, '[');
    for (size_t i = 0; i < count; i++) {
        if (shown->count == 0 ? items[i].key.wanted : is_shown(shown, items[i].host)) {
            ek_json_break(&writer);
            ek_host_maintenance_write(&writer, &items[i]);
        }
    }
    ek_json_end(&writer, ']');
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* The others are hidden by unsetting their key in this copy. */
static int print_items(struct ek_host_maintenance *items, size_t count, const struct shown *shown)
{
    size_t wanted = 0;

    for (size_t i = 0; i < count; i++) {
        if (shown->count > 0 && !items[i].key.wanted && is_shown(shown, items[i].host)) {
            (void)printf("%s is not in maintenance\n", items[i].host);
        }
        items[i].key.wanted = items[i].key.wanted && is_shown(shown, items[i].host);
        wanted += items[i].key.wanted;
    }
    if (wanted == 0) {
        (void)printf("%s", shown->count == 0 ? "no host is in maintenance\n" : "");
    } else if (!ek_host_maintenance_print(items, count, stdout)) {
        return EK_EXIT_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].key.wanted || (shown->count > 0 && is_shown(shown, items[i].host))) {
            ek_host_maintenance_print_stopped(&items[i], stdout);
        }
    }
    return EK_EXIT_DONE;
}

int ek_maintenance_status_print(struct ek_tool *tool, const char *const *hosts, size_t count,
                                const char *preflight)
{
    const struct shown shown = {hosts, count, preflight};
    struct ek_arena arena = {.newest = NULL};
    size_t all = tool->config.host_count;
    const char **names = ek_tool_host_names(tool, &arena);
    struct ek_maintenance *keys = ek_arena_alloc(&arena, all, sizeof(*keys));
    struct ek_host_maintenance *items = NULL;
    struct ek_error err;
    int status = EK_EXIT_DONE;

    /* One place to complain: whichever step failed has left its reason. */
    if (names == NULL || keys == NULL) {
        (void)ek_error_set(&err, EK_ERR_NOMEM, "out of memory");
    } else if (ek_store_get_maintenance(tool->store, names, all, keys, &err)) {
        items = ek_host_maintenance_read(tool, keys, &arena, &err);
    }
    if (items != NULL && !ek_view_stopped(tool, items, all, &arena, &err)) {
        items = NULL;
    }
    if (items == NULL) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    } else {
        ek_host_maintenance_warn_of_strays(tool, &arena);
        status = tool->json ? ek_tool_print_json(write_items(items, all, &shown))
                            : print_items(items, all, &shown);
    }
    ek_arena_finish(&arena);
    return status;
}

/* ---- leave ----------------------------------------------------------------------------------- */

/* To leave twice is no mistake: the host is used, which is what was asked for. The key is read
 * first only to say which it was. */
static int leave_one(struct ek_tool *tool, const char *host)
{
    struct ek_maintenance key;
    struct ek_balancer_status balancer;
    bool there = false;
    struct ek_error err;

    if (!ek_store_get_maintenance(tool->store, &host, 1, &key, &err) ||
        !ek_store_end_maintenance(tool->store, host, &err) ||
        !ek_view_balancer(tool, &balancer, &there, &err) ||
        /* A balancer deletes its status itself; nobody else will, and it would be taken for a
         * new one when the host is to be emptied again. */
        (!there && !ek_store_delete_maintenance_status(tool->store, host, &err))) {
        return ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    if (!tool->json) {
        (void)printf(key.wanted ? "%s is used again\n" : "%s was not in maintenance\n", host);
    }
    return EK_EXIT_DONE;
}

/* For whoever uses the hosts again: what he has to start himself. */
static int print_stopped(struct ek_tool *tool, const struct request *request)
{
    struct ek_arena arena = {.newest = NULL};
    size_t count = request->entry.host_count;
    struct ek_host_maintenance *items = ek_arena_alloc(&arena, count, sizeof(*items));
    struct ek_error err;
    int status = EK_EXIT_DONE;

    for (size_t i = 0; items != NULL && i < count; i++) {
        items[i].host = request->entry.hosts[i];
    }
    if (items == NULL) {
        status = ek_tool_complain(EK_EXIT_FAILED, "out of memory");
    } else if (!ek_view_stopped(tool, items, count, &arena, &err)) {
        status = ek_tool_complain(EK_EXIT_FAILED, "%s", err.message);
    }
    for (size_t i = 0; status == EK_EXIT_DONE && i < count; i++) {
        ek_host_maintenance_print_stopped(&items[i], stdout);
    }
    ek_arena_finish(&arena);
    return status;
}

static int leave(struct ek_tool *tool, const struct request *request)
{
    int status = EK_EXIT_DONE;

    for (size_t i = 0; status == EK_EXIT_DONE && i < request->entry.host_count; i++) {
        status = leave_one(tool, request->entry.hosts[i]);
    }
    if (status != EK_EXIT_DONE) {
        return status;
    }
    return tool->json ? ek_maintenance_status_print(tool, request->entry.hosts,
                                                    request->entry.host_count, NULL)
                      : print_stopped(tool, request);
}

/* By the keys of the hosts that are named, or of all. */
static int run_keys(struct ek_tool *tool, const struct request *request)
{
    const struct ek_entry *entry = &request->entry;

    if (!ek_tool_open(tool)) {
        return tool->exit_status;
    }
    for (size_t i = 0; i < entry->host_count; i++) {
        if (!known_host(tool, entry->hosts[i])) {
            return ek_tool_unknown_host(tool, entry->hosts[i]);
        }
    }
    /* The words were checked, and differ in their first letter. */
    switch (request->action[0]) {
    case 'e':
        return ek_maintenance_enter(tool, entry);
    case 'l':
        return leave(tool, request);
    default:
        return ek_maintenance_status_print(tool, entry->hosts, entry->host_count, NULL);
    }
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    struct ek_plan_input input;
    struct request request = {.input = &input};
    bool taken = ek_plan_input_begin(&input, tool, argc) &&
                 take_options(tool, argc, argv, &request) && take_words(tool, argc, argv, &request);
    int status = tool->exit_status;

    if (taken) {
        status = request.action[0] == 'c' ? ek_maintenance_check(tool, &input)
                                          : run_keys(tool, &request);
    }
    ek_plan_input_finish(&input);
    return status;
}

const struct ek_verb ek_verb_maintenance = {
    .name = "maintenance",
    .arguments =
        " check HOST... [--deadline T] | enter HOST... [--reason TEXT] [--deadline T] [--ttl SPAN] "
        "[--partial | --force] [--wait] | leave HOST... | status [HOST...]",
    .help = "empty a host, use it again, or show how far it is",
    .details =
        "  check HOST...    what emptying them together would take: whether it can be done, how\n"
        "                   long, in which order, and what is in the way; nothing is done. Exit\n"
        "                   status 3: one of them cannot be emptied, or not before its deadline\n"
        "    --deadline T   at which pace they would be emptied until then, and what a gentler "
        "one\n"
        "                   would mean\n"
        "    --snapshot FILE, --policy FILE  as of `plan`\n"
        "  enter HOST...    ask for the hosts to be emptied, after the same look ahead; exit "
        "status\n"
        "                   3 and no key: one of them cannot be emptied\n"
        "    --reason TEXT  why, for those who look\n"
        "    --deadline T   until when, as 2026-12-01T18:00:00Z or a span from now such as 90m\n"
        "    --ttl SPAN     the key goes by itself after that, and the host is used again\n"
        "    --partial      what can leave leaves, though others cannot\n"
        "    --force        set the key without looking ahead: emptied when all can leave\n"
        "    --wait         until they are empty; exit status 3: one cannot be emptied. An\n"
        "                   interrupt ends the waiting, not the maintenance\n"
        "  leave HOST...    use them again; says which domains were saved or shut down there, and\n"
        "                   how they are started\n"
        "  status [HOST...] all hosts in maintenance, or those\n",
    .run = run,
};
