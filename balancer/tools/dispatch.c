/* The command line of `evenkeel`: global options, the table of verbs, help. */
#include "balancer/config/schema.h" /* ek_near */
#include "balancer/tools/tool.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/evenkeel/evenkeel.yaml"

/* In the order of --help: what is looked at first comes first, what changes something stands in the
 * middle. */
static const struct ek_verb *const verbs[] = {
    &ek_verb_status,   &ek_verb_top,      &ek_verb_hosts,   &ek_verb_domains,     &ek_verb_plan,
    &ek_verb_why,      &ek_verb_why_not,  &ek_verb_move,    &ek_verb_maintenance, &ek_verb_pause,
    &ek_verb_resume,   &ek_verb_approve,  &ek_verb_reject,  &ek_verb_cancel,      &ek_verb_abort,
    &ek_verb_resolve,  &ek_verb_history,  &ek_verb_replay,  &ek_verb_states,      &ek_verb_snapshot,
    &ek_verb_simulate, &ek_verb_backtest, &ek_verb_samples, &ek_verb_doctor,
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

const struct ek_verb *const *ek_tool_verbs(size_t *count)
{
    *count = VERBS;
    return verbs;
}

/* Made of the table, so that no verb can be missing. */
static void usage(FILE *out)
{
    (void)fputs("Usage: evenkeel [-c FILE] [--json] VERB [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < VERBS; i++) {
        (void)fprintf(out, "  %-12s %s\n", verbs[i]->name, verbs[i]->help);
    }
    (void)fputs(
        "\n"
        "  -c, --config FILE   configuration (default: $EVENKEEL_CONFIG, else " DEFAULT_CONFIG ")\n"
        "      --json          JSON instead of tables, to standard output alone\n"
        "  -h, --help          this text; after a verb, or as `help VERB`: about that verb\n"
        "      --version       the version\n"
        "\n"
        "Exit status: 0 done, 1 failed, 2 wrong usage or input, 3 not possible.\n",
        out);
}

/* To standard output and with status 0 when it was asked for: `--help | less` must work. */
void ek_tool_verb_help(const struct ek_verb *verb, FILE *out)
{
    (void)fprintf(out, "Usage: evenkeel [-c FILE] [--json] %s%s\n\n%s\n", verb->name,
                  verb->arguments, verb->help);
    if (verb->details[0] != '\0') {
        (void)fprintf(out, "\n%s", verb->details);
    }
}

/* No abbreviations: what a script types today must not become ambiguous with tomorrow's verb. */
static const struct ek_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i]->name, name) == 0) {
            return verbs[i];
        }
    }
    return NULL;
}

static int unknown_verb(const char *name)
{
    const struct ek_verb *nearest = NULL;
    /* The nearest one, not the first that is near: "hots" is one slip from hosts. */
    int distance = INT_MAX;

    for (size_t i = 0; i < VERBS; i++) {
        int to_it = ek_near_distance(name, verbs[i]->name);
        if (to_it < distance && ek_near(name, verbs[i]->name)) {
            nearest = verbs[i];
            distance = to_it;
        }
    }
    return nearest != NULL
               ? ek_tool_complain(EK_EXIT_USAGE,
                                  "found the unknown verb \"%s\"; did you mean \"%s\"?", name,
                                  nearest->name)
               : ek_tool_complain(EK_EXIT_USAGE,
                                  "found the unknown verb \"%s\"; `evenkeel --help` lists all",
                                  name);
}

/* `help`, `help VERB`: what people try who do not know --help yet. */
static int help(int argc, char **argv)
{
    if (argc > 2) {
        return ek_tool_complain(EK_EXIT_USAGE, "help: found \"%s\", expected no more words",
                                argv[2]);
    }
    if (argc < 2) {
        usage(stdout);
        return EK_EXIT_DONE;
    }
    const struct ek_verb *verb = find_verb(argv[1]);
    if (verb == NULL) {
        return unknown_verb(argv[1]);
    }
    ek_tool_verb_help(verb, stdout);
    return EK_EXIT_DONE;
}

/* The options before the verb. False: the program is at its end, with *status. */
static bool take_globals(struct ek_tool *tool, int argc, char **argv, int *status)
{
    /* '+' stops at the verb, whose options are its own; ':' leaves complaints to us. */
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;

    /* Complaints in our form, with the program's name and what to do. */
    opterr = 0;
    *status = EK_EXIT_DONE;
    while ((option = getopt_long(argc, argv, "+:c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            tool->config_path = optarg;
            tool->config_named = true;
            break;
        case 'j':
            tool->json = true;
            break;
        case 'h':
            usage(stdout);
            return false;
        case 'v':
            (void)puts("evenkeel " EK_VERSION);
            return false;
        default:
            *status = ek_tool_complain(EK_EXIT_USAGE,
                                       option == ':' ? "%s needs a value; see `evenkeel --help`"
                                                     : "found the unknown option \"%s\"; "
                                                       "`evenkeel --help` lists all",
                                       argv[optind - 1]);
            return false;
        }
    }
    return true;
}

/* A reader that has seen enough (`evenkeel hosts | head`) gets no complaint. */
static int check_output(int status)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;

    if (failed && errno != EPIPE) {
        return ek_tool_complain(EK_EXIT_FAILED, "cannot write to standard output: %s",
                                strerror(errno));
    }
    return failed && status == EK_EXIT_DONE ? EK_EXIT_FAILED : status;
}

/* In the order of who may overrule whom: -c, then the environment, then the default. */
int ek_tool_main(int argc, char **argv)
{
    const char *from_environment = getenv("EVENKEEL_CONFIG");
    bool named = from_environment != NULL && from_environment[0] != '\0';
    struct ek_tool tool = {.config_path = named ? from_environment : DEFAULT_CONFIG,
                           .config_named = named};
    int status = EK_EXIT_DONE;

    (void)signal(SIGPIPE, SIG_IGN); /* Redis may end while we write to it */
    if (!take_globals(&tool, argc, argv, &status)) {
        return status;
    }
    /* No verb is a mistake, with help on standard error: standard output stays empty for a pipe. */
    if (optind >= argc) {
        usage(stderr);
        return EK_EXIT_USAGE;
    }
    if (strcmp(argv[optind], "help") == 0) {
        return check_output(help(argc - optind, argv + optind));
    }
    tool.verb = find_verb(argv[optind]);
    if (tool.verb == NULL) {
        return unknown_verb(argv[optind]);
    }
    argc -= optind;
    argv += optind;
    optind = 0; /* getopt begins anew */
    /* The verb's own words begin at its name, which getopt takes for a program's. */
    status = tool.verb->run(&tool, argc, argv);
    ek_tool_close(&tool);
    status = check_output(status);
    if (tool.hangs) {
        (void)fflush(NULL);
        _exit(status);
    }
    return status;
}
