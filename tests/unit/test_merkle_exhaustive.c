// links: mlt_merkle
//
// Every index in every tree of up to 300 leaves, and every pair of sizes, against the definitions of RFC 6962 sections
// 2.1.1 and 2.1.2 written down as they stand there. 300 is one tile, a second one begun, and both neighbours of 2^8.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "merkle/merkle.h"

#include <cmocka.h>

#define H MLT_HASH_LEN
#define SIZE_MAX_HERE 300
#define SIZE_CROSSED 64 // up to here, proofs are also held against every other index and size

static uint8_t leaves[SIZE_MAX_HERE][H];
// MTH(D[begin:end]), computed once; every proof of every tree is made of these.
static uint8_t range_root[SIZE_MAX_HERE + 1][SIZE_MAX_HERE + 1][H];
static bool range_known[SIZE_MAX_HERE + 1][SIZE_MAX_HERE + 1];

// "the largest power of two smaller than n", found by trying.
static uint64_t split(uint64_t n) {
    uint64_t k = 1;
    while (2 * k < n) {
        k = 2 * k;
    }
    return k;
}

static const uint8_t *mth(uint64_t begin, uint64_t end) {
    uint8_t *out = range_root[begin][end];
    if (range_known[begin][end]) {
        return out;
    }
    uint64_t n = end - begin;
    if (n == 0) {
        mlt_sha256_one(out, mlt_bytes_of(NULL, 0));
    } else if (n == 1) {
        memcpy(out, leaves[begin], H);
    } else {
        const uint8_t one = 1;
        uint64_t k = split(n);
        const struct mlt_bytes parts[] = {{&one, 1}, {mth(begin, begin + k), H}, {mth(begin + k, end), H}};
        mlt_sha256(out, parts, 3);
    }
    range_known[begin][end] = true;
    return out;
}

static void put(struct mlt_proof *p, const uint8_t *hash) {
    assert_true(p->num_hashes < MLT_PROOF_MAX);
    memcpy(p->hash[p->num_hashes++], hash, H);
}

// PATH(m, D[begin:end])
static void path(struct mlt_proof *p, uint64_t m, uint64_t begin, uint64_t end) {
    uint64_t n = end - begin;
    if (n == 1) {
        return;
    }
    uint64_t k = split(n);
    if (m < k) {
        path(p, m, begin, begin + k);
        put(p, mth(begin + k, end));
    } else {
        path(p, m - k, begin + k, end);
        put(p, mth(begin, begin + k));
    }
}

// SUBPROOF(m, D[begin:end], b)
static void subproof(struct mlt_proof *p, uint64_t m, uint64_t begin, uint64_t end, bool b) {
    uint64_t n = end - begin;
    if (m == n) {
        if (!b) {
            put(p, mth(begin, end));
        }
        return;
    }
    uint64_t k = split(n);
    if (m <= k) {
        subproof(p, m, begin, begin + k, b);
        put(p, mth(begin + k, end));
    } else {
        subproof(p, m - k, begin + k, end, false);
        put(p, mth(begin, begin + k));
    }
}

// Level 0 are the leaves, level 1 has the root of the one full tile there is.
static enum mlt_status read_hashes(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = first + i;
        assert_true(level == 0 ? at < SIZE_MAX_HERE : level == 1 && at == 0);
        memcpy(out + i * H, level == 0 ? leaves[at] : mth(0, MLT_TILE_WIDTH), H);
    }
    return MLT_OK;
}
static const struct mlt_hash_source source = {NULL, read_hashes};

static bool same(const struct mlt_proof *a, const struct mlt_proof *b) {
    return a->num_hashes == b->num_hashes && memcmp(a->hash, b->hash, a->num_hashes * H) == 0;
}

static void test_every_inclusion_proof(void **state) {
    // Made, measured and verified as the definition says; an index that is another's is false with it.
    (void)state;
    for (uint64_t size = 1; size <= SIZE_MAX_HERE; size++) {
        for (uint64_t index = 0; index < size; index++) {
            struct mlt_proof want = {.num_hashes = 0};
            struct mlt_proof made;
            path(&want, index, 0, size);
            assert_int_equal(mlt_merkle_prove_inclusion(&source, index, size, &made, NULL), MLT_OK);
            assert_true(same(&made, &want));
            assert_int_equal(mlt_merkle_inclusion_len(index, size), want.num_hashes);
            assert_true(mlt_merkle_verify_inclusion(index, size, leaves[index], &want, mth(0, size)));
            for (uint64_t other = 0; size <= SIZE_CROSSED && other < size; other++) {
                assert_int_equal(mlt_merkle_verify_inclusion(other, size, leaves[index], &want, mth(0, size)),
                                 other == index);
                assert_int_equal(mlt_merkle_verify_inclusion(index, size, leaves[other], &want, mth(0, size)),
                                 other == index);
            }
        }
        assert_int_equal(mlt_merkle_inclusion_len(size, size), 0);
    }
}

static void test_every_consistency_proof(void **state) {
    // Made, measured and verified as the definition says; roots of other sizes are false with it.
    (void)state;
    for (uint64_t size2 = 1; size2 <= SIZE_MAX_HERE; size2++) {
        for (uint64_t size1 = 1; size1 <= size2; size1++) {
            struct mlt_proof want = {.num_hashes = 0};
            struct mlt_proof made;
            subproof(&want, size1, 0, size2, true);
            assert_int_equal(mlt_merkle_prove_consistency(&source, size1, size2, &made, NULL), MLT_OK);
            assert_true(same(&made, &want));
            assert_int_equal(mlt_merkle_consistency_len(size1, size2), want.num_hashes);
            assert_true(mlt_merkle_verify_consistency(size1, size2, &want, mth(0, size1), mth(0, size2)));
            for (uint64_t other = 1; size2 <= SIZE_CROSSED && other <= size2; other++) {
                assert_int_equal(mlt_merkle_verify_consistency(size1, size2, &want, mth(0, other), mth(0, size2)),
                                 other == size1);
                assert_int_equal(mlt_merkle_verify_consistency(size1, size2, &want, mth(0, size1), mth(0, other)),
                                 other == size2);
            }
        }
        assert_int_equal(mlt_merkle_consistency_len(0, size2), 0);
        assert_int_equal(mlt_merkle_consistency_len(size2 + 1, size2), 0);
    }
}

static void test_every_length_but_one_is_false(void **state) {
    // A proof cut short or drawn out, at either end, is false for every index and size.
    (void)state;
    for (uint64_t size = 1; size <= SIZE_MAX_HERE; size++) {
        for (uint64_t at = 0; at < size; at++) {
            struct mlt_proof inclusion = {.num_hashes = 0};
            struct mlt_proof consistency = {.num_hashes = 0};
            path(&inclusion, at, 0, size);
            subproof(&consistency, at + 1, 0, size, true);
            for (int change = -1; change <= 1; change += 2) {
                struct mlt_proof p = inclusion;
                struct mlt_proof q = consistency;
                memset(p.hash[p.num_hashes], 0, H);
                memset(q.hash[q.num_hashes], 0, H);
                p.num_hashes += (size_t)change;
                q.num_hashes += (size_t)change;
                if (p.num_hashes <= MLT_PROOF_MAX) {
                    assert_false(mlt_merkle_verify_inclusion(at, size, leaves[at], &p, mth(0, size)));
                }
                if (q.num_hashes <= MLT_PROOF_MAX) {
                    assert_false(mlt_merkle_verify_consistency(at + 1, size, &q, mth(0, at + 1), mth(0, size)));
                }
            }
        }
    }
}

// Lengths of PATH and SUBPROOF by the same recursions, without hashes: these reach any size.
static size_t path_len(uint64_t m, uint64_t n) {
    uint64_t k = split(n);
    return n == 1 ? 0 : 1 + (m < k ? path_len(m, k) : path_len(m - k, n - k));
}
static size_t subproof_len(uint64_t m, uint64_t n, bool b) {
    uint64_t k = split(n);
    if (m == n) {
        return b ? 0 : 1;
    }
    return 1 + (m <= k ? subproof_len(m, k, b) : subproof_len(m - k, n - k, false));
}

static void test_lengths_around_every_power_of_two(void **state) {
    // At all sizes within 3 of a power of two up to 2^62, for indexes and old sizes within 3 of any, lengths are right.
    (void)state;
    for (unsigned i = 2; i <= 62; i++) {
        for (uint64_t n = (UINT64_C(1) << i) - 3; n <= (UINT64_C(1) << i) + 3 && n <= MLT_TREE_MAX; n++) {
            for (unsigned j = 2; j <= i; j++) {
                for (uint64_t m = (UINT64_C(1) << j) - 3; m <= (UINT64_C(1) << j) + 3 && m <= n; m++) {
                    assert_int_equal(mlt_merkle_consistency_len(m, n), subproof_len(m, n, true));
                    assert_int_equal(mlt_merkle_inclusion_len(m - 1, n), path_len(m - 1, n));
                    assert_int_equal(mlt_merkle_inclusion_len(n - m, n), path_len(n - m, n));
                }
            }
        }
    }
}

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZE_MAX_HERE; i++) {
        char entry[16];
        (void)snprintf(entry, sizeof(entry), "entry %zu", i);
        mlt_merkle_leaf(leaves[i], mlt_str(entry));
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_inclusion_proof),
        cmocka_unit_test(test_every_consistency_proof),
        cmocka_unit_test(test_every_length_but_one_is_false),
        cmocka_unit_test(test_lengths_around_every_power_of_two),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
