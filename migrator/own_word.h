/* What a domain's own metadata say at this moment: a sample's word may be minutes old, since
 * collectors read the XML seldom. */
#ifndef EK_MIGRATOR_OWN_WORD_H
#define EK_MIGRATOR_OWN_WORD_H

#include "balancer/core/move.h"
#include "migrator/hypervisor.h"
#include "migrator/xpath.h"

enum { EK_OWN_WORD_SIZE = 16 };

struct ek_own_word {
    char evacuation[EK_OWN_WORD_SIZE]; /* `mode` of <ek:evacuation>, cut; "" when there is none */
    bool once;                         /* it is said exactly once */
    const char *manager;               /* whose domain it is, in words; static; NULL: nobody's */
};

/* Reads it from the domain's XML. */
void ek_own_word_read(struct ek_xpath *xml, struct ek_own_word *word);

/* Whether the word forbids a move of that kind. Returns why, in `text`; NULL: it does not. */
const char *ek_own_word_forbids(const struct ek_own_word *word, enum ek_move_kind kind,
                                char text[EK_TEXT_SIZE]);

#endif
