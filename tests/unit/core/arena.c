#include "balancer/core/arena.h"

#include "tests/lib/cmocka.h"

#include <malloc.h>
#include <stdalign.h>
#include <string.h>

/* Every piece is aligned for any type, zeroed, and apart from the others. */
static void pieces_are_aligned_zeroed_and_apart(void **state)
{
    struct ek_arena arena = {0};
    static const unsigned char zeros[100];

    (void)state;
    for (size_t size = 1; size <= sizeof(zeros); size++) {
        unsigned char *piece = ek_arena_alloc(&arena, size, 1);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % alignof(max_align_t), 0);
        assert_memory_equal(piece, zeros, size);
        memset(piece, 0xff, size); /* would spoil its neighbour's zeros */
    }
    ek_arena_finish(&arena);
}

/* A product that overflows is refused, not wrapped to something small. */
static void overflow_is_refused(void **state)
{
    struct ek_arena arena = {0};

    (void)state;
    assert_null(ek_arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_null(ek_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(ek_arena_alloc(&arena, 1, SIZE_MAX));
    ek_arena_finish(&arena);
}

/* Zero objects are a valid pointer: a list of none is not "out of memory". */
static void none_is_not_out_of_memory(void **state)
{
    struct ek_arena arena = {0};

    (void)state;
    assert_non_null(ek_arena_alloc(&arena, 0, 8));
    assert_non_null(ek_arena_alloc(&arena, 8, 0));
    assert_int_equal(arena.bytes, 0);
    ek_arena_finish(&arena);
}

/* Pieces larger than a block are served, and earlier pieces stay where they are. */
static void large_pieces_leave_earlier_ones_in_place(void **state)
{
    struct ek_arena arena = {0};
    const char *early = ek_arena_strdup(&arena, "early");

    (void)state;
    for (size_t i = 0; i < 30; i++) {
        unsigned char *large = ek_arena_alloc(&arena, 100000, 1);
        assert_non_null(large);
        large[99999] = 1;
    }
    assert_string_equal(early, "early");
    assert_true(arena.bytes >= 3000000);
    ek_arena_finish(&arena);
}

/* Strings are copies; no string stays no string. */
static void strings_are_copied(void **state)
{
    struct ek_arena arena = {0};
    char text[] = "web-1";

    (void)state;
    const char *copy = ek_arena_strdup(&arena, text);
    text[0] = 'x';
    assert_string_equal(copy, "web-1");
    assert_null(ek_arena_strdup(&arena, NULL));
    assert_string_equal(ek_arena_printf(&arena, "%s on %d", copy, 7), "web-1 on 7");
    ek_arena_finish(&arena);
}

/* A finished arena is empty and may be used again. */
static void finished_is_empty_and_usable(void **state)
{
    struct ek_arena arena = {0};

    (void)state;
    ek_arena_finish(&arena);
    assert_non_null(ek_arena_alloc(&arena, 4, 4));
    ek_arena_finish(&arena);
    assert_int_equal(arena.bytes, 0);
    assert_non_null(ek_arena_strdup(&arena, "again"));
    ek_arena_finish(&arena);
}

/* A collector keeps one for each of 20,000 domains, with some hundred bytes in it. */
static void a_small_one_takes_little(void **state)
{
    struct ek_arena arena = {0};

    (void)state;
    assert_non_null(ek_arena_strdup(&arena, "br0"));
    assert_in_range(malloc_usable_size(arena.newest), 1, 1023);
    ek_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(overflow_is_refused),
        cmocka_unit_test(none_is_not_out_of_memory),
        cmocka_unit_test(large_pieces_leave_earlier_ones_in_place),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(finished_is_empty_and_usable),
        cmocka_unit_test(a_small_one_takes_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
