/* Plans for a snapshot as `evenkeel plan --snapshot -` does and puts the plan before the referee of
 * the unit tests: status 0 when it has nothing to say, 1 with a line for each complaint. */
#include "tests/lib/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far above any golden case. */
enum { MAX_BYTES = 4 << 20 };

static char *read_all(FILE *file, size_t *size)
{
    char *text = malloc(MAX_BYTES);

    *size = text == NULL || file == NULL ? 0 : fread(text, 1, MAX_BYTES, file);
    return text;
}

static int judge(const struct ek_documents *documents)
{
    static struct ek_text complaints;
    struct ek_error err;

    if (!ek_documents_judge(documents, &complaints, &err)) {
        printf("%s\n", err.message);
        return 2;
    }
    printf("%s", complaints.text);
    return complaints.used > 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char **evacuate = calloc((size_t)argc, sizeof(*evacuate));
    struct ek_documents documents = {.evacuate = evacuate};
    char *policy = NULL;

    for (int i = 1; evacuate != NULL && i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--evacuate") == 0) {
            evacuate[documents.evacuate_count++] = argv[i + 1];
        } else if (strcmp(argv[i], "--policy") == 0) {
            FILE *file = fopen(argv[i + 1], "re");
            policy = read_all(file, &documents.policy_size);
            if (file == NULL || fclose(file) != 0) {
                return 2;
            }
        }
    }
    char *snapshot = read_all(stdin, &documents.snapshot_size);
    documents.snapshot = snapshot;
    documents.policy = policy;
    int status = evacuate == NULL || snapshot == NULL ? 2 : judge(&documents);
    free(snapshot);
    free(policy);
    free(evacuate);
    return status;
}
