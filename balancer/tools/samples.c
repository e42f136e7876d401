/* evenkeel samples: the history of hosts, to a file and from one. */
#include "balancer/codec/anonymise.h"
#include "balancer/codec/writer.h"
#include "balancer/tools/history_file.h"
#include "balancer/tools/tool.h"

#include <stdlib.h>
#include <string.h>

/* What went through, for people and for --json. */
struct tally {
    struct ek_tool *tool;
    struct ek_history_output output; /* of an export */
    const char *word;                /* NULL: names stay */
    struct ek_history_limits limits; /* of an import */
    char host[128];                  /* of the block before; "": none yet */
    size_t hosts;
    size_t samples;
    size_t domain_samples;
};

static void count_block(struct tally *tally, const struct ek_history_block *block)
{
    const char *host = ek_history_block_host(block);

    if (host == NULL) {
        return; /* a block without samples */
    }
    if (strcmp(host, tally->host) != 0) {
        tally->hosts++;
        (void)snprintf(tally->host, sizeof(tally->host), "%s", host);
    }
    tally->samples += ek_history_block_count(block);
    tally->domain_samples += ek_history_block_domain_samples(block);
}

static char *write_tally(const struct tally *tally)
{
    struct ek_json_writer writer = {.text = NULL};

    ek_json_begin(&writer, '{');
    ek_json_put_integer(&writer, "version", 1);
    ek_json_put_integer(&writer, "hosts", (int64_t)tally->hosts);
    ek_json_put_integer(&writer, "samples", (int64_t)tally->samples);
    ek_json_put_integer(&writer, "domain_samples", (int64_t)tally->domain_samples);
    ek_json_end(&writer, '}');
    return ek_json_finish(&writer);
}

/* On standard error when the file itself goes to standard output. */
static int print_tally(const struct tally *tally, const char *what, const char *path)
{
    bool occupied = strcmp(what, "wrote") == 0 && strcmp(path, "-") == 0;

    if (tally->tool->json && !occupied) {
        return ek_tool_print_json(write_tally(tally));
    }
    (void)fprintf(occupied ? stderr : stdout, "%s %zu samples of %zu hosts, %zu of domains\n", what,
                  tally->samples, tally->hosts, tally->domain_samples);
    return EK_EXIT_DONE;
}

static int fail(const struct ek_error *err)
{
    bool bad = err->code == EK_ERR_INVALID || err->code == EK_ERR_IO;

    return ek_tool_complain(bad ? EK_EXIT_USAGE : EK_EXIT_FAILED, "%s", err->message);
}

/* ---- export ---------------------------------------------------------------------------------- */

/* The same samples under other names. */
static bool rename_block(const char *word, const struct ek_history_block *block,
                         struct ek_history_block *renamed, struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < ek_history_block_count(block); i++) {
        struct ek_sample sample;
        if (!ek_history_block_sample(block, i, &sample, err)) {
            return false;
        }
        struct ek_anonymiser anonymiser = ek_anonymiser_of(word, &sample.arena);
        ek_anonymise_sample(&anonymiser, &sample);
        done = (!anonymiser.failed && ek_history_block_add(renamed, &sample, err)) ||
               (anonymiser.failed && ek_error_set(err, EK_ERR_NOMEM, "out of memory for names"));
        ek_sample_finish(&sample);
    }
    return done;
}

static bool put_renamed(struct tally *tally, const struct ek_history_block *block,
                        struct ek_error *err)
{
    struct ek_history_block *renamed = ek_history_block_create();
    bool done = renamed != NULL ? rename_block(tally->word, block, renamed, err) &&
                                      ek_history_file_put(&tally->output, renamed, err)
                                : ek_error_set(err, EK_ERR_NOMEM, "out of memory for a block");

    ek_history_block_destroy(renamed);
    return done;
}

static bool put_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct tally *tally = context;

    count_block(tally, block);
    return tally->word != NULL ? put_renamed(tally, block, err)
                               : ek_history_file_put(&tally->output, block, err);
}

static bool export_host(struct tally *tally, const char *host, struct ek_error *err)
{
    char bad[400];
    bool done =
        ek_store_get_history(tally->tool->store, host, put_block, tally, bad, sizeof(bad), err);

    if (bad[0] != '\0') {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: passed over: %s", bad);
    }
    return done;
}

static bool is_wanted(const char *host, int count, char *const *wanted)
{
    bool found = count == 0;

    for (int i = 0; i < count; i++) {
        found = found || strcmp(host, wanted[i]) == 0;
    }
    return found;
}

/* All hosts of the configuration, or those that are named. */
static int export_hosts(struct ek_tool *tool, const char *path, const char *word, int count,
                        char *const *wanted)
{
    struct tally tally = {.tool = tool, .word = word};
    struct ek_error err;

    for (int i = 0; i < count; i++) {
        bool known = false;
        for (size_t h = 0; h < tool->config.host_count; h++) {
            known = known || strcmp(tool->config.hosts[h].name, wanted[i]) == 0;
        }
        if (!known) {
            return ek_tool_unknown_host(tool, wanted[i]);
        }
    }
    bool done = ek_history_file_begin(&tally.output, path, &err);
    for (size_t h = 0; done && h < tool->config.host_count; h++) {
        const char *host = tool->config.hosts[h].name;
        done = !is_wanted(host, count, wanted) || export_host(&tally, host, &err);
    }
    done = done && ek_history_file_end(&tally.output, &err);
    if (!done) {
        ek_history_file_abandon(&tally.output);
        return fail(&err);
    }
    return print_tally(&tally, "wrote", path);
}

/* ---- import ---------------------------------------------------------------------------------- */

static bool store_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct tally *tally = context;

    count_block(tally, block);
    return ek_store_put_history(tally->tool->store, block, &tally->limits, err);
}

static bool look_only(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    (void)context;
    (void)block;
    (void)err;
    return true;
}

/* Twice: a file with a fault in it must not come in by half. Standard input can be read once. */
static int import_file(struct ek_tool *tool, const char *path)
{
    struct tally tally = {
        .tool = tool,
        .limits = {.keep_ms = tool->config.history_keep_ms,
                   .max_bytes = (int64_t)(tool->config.history_host_mib * 1024 * 1024)}};
    struct ek_error err;

    if (tally.limits.keep_ms == 0) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "%s: history.keep: found 0s, expected more: nothing would be kept",
                                tool->config_path);
    }
    if ((strcmp(path, "-") != 0 && !ek_history_file_read(path, look_only, NULL, &err)) ||
        !ek_history_file_read(path, store_block, &tally, &err)) {
        return fail(&err);
    }
    return print_tally(&tally, "read", path);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int usage(void)
{
    return ek_tool_complain(
        EK_EXIT_USAGE,
        "samples: expected export or import, and a file; see `evenkeel samples --help`");
}

static int run(struct ek_tool *tool, int argc, char **argv)
{
    static const struct option own[] = {{"anonymise", required_argument, NULL, 'a'},
                                        {NULL, 0, NULL, 0}};
    const char *word = NULL;
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", own)) > 0) {
        word = optarg;
    }
    if (option == EK_OPTION_STOP) {
        return tool->exit_status;
    }
    bool exporting = optind < argc && strcmp(argv[optind], "export") == 0;
    bool importing = optind < argc && strcmp(argv[optind], "import") == 0;
    if ((!exporting && !importing) || optind + 1 >= argc) {
        return usage();
    }
    if (importing && word != NULL) {
        return ek_tool_complain(EK_EXIT_USAGE, "samples: --anonymise goes with export only");
    }
    const char *path = argv[optind + 1];
    if ((importing && !ek_tool_words(tool, argc, argv, 2)) || !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    return exporting ? export_hosts(tool, path, word, argc - optind - 2, argv + optind + 2)
                     : import_file(tool, path);
}

const struct ek_verb ek_verb_samples = {
    .name = "samples",
    .arguments = " export FILE [HOST]... [--anonymise WORD] | import FILE",
    .help = "the history of hosts and domains, to a file or from one",
    .details = "  FILE               \"-\": standard output or input\n"
               "  HOST               of the configuration; without any: all\n"
               "  --anonymise WORD   other names instead of all that stand there; the same word "
               "gives the\n"
               "                     same names, in `evenkeel snapshot`, too\n\n"
               "An import adds to what is there; a sample that is there already stays once. What "
               "is older\n"
               "than history.keep goes again when its host is next folded.\n",
    .run = run,
};
