/* Any bytes as a snapshot and, behind a line "---", a policy: refused with a line, or planned for,
 * scheduled and printed, before the referee of the unit tests. */
#include "tests/lib/documents.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No valid JSON has it: a line's end within a text is escaped there. */
static const char separator[] = "\n---\n";

/* Where the first separator begins; `size` when there is none. */
static size_t find_separator(const char *text, size_t size)
{
    const size_t length = sizeof(separator) - 1;

    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(text + i, separator, length) == 0) {
            return i;
        }
    }
    return size;
}

/* A message is one line, whatever the bytes were. */
static void check_message(const struct ek_error *err)
{
    if (err->code == EK_ERR_NONE || err->message[0] == '\0' || strchr(err->message, '\n') != NULL) {
        (void)fprintf(stderr, "message \"%s\"\n", err->message);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ek_text complaints;
    const char *text = size == 0 ? "" : (const char *)data;
    const size_t at = find_separator(text, size);
    const size_t behind = at + sizeof(separator) - 1;
    struct ek_error err = {.code = EK_ERR_NONE};
    const struct ek_documents documents = {.snapshot = text,
                                           .snapshot_size = at,
                                           .policy = at < size ? text + behind : NULL,
                                           .policy_size = at < size ? size - behind : 0};

    ek_text_clear(&complaints);
    if (!ek_documents_judge(&documents, &complaints, &err)) {
        check_message(&err);
    } else if (complaints.used > 0) {
        (void)fprintf(stderr, "the referee says:\n%s", complaints.text);
        abort();
    }
    return 0;
}
