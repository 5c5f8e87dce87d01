// links: mlt_note mlt_testlib
//
// The log of 15 entries is testdata/log of transparency-dev/tessera (1811ae1a); roots, lines and seed are published
// there.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "note/checkpoint.h"

#include <cmocka.h>

#define H MLT_HASH_LEN
#define LOG_SIZE 15
#define DASH "\xe2\x80\x94"

static const char log_seed[] = "eca663f499017d2365c27c7a7679158d43cfec1330bdb259290afbd0d21777a0";
static const char log_vkey[] = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
static const char *const log_entries[LOG_SIZE] = {"one",    "two",   "three",    "four",    "five",
                                                  "six",    "seven", "eit",      "nain",    "ten",
                                                  "ileven", "twelf", "threeten", "fourten", "fivten"};
static const struct {
    uint64_t size;
    const char *note;
} published[] = {
    {0, "example.com/log/testdata\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" DASH
        " example.com/log/testdata M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5Bv"
        "IVEgtQc=\n"},
    {7, "example.com/log/testdata\n7\nIrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=\n\n" DASH
        " example.com/log/testdata M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9"
        "uANf2Qc=\n"},
    {15,
     "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n" DASH
     " example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlP"
     "WF74ewI=\n"},
};

static struct mlt_signer signer;
static struct mlt_vkey vkey;
static uint8_t leaves[LOG_SIZE][H];

static int set_up(void **state) {
    (void)state;
    uint8_t seed[32];
    test_unhex(seed, sizeof(seed), log_seed);
    assert_int_equal(mlt_signer_init(&signer, mlt_str("example.com/log/testdata"), seed, NULL), MLT_OK);
    assert_int_equal(mlt_vkey_parse(&vkey, mlt_str(log_vkey), NULL), MLT_OK);
    for (size_t i = 0; i < LOG_SIZE; i++) {
        mlt_merkle_leaf(leaves[i], mlt_str(log_entries[i]));
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    mlt_signer_clear(&signer);
    return 0;
}

static struct mlt_checkpoint checkpoint_at(uint64_t size) {
    struct mlt_checkpoint c = {.size = size};
    struct mlt_frontier f = {0};
    uint8_t roots[MLT_TILE_LEVELS][H];
    (void)snprintf(c.origin, sizeof(c.origin), "example.com/log/testdata");
    for (uint64_t i = 0; i < size; i++) {
        (void)mlt_frontier_add(&f, leaves[i], roots);
    }
    mlt_frontier_root(&f, c.root);
    return c;
}

static void assert_signs_as(uint64_t size, struct mlt_bytes want) {
    struct mlt_checkpoint c = checkpoint_at(size);
    struct mlt_checkpoint opened;
    struct mlt_buf out = {0};
    struct mlt_error err;
    assert_int_equal(mlt_checkpoint_sign(&out, &c, &signer, NULL), MLT_OK);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&out), want));
    assert_true(out.len <= MLT_CHECKPOINT_NOTE_MAX);
    if (mlt_checkpoint_open(&opened, want, &vkey, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(opened.size, size);
    assert_string_equal(opened.origin, "example.com/log/testdata");
    assert_memory_equal(opened.root, c.root, H);
    mlt_buf_clear(&out);
}

static void test_published_checkpoints(void **state) {
    // Entries, seed and origin of the published log give its checkpoints byte for byte, and these open.
    (void)state;
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        assert_signs_as(published[i].size, mlt_str(published[i].note));
    }
    uint8_t want[H];
    test_unhex(want, H, "d0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9");
    assert_memory_equal(leaves[0], want, H);
    test_unbase64(want, H, "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=");
    struct mlt_checkpoint one = checkpoint_at(1);
    assert_memory_equal(one.root, want, H);
}

static void test_published_log_files(void **state) {
    // Every checkpoint, hash tile and entry bundle of the published log comes out byte for byte.
    (void)state;
    char folder[1024];
    struct mlt_buf file = {0};
    struct mlt_buf bundle = {0};
    if (!test_shared_path(folder, sizeof(folder), "vectors/tessera-log/testdata/log")) {
        skip();
    }
    for (unsigned size = 0; size <= LOG_SIZE; size++) {
        char path[1200];
        (void)snprintf(path, sizeof(path), "%s/checkpoint.%u", folder, size);
        assert_true(test_read_file(path, &file));
        assert_signs_as(size, mlt_buf_bytes(&file));
        if (size == 0) {
            continue;
        }
        mlt_buf_put_u16be(&bundle, (uint16_t)strlen(log_entries[size - 1]));
        mlt_buf_put_str(&bundle, log_entries[size - 1]);
        struct mlt_tile_id id = {true, 0, 0, mlt_tile_width(size, 0, 0)};
        char tile[MLT_TILE_PATH_MAX];
        mlt_tile_path_format(tile, &id);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, tile);
        assert_true(test_read_file(path, &file));
        assert_true(mlt_bytes_equal(mlt_buf_bytes(&file), mlt_buf_bytes(&bundle)));
        id.entries = false;
        mlt_tile_path_format(tile, &id);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, tile);
        assert_true(test_read_file(path, &file));
        assert_true(mlt_bytes_equal(mlt_buf_bytes(&file), mlt_bytes_of(leaves, (size_t)size * H)));
    }
    mlt_buf_clear(&file);
    mlt_buf_clear(&bundle);
}

static void test_published_witness_checkpoint(void **state) {
    // A checkpoint with a log signature of a type unknown here opens as text and verifies under its witness.
    (void)state;
    char path[1024];
    struct mlt_buf file = {0};
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_checkpoint c;
    struct mlt_vkey witness;
    if (!test_shared_path(path, sizeof(path),
                          "vectors/sunlight-mirror/cmd/skylight/testdata/witness/"
                          "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706/checkpoint")) {
        skip();
    }
    assert_true(test_read_file(path, &file));
    assert_int_equal(mlt_note_parse(&note, &arena, mlt_buf_bytes(&file), NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_parse(&c, note.text, NULL), MLT_OK);
    assert_int_equal(c.size, 300);
    assert_string_equal(c.origin, "rome2026h1.example.org");
    const char *key = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";
    assert_int_equal(mlt_vkey_parse(&witness, mlt_str(key), NULL), MLT_OK);
    assert_true(mlt_note_verify(&note, &witness, 1, NULL, NULL));
    mlt_arena_clear(&arena);
    mlt_buf_clear(&file);
}

static void test_published_proofs(void **state) {
    // Consistency from 7 and from 8 to 15 holds with the hashes that were computed from the published tiles.
    (void)state;
    static const char *const from7[] = {
        "2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=", "ThcgoV2DYcK+VCxBUDWAlNxmLy2r7dq7dK7+OlgQKWs=",
        "ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=", "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
        "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks="};
    struct mlt_proof p = {.num_hashes = 5};
    struct mlt_checkpoint c7 = checkpoint_at(7);
    struct mlt_checkpoint c8 = checkpoint_at(8);
    struct mlt_checkpoint c15 = checkpoint_at(15);
    for (size_t i = 0; i < 5; i++) {
        test_unbase64(p.hash[i], H, from7[i]);
    }
    assert_true(mlt_merkle_verify_consistency(7, 15, &p, c7.root, c15.root));
    p.hash[2][0] ^= 1;
    assert_false(mlt_merkle_verify_consistency(7, 15, &p, c7.root, c15.root));
    p.num_hashes = 1;
    memcpy(p.hash[0], p.hash[4], H);
    assert_true(mlt_merkle_verify_consistency(8, 15, &p, c8.root, c15.root));
}

static void test_open_refuses(void **state) {
    // A checkpoint of another origin, by another key or without a good signature is denied; garbage is invalid.
    (void)state;
    struct mlt_checkpoint c;
    struct mlt_error err;
    struct mlt_buf out = {0};
    struct mlt_signer other;
    uint8_t seed[32] = {9};
    char flipped[512];

    assert_int_equal(mlt_checkpoint_open(&c, mlt_str("garbage"), &vkey, &err), MLT_INVALID);

    (void)snprintf(flipped, sizeof(flipped), "%s", published[2].note);
    *strstr(flipped, "rKbD") = 's';
    assert_int_equal(mlt_checkpoint_open(&c, mlt_str(flipped), &vkey, &err), MLT_DENIED);
    assert_non_null(strstr(err.text, "does not verify"));
    assert_string_equal(c.origin, "");

    // The same origin under a key that we do not trust.
    assert_int_equal(mlt_signer_init(&other, mlt_str("example.com/log/testdata"), seed, NULL), MLT_OK);
    c = checkpoint_at(15);
    assert_int_equal(mlt_checkpoint_sign(&out, &c, &other, NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_open(&c, mlt_buf_bytes(&out), &vkey, &err), MLT_DENIED);
    assert_non_null(strstr(err.text, "no signature by a known key"));

    // Our key under a checkpoint of another origin.
    mlt_buf_reset(&out);
    c = checkpoint_at(15);
    (void)snprintf(c.origin, sizeof(c.origin), "example.com/other");
    assert_int_equal(mlt_checkpoint_sign(&out, &c, &signer, NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_open(&c, mlt_buf_bytes(&out), &vkey, &err), MLT_DENIED);
    assert_non_null(strstr(err.text, "example.com/other"));

    // Our key under a note that is no checkpoint.
    mlt_buf_reset(&out);
    assert_int_equal(mlt_note_sign(&out, mlt_str("example.com/log/testdata\n15\n"), &signer, NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_open(&c, mlt_buf_bytes(&out), &vkey, &err), MLT_INVALID);
    mlt_signer_clear(&other);
    mlt_buf_clear(&out);
}

#define ROOT "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs="

static void test_parse_forms(void **state) {
    // Three lines and extension lines are read; empty, missing and non-canonical ones are refused.
    (void)state;
    static const char *const good[] = {
        "o\n0\n" ROOT "\n",
        "go.sum database tree\n123\n" ROOT "\n",
        "o\n4611686018427387904\n" ROOT "\n",
        "o\n1\n" ROOT "\nextension\nanother one\n",
    };
    static const char *const bad[] = {
        "",
        "\n",
        "o\n",
        "o\n1\n",
        "o\n1\n" ROOT,
        "\n1\n" ROOT "\n",
        "o\n01\n" ROOT "\n",
        "o\n-1\n" ROOT "\n",
        "o\n\n" ROOT "\n",
        "o\n1 \n" ROOT "\n",
        "o\n4611686018427387905\n" ROOT "\n",
        "o\n18446744073709551616\n" ROOT "\n",
        "o\n1\n\n",
        "o\n1\nAAAA\n",
        "o\n1\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383ct=\n",
        "o\n1\n" ROOT "AAAA\n",
        "o\n1\n" ROOT " \n",
        "o\n1\n" ROOT "\n\n",
        "o\n1\n" ROOT "\nextension\n\n",
        "o\n1\n" ROOT "\nextension",
        "o\r\n1\r\n" ROOT "\r\n",
        "\xff\n1\n" ROOT "\n",
    };
    struct mlt_checkpoint c;
    struct mlt_error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(mlt_checkpoint_parse(&c, mlt_str(good[i]), NULL), MLT_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mlt_checkpoint_parse(&c, mlt_str(bad[i]), &err) != MLT_INVALID || strlen(err.text) == 0) {
            fail_msg("case %zu not refused: %s", i, bad[i]);
        }
    }
    struct mlt_buf text = {0};
    for (size_t i = 0; i < MLT_NOTE_NAME_MAX; i++) {
        mlt_buf_put_u8(&text, 'o');
    }
    mlt_buf_put_str(&text, "\n1\n" ROOT "\n");
    assert_int_equal(mlt_checkpoint_parse(&c, mlt_buf_bytes(&text), NULL), MLT_OK);
    assert_int_equal(strlen(c.origin), MLT_NOTE_NAME_MAX);
    text.data[MLT_NOTE_NAME_MAX] = 'o';
    assert_int_equal(mlt_checkpoint_parse(&c, mlt_buf_bytes(&text), NULL), MLT_INVALID);
    mlt_buf_clear(&text);
}

static void test_tlog_proof_known_answer(void **state) {
    // The published proof parses, prints back byte for byte, and proves entry 4 and no other.
    (void)state;
    char path[1024];
    struct mlt_buf file = {0};
    struct mlt_buf printed = {0};
    struct mlt_arena arena = {0};
    struct mlt_tlog_proof p;
    struct mlt_checkpoint c;
    test_source_path(path, sizeof(path), "tests/vectors/testdata-log-4-of-15.tlog-proof");
    assert_true(test_read_file(path, &file));
    assert_int_equal(mlt_tlog_proof_parse(&p, &arena, mlt_buf_bytes(&file), NULL), MLT_OK);
    assert_int_equal(p.index, 4);
    assert_int_equal(p.proof.num_hashes, 4);
    assert_int_equal(p.extra.len, 0);
    mlt_tlog_proof_format(&printed, &p);
    assert_true(mlt_bytes_equal(mlt_buf_bytes(&file), mlt_buf_bytes(&printed)));

    assert_int_equal(mlt_checkpoint_open(&c, p.checkpoint, &vkey, NULL), MLT_OK);
    for (uint64_t i = 0; i < LOG_SIZE; i++) {
        bool want = i == 4;
        assert_int_equal(mlt_merkle_verify_inclusion(p.index, c.size, leaves[i], &p.proof, c.root), want);
        assert_int_equal(mlt_merkle_verify_inclusion(i, c.size, leaves[4], &p.proof, c.root), want);
    }
    mlt_buf_clear(&file);
    mlt_buf_clear(&printed);
    mlt_arena_clear(&arena);
}

#define HASH "yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=\n"
#define HASH_8 HASH HASH HASH HASH HASH HASH HASH HASH
#define HEAD "c2sp.org/tlog-proof@v1\n"

static void test_tlog_proof_forms(void **state) {
    // Extra data is optional and decoded; every line out of place, malformed or missing is refused.
    (void)state;
    static const char *const good[] = {
        HEAD "index 0\n\ncheckpoint",
        HEAD "index 18446744073709551615\n" HASH "\ncheckpoint",
        HEAD "extra Zm9v\nindex 1\n" HASH HASH "\n\n",
        HEAD "index 0\n" HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 "\nc",
    };
    static const char *const bad[] = {
        "",
        "c2sp.org/tlog-proof@v1",
        HEAD,
        "c2sp.org/tlog-proof@v2\nindex 0\n\nc",
        HEAD "\nindex 0\n\nc",
        HEAD "index 0",
        HEAD "index 0\n",
        HEAD "index 0\n\n",
        HEAD "index 0\n" HASH "c",
        HEAD "index -1\n\nc",
        HEAD "index 01\n\nc",
        HEAD "index\n\nc",
        HEAD "index \n\nc",
        HEAD "index 0 \n\nc",
        HEAD "index 18446744073709551616\n\nc",
        HEAD "extra \nindex 0\n\nc",
        HEAD "extra Zm9\nindex 0\n\nc",
        HEAD "extra Zm9v\n\nindex 0\n\nc",
        HEAD "extra Zm9v\nextra Zm9v\nindex 0\n\nc",
        HEAD "index 0\nextra Zm9v\n\nc",
        HEAD "index 0\nindex 0\n\nc",
        HEAD "index 0\nZm9v\n\nc",
        HEAD "index 0\n" HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH_8 HASH "\nc",
        HEAD "index 0\nyiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yV=\n\nc",
    };
    struct mlt_arena arena = {0};
    struct mlt_tlog_proof p;
    struct mlt_error err;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct mlt_buf printed = {0};
        if (mlt_tlog_proof_parse(&p, &arena, mlt_str(good[i]), &err)) {
            fail_msg("case %zu refused: %s", i, err.text);
        }
        mlt_tlog_proof_format(&printed, &p);
        assert_string_equal(mlt_buf_cstr(&printed), good[i]);
        mlt_buf_clear(&printed);
    }
    assert_int_equal(p.proof.num_hashes, MLT_PROOF_MAX);
    assert_int_equal(mlt_tlog_proof_parse(&p, &arena, mlt_str(good[2]), NULL), MLT_OK);
    assert_true(mlt_bytes_is(p.extra, "foo"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mlt_tlog_proof_parse(&p, &arena, mlt_str(bad[i]), &err) != MLT_INVALID || strlen(err.text) == 0) {
            fail_msg("case %zu not refused: %s", i, bad[i]);
        }
    }
    mlt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_checkpoints),
        cmocka_unit_test(test_published_log_files),
        cmocka_unit_test(test_published_witness_checkpoint),
        cmocka_unit_test(test_published_proofs),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_parse_forms),
        cmocka_unit_test(test_tlog_proof_known_answer),
        cmocka_unit_test(test_tlog_proof_forms),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
