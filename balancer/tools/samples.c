/* evenkeel samples: the history of hosts, to a file and from one; and profiles of it. */
#include "balancer/codec/anonymise.h"
#include "balancer/codec/writer.h"
#include "balancer/core/plural.h"
#include "balancer/tools/history_file.h"
#include "balancer/tools/profile.h"
#include "balancer/tools/tool.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A domain of the blocks. */
struct named {
    const char *uuid;
    UT_hash_handle hh;
};

/* What went through, for people and for --json. */
struct tally {
    struct ek_tool *tool;
    const char *path;                /* of an export */
    struct ek_history_output output; /* likewise; not begun before there is something to write */
    const char *word;                /* NULL: names stay */
    struct ek_history_limits limits; /* of an import */
    char host[128];                  /* of the block before; "": none yet */
    size_t hosts;
    size_t samples;
    size_t domain_samples;
    size_t profiles;
    struct named *domains; /* of an export: uthash's table of whose profiles go along */
    struct ek_arena arena; /* owns it */
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
    ek_json_put_integer(&writer, "profiles", (int64_t)tally->profiles);
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
    (void)fprintf(occupied ? stderr : stdout,
                  "%s %zu sample%s of %zu host%s, %zu of domains, %zu profile%s\n", what,
                  tally->samples, ek_plural(tally->samples), tally->hosts, ek_plural(tally->hosts),
                  tally->domain_samples, tally->profiles, ek_plural(tally->profiles));
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

/* Remembers whose profiles are wanted. */
static bool note_domains(struct tally *tally, const struct ek_history_block *block,
                         struct ek_error *err)
{
    bool done = true;

    for (size_t i = 0; done && i < ek_history_block_domains(block); i++) {
        const char *uuid = ek_history_block_domain(block, i);
        struct named *named = NULL;
        HASH_FIND_STR(tally->domains, uuid, named);
        if (named != NULL) {
            continue;
        }
        named = ek_arena_alloc(&tally->arena, 1, sizeof(*named));
        const char *copy = ek_arena_strdup(&tally->arena, uuid);
        done = named != NULL && copy != NULL;
        if (done) {
            named->uuid = copy;
            HASH_ADD_KEYPTR(hh, tally->domains, copy, strlen(copy), named);
            done = named->hh.tbl != NULL;
        }
    }
    return done || ek_error_set(err, EK_ERR_NOMEM, "out of memory for domains");
}

/* What stands in the file is not lost for nothing. */
static bool begin_output(struct tally *tally, struct ek_error *err)
{
    return tally->output.file != NULL || ek_history_file_begin(&tally->output, tally->path, err);
}

static bool put_block(void *context, const struct ek_history_block *block, struct ek_error *err)
{
    struct tally *tally = context;

    count_block(tally, block);
    if (!note_domains(tally, block, err) || !begin_output(tally, err)) {
        return false;
    }
    return tally->word != NULL ? put_renamed(tally, block, err)
                               : ek_history_file_put(&tally->output, block, err);
}

static void warn_of(const char *what)
{
    if (what[0] != '\0') {
        (void)ek_tool_complain(EK_EXIT_DONE, "warning: passed over: %s", what);
    }
}

static bool put_profile(struct tally *tally, enum ek_profile_kind kind, const char *name,
                        struct ek_error *err)
{
    struct ek_profile profile;
    struct ek_arena names = {.newest = NULL};
    bool there = false;

    if (!ek_store_get_profile(tally->tool->store, kind, name, &profile, &there, err)) {
        warn_of(err->code == EK_ERR_INVALID ? err->message : "");
        return err->code == EK_ERR_INVALID;
    }
    if (!there) {
        return true;
    }
    if (tally->word != NULL) {
        struct ek_anonymiser anonymiser = ek_anonymiser_of(tally->word, &names);
        ek_anonymise_profile(&anonymiser, &profile);
        bool failed = anonymiser.failed;
        ek_arena_finish(&names);
        if (failed) {
            return ek_error_set(err, EK_ERR_NOMEM, "out of memory for names");
        }
    }
    tally->profiles++;
    return begin_output(tally, err) && ek_history_file_put_profile(&tally->output, &profile, err);
}

static bool export_host(struct tally *tally, const char *host, struct ek_error *err)
{
    char bad[400];
    bool done =
        ek_store_get_history(tally->tool->store, host, put_block, tally, bad, sizeof(bad), err);

    warn_of(bad);
    return done && put_profile(tally, EK_PROFILE_HOST, host, err);
}

/* Of the domains whose samples are in the file, each once. */
static bool put_domain_profiles(struct tally *tally, struct ek_error *err)
{
    bool done = true;

    for (struct named *it = tally->domains; done && it != NULL; it = it->hh.next) {
        done = put_profile(tally, EK_PROFILE_DOMAIN, it->uuid, err);
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
    struct tally tally = {.tool = tool, .path = path, .word = word};
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
    bool done = true;
    for (size_t h = 0; done && h < tool->config.host_count; h++) {
        const char *host = tool->config.hosts[h].name;
        done = !is_wanted(host, count, wanted) || export_host(&tally, host, &err);
    }
    done = done && put_domain_profiles(&tally, &err);
    bool nothing = done && tally.output.file == NULL;
    done = done && (nothing || ek_history_file_end(&tally.output, &err));
    HASH_CLEAR(hh, tally.domains);
    ek_arena_finish(&tally.arena);
    if (!done) {
        ek_history_file_abandon(&tally.output);
        return fail(&err);
    }
    if (nothing) {
        return ek_tool_complain(EK_EXIT_NOT_POSSIBLE,
                                "nothing to write: Redis has no samples of %s; %s is left as it is",
                                count > 0 ? "these hosts" : "any host",
                                strcmp(path, "-") == 0 ? "standard output" : path);
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

static bool store_profile(void *context, const struct ek_profile *profile, struct ek_error *err)
{
    struct tally *tally = context;

    tally->profiles++;
    return ek_store_put_profile(tally->tool->store, profile, &tally->limits, err);
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
    const struct ek_history_visitor look_only = {.context = NULL};
    const struct ek_history_visitor keep = {
        .block = store_block, .profile = store_profile, .context = &tally};

    if ((strcmp(path, "-") != 0 && !ek_history_file_read(path, &look_only, &err)) ||
        !ek_history_file_read(path, &keep, &err)) {
        return fail(&err);
    }
    return print_tally(&tally, "read", path);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int unknown_action(const char *found)
{
    const char *quote = found == NULL ? "" : "\"";

    return ek_tool_complain(EK_EXIT_USAGE,
                            "samples: found %s%s%s, expected export FILE, import FILE or profile "
                            "HOST|DOMAIN; see `evenkeel samples --help`",
                            quote, found == NULL ? "nothing" : found, quote);
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
    if (word != NULL && word[0] == '\0') { /* an unset variable: names that anyone could try out */
        return ek_tool_complain(
            EK_EXIT_USAGE,
            "samples: --anonymise: found nothing, expected a word that nobody else knows");
    }
    bool exporting = optind < argc && strcmp(argv[optind], "export") == 0;
    bool importing = optind < argc && strcmp(argv[optind], "import") == 0;
    bool profile = optind < argc && strcmp(argv[optind], "profile") == 0;
    if (!exporting && !importing && !profile) {
        return unknown_action(optind < argc ? argv[optind] : NULL);
    }
    if (optind + 1 >= argc) {
        return ek_tool_complain(EK_EXIT_USAGE,
                                "samples %s: found no %s, expected one; see `evenkeel samples "
                                "--help`",
                                argv[optind], profile ? "host or domain" : "file");
    }
    if (!exporting && word != NULL) {
        return ek_tool_complain(EK_EXIT_USAGE, "samples: --anonymise goes with export only");
    }
    const char *what = argv[optind + 1];
    if ((!exporting && !ek_tool_words(tool, argc, argv, 2)) || !ek_tool_open(tool)) {
        return tool->exit_status;
    }
    return exporting   ? export_hosts(tool, what, word, argc - optind - 2, argv + optind + 2)
           : importing ? import_file(tool, what)
                       : ek_tool_show_profile(tool, what);
}

const struct ek_verb ek_verb_samples = {
    .name = "samples",
    .arguments = " export FILE [HOST]... [--anonymise WORD] | import FILE | profile HOST|DOMAIN",
    .help = "the history of hosts and domains, to a file or from one; their weeks",
    .details = "  FILE               \"-\": standard output or input\n"
               "  HOST               of the configuration; without any: all\n"
               "  --anonymise WORD   other names instead of all that stand there; the same word "
               "gives the\n"
               "                     same names, in `evenkeel snapshot`, too\n\n"
               "An import adds to what is there; a sample that is there already stays once. What "
               "is older\n"
               "than history.keep goes again when its host is next folded. Profiles go along: of "
               "each hour the\n"
               "one that knows more weeks stays.\n\n"
               "profile shows what a host, or a domain by its name or UUID, is used to take in "
               "each hour of\n"
               "the week (UTC): the mean and the 95th percentile of CPU and memory.\n",
    .run = run,
};
