/* Rules as one line of text, as clusters are (cluster_text.h).
 *
 *     "apart anti_affinity web-* by=rack; home pin db-1,db-2 on=h1,h2 should weight=3"
 *
 * Items end with ';': name, kind, domains ("-": none), then any of on= (hosts), by= (topology),
 * at_least=, weight=, should. */
#ifndef EK_TESTS_LIB_RULES_TEXT_H
#define EK_TESTS_LIB_RULES_TEXT_H

#include "balancer/core/rules/rule.h"

/* Fails the test on a word that it does not know. The caller owns the result: ek_rules_finish. */
void ek_test_rules(struct ek_rules *out, const char *text);

#endif
