#include "migrator/own_word.h"

#include "balancer/core/snapshot.h"
#include "collector/libvirt/managers.h"

#include <stdio.h>
#include <string.h>

void ek_own_word_read(struct ek_xpath *xml, struct ek_own_word *word)
{
    static const char path[] =
        "/domain/metadata/*[local-name()='domain' and namespace-uri()='urn:evenkeel:domain:1']"
        "/*[local-name()='evacuation' and namespace-uri()='urn:evenkeel:domain:1']/@mode";

    *word = (struct ek_own_word){.once = ek_xpath_count(xml, path) == 1};
    ek_xpath_read(xml, path, word->evacuation, sizeof(word->evacuation));
    for (size_t i = 0; word->manager == NULL && i < ek_manager_count; i++) {
        word->manager = ek_xpath_count(xml, ek_managers[i].mark) > 0 ? ek_managers[i].text : NULL;
    }
}

/* As a sample is read: a word that is not known is taken for `block`. */
static bool lets_migrate(const struct ek_own_word *word)
{
    return word->evacuation[0] == '\0' ||
           strcmp(word->evacuation, ek_evacuation_name(EK_EVACUATE_MIGRATE)) == 0 ||
           strcmp(word->evacuation, ek_evacuation_name(EK_EVACUATE_POSTCOPY)) == 0;
}

const char *ek_own_word_forbids(const struct ek_own_word *word, enum ek_move_kind kind,
                                char text[EK_TEXT_SIZE])
{
    if (word->manager != NULL) {
        (void)snprintf(text, EK_TEXT_SIZE, "it is %s", word->manager);
    } else if (ek_move_stops(kind) &&
               (!word->once || strcmp(word->evacuation, ek_move_kind_name(kind)) != 0)) {
        (void)snprintf(text, EK_TEXT_SIZE, "its metadata do not ask for it any more");
    } else if (kind == EK_MOVE_EVACUATE && !lets_migrate(word)) {
        (void)snprintf(text, EK_TEXT_SIZE, "its metadata say by now: evacuation \"%s\"",
                       word->evacuation);
    } else {
        return NULL;
    }
    return text;
}
