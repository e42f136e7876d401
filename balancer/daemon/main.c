/* evenkeeld's command line. */
#include "balancer/core/plural.h"
#include "balancer/daemon/clock.h"
#include "balancer/daemon/daemon.h"
#include "balancer/daemon/log.h"
#include "balancer/store/embedded.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/evenkeel/evenkeel.yaml"

enum { EXIT_USAGE = 2 };

static void usage(FILE *out)
{
    (void)fputs(
        "Usage: evenkeeld [-c FILE] [--role ROLE[,ROLE]] [--check] [--dump] [--once]\n"
        "\n"
        "Keeps the hosts of a libvirt/KVM cluster level by live migration.\n"
        "\n"
        "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
        "      --role LIST     collector, balancer, or both (default: as configured)\n"
        "      --check         check configuration and policy, then exit: 0 good, 2 bad\n"
        "      --dump          print both with all values in force, then exit\n"
        "      --once          one cycle, carry out what it decides, then exit\n"
        "  -h, --help          this text\n"
        "      --version       the version\n"
        "\n"
        "SIGHUP reads configuration and policy again; SIGTERM stops, running migrations go on.\n",
        out);
}

/* One line that names what is wrong: the usage would push it off the screen. */
static int complain(int option, char **argv)
{
    const char *word = argv[optind - 1];
    const char letter[3] = {'-', (char)optopt, '\0'};

    /* Of a letter among others, "-xc", getopt keeps the letter alone, and `optind` stays before it.
     * A long option that is unknown leaves no letter, one with a value that it does not take
     * does. */
    bool is_long = word[0] == '-' && word[1] == '-' &&
                   (optopt == 0 || option == ':' || strchr(word, '=') != NULL);
    if (!is_long) {
        word = letter;
    }
    (void)fprintf(stderr,
                  option == ':' ? "evenkeeld: %s needs a value; see `evenkeeld --help`\n"
                                : "evenkeeld: found the unknown option \"%s\"; "
                                  "`evenkeeld --help` lists all\n",
                  word);
    return EXIT_USAGE;
}

/* Exit status when the program should end at once, -1 to go on. */
static int parse_arguments(int argc, char **argv, struct ek_arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"role", required_argument, NULL, 'r'},
        {"check", no_argument, NULL, 'k'},        {"dump", no_argument, NULL, 'd'},
        {"once", no_argument, NULL, 'o'},         {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
    };
    int option = 0;

    opterr = 0; /* complaints in our form */
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case 'r':
            arguments->roles = optarg;
            break;
        case 'k':
            arguments->check = true;
            break;
        case 'd':
            arguments->dump = true;
            break;
        case 'o':
            arguments->once = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        case 'v':
            (void)puts("evenkeeld " EK_VERSION);
            return EXIT_SUCCESS;
        default:
            return complain(option, argv);
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr,
                      "evenkeeld: found \"%s\", expected no more words; see `evenkeeld --help`\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static void warn(const char *text)
{
    (void)fprintf(stderr, "evenkeeld: warning: %s\n", text);
}

static int check(const struct ek_arguments *arguments, const struct ek_config *config,
                 const struct ek_policy *policy)
{
    struct ek_error err = {0};

    if (arguments->dump &&
        (!ek_config_dump(config, stdout, &err) || !ek_policy_dump(policy, stdout, &err))) {
        (void)fprintf(stderr, "evenkeeld: %s\n", err.message);
        return EXIT_FAILURE;
    }
    if (arguments->check && config->redis.mode == EK_REDIS_EMBEDDED &&
        !ek_embedded_find_server(&err)) {
        (void)fprintf(stderr, "evenkeeld: %s: found redis.mode embedded, and %s\n",
                      arguments->config, err.message);
        return EXIT_USAGE;
    }
    if (!arguments->dump) {
        (void)printf("%s: good, %zu host%s, policy %s, mode %s\n", arguments->config,
                     config->host_count, ek_plural(config->host_count),
                     ek_policy_kind_name(policy->kind), ek_mode_name(policy->mode));
        ek_daemon_foresee(config, arguments->config, policy, warn);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct ek_arguments arguments = {.config = DEFAULT_CONFIG};
    static struct ek_daemon daemon;

    int status = parse_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    /* Two heaps serve our few threads; glibc's default of one each would cost megabytes. */
    (void)mallopt(M_ARENA_MAX, 2);
    if (!ek_daemon_read_files(&arguments, &daemon.config, &daemon.policy, &daemon.rules)) {
        return EXIT_USAGE;
    }
    if (arguments.check || arguments.dump) {
        status = check(&arguments, &daemon.config, &daemon.policy);
        ek_daemon_free_rules(daemon.rules);
        ek_config_finish(&daemon.config);
        return status;
    }
    char hostname[96] = "localhost";
    (void)gethostname(hostname, sizeof(hostname) - 1);
    (void)snprintf(daemon.identity, sizeof(daemon.identity), "%s:%ld", hostname, (long)getpid());
    daemon.arguments = arguments;
    daemon.started_at_ms = ek_clock_now_ms();
    ek_log_set_level(daemon.config.log_level);
    return ek_daemon_run(&daemon, argv);
}
