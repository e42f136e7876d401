/* Which key or word was probably meant. Swapped neighbours count as one mistake, not two: they are
 * the commonest slip of typing hands. */
#include "balancer/config/schema.h"

#include <limits.h>
#include <string.h>

/* Longer than any key; it bounds the table on the stack, and what exceeds it is no typing error. */
enum { MAX_LETTERS = 40 };

static int min(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment, three rows of the usual table at a time. */
int ek_near_distance(const char *a, const char *b)
{
    int rows[3][MAX_LETTERS + 1];
    size_t width = strnlen(b, MAX_LETTERS + 1);

    if (strnlen(a, MAX_LETTERS + 1) > MAX_LETTERS || width > MAX_LETTERS) {
        return INT_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = (int)j;
    }
    /* Only the two rows above are ever looked at: the one before last for swapped neighbours. */
    size_t i = 1;
    for (; a[i - 1] != '\0'; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3];
        const int *before = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= width; j++) {
            row[j] = min(min(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min(row[j], before[j - 2] + 1);
            }
        }
    }
    return rows[(i - 1) % 3][width];
}

bool ek_near(const char *a, const char *b)
{
    int distance = ek_near_distance(a, b);

    /* A third of the letters of the right one: "imbalence" finds imbalance, and a word of three to
     * five letters is met by one slip only. */
    return distance != INT_MAX && (size_t)distance * 3 <= strlen(b);
}
