// links: mlt_merkle mlt_testlib
//
// The oracle is RFC 6962 section 2.1 written down as it stands there, recursive and slow.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "merkle/merkle.h"

#include <cmocka.h>

#define H MLT_HASH_LEN

// ---- the oracle ----

static uint64_t split_point(uint64_t n) {
    uint64_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    return k;
}

static void oracle_root(uint8_t out[H], uint8_t (*leaves)[H], uint64_t n) {
    if (n == 0) {
        mlt_sha256_one(out, mlt_bytes_of(NULL, 0));
    } else if (n == 1) {
        memcpy(out, leaves[0], H);
    } else {
        uint8_t node[1 + 2 * H] = {1};
        uint64_t k = split_point(n);
        oracle_root(node + 1, leaves, k);
        oracle_root(node + 1 + H, leaves + k, n - k);
        mlt_sha256_one(out, mlt_bytes_of(node, sizeof(node)));
    }
}

static void oracle_path(struct mlt_proof *out, uint64_t m, uint8_t (*leaves)[H], uint64_t n) {
    if (n <= 1) {
        return;
    }
    uint64_t k = split_point(n);
    if (m < k) {
        oracle_path(out, m, leaves, k);
        oracle_root(out->hash[out->num_hashes++], leaves + k, n - k);
    } else {
        oracle_path(out, m - k, leaves + k, n - k);
        oracle_root(out->hash[out->num_hashes++], leaves, k);
    }
}

static void oracle_subproof(struct mlt_proof *out, uint64_t m, uint8_t (*leaves)[H], uint64_t n, bool whole) {
    if (m == n) {
        if (!whole) {
            oracle_root(out->hash[out->num_hashes++], leaves, n);
        }
        return;
    }
    uint64_t k = split_point(n);
    if (m <= k) {
        oracle_subproof(out, m, leaves, k, whole);
        oracle_root(out->hash[out->num_hashes++], leaves + k, n - k);
    } else {
        oracle_subproof(out, m - k, leaves + k, n - k, false);
        oracle_root(out->hash[out->num_hashes++], leaves, k);
    }
}

// ---- flat tile levels in memory, grown as the store grows its files ----

#define LEAVES_MAX 70000

struct levels {
    uint8_t (*level[MLT_TILE_LEVELS])[H];
    uint64_t count[MLT_TILE_LEVELS];
    struct mlt_frontier frontier;
    size_t num_reads;
    size_t max_count;
};

static void levels_init(struct levels *l) {
    memset(l, 0, sizeof(*l));
    uint64_t room = LEAVES_MAX;
    for (unsigned i = 0; i < MLT_TILE_LEVELS; i++, room /= MLT_TILE_WIDTH) {
        l->level[i] = calloc((size_t)room + 1, H);
        assert_non_null(l->level[i]);
    }
}

static void levels_clear(struct levels *l) {
    for (unsigned i = 0; i < MLT_TILE_LEVELS; i++) {
        free(l->level[i]);
    }
}

static void levels_add(struct levels *l, const uint8_t leaf[H]) {
    uint8_t roots[MLT_TILE_LEVELS][H];
    size_t num_roots = mlt_frontier_add(&l->frontier, leaf, roots);
    memcpy(l->level[0][l->count[0]++], leaf, H);
    for (size_t i = 0; i < num_roots; i++) {
        memcpy(l->level[i + 1][l->count[i + 1]++], roots[i], H);
    }
}

static void levels_add_record(struct levels *l, uint64_t i) {
    char entry[32];
    uint8_t leaf[H];
    int len = snprintf(entry, sizeof(entry), "record %llu", (unsigned long long)i);
    mlt_merkle_leaf(leaf, mlt_bytes_of(entry, (size_t)len));
    levels_add(l, leaf);
}

static enum mlt_status levels_read(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                   struct mlt_error *err) {
    struct levels *l = ctx;
    if (level >= MLT_TILE_LEVELS || first + count > l->count[level] ||
        first / MLT_TILE_WIDTH != (first + count - 1) / MLT_TILE_WIDTH) {
        return mlt_fail(err, MLT_INTERNAL, "asked for hashes that the tree does not have in one tile");
    }
    l->num_reads++;
    l->max_count = count > l->max_count ? count : l->max_count;
    memcpy(out, l->level[level][first], count * H);
    return MLT_OK;
}

static struct mlt_hash_source source_of(struct levels *l) {
    return (struct mlt_hash_source){l, levels_read};
}

static void assert_proofs_equal(const struct mlt_proof *got, const struct mlt_proof *want) {
    assert_int_equal(got->num_hashes, want->num_hashes);
    assert_memory_equal(got->hash, want->hash, want->num_hashes * H);
}

// ---- tests ----

static void test_eight_leaf_constants(void **state) {
    // Roots of the eight published leaves are those of transparency-dev/merkle testonly/constants.go.
    (void)state;
    static const char *const leaves[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    static const struct {
        uint64_t size;
        const char *root;
    } roots[] = {
        {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct mlt_frontier f = {0};
    uint8_t tile_roots[MLT_TILE_LEVELS][H];
    uint8_t root[H];
    uint8_t want[H];
    mlt_frontier_root(&f, root);
    test_unhex(want, H, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_memory_equal(root, want, H);
    for (size_t i = 0, r = 0; i < 8; i++) {
        uint8_t entry[16];
        uint8_t leaf[H];
        size_t len = strlen(leaves[i]) / 2;
        test_unhex(entry, len, leaves[i]);
        mlt_merkle_leaf(leaf, mlt_bytes_of(entry, len));
        assert_int_equal(mlt_frontier_add(&f, leaf, tile_roots), 0);
        if (roots[r].size == i + 1) {
            test_unhex(want, H, roots[r].root);
            mlt_frontier_root(&f, root);
            assert_memory_equal(root, want, H);
            r++;
        }
    }
}

static void test_proofs_equal_the_rfc(void **state) {
    // For every size up to 40 and every index, roots and proofs are byte for byte those of RFC 6962, and verify.
    (void)state;
    struct levels l;
    levels_init(&l);
    struct mlt_hash_source src = source_of(&l);
    for (uint64_t size = 1; size <= 40; size++) {
        uint8_t root[H];
        uint8_t want[H];
        levels_add_record(&l, size - 1);
        oracle_root(want, l.level[0], size);
        assert_int_equal(mlt_merkle_root(&src, size, root, NULL), MLT_OK);
        assert_memory_equal(root, want, H);
        mlt_frontier_root(&l.frontier, root);
        assert_memory_equal(root, want, H);
        for (uint64_t i = 0; i < size; i++) {
            struct mlt_proof got;
            struct mlt_proof expected = {.num_hashes = 0};
            oracle_path(&expected, i, l.level[0], size);
            assert_int_equal(mlt_merkle_prove_inclusion(&src, i, size, &got, NULL), MLT_OK);
            assert_proofs_equal(&got, &expected);
            assert_true(mlt_merkle_verify_inclusion(i, size, l.level[0][i], &got, root));

            uint8_t old_root[H];
            expected.num_hashes = 0;
            oracle_subproof(&expected, i + 1, l.level[0], size, true);
            assert_int_equal(mlt_merkle_prove_consistency(&src, i + 1, size, &got, NULL), MLT_OK);
            assert_proofs_equal(&got, &expected);
            oracle_root(old_root, l.level[0], i + 1);
            assert_true(mlt_merkle_verify_consistency(i + 1, size, &got, old_root, root));
        }
    }
    levels_clear(&l);
}

static void test_proofs_over_tile_boundaries(void **state) {
    // Proofs equal RFC 6962 around tile boundaries of two and three levels, for old sizes in the same tree too.
    (void)state;
    static const uint64_t sizes[] = {255, 256, 257, 300, 511, 512, 513, 767, 1024, 65535, 65536, 65537, 66000, 70000};
    static const uint64_t indexes[] = {0,   1,   127,   128,   254,   255,   256,   299,   510,
                                       511, 512, 65279, 65280, 65534, 65535, 65536, 65999, 69999};
    struct levels l;
    levels_init(&l);
    struct mlt_hash_source src = source_of(&l);
    for (uint64_t i = 0; i < LEAVES_MAX; i++) {
        levels_add_record(&l, i);
    }
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t size = sizes[s];
        uint8_t root[H];
        uint8_t want[H];
        oracle_root(want, l.level[0], size);
        assert_int_equal(mlt_merkle_root(&src, size, root, NULL), MLT_OK);
        assert_memory_equal(root, want, H);
        // The oracle hashes whole subtrees again for each proof: large trees get fewer of them.
        size_t step = size > 60000 ? 4 : 1;
        for (size_t k = s % step; k < sizeof(indexes) / sizeof(indexes[0]) && indexes[k] < size; k += step) {
            struct mlt_proof got;
            struct mlt_proof expected = {.num_hashes = 0};
            oracle_path(&expected, indexes[k], l.level[0], size);
            assert_int_equal(mlt_merkle_prove_inclusion(&src, indexes[k], size, &got, NULL), MLT_OK);
            assert_proofs_equal(&got, &expected);
            assert_true(mlt_merkle_verify_inclusion(indexes[k], size, l.level[0][indexes[k]], &got, root));
            expected.num_hashes = 0;
            oracle_subproof(&expected, indexes[k] + 1, l.level[0], size, true);
            assert_int_equal(mlt_merkle_prove_consistency(&src, indexes[k] + 1, size, &got, NULL), MLT_OK);
            assert_proofs_equal(&got, &expected);
        }
    }
    levels_clear(&l);
}

// A tree that is told tile by tile is the tree of its leaves, and each tile's root is told once at its level.
static void test_tree_by_tiles(void **state) {
    (void)state;
    struct mlt_frontier leaves = {0};
    struct mlt_frontier tiles = {0};
    uint8_t tile[MLT_TILE_WIDTH][H];
    uint8_t want[MLT_TILE_LEVELS][H];
    uint8_t have[MLT_TILE_LEVELS][H];
    for (uint64_t i = 0; i < 257 * MLT_TILE_WIDTH; i++) {
        uint8_t text[1 + 8] = {0xaa};
        uint8_t leaf[H];
        mlt_store_u64be(text + 1, i);
        mlt_merkle_leaf(tile[i % MLT_TILE_WIDTH], mlt_bytes_of(text + 1, 8));
        mlt_merkle_leaf_at(leaf, text + 1, 8);
        assert_memory_equal(leaf, tile[i % MLT_TILE_WIDTH], H);
        assert_int_equal(text[0], 0xaa); // given back
        size_t num = mlt_frontier_add(&leaves, leaf, want);
        if (i % MLT_TILE_WIDTH == MLT_TILE_WIDTH - 1) {
            uint8_t root[H];
            uint8_t oracle[H];
            mlt_merkle_tile_root(root, tile[0]);
            oracle_root(oracle, tile, MLT_TILE_WIDTH);
            assert_memory_equal(root, oracle, H);
            assert_int_equal(mlt_frontier_add_subtree(&tiles, MLT_TILE_HEIGHT, root, have), num);
            assert_memory_equal(have, want, num * H);
            assert_int_equal(tiles.size, leaves.size);
            assert_memory_equal(tiles.hash, leaves.hash, leaves.num_hashes * H);
        }
    }
}

static void test_frontier_from_tiles(void **state) {
    // The frontier read back from tiles at any size goes on to the same root as one that never stopped.
    (void)state;
    struct levels l;
    levels_init(&l);
    struct mlt_hash_source src = source_of(&l);
    for (uint64_t i = 0; i < 1500; i++) {
        levels_add_record(&l, i);
    }
    for (uint64_t size = 0; size <= 1500; size += 1 + size % 97) {
        struct mlt_frontier f;
        uint8_t tile_roots[MLT_TILE_LEVELS][H];
        uint8_t root[H];
        uint8_t want[H];
        assert_int_equal(mlt_merkle_frontier(&src, size, &f, NULL), MLT_OK);
        assert_true(mlt_frontier_check(&f));
        for (uint64_t i = size; i < 1500; i++) {
            (void)mlt_frontier_add(&f, l.level[0][i], tile_roots);
        }
        mlt_frontier_root(&f, root);
        mlt_frontier_root(&l.frontier, want);
        assert_memory_equal(root, want, H);
    }
    struct mlt_frontier broken = l.frontier;
    broken.num_hashes--;
    assert_false(mlt_frontier_check(&broken));
    levels_clear(&l);
}

static void test_seventy_thousand_root(void **state) {
    // 70,000 entries "record <i>" have the root that Python computed apart from this code, and three tile levels.
    (void)state;
    struct levels l;
    uint8_t want[H];
    uint8_t got[H];
    levels_init(&l);
    for (uint64_t i = 0; i < 70000; i++) {
        levels_add_record(&l, i);
        if (i + 1 == 300) {
            test_unbase64(want, H, "gw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=");
            mlt_frontier_root(&l.frontier, got);
            assert_memory_equal(got, want, H);
            test_unhex(want, H, "dc9349f9787ed0086da6d97f679c51a5198f98e456e95b1d87fa3abc012fec31");
            assert_memory_equal(l.level[1][0], want, H);
            test_unhex(want, H, "edeb971e38746b9b9dce8b6487fb0116d64ef7704fffb31fda427c7fd81c48da");
            assert_memory_equal(l.level[0][299], want, H);
        }
    }
    test_unbase64(want, H, "25Wlw4AqrnlkUtIrNNU+dJybwG++mtIplU2A2Oqj7hY=");
    mlt_frontier_root(&l.frontier, got);
    assert_memory_equal(got, want, H);
    assert_int_equal(l.count[1], 273);
    assert_int_equal(l.count[2], 1);
    levels_clear(&l);
}

// A tree whose leaves are all equal: the hash of a subtree depends on its height alone, so any size can be had.
struct uniform {
    uint8_t hash[MLT_TILE_LEVELS][H];
    uint64_t size;
    size_t num_reads;
};

static enum mlt_status uniform_read(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                    struct mlt_error *err) {
    struct uniform *u = ctx;
    if (level >= MLT_TILE_LEVELS || count > MLT_TILE_WIDTH || first + count > u->size >> (8 * level)) {
        return mlt_fail(err, MLT_INTERNAL, "asked for hashes that the tree does not have");
    }
    u->num_reads++;
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * H, u->hash[level], H);
    }
    return MLT_OK;
}

static void uniform_init(struct uniform *u, uint64_t size) {
    uint8_t hash[H];
    u->size = size;
    mlt_merkle_leaf(hash, mlt_str("same"));
    for (unsigned height = 0; height < MLT_TILE_LEVELS * 8; height++) {
        if (height % 8 == 0) {
            memcpy(u->hash[height / 8], hash, H);
        }
        mlt_merkle_node(hash, hash, hash);
    }
}

static void test_proof_reads_few_rows(void **state) {
    // In trees from a hundred million leaves to the limit a proof takes at most two short reads per tile level.
    (void)state;
    static const uint64_t sizes[] = {100000000,        99999999,    UINT64_C(1) << 40, (UINT64_C(1) << 40) - 1,
                                     MLT_TREE_MAX - 1, MLT_TREE_MAX};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct uniform u;
        uint8_t root[H];
        size_t num_levels = 1;
        uniform_init(&u, sizes[s]);
        while (num_levels < MLT_TILE_LEVELS && u.size >> (8 * num_levels) > 0) {
            num_levels++;
        }
        struct mlt_hash_source src = {&u, uniform_read};
        assert_int_equal(mlt_merkle_root(&src, u.size, root, NULL), MLT_OK);
        for (uint64_t i = 0; i < 10; i++) {
            uint64_t index = i == 9 ? u.size - 1 : u.size / 9 * i;
            struct mlt_proof proof;
            u.num_reads = 0;
            assert_int_equal(mlt_merkle_prove_inclusion(&src, index, u.size, &proof, NULL), MLT_OK);
            assert_in_range(u.num_reads, 1, 2 * num_levels);
            assert_true(mlt_merkle_verify_inclusion(index, u.size, u.hash[0], &proof, root));
            proof.hash[proof.num_hashes / 2][7] ^= 1;
            assert_false(mlt_merkle_verify_inclusion(index, u.size, u.hash[0], &proof, root));

            uint8_t old_root[H];
            u.num_reads = 0;
            assert_int_equal(mlt_merkle_prove_consistency(&src, index + 1, u.size, &proof, NULL), MLT_OK);
            assert_in_range(u.num_reads, 0, 2 * num_levels);
            assert_int_equal(mlt_merkle_root(&src, index + 1, old_root, NULL), MLT_OK);
            assert_true(mlt_merkle_verify_consistency(index + 1, u.size, &proof, old_root, root));
        }
    }
}

static void test_broken_proofs_fail(void **state) {
    // A proof with any byte flipped, a hash missing, doubled or added, or for a neighbouring index or size is false.
    (void)state;
    struct levels l;
    levels_init(&l);
    struct mlt_hash_source src = source_of(&l);
    const uint64_t size = 15;
    for (uint64_t i = 0; i < size; i++) {
        levels_add_record(&l, i);
    }
    uint8_t root[H];
    uint8_t old_root[H];
    mlt_frontier_root(&l.frontier, root);
    for (uint64_t index = 0; index < size; index++) {
        struct mlt_proof p;
        assert_int_equal(mlt_merkle_prove_inclusion(&src, index, size, &p, NULL), MLT_OK);
        for (size_t byte = 0; byte < p.num_hashes * H; byte++) {
            p.hash[byte / H][byte % H] ^= 0x10;
            assert_false(mlt_merkle_verify_inclusion(index, size, l.level[0][index], &p, root));
            p.hash[byte / H][byte % H] ^= 0x10;
        }
        assert_false(mlt_merkle_verify_inclusion(index ^ 1, size, l.level[0][index], &p, root));
        assert_false(mlt_merkle_verify_inclusion(index, size * 2, l.level[0][index], &p, root));
        assert_false(mlt_merkle_verify_inclusion(size, size, l.level[0][index], &p, root));
        assert_false(mlt_merkle_verify_inclusion(index, 0, l.level[0][index], &p, root));
        p.num_hashes--;
        assert_false(mlt_merkle_verify_inclusion(index, size, l.level[0][index], &p, root));
        p.num_hashes += 2;
        memcpy(p.hash[p.num_hashes - 1], root, H);
        assert_false(mlt_merkle_verify_inclusion(index, size, l.level[0][index], &p, root));
        p.num_hashes = MLT_PROOF_MAX + 1;
        assert_false(mlt_merkle_verify_inclusion(index, size, l.level[0][index], &p, root));
    }
    for (uint64_t size1 = 1; size1 < size; size1++) {
        struct mlt_proof p;
        assert_int_equal(mlt_merkle_prove_consistency(&src, size1, size, &p, NULL), MLT_OK);
        assert_int_equal(mlt_merkle_root(&src, size1, old_root, NULL), MLT_OK);
        assert_true(mlt_merkle_verify_consistency(size1, size, &p, old_root, root));
        for (size_t byte = 0; byte < p.num_hashes * H; byte++) {
            p.hash[byte / H][byte % H] ^= 0x10;
            assert_false(mlt_merkle_verify_consistency(size1, size, &p, old_root, root));
            p.hash[byte / H][byte % H] ^= 0x10;
        }
        assert_false(mlt_merkle_verify_consistency(size1, size, &p, root, old_root));
        assert_false(mlt_merkle_verify_consistency(size1 + 1, size, &p, old_root, root));
        assert_false(mlt_merkle_verify_consistency(size, size1, &p, old_root, root));
        p.num_hashes--;
        assert_false(mlt_merkle_verify_consistency(size1, size, &p, old_root, root));
    }
    levels_clear(&l);
}

static void test_edges_of_consistency(void **state) {
    // Equal sizes need equal roots and no hashes; from size 0 nothing is proved.
    (void)state;
    uint8_t a[H] = {1};
    uint8_t b[H] = {2};
    struct mlt_proof p = {.num_hashes = 0};
    assert_true(mlt_merkle_verify_consistency(5, 5, &p, a, a));
    assert_false(mlt_merkle_verify_consistency(5, 5, &p, a, b));
    assert_false(mlt_merkle_verify_consistency(0, 0, &p, a, a));
    assert_false(mlt_merkle_verify_consistency(0, 5, &p, a, a));
    p.num_hashes = 1;
    assert_false(mlt_merkle_verify_consistency(5, 5, &p, a, a));
    assert_false(mlt_merkle_verify_consistency(0, 5, &p, a, a));
}

static enum mlt_status failing_read(void *ctx, unsigned level, uint64_t first, size_t count, uint8_t *out,
                                    struct mlt_error *err) {
    (void)ctx;
    (void)level;
    (void)first;
    (void)count;
    (void)out;
    return mlt_fail(err, MLT_CORRUPT, "bad sector");
}

static void test_provers_refuse_and_report(void **state) {
    // Impossible indexes and sizes are refused, and a failing source is reported with what was read.
    (void)state;
    struct mlt_hash_source src = {NULL, failing_read};
    struct mlt_proof p;
    struct mlt_error err;
    uint8_t root[H];
    assert_int_equal(mlt_merkle_prove_inclusion(&src, 5, 5, &p, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_prove_inclusion(&src, 0, 0, &p, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_prove_inclusion(&src, 0, UINT64_MAX, &p, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_prove_consistency(&src, 0, 5, &p, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_prove_consistency(&src, 6, 5, &p, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_root(&src, UINT64_MAX, root, &err), MLT_INVALID);
    assert_int_equal(mlt_merkle_root(&src, 0, root, &err), MLT_OK);
    assert_int_equal(mlt_merkle_prove_inclusion(&src, 1, 5, &p, &err), MLT_CORRUPT);
    assert_string_equal(err.text, "read 5 hashes of tile level 0 from 0: bad sector");
    assert_int_equal(mlt_merkle_prove_consistency(&src, 3, 5, &p, &err), MLT_CORRUPT);
    assert_int_equal(mlt_merkle_root(&src, 5, root, &err), MLT_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eight_leaf_constants),
        cmocka_unit_test(test_proofs_equal_the_rfc),
        cmocka_unit_test(test_proofs_over_tile_boundaries),
        cmocka_unit_test(test_frontier_from_tiles),
        cmocka_unit_test(test_tree_by_tiles),
        cmocka_unit_test(test_seventy_thousand_root),
        cmocka_unit_test(test_proof_reads_few_rows),
        cmocka_unit_test(test_broken_proofs_fail),
        cmocka_unit_test(test_edges_of_consistency),
        cmocka_unit_test(test_provers_refuse_and_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
