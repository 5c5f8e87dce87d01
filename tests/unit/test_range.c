// links: mlt_merkle
//
// A run of leaves is proved whole by the paths of its first and its last one: every run of every small tree.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "merkle/merkle.h"

#include <cmocka.h>

#define SIZE_MAX_TRIED 21 // two levels of borders more than any run needs

static uint8_t leaves[SIZE_MAX_TRIED + 1][MLT_HASH_LEN];

static enum mlt_status read_leaves(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    (void)ctx;
    (void)err;
    assert_int_equal(level, 0);
    memcpy(out, leaves[first], count * MLT_HASH_LEN);
    return MLT_OK;
}
static const struct mlt_hash_source source = {NULL, read_leaves};

static int set_up(void **state) {
    (void)state;
    for (uint8_t i = 0; i <= SIZE_MAX_TRIED; i++) {
        mlt_merkle_leaf(leaves[i], mlt_bytes_of(&i, 1));
    }
    return 0;
}

struct run {
    uint64_t first, end, size;
    struct mlt_proof first_proof, last_proof;
    uint8_t root[MLT_HASH_LEN];
};

static struct run run_of(uint64_t first, uint64_t end, uint64_t size) {
    struct run r = {first, end, size, {.num_hashes = 0}, {.num_hashes = 0}, {0}};
    assert_int_equal(mlt_merkle_root(&source, size, r.root, NULL), MLT_OK);
    assert_int_equal(mlt_merkle_prove_inclusion(&source, first, size, &r.first_proof, NULL), MLT_OK);
    assert_int_equal(mlt_merkle_prove_inclusion(&source, end - 1, size, &r.last_proof, NULL), MLT_OK);
    return r;
}

// Adds the leaves, the one at `changed` (UINT64_MAX: none) replaced, the one at `left_out` passed over.
static bool holds(const struct run *r, uint64_t changed, uint64_t left_out) {
    struct mlt_range range;
    if (!mlt_range_begin(&range, r->first, r->end, r->size, &r->first_proof)) {
        return false;
    }
    for (uint64_t i = r->first; i < r->end; i++) {
        if (i != left_out) {
            mlt_range_add(&range, 0, i == changed ? leaves[SIZE_MAX_TRIED] : leaves[i]);
        }
    }
    return mlt_range_holds(&range, &r->last_proof, r->root);
}

#define EACH_RUN(first, end, size)                                                                                     \
    for (uint64_t size = 1; size < SIZE_MAX_TRIED; size++)                                                             \
        for (uint64_t first = 0; first < size; first++)                                                                \
            for (uint64_t end = first + 1; end <= size; end++)

static void test_every_run(void **state) {
    // every run holds as it is, and not with any leaf changed, left out, or added
    (void)state;
    EACH_RUN(first, end, size) {
        const struct run r = run_of(first, end, size);
        assert_true(holds(&r, UINT64_MAX, UINT64_MAX));
        for (uint64_t i = first; i < end; i++) {
            assert_false(holds(&r, i, UINT64_MAX));
            assert_false(holds(&r, UINT64_MAX, i));
        }
    }
}

static void test_other_ends(void **state) {
    // the paths of other leaves, or of another tree, do not do
    (void)state;
    EACH_RUN(first, end, size) {
        const struct run r = run_of(first, end, size);
        struct run other = r;
        for (uint64_t i = 0; i < size; i++) {
            assert_int_equal(mlt_merkle_prove_inclusion(&source, i, size, &other.first_proof, NULL), MLT_OK);
            assert_true(holds(&other, UINT64_MAX, UINT64_MAX) == (i == first));
        }
        other = r;
        for (uint64_t i = 0; i < size; i++) {
            assert_int_equal(mlt_merkle_prove_inclusion(&source, i, size, &other.last_proof, NULL), MLT_OK);
            assert_true(holds(&other, UINT64_MAX, UINT64_MAX) == (i == end - 1));
        }
        other = r;
        other.root[0] ^= 1;
        assert_false(holds(&other, UINT64_MAX, UINT64_MAX));
        for (size_t h = 0; h < r.first_proof.num_hashes; h++) {
            other = r;
            other.first_proof.hash[h][0] ^= 1;
            assert_false(holds(&other, UINT64_MAX, UINT64_MAX));
        }
        for (size_t h = 0; h < r.last_proof.num_hashes; h++) {
            other = r;
            other.last_proof.hash[h][0] ^= 1;
            assert_false(holds(&other, UINT64_MAX, UINT64_MAX));
        }
    }
}

static void test_subtrees(void **state) {
    // what is not shown between the first and the last one may come as subtrees, the largest that fit
    (void)state;
    EACH_RUN(first, end, size) {
        const struct run r = run_of(first, end, size);
        struct mlt_range range;
        assert_true(mlt_range_begin(&range, first, end, size, &r.first_proof));
        mlt_range_add(&range, 0, leaves[first]);
        while (mlt_range_next(&range) + 1 < end) {
            const uint64_t at = mlt_range_next(&range);
            uint8_t hash[MLT_HASH_LEN];
            const unsigned level = mlt_range_subtree(at, end - 1);
            assert_int_equal(mlt_merkle_subtree(&source, at, level, hash, NULL), MLT_OK);
            mlt_range_add(&range, level, hash);
        }
        if (end - first > 1) {
            mlt_range_add(&range, 0, leaves[end - 1]);
        }
        assert_true(mlt_range_holds(&range, &r.last_proof, r.root));
    }
}

static void test_misplaced(void **state) {
    // a subtree off its place, over the end or instead of the first leaf, and one leaf too many are refused
    (void)state;
    const struct run r = run_of(3, 8, 9);
    struct mlt_range range;
    assert_true(mlt_range_begin(&range, 3, 8, 9, &r.first_proof));
    mlt_range_add(&range, 0, leaves[3]);
    mlt_range_add(&range, 2, leaves[4]); // 4 … 7 has the last one in it
    assert_false(range.good);
    assert_true(mlt_range_begin(&range, 3, 8, 9, &r.first_proof));
    mlt_range_add(&range, 0, leaves[3]);
    mlt_range_add(&range, 0, leaves[4]);
    mlt_range_add(&range, 1, leaves[5]); // 5 is odd
    assert_false(range.good);
    assert_true(mlt_range_begin(&range, 3, 8, 9, &r.first_proof));
    for (uint64_t i = 3; i < 9; i++) {
        mlt_range_add(&range, 0, leaves[i]);
    }
    assert_false(mlt_range_holds(&range, &r.last_proof, r.root));
    assert_false(mlt_range_begin(&range, 8, 8, 9, &r.first_proof));
    assert_false(mlt_range_begin(&range, 3, 10, 9, &r.first_proof));
    mlt_range_add(&range, 63, leaves[3]);
    assert_false(range.good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_run),
        cmocka_unit_test(test_other_ends),
        cmocka_unit_test(test_subtrees),
        cmocka_unit_test(test_misplaced),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
