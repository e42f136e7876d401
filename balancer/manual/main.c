/* Makes a manual page of its prose (docs/man/PAGE.in) and of the tables that the programs work
 * with, so that no page can lack a key or a verb. Runs when the programs are built, and is not
 * installed.
 *
 *   ek_manual PAGE.in > PAGE
 *
 * A line of the prose is copied, but for these:
 *
 *   @verbs@            every verb of `evenkeel` with its help
 *   @keys evenkeel@    every key of evenkeel.yaml
 *   @keys policy@      every key of policy.yaml */
#include "balancer/config/config.h"
#include "balancer/manual/mdoc.h"
#include "balancer/tools/tool.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Each verb begins with a line by which it is found: `man evenkeel`, then "/^   why-not". */
static void print_verbs(FILE *out)
{
    size_t count = 0;
    const struct ek_verb *const *verbs = ek_tool_verbs(&count);

    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, ".Ss %s\n", verbs[i]->name);
        (void)fputs("\\fBevenkeel ", out);
        ek_mdoc_literal(verbs[i]->name, out);
        (void)fputs("\\fP", out);
        ek_mdoc_literal(verbs[i]->arguments, out);
        (void)fputs("\n.Pp\n", out);
        (void)fputc(toupper((unsigned char)verbs[i]->help[0]), out);
        ek_mdoc_text(verbs[i]->help + 1, out);
        (void)fputs(".\n", out);
        if (verbs[i]->details[0] != '\0') {
            (void)fputs(".Bd -literal\n", out);
            ek_mdoc_literal(verbs[i]->details, out);
            (void)fputs(".Ed\n", out);
        }
    }
}

static void print_key(void *context, const struct ek_config_key *key)
{
    FILE *out = context;

    (void)fputs(".It Ic ", out);
    ek_mdoc_literal(key->path, out);
    (void)fputc('\n', out);
    ek_mdoc_text(key->doc, out);
    (void)fputs(".\n.br\nForm: ", out);
    ek_mdoc_text(key->form, out);
    if (key->unit != NULL) {
        (void)fputs("; ", out);
        ek_mdoc_text(key->unit, out);
    }
    (void)fputs(".\nDefault: ", out);
    ek_mdoc_text(key->fallback, out);
    (void)fputs(key->restart ? ".\nTakes a restart.\n" : ".\n", out);
}

static void print_keys(enum ek_config_file file, FILE *out)
{
    (void)fputs(".Bl -tag -width Ds\n", out);
    ek_config_visit_keys(file, print_key, out);
    (void)fputs(".El\n", out);
}

static bool print_line(const char *line, FILE *out)
{
    if (line[0] != '@') {
        (void)fputs(line, out);
    } else if (strcmp(line, "@verbs@\n") == 0) {
        print_verbs(out);
    } else if (strcmp(line, "@keys evenkeel@\n") == 0) {
        print_keys(EK_CONFIG_EVENKEEL, out);
    } else if (strcmp(line, "@keys policy@\n") == 0) {
        print_keys(EK_CONFIG_POLICY, out);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    char line[1024];
    int number = 0;

    FILE *prose = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (prose == NULL) {
        (void)fprintf(stderr, "ek_manual: expected one file of prose that can be read\n");
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof(line), prose) != NULL) {
        number++;
        if (!print_line(line, stdout)) {
            (void)fprintf(stderr,
                          "%s:%d: found %.*s, expected one of @verbs@, @keys evenkeel@ and "
                          "@keys policy@\n",
                          argv[1], number, (int)strcspn(line, "\n"), line);
            return EXIT_FAILURE;
        }
    }
    (void)fclose(prose);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
