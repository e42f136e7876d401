/* CMocka with the headers that it wants before it. */
#ifndef EK_TESTS_LIB_CMOCKA_H
#define EK_TESTS_LIB_CMOCKA_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>

/* CMocka compares floats only; this compares doubles. */
#define assert_near(a, b, epsilon)                                         \
    do {                                                                   \
        double near_a_ = (a);                                              \
        double near_b_ = (b);                                              \
        if (!(fabs(near_a_ - near_b_) <= (epsilon))) {                     \
            fail_msg("%s is %.12g, expected %.12g", #a, near_a_, near_b_); \
        }                                                                  \
    } while (0)

#endif
