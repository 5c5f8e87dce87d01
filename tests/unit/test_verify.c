// links: mlt_verify mlt_testlib
//
// The public verifier: one input per rung of every ladder, each false for that reason and no other. The log of 15
// entries is testdata/log of transparency-dev/tessera (1811ae1a); witnesses have seeds of one byte.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/seal.h"
#include "lib/vectors.h"
#include "merkle/merkle.h"
#include "mltrail/verify.h"
#include "note/chain.h"
#include "note/cosignature.h"

#include <cmocka.h>

#define H MLTRAIL_HASH_LEN
#define DASH "\xe2\x80\x94"
#define LOG_VKEY "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
#define FOO_VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define WITNESS_VKEY "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"
#define TEXT15 "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n"
#define LOG_LINE15                                                                                                     \
    DASH " example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/" \
         "dlPWF74ewI=\n"
#define NOTE15 TEXT15 "\n" LOG_LINE15
#define ROOT7 "IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U="
#define ROOT15 "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs="
#define TIME0 1700000000
#define PROOF_HEAD "c2sp.org/tlog-proof@v1\n"
// The path of entry 4 in 15.
#define P4_0 "yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU="
#define P4_1 "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg="
#define P4_2 "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co="
#define P4_3 "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks="
#define PATH4 P4_0 "\n" P4_1 "\n" P4_2 "\n" P4_3 "\n"
// Consistency from 7 to 15.
#define C7_0 "2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw="
#define C7_1 "ThcgoV2DYcK+VCxBUDWAlNxmLy2r7dq7dK7+OlgQKWs="
#define C7_2 "ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4="

static const char *const log_entries[] = {"one",  "two", "three",  "four",  "five",     "six",     "seven", "eit",
                                          "nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"};

static struct mltrail_trust *trust_of_key(const char *vkey) {
    struct mltrail_trust *trust;
    struct mltrail_error err;
    if (mltrail_trust_new_key(&trust, vkey, strlen(vkey), &err)) {
        fail_msg("%s: %s", vkey, err.text);
    }
    assert_true(mltrail_trust_check(trust));
    return trust;
}

static struct mltrail_trust *trust_of_policy(const char *policy, const char *log_vkey) {
    struct mltrail_trust *trust;
    struct mltrail_error err;
    if (mltrail_trust_new_policy(&trust, policy, strlen(policy), log_vkey, log_vkey ? strlen(log_vkey) : 0, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(mltrail_trust_check(trust));
    return trust;
}

static void check_verdict(const char *name, const struct mltrail_verdict *v, enum mltrail_reason want) {
    if (v->reason != want) {
        fail_msg("%s: want %s, have %s: %s", name, mltrail_reason_name(want), mltrail_reason_name(v->reason), v->why);
    }
    assert_int_equal(v->holds, want == MLTRAIL_HOLDS);
    assert_int_equal(v->why[0] == '\0', v->holds);
}

static bool is_zero(const void *p, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (((const uint8_t *)p)[i] != 0) {
            return false;
        }
    }
    return true;
}

// ---- checkpoints ----

static void put_witness_line(struct mlt_buf *out, unsigned number, const char *text) {
    struct mlt_cosigner cosigner;
    const char name[3] = {'W', (char)('0' + number), '\0'};
    const uint8_t seed[32] = {(uint8_t)(number + 1)};
    assert_int_equal(mlt_cosigner_init(&cosigner, mlt_str(name), seed, NULL), MLT_OK);
    assert_int_equal(mlt_cosignature_sign(out, mlt_str(text), &cosigner, TIME0 + number, NULL), MLT_OK);
    mlt_cosigner_clear(&cosigner);
}

static const char *policy_of_two(struct mlt_buf *out) {
    for (unsigned i = 0; i < 2; i++) {
        struct mlt_cosigner cosigner;
        char vkey[MLT_VKEY_TEXT_MAX];
        const char name[3] = {'W', (char)('0' + i), '\0'};
        const uint8_t seed[32] = {(uint8_t)(i + 1)};
        assert_int_equal(mlt_cosigner_init(&cosigner, mlt_str(name), seed, NULL), MLT_OK);
        mlt_vkey_format(vkey, &cosigner.vkey);
        mlt_buf_printf(out, "witness %s %s\n", name, vkey);
        mlt_cosigner_clear(&cosigner);
    }
    mlt_buf_put_str(out, "group both all W0 W1\nlog " LOG_VKEY "\nquorum both\n");
    return mlt_buf_cstr(out);
}

// The note of checkpoint 15 and witnesses 0 and 1, with the first character after `mark` changed (NULL: none).
static const char *cosigned(struct mlt_buf *out, unsigned num, const char *mark) {
    mlt_buf_put_str(out, NOTE15);
    for (unsigned i = 0; i < num; i++) {
        put_witness_line(out, i, TEXT15);
    }
    if (mark) {
        char *at = strstr((char *)(uintptr_t)mlt_buf_cstr(out), mark) + strlen(mark) + 20;
        *at = *at == 'A' ? 'B' : 'A';
    }
    return mlt_buf_cstr(out);
}

static void test_rungs_of_a_checkpoint(void **state) {
    // Each rung of the checkpoint's ladder has one note that fails there; nothing is handed out then.
    (void)state;
    struct mlt_buf policy = {0};
    struct mlt_buf two = {0};
    struct mlt_buf one = {0};
    struct mlt_buf bad_log = {0};
    struct mlt_buf bad_witness = {0};
    struct mlt_buf no_log = {0};
    const char *quorum_of_two = policy_of_two(&policy);
    mlt_buf_put_str(&no_log, TEXT15 "\n");
    put_witness_line(&no_log, 0, TEXT15);
    const struct {
        const char *name;
        const char *policy;
        const char *note;
        enum mltrail_reason reason;
    } cases[] = {
        {"honest", quorum_of_two, cosigned(&two, 2, NULL), MLTRAIL_HOLDS},
        {"no log key", "quorum none\n", NOTE15, MLTRAIL_NO_LOG_KEY},
        {"other origin", "log " FOO_VKEY "\nquorum none\n", NOTE15, MLTRAIL_OTHER_ORIGIN},
        {"bad signature", quorum_of_two, cosigned(&bad_log, 2, "log/testdata M9e0lu"), MLTRAIL_BAD_SIGNATURE},
        {"unsigned", quorum_of_two, mlt_buf_cstr(&no_log), MLTRAIL_UNSIGNED},
        {"bad cosignature", quorum_of_two, cosigned(&bad_witness, 2, DASH " W1 "), MLTRAIL_BAD_COSIGNATURE},
        {"no quorum", quorum_of_two, cosigned(&one, 1, NULL), MLTRAIL_NO_QUORUM},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_trust *trust = trust_of_policy(cases[i].policy, NULL);
        struct mltrail_verdict verdict;
        struct mltrail_checkpoint out;
        memset(&out, 0x5a, sizeof(out));
        assert_int_equal(mltrail_verify_checkpoint(&verdict, &out, trust, cases[i].note, strlen(cases[i].note), NULL),
                         MLTRAIL_OK);
        check_verdict(cases[i].name, &verdict, cases[i].reason);
        assert_int_equal(is_zero(&out, sizeof(out)), !verdict.holds);
        mltrail_trust_free(trust);
    }
    struct mlt_buf *bufs[] = {&policy, &two, &one, &bad_log, &bad_witness, &no_log};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++) {
        mlt_buf_clear(bufs[i]);
    }
}

static void test_what_a_good_checkpoint_says(void **state) {
    // Origin, size, root, the key that signed, and who cosigned when, in the order of the policy.
    (void)state;
    struct mlt_buf policy = {0};
    struct mlt_buf note = {0};
    uint8_t root[H];
    struct mltrail_verdict verdict;
    struct mltrail_checkpoint out;
    struct mltrail_error err = {MLTRAIL_INTERNAL, "stale"};
    struct mltrail_trust *trust = trust_of_policy(policy_of_two(&policy), NULL);
    const char *text = cosigned(&note, 2, NULL);
    assert_int_equal(mltrail_verify_checkpoint(&verdict, &out, trust, text, strlen(text), &err), MLTRAIL_OK);
    test_unbase64(root, H, ROOT15);
    assert_true(verdict.holds);
    assert_int_equal(err.status, MLTRAIL_OK);
    assert_string_equal(err.text, "");
    assert_string_equal(out.origin, "example.com/log/testdata");
    assert_int_equal(out.size, 15);
    assert_memory_equal(out.root, root, H);
    assert_string_equal(out.log_key, LOG_VKEY);
    assert_int_equal(out.num_witnesses, 2);
    assert_int_equal(out.num_cosigned, 2);
    assert_true(out.cosigned[0] && out.cosigned[1] && !out.cosigned[2]);
    assert_int_equal(out.cosigned_at[1], TIME0 + 1);
    assert_int_equal(out.earliest, TIME0);
    assert_int_equal(out.latest, TIME0 + 1);
    assert_int_equal(mltrail_trust_num_witnesses(trust), 2);
    assert_string_equal(mltrail_trust_witness_name(trust, 1), "W1");
    assert_null(mltrail_trust_witness_name(trust, 2));
    mltrail_trust_free(trust);
    mlt_buf_clear(&policy);
    mlt_buf_clear(&note);
}

// ---- trust ----

static void test_what_nobody_can_trust(void **state) {
    // Texts that are no key and no policy give no object, and say what would be right.
    (void)state;
    const struct {
        const char *policy; // NULL: a key alone
        const char *key;
        enum mltrail_status status;
        const char *text;
    } cases[] = {
        {NULL, "", MLTRAIL_INVALID, "name+hash+key"},
        {NULL, "example.com", MLTRAIL_INVALID, "name+hash+key"},
        {NULL, LOG_VKEY "\n", MLTRAIL_INVALID, "base64"},
        {NULL, WITNESS_VKEY, MLTRAIL_INVALID, "the key of a log must be of type 0x01"},
        {"", NULL, MLTRAIL_INVALID, "no quorum line"},
        {"quorum x\n", NULL, MLTRAIL_INVALID, "policy line 1"},
        {"quorum none\n", "x", MLTRAIL_INVALID, "name+hash+key"},
        {"quorum none\n", WITNESS_VKEY, MLTRAIL_INVALID, "the key of a log must be of type 0x01"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_trust *trust = (struct mltrail_trust *)1;
        struct mltrail_error err;
        const char *key = cases[i].key;
        size_t key_len = key ? strlen(key) : 0;
        enum mltrail_status st = cases[i].policy ? mltrail_trust_new_policy(&trust, cases[i].policy,
                                                                            strlen(cases[i].policy), key, key_len, &err)
                                                 : mltrail_trust_new_key(&trust, key, key_len, &err);
        assert_int_equal(st, cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        assert_null(trust);
        if (!strstr(err.text, cases[i].text)) {
            fail_msg("case %zu: %s", i, err.text);
        }
    }
    mltrail_trust_free(NULL);
}

// ---- offline proofs ----

static void test_rungs_of_an_offline_proof(void **state) {
    // The published proof holds; one change per rung of its ladder fails there.
    (void)state;
    static const struct {
        const char *name;
        const char *vkey;
        const char *proof;
        const char *entry;
        enum mltrail_reason reason;
    } cases[] = {
        {"honest", LOG_VKEY, PROOF_HEAD "index 4\n" PATH4 "\n" NOTE15, "five", MLTRAIL_HOLDS},
        {"extra is not looked at", LOG_VKEY, PROOF_HEAD "extra AAAA\nindex 4\n" PATH4 "\n" NOTE15, "five",
         MLTRAIL_HOLDS},
        {"other origin", FOO_VKEY, PROOF_HEAD "index 4\n" PATH4 "\n" NOTE15, "five", MLTRAIL_OTHER_ORIGIN},
        {"bad signature", LOG_VKEY,
         PROOF_HEAD "index 4\n" PATH4 "\nexample.com/log/testdata\n16\n" ROOT15 "\n\n" LOG_LINE15, "five",
         MLTRAIL_BAD_SIGNATURE},
        {"unsigned", LOG_VKEY, PROOF_HEAD "index 4\n" PATH4 "\n" TEXT15 "\n" DASH " nobody AAAAAAAA\n", "five",
         MLTRAIL_UNSIGNED},
        {"index beyond the tree", LOG_VKEY, PROOF_HEAD "index 15\n" PATH4 "\n" NOTE15, "five",
         MLTRAIL_INDEX_BEYOND_TREE},
        {"largest index", LOG_VKEY, PROOF_HEAD "index 18446744073709551615\n" PATH4 "\n" NOTE15, "five",
         MLTRAIL_INDEX_BEYOND_TREE},
        {"a hash less", LOG_VKEY, PROOF_HEAD "index 4\n" P4_0 "\n" P4_1 "\n" P4_2 "\n\n" NOTE15, "five",
         MLTRAIL_PROOF_LENGTH},
        {"a hash more", LOG_VKEY, PROOF_HEAD "index 4\n" PATH4 P4_0 "\n\n" NOTE15, "five", MLTRAIL_PROOF_LENGTH},
        {"another entry", LOG_VKEY, PROOF_HEAD "index 4\n" PATH4 "\n" NOTE15, "six", MLTRAIL_OTHER_ROOT},
        {"no entry", LOG_VKEY, PROOF_HEAD "index 4\n" PATH4 "\n" NOTE15, "", MLTRAIL_OTHER_ROOT},
        {"another place", LOG_VKEY, PROOF_HEAD "index 5\n" PATH4 "\n" NOTE15, "five", MLTRAIL_OTHER_ROOT},
        {"another hash", LOG_VKEY, PROOF_HEAD "index 4\n" P4_1 "\n" P4_0 "\n" P4_2 "\n" P4_3 "\n\n" NOTE15, "five",
         MLTRAIL_OTHER_ROOT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_trust *trust = trust_of_key(cases[i].vkey);
        struct mltrail_verdict verdict;
        struct mltrail_checkpoint checkpoint;
        uint64_t index = 77;
        memset(&checkpoint, 0x5a, sizeof(checkpoint));
        assert_int_equal(mltrail_verify_tlog_proof(&verdict, &index, &checkpoint, trust, cases[i].proof,
                                                   strlen(cases[i].proof), cases[i].entry, strlen(cases[i].entry),
                                                   NULL),
                         MLTRAIL_OK);
        check_verdict(cases[i].name, &verdict, cases[i].reason);
        assert_int_equal(index, verdict.holds ? 4 : 0);
        assert_int_equal(is_zero(&checkpoint, sizeof(checkpoint)), !verdict.holds);
        struct mltrail_verdict alone;
        assert_int_equal(mltrail_verify_tlog_proof(&alone, NULL, NULL, trust, cases[i].proof, strlen(cases[i].proof),
                                                   cases[i].entry, strlen(cases[i].entry), NULL),
                         MLTRAIL_OK);
        assert_int_equal(alone.reason, verdict.reason);
        mltrail_trust_free(trust);
    }
}

static void test_what_is_no_proof_is_not_judged(void **state) {
    // Malformed proofs and checkpoints are a status; the verdict beside it does not hold.
    (void)state;
    static const struct {
        const char *proof;
        const char *text;
    } cases[] = {
        {"", "begins with the line"},
        {"c2sp.org/tlog-proof@v2\n", "begins with the line"},
        {PROOF_HEAD, "index <decimal>"},
        {PROOF_HEAD "index 04\n\n" NOTE15, "index <decimal>"},
        {PROOF_HEAD "extra \nindex 4\n\n" NOTE15, "extra data"},
        {PROOF_HEAD "index 4\nAAAA\n\n" NOTE15, "proof hash 1"},
        {PROOF_HEAD "index 4\n" PATH4, "no empty line before"},
        {PROOF_HEAD "index 4\n" PATH4 "\n", "no checkpoint after"},
        {PROOF_HEAD "index 4\n" PATH4 "\n" TEXT15, "no empty line between text and signatures"},
        {PROOF_HEAD "index 4\n" PATH4 "\n" TEXT15 "\n" DASH " x !\n", "signature line 1"},
        {PROOF_HEAD "index 4\n" PATH4 "\nexample.com/log/testdata\n15\n\n" LOG_LINE15, "fewer than three lines"},
    };
    struct mltrail_trust *trust = trust_of_key(LOG_VKEY);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_verdict verdict;
        struct mltrail_checkpoint checkpoint;
        struct mltrail_error err;
        uint64_t index = 77;
        assert_int_equal(mltrail_verify_tlog_proof(&verdict, &index, &checkpoint, trust, cases[i].proof,
                                                   strlen(cases[i].proof), "five", 4, &err),
                         MLTRAIL_INVALID);
        check_verdict(cases[i].text, &verdict, MLTRAIL_UNCHECKED);
        assert_int_equal(index, 0);
        assert_true(is_zero(&checkpoint, sizeof(checkpoint)));
        if (!strstr(err.text, cases[i].text)) {
            fail_msg("case %zu: %s", i, err.text);
        }
    }
    struct mlt_buf large = {0};
    struct mltrail_verdict verdict;
    assert_true(mlt_buf_reserve(&large, 1 << 20));
    memset(large.data, 'x', 1 << 20);
    assert_int_equal(mltrail_verify_tlog_proof(&verdict, NULL, NULL, trust, large.data, 1 << 20, "five", 4, NULL),
                     MLTRAIL_LIMIT);
    check_verdict("large", &verdict, MLTRAIL_UNCHECKED);
    mlt_buf_clear(&large);
    mltrail_trust_free(trust);
}

// ---- Merkle proofs ----

static void test_rungs_of_inclusion(void **state) {
    // The parts of the proof put together by the caller: each rung, and more hashes than any tree needs.
    (void)state;
    uint8_t root[H];
    uint8_t other[H] = {1};
    uint8_t leaf[H];
    uint8_t hashes[MLTRAIL_PROOF_MAX + 8][H] = {{0}};
    const char *const path[] = {P4_0, P4_1, P4_2, P4_3};
    test_unbase64(root, H, ROOT15);
    mltrail_leaf_hash(leaf, "five", 4);
    for (size_t i = 0; i < 4; i++) {
        test_unbase64(hashes[i], H, path[i]);
    }
    const struct {
        const char *name;
        uint64_t index;
        uint64_t size;
        const uint8_t *root;
        size_t num_hashes;
        enum mltrail_reason reason;
    } cases[] = {
        {"honest", 4, 15, root, 4, MLTRAIL_HOLDS},
        {"beyond", 15, 15, root, 4, MLTRAIL_INDEX_BEYOND_TREE},
        {"empty tree", 0, 0, root, 0, MLTRAIL_INDEX_BEYOND_TREE},
        {"too few", 4, 15, root, 3, MLTRAIL_PROOF_LENGTH},
        {"none", 4, 15, root, 0, MLTRAIL_PROOF_LENGTH},
        {"too many", 4, 15, root, 5, MLTRAIL_PROOF_LENGTH},
        {"far too many", 4, 15, root, MLTRAIL_PROOF_MAX + 8, MLTRAIL_PROOF_LENGTH},
        {"another root", 4, 15, other, 4, MLTRAIL_OTHER_ROOT},
        {"another place", 5, 15, root, 4, MLTRAIL_OTHER_ROOT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_verdict verdict;
        assert_int_equal(mltrail_verify_inclusion(&verdict, cases[i].index, cases[i].size, cases[i].root, leaf,
                                                  cases[i].num_hashes ? hashes[0] : NULL, cases[i].num_hashes, NULL),
                         MLTRAIL_OK);
        check_verdict(cases[i].name, &verdict, cases[i].reason);
    }
}

static void test_rungs_of_consistency(void **state) {
    // From 7 to 15, and every way in which that can be false.
    (void)state;
    uint8_t root7[H];
    uint8_t root15[H];
    uint8_t hashes[6][H];
    const char *const proof[] = {C7_0, C7_1, C7_2, P4_2, P4_3, P4_3};
    test_unbase64(root7, H, ROOT7);
    test_unbase64(root15, H, ROOT15);
    for (size_t i = 0; i < 6; i++) {
        test_unbase64(hashes[i], H, proof[i]);
    }
    const struct {
        const char *name;
        uint64_t size1;
        const uint8_t *root1;
        uint64_t size2;
        const uint8_t *root2;
        size_t num_hashes;
        enum mltrail_reason reason;
    } cases[] = {
        {"honest", 7, root7, 15, root15, 5, MLTRAIL_HOLDS},
        {"the same", 15, root15, 15, root15, 0, MLTRAIL_HOLDS},
        {"from nothing", 0, root7, 15, root15, 5, MLTRAIL_EMPTY_TREE},
        {"from nothing to nothing", 0, root7, 0, root7, 0, MLTRAIL_EMPTY_TREE},
        {"shrunk", 15, root15, 7, root7, 5, MLTRAIL_SHRUNK},
        {"split view", 15, root7, 15, root15, 0, MLTRAIL_SPLIT_VIEW},
        {"too few", 7, root7, 15, root15, 4, MLTRAIL_PROOF_LENGTH},
        {"too many", 7, root7, 15, root15, 6, MLTRAIL_PROOF_LENGTH},
        {"hashes for equal sizes", 15, root15, 15, root15, 1, MLTRAIL_PROOF_LENGTH},
        {"another first root", 7, root15, 15, root15, 5, MLTRAIL_NOT_CONSISTENT},
        {"another second root", 7, root7, 15, root7, 5, MLTRAIL_NOT_CONSISTENT},
        {"another first size", 5, root7, 15, root15, 5, MLTRAIL_NOT_CONSISTENT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_verdict verdict;
        assert_int_equal(mltrail_verify_consistency(&verdict, cases[i].size1, cases[i].root1, cases[i].size2,
                                                    cases[i].root2, hashes[0], cases[i].num_hashes, NULL),
                         MLTRAIL_OK);
        check_verdict(cases[i].name, &verdict, cases[i].reason);
    }
}

// ---- commitments ----

static void test_rungs_of_a_commitment(void **state) {
    // The commitment is SHA-256 over label, salt, name and value as FORMAT.md says, and of nothing else.
    (void)state;
    const uint8_t secret[MLT_SECRET_LEN] = {1, 2, 3};
    uint8_t salt[H];
    uint8_t other_salt[H];
    uint8_t commitment[H];
    mlt_seal_salt(salt, secret, mlt_str("prediction"));
    mlt_seal_salt(other_salt, secret, mlt_str("subject"));
    const uint8_t name_len[2] = {0, 10};
    const struct mlt_bytes parts[] = {mlt_str("mltrail/v1 commitment"), mlt_bytes_of("", 1),   mlt_bytes_of(salt, H),
                                      mlt_bytes_of(name_len, 2),        mlt_str("prediction"), mlt_str("\"denied\"")};
    mlt_sha256(commitment, parts, 6);
    const struct {
        const char *rung;
        const uint8_t *salt;
        const char *name;
        const char *value;
        enum mltrail_reason reason;
    } cases[] = {
        {"honest", salt, "prediction", "\"denied\"", MLTRAIL_HOLDS},
        {"another salt", other_salt, "prediction", "\"denied\"", MLTRAIL_OTHER_COMMITMENT},
        {"another name", salt, "predictioN", "\"denied\"", MLTRAIL_OTHER_COMMITMENT},
        {"another value", salt, "prediction", "\"granted\"", MLTRAIL_OTHER_COMMITMENT},
        {"moved border", salt, "prediction\"", "denied\"", MLTRAIL_OTHER_COMMITMENT},
        {"no value", salt, "prediction", "", MLTRAIL_OTHER_COMMITMENT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mltrail_verdict verdict;
        assert_int_equal(mltrail_verify_commitment(&verdict, commitment, cases[i].salt, cases[i].name,
                                                   strlen(cases[i].name), cases[i].value, strlen(cases[i].value), NULL),
                         MLTRAIL_OK);
        check_verdict(cases[i].rung, &verdict, cases[i].reason);
    }
    struct mltrail_verdict verdict;
    struct mltrail_error err;
    char *long_name = calloc(1, MLTRAIL_NAME_MAX + 1);
    assert_non_null(long_name);
    assert_int_equal(
        mltrail_verify_commitment(&verdict, commitment, salt, long_name, MLTRAIL_NAME_MAX + 1, "", 0, &err),
        MLTRAIL_LIMIT);
    check_verdict("long name", &verdict, MLTRAIL_UNCHECKED);
    assert_int_equal(mltrail_verify_commitment(&verdict, commitment, salt, long_name, MLTRAIL_NAME_MAX, "", 0, &err),
                     MLTRAIL_OK);
    free(long_name);
}

// ---- trees ----

static void test_a_tree_from_its_entries(void **state) {
    // The published roots come out of the published entries, that of the empty tree included.
    (void)state;
    struct mltrail_tree *tree;
    uint8_t root[H];
    uint8_t want[H];
    assert_int_equal(mltrail_tree_new(&tree, NULL), MLTRAIL_OK);
    mltrail_tree_root(tree, root);
    test_unbase64(want, H, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_memory_equal(root, want, H);
    for (uint64_t i = 0; i < 15; i++) {
        assert_int_equal(mltrail_tree_add(tree, log_entries[i], strlen(log_entries[i]), NULL), MLTRAIL_OK);
        assert_int_equal(mltrail_tree_size(tree), i + 1);
        assert_true(mltrail_tree_check(tree));
        mltrail_tree_root(tree, root);
        test_unbase64(want, H, ROOT7);
        assert_int_equal(memcmp(root, want, H) == 0, i + 1 == 7);
    }
    test_unbase64(want, H, ROOT15);
    assert_memory_equal(root, want, H);
    // The check is not always true: a size that does not fit the hashes is seen.
    uint64_t wrong = 14;
    memcpy(tree, &wrong, sizeof(wrong));
    assert_false(mltrail_tree_check(tree));
    mltrail_tree_free(tree);
    mltrail_tree_free(NULL);
}

static void test_bundles(void **state) {
    // The published bundle of two and further entries give the published root; a broken bundle leaves the tree alone.
    (void)state;
    static const uint8_t two[] = {0, 3, 'o', 'n', 'e', 0, 3, 't', 'w', 'o'};
    struct mltrail_tree *tree;
    struct mltrail_error err;
    uint8_t before[H];
    uint8_t root[H];
    uint8_t want[H];
    size_t num = 9;
    assert_int_equal(mltrail_tree_new(&tree, NULL), MLTRAIL_OK);
    assert_int_equal(mltrail_tree_add_bundle(tree, &num, two, sizeof(two), NULL), MLTRAIL_OK);
    assert_int_equal(num, 2);
    mltrail_tree_root(tree, before);
    for (size_t len = 1; len < sizeof(two); len++) {
        if (len == 5) {
            continue; // a bundle of one entry, whole
        }
        num = 9;
        assert_int_equal(mltrail_tree_add_bundle(tree, &num, two, len, &err), MLTRAIL_INVALID);
        assert_non_null(strstr(err.text, len < 5 ? "within its entry 0" : "within its entry 1"));
        assert_int_equal(num, 0);
        mltrail_tree_root(tree, root);
        assert_memory_equal(root, before, H);
    }
    assert_int_equal(mltrail_tree_add_bundle(tree, &num, NULL, 0, NULL), MLTRAIL_OK);
    assert_int_equal(num, 0);
    for (size_t i = 2; i < 7; i++) {
        uint8_t bundle[32] = {0, (uint8_t)strlen(log_entries[i])};
        memcpy(bundle + 2, log_entries[i], strlen(log_entries[i]));
        assert_int_equal(mltrail_tree_add_bundle(tree, &num, bundle, 2 + strlen(log_entries[i]), NULL), MLTRAIL_OK);
    }
    mltrail_tree_root(tree, root);
    test_unbase64(want, H, ROOT7);
    assert_memory_equal(root, want, H);
    mltrail_tree_free(tree);
}

// ---- threads ----

#define NUM_THREADS 4

static void *verify_often(void *arg) {
    const struct mltrail_trust *trust = arg;
    static const char good[] = PROOF_HEAD "index 4\n" PATH4 "\n" NOTE15;
    size_t num_right = 0;
    for (size_t i = 0; i < 40; i++) {
        struct mltrail_verdict verdict;
        const char *entry = i % 2 == 0 ? "five" : "six";
        enum mltrail_status st =
            mltrail_verify_tlog_proof(&verdict, NULL, NULL, trust, good, sizeof(good) - 1, entry, strlen(entry), NULL);
        num_right += st == MLTRAIL_OK && verdict.reason == (i % 2 == 0 ? MLTRAIL_HOLDS : MLTRAIL_OTHER_ROOT);
    }
    return (void *)num_right;
}

static void test_threads_share_a_trust(void **state) {
    // One trust, four threads at once: every answer is the right one (and the thread sanitizer has nothing to say).
    (void)state;
    pthread_t threads[NUM_THREADS];
    struct mltrail_trust *trust = trust_of_key(LOG_VKEY);
    for (size_t i = 0; i < NUM_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, trust), 0);
    }
    for (size_t i = 0; i < NUM_THREADS; i++) {
        void *num_right = NULL;
        assert_int_equal(pthread_join(threads[i], &num_right), 0);
        assert_int_equal((size_t)num_right, 40);
    }
    mltrail_trust_free(trust);
}

static void check_change(enum mltrail_reason want, const char *vkey, struct mlt_bytes statement) {
    struct mltrail_verdict v;
    struct mltrail_key_change change;
    struct mltrail_error err;
    static const struct mltrail_key_change nothing;
    assert_int_equal(mltrail_verify_key_change(&v, &change, vkey, strlen(vkey), statement.ptr, statement.len, &err),
                     MLTRAIL_OK);
    assert_int_equal(v.reason, want);
    assert_int_equal(v.holds, want == MLTRAIL_HOLDS);
    assert_int_equal(memcmp(&change, &nothing, sizeof(change)) == 0, want != MLTRAIL_HOLDS);
}

static void test_rungs_of_a_key_change(void **state) {
    // Either key leads to the other; nobody else's does, and no statement that lacks a signature.
    (void)state;
    struct mlt_signer from;
    struct mlt_signer to;
    char old_key[MLT_VKEY_TEXT_MAX];
    char new_key[MLT_VKEY_TEXT_MAX];
    struct mlt_buf text = {0};
    struct mltrail_verdict v;
    struct mltrail_key_change change;
    struct mltrail_error err;
    const uint8_t seeds[2][32] = {{1}, {2}};
    assert_int_equal(mlt_signer_init(&from, mlt_str("example.com/log"), seeds[0], NULL), MLT_OK);
    assert_int_equal(mlt_signer_init(&to, mlt_str("example.com/log/2"), seeds[1], NULL), MLT_OK);
    struct mlt_key_link link = {.size = 9, .root = {9}, .kept = 7, .kept_root = {7}};
    assert_int_equal(mlt_key_link_sign(&link, &from, &to, NULL), MLT_OK);
    mlt_key_link_format(&text, &link, &from.vkey, &to.vkey);
    mlt_vkey_format(old_key, &from.vkey);
    mlt_vkey_format(new_key, &to.vkey);
    check_change(MLTRAIL_HOLDS, old_key, mlt_buf_bytes(&text));
    check_change(MLTRAIL_HOLDS, new_key, mlt_buf_bytes(&text));
    check_change(MLTRAIL_OTHER_KEY, LOG_VKEY, mlt_buf_bytes(&text));
    assert_int_equal(mltrail_verify_key_change(&v, &change, old_key, strlen(old_key), text.data, text.len, &err),
                     MLTRAIL_OK);
    assert_string_equal(change.new_key, new_key);
    assert_string_equal(change.old_key, old_key);
    assert_true(change.size == 9 && change.root[0] == 9 && change.kept == 7 && change.kept_root[0] == 7);
    for (int which = 0; which < 2; which++) {
        struct mlt_key_link bad = link;
        (which ? bad.new_signature : bad.old_signature)[8] ^= 1;
        mlt_buf_reset(&text);
        mlt_key_link_format(&text, &bad, &from.vkey, &to.vkey);
        check_change(MLTRAIL_BAD_SIGNATURE, old_key, mlt_buf_bytes(&text));
    }
    assert_int_equal(mltrail_verify_key_change(&v, &change, old_key, strlen(old_key), NOTE15, strlen(NOTE15), &err),
                     MLTRAIL_INVALID);
    assert_false(v.holds);
    assert_int_equal(mltrail_verify_key_change(&v, &change, "no key", 6, text.data, text.len, &err), MLTRAIL_INVALID);
    assert_int_equal(mltrail_verify_key_change(&v, &change, NULL, 0, NULL, 0, NULL), MLTRAIL_INVALID);
    mlt_buf_clear(&text);
    mlt_signer_clear(&from);
    mlt_signer_clear(&to);
}

static void test_words(void **state) {
    // Every status and reason has a word of its own; other numbers are unknown.
    (void)state;
    static const enum mltrail_reason reasons[] = {
        MLTRAIL_UNCHECKED,     MLTRAIL_HOLDS,      MLTRAIL_NO_LOG_KEY,        MLTRAIL_OTHER_ORIGIN,
        MLTRAIL_BAD_SIGNATURE, MLTRAIL_UNSIGNED,   MLTRAIL_BAD_COSIGNATURE,   MLTRAIL_NO_QUORUM,
        MLTRAIL_PROOF_LENGTH,  MLTRAIL_OTHER_ROOT, MLTRAIL_INDEX_BEYOND_TREE, MLTRAIL_EMPTY_TREE,
        MLTRAIL_SHRUNK,        MLTRAIL_SPLIT_VIEW, MLTRAIL_NOT_CONSISTENT,    MLTRAIL_OTHER_COMMITMENT,
        MLTRAIL_OTHER_KEY};
    const size_t num = sizeof(reasons) / sizeof(reasons[0]);
    for (size_t i = 0; i < num; i++) {
        assert_string_not_equal(mltrail_reason_name(reasons[i]), "unknown");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(mltrail_reason_name(reasons[i]), mltrail_reason_name(reasons[j]));
        }
    }
    assert_string_equal(mltrail_reason_name((enum mltrail_reason)99), "unknown");
    assert_string_equal(mltrail_status_name(MLTRAIL_NOMEM), "no-memory");
    assert_string_equal(mltrail_status_name((enum mltrail_status)99), "unknown");
    assert_non_null(strchr(mltrail_verify_version(), '.'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rungs_of_a_checkpoint),
        cmocka_unit_test(test_what_a_good_checkpoint_says),
        cmocka_unit_test(test_what_nobody_can_trust),
        cmocka_unit_test(test_rungs_of_an_offline_proof),
        cmocka_unit_test(test_what_is_no_proof_is_not_judged),
        cmocka_unit_test(test_rungs_of_inclusion),
        cmocka_unit_test(test_rungs_of_consistency),
        cmocka_unit_test(test_rungs_of_a_commitment),
        cmocka_unit_test(test_a_tree_from_its_entries),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_threads_share_a_trust),
        cmocka_unit_test(test_rungs_of_a_key_change),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
