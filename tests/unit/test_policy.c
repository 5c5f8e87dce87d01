// links: mlt_note mlt_testlib
//
// Witnesses W0, W1, ... have seeds of one byte each; the log is testdata/log of transparency-dev/tessera (1811ae1a).
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/vectors.h"
#include "note/cosignature.h"
#include "note/policy.h"

#include <cmocka.h>

#define DASH "\xe2\x80\x94"
#define LOG_VKEY "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
#define FOO_VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define ROME_VKEY "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"
#define MIRROR_VKEY "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O"

static const char log_seed[] = "eca663f499017d2365c27c7a7679158d43cfec1330bdb259290afbd0d21777a0";
static const char text15[] = "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n";
#define NOTE15                                                                                                         \
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n" DASH                              \
    " example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlP"   \
    "WF74ewI=\n"
#define TIME0 1700000000

static void witness_name(char out[static 16], size_t number) {
    (void)snprintf(out, 16, "W%zu", number);
}

static void witness(struct mlt_cosigner *out, size_t number) {
    char name[16];
    uint8_t seed[32] = {(uint8_t)(number + 1)};
    witness_name(name, number);
    assert_int_equal(mlt_cosigner_init(out, mlt_str(name), seed, NULL), MLT_OK);
}

// "witness Wn <vkey>" lines for W0 ... W(num-1).
static void put_witnesses(struct mlt_buf *policy, size_t num) {
    for (size_t i = 0; i < num; i++) {
        struct mlt_cosigner cosigner;
        char vkey[MLT_VKEY_TEXT_MAX];
        witness(&cosigner, i);
        mlt_vkey_format(vkey, &cosigner.vkey);
        mlt_buf_printf(policy, "witness W%zu %s\n", i, vkey);
        mlt_cosigner_clear(&cosigner);
    }
}

// Checkpoint 15 with cosignatures of those whose bit is set in `who`; Wn signs at TIME0 + n.
static void put_cosigned(struct mlt_buf *note, unsigned who) {
    mlt_buf_put_str(note, NOTE15);
    for (size_t i = 0; i < 32; i++) {
        struct mlt_cosigner cosigner;
        if ((who >> i & 1) == 0) {
            continue;
        }
        witness(&cosigner, i);
        assert_int_equal(mlt_cosignature_sign(note, mlt_str(text15), &cosigner, TIME0 + i, NULL), MLT_OK);
        mlt_cosigner_clear(&cosigner);
    }
}

static void parse(struct mlt_policy *out, const char *text) {
    struct mlt_error err;
    if (mlt_policy_parse(out, mlt_str(text), &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(mlt_policy_check(out));
}

static enum mlt_status judge(struct mlt_policy_verdict *out, const struct mlt_policy *policy,
                             const struct mlt_vkey *log_key, struct mlt_bytes text) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    assert_int_equal(mlt_note_parse(&note, &arena, text, NULL), MLT_OK);
    enum mlt_status st = mlt_policy_judge(out, policy, log_key, &note, NULL);
    mlt_arena_clear(&arena);
    assert_true(out->holds == (out->why[0] == '\0'));
    assert_true(out->holds == (out->reason == MLT_POLICY_HOLDS));
    assert_true(!st || !out->holds);
    return st;
}

static void test_everything_a_policy_may_hold(void **state) {
    // Logs and witnesses with and without URLs, comments, blanks, tabs, nested groups, names of any bytes.
    (void)state;
    struct mlt_policy policy;
    parse(&policy, "# a comment\n"
                   "\n"
                   " \t \n"
                   "log " LOG_VKEY "\n"
                   "\tlog\t" FOO_VKEY "   https://log.example.com/a#b \n"
                   "witness K " ROME_VKEY " https://w.example.com/\n"
                   "witness \xe2\x84\xaa " MIRROR_VKEY "\n"
                   "  # another\n"
                   "group \xff all K \xe2\x84\xaa\n"
                   "group top any \xff\n"
                   "quorum top\n"
                   "log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n");
    assert_int_equal(policy.num_logs, 3);
    assert_int_equal(policy.logs[0].url.len, 0);
    assert_true(mlt_bytes_is(policy.logs[1].url, "https://log.example.com/a#b"));
    assert_string_equal(policy.logs[2].vkey.name, "PeterNeumann");
    assert_int_equal(policy.num_witnesses, 2);
    assert_true(mlt_bytes_is(policy.witnesses[0].name, "K"));
    assert_string_equal(policy.witnesses[0].vkey.name, "witness.example.org");
    assert_true(mlt_bytes_is(policy.witnesses[0].url, "https://w.example.com/"));
    assert_int_equal(policy.witnesses[1].group, 0);
    assert_int_equal(policy.num_groups, 2);
    assert_int_equal(policy.groups[0].threshold, 2);
    assert_int_equal(policy.groups[0].group, 1);
    assert_int_equal(policy.groups[1].threshold, 1);
    assert_int_equal(policy.quorum, MLT_QUORUM_GROUP);
    assert_int_equal(policy.quorum_idx, 1);
    mlt_policy_clear(&policy);
    assert_int_equal(policy.num_logs, 0);
    mlt_policy_clear(&policy);
    mlt_policy_clear(NULL);
}

static void test_errors_name_the_line_and_what_would_be_right(void **state) {
    // Each rule of the format has a policy that breaks it alone, and its own words.
    (void)state;
    const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"", "policy has no quorum line"},
        {"log " LOG_VKEY "\n", "policy has no quorum line"},
        {"quorum none", "policy line 1: the last line does not end in a newline"},
        {"quorum none\r\n", "policy line 1: byte 12 is the control character 0x0d"},
        {"#\nquorum\x7f none\n", "policy line 2: byte 7 is the control character 0x7f"},
        {"# \x01\nquorum none\n", "policy line 1: byte 3 is the control character 0x01"},
        {"quorum none\nquorum none\n", "policy line 2: there is a quorum line above already"},
        {"quorum\n", "policy line 1: a quorum line reads"},
        {"quorum none none\n", "policy line 1: a quorum line reads"},
        {"quorum W\n", "policy line 1: no witness and no group of the name W is defined above"},
        {"quorum W\nwitness W " ROME_VKEY "\n", "policy line 1: no witness and no group of the name W"},
        {"logs " LOG_VKEY "\n", "policy line 1: a line begins with log, witness, group, quorum or #"},
        {"quorum none # why\n", "policy line 1: a quorum line reads"},
        {"log\n", "policy line 1: a log line reads"},
        {"log " LOG_VKEY " a b\n", "policy line 1: a log line reads"},
        {"log example.com\n", "policy line 1: key has 1 of 3 fields"},
        {"log " ROME_VKEY "\n", "policy line 1: the key of a log must be of type 0x01, this one is of type 0x04"},
        {"log " LOG_VKEY "\nlog " LOG_VKEY "\n", "policy line 2: the public key of example.com/log/testdata is on a"},
        {"witness W\n", "policy line 1: a witness line reads"},
        {"witness W " ROME_VKEY " a b\n", "policy line 1: a witness line reads"},
        {"witness W " LOG_VKEY "\n", "policy line 1: the key of a witness must be of type 0x04, this one is of"},
        {"witness none " ROME_VKEY "\n", "policy line 1: the name none means no quorum"},
        {"witness W " ROME_VKEY "\nwitness W " MIRROR_VKEY "\n", "policy line 2: the name W is defined above"},
        {"witness W " ROME_VKEY "\nwitness V " ROME_VKEY "\n", "policy line 2: the public key of witness.example.org"},
        {"group g any\n", "policy line 1: a group line reads"},
        {"group g any W\n", "policy line 1: no witness and no group of the name W"},
        {"group g any g\n", "policy line 1: no witness and no group of the name g"},
        {"group g any none\n", "policy line 1: no witness and no group of the name none"},
        {"witness W " ROME_VKEY "\ngroup W any W\n", "policy line 2: the name W is defined above"},
        {"witness W " ROME_VKEY "\ngroup none any W\n", "policy line 2: the name none means no quorum"},
        {"witness W " ROME_VKEY "\ngroup g 0 W\n",
         "policy line 2: the threshold of g must be any, all or a number from"},
        {"witness W " ROME_VKEY "\ngroup g 2 W\n", "policy line 2: the threshold of g"},
        {"witness W " ROME_VKEY "\ngroup g 01 W\n", "policy line 2: the threshold of g"},
        {"witness W " ROME_VKEY "\ngroup g most W\n", "policy line 2: the threshold of g"},
        {"witness W " ROME_VKEY "\ngroup g any W W\n", "policy line 2: W is a member already"},
        {"witness W " ROME_VKEY "\ngroup g any W\ngroup h any W\n", "policy line 3: W is a member already"},
        {"witness W " ROME_VKEY "\ngroup g any W\ngroup h any g\ngroup i any g\n",
         "policy line 4: g is a member already"},
        {"witness \xff " ROME_VKEY "\nquorum \xfe\n", "of the name (bytes that are not UTF-8)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_policy policy;
        struct mlt_error err;
        assert_int_equal(mlt_policy_parse(&policy, mlt_str(cases[i].text), &err), MLT_INVALID);
        if (!strstr(err.text, cases[i].error)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_null(policy.logs);
    }
}

static void test_one_key_under_two_names_is_a_duplicate(void **state) {
    // Names and key ids differ, the public key is one: refused, also when a log is its own witness.
    (void)state;
    struct mlt_cosigner a;
    struct mlt_cosigner b;
    struct mlt_signer log;
    struct mlt_buf text = {0};
    struct mlt_policy policy;
    struct mlt_error err;
    char key_a[MLT_VKEY_TEXT_MAX];
    char key_b[MLT_VKEY_TEXT_MAX];
    char key_log[MLT_VKEY_TEXT_MAX];
    const uint8_t seed[32] = {7};
    assert_int_equal(mlt_cosigner_init(&a, mlt_str("a"), seed, NULL), MLT_OK);
    assert_int_equal(mlt_cosigner_init(&b, mlt_str("b"), seed, NULL), MLT_OK);
    assert_int_equal(mlt_signer_init(&log, mlt_str("log"), seed, NULL), MLT_OK);
    mlt_vkey_format(key_a, &a.vkey);
    mlt_vkey_format(key_b, &b.vkey);
    mlt_vkey_format(key_log, &log.vkey);
    mlt_buf_printf(&text, "witness A %s\nwitness B %s\nquorum none\n", key_a, key_b);
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "line 2: the public key of b is on a line above"));
    mlt_buf_reset(&text);
    mlt_buf_printf(&text, "log %s\nwitness B %s\nquorum none\n", key_log, key_b);
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_INVALID);
    assert_non_null(strstr(err.text, "line 2: the public key of b is on a line above"));
    mlt_buf_clear(&text);
    mlt_cosigner_clear(&a);
    mlt_cosigner_clear(&b);
    mlt_signer_clear(&log);
}

static void test_limits(void **state) {
    // Sixty-four logs, witnesses and groups are held; one more of any, a longer name and a longer file are not.
    (void)state;
    struct mlt_buf text = {0};
    struct mlt_policy policy;
    struct mlt_error err;
    put_witnesses(&text, MLT_POLICY_WITNESSES_MAX);
    for (size_t i = 0; i < MLT_POLICY_LOGS_MAX; i++) {
        struct mlt_signer log;
        char vkey[MLT_VKEY_TEXT_MAX];
        const uint8_t seed[32] = {(uint8_t)i, 1};
        assert_int_equal(mlt_signer_init(&log, mlt_str("log"), seed, NULL), MLT_OK);
        mlt_vkey_format(vkey, &log.vkey);
        mlt_buf_printf(&text, "log %s\n", vkey);
        mlt_signer_clear(&log);
    }
    for (size_t i = 0; i < MLT_POLICY_GROUPS_MAX; i++) {
        mlt_buf_printf(&text, "group g%zu any W%zu\n", i, i);
    }
    size_t full_len = text.len;
    mlt_buf_put_str(&text, "quorum g63\n");
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), NULL), MLT_OK);
    assert_int_equal(policy.num_logs, 64);
    assert_int_equal(policy.num_witnesses, 64);
    assert_int_equal(policy.num_groups, 64);
    assert_true(mlt_policy_check(&policy));
    policy.groups[3].threshold = 2;
    assert_false(mlt_policy_check(&policy));
    mlt_policy_clear(&policy);

    const struct {
        const char *line;
        const char *error;
    } over[] = {{"log " LOG_VKEY "\n", "over 64 logs"},
                {"witness x " ROME_VKEY "\n", "over 64 witnesses"},
                {"group x any g0\n", "over 64 groups"}};
    for (size_t i = 0; i < 3; i++) {
        text.len = full_len;
        mlt_buf_put_str(&text, over[i].line);
        assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_LIMIT);
        assert_non_null(strstr(err.text, over[i].error));
    }
    char name[MLT_POLICY_NAME_MAX + 2] = {0};
    memset(name, 'n', sizeof(name) - 1);
    mlt_buf_reset(&text);
    mlt_buf_printf(&text, "witness %s " ROME_VKEY "\n", name);
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_LIMIT);
    mlt_buf_reset(&text);
    mlt_buf_put_str(&text, "group");
    for (size_t i = 0; i < 200; i++) {
        mlt_buf_put_str(&text, " x");
    }
    mlt_buf_put_u8(&text, '\n');
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_LIMIT);
    while (text.len <= MLT_POLICY_TEXT_MAX) {
        mlt_buf_put_str(&text, "# comment\n");
    }
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &err), MLT_LIMIT);
    mlt_buf_clear(&text);
}

static void test_every_subset_of_witnesses_against_the_rule(void **state) {
    // Two of three and one of two, both needed: every set of cosigners is judged as the sentence says.
    (void)state;
    struct mlt_buf text = {0};
    struct mlt_policy policy;
    mlt_buf_put_str(&text, "log " LOG_VKEY "\n");
    put_witnesses(&text, 6); // W5 is known and in no group
    mlt_buf_put_str(&text, "group X 2 W0 W1 W2\ngroup Y any W3 W4\ngroup both all X Y\nquorum both\n");
    parse(&policy, mlt_buf_cstr(&text));
    for (unsigned who = 0; who < 64; who++) {
        struct mlt_policy_verdict verdict;
        struct mlt_buf note = {0};
        unsigned x = (who & 1) + (who >> 1 & 1) + (who >> 2 & 1);
        bool want = x >= 2 && (who & 0x18) != 0;
        put_cosigned(&note, who);
        assert_int_equal(judge(&verdict, &policy, NULL, mlt_buf_bytes(&note)), MLT_OK);
        assert_int_equal(verdict.holds, want);
        assert_int_equal(verdict.num_witnesses, 6);
        assert_int_equal(verdict.checkpoint.size, 15);
        assert_ptr_equal(verdict.log_key, &policy.logs[0].vkey);
        size_t num = 0;
        for (size_t i = 0; i < 6; i++) {
            bool signed_it = (who >> i & 1) != 0;
            assert_int_equal(verdict.cosigned[i], signed_it);
            assert_int_equal(verdict.time[i], signed_it ? TIME0 + i : 0);
            if (signed_it) {
                assert_true(num > 0 || verdict.earliest == TIME0 + i);
                assert_true(who >> (i + 1) != 0 || verdict.latest == TIME0 + i);
                num++;
            }
        }
        assert_int_equal(verdict.num_cosigned, num);
        mlt_buf_clear(&note);
    }
    mlt_policy_clear(&policy);
    mlt_buf_clear(&text);
}

static void test_each_rung_refuses_with_its_reason(void **state) {
    // One note per rung of the ladder, false for that reason alone; the honest note beside it holds.
    (void)state;
    struct mlt_buf policy_text = {0};
    struct mlt_buf good = {0};
    mlt_buf_put_str(&policy_text, "log " LOG_VKEY "\n");
    put_witnesses(&policy_text, 2);
    mlt_buf_put_str(&policy_text, "quorum W1\n");
    put_cosigned(&good, 2);
    const char *honest = mlt_buf_cstr(&good);
    const char *w1_line = strstr(honest, DASH " W1 ");
    struct mlt_buf bad_log = {0};
    struct mlt_buf bad_witness = {0};
    struct mlt_buf unsigned_by_log = {0};
    mlt_buf_put_str(&bad_log, honest);
    *strstr((char *)bad_log.data, "M9e0luh4") = 'M';
    strstr((char *)bad_log.data, "jTG+UMBq")[0] = 'k';
    mlt_buf_put_str(&bad_witness, honest);
    strstr((char *)bad_witness.data, DASH " W1 ")[40] ^= 1;
    mlt_buf_printf(&unsigned_by_log, "%s\n%s", text15, w1_line);
    const char with_none[] = "log " LOG_VKEY "\nquorum none\n";
    const char other_log[] = "log " FOO_VKEY "\nquorum none\n";
    const struct {
        const char *name;
        const char *policy;
        const char *note;
        enum mlt_policy_reason reason;
        const char *why; // NULL: holds
    } cases[] = {
        {"honest", mlt_buf_cstr(&policy_text), honest, MLT_POLICY_HOLDS, NULL},
        {"honest, no quorum", with_none, honest, MLT_POLICY_HOLDS, NULL},
        {"no witness asked for", with_none, NOTE15, MLT_POLICY_HOLDS, NULL},
        {"no log in the policy", "quorum none\n", honest, MLT_POLICY_NO_LOG,
         "the policy names no log, so a log key must be given with it"},
        {"another log", other_log, honest, MLT_POLICY_OTHER_ORIGIN,
         "no accepted log key is of the checkpoint's origin"},
        {"log did not sign", with_none, mlt_buf_cstr(&unsigned_by_log), MLT_POLICY_UNSIGNED,
         "no signature by an accepted key of the log"},
        {"bad log signature", with_none, mlt_buf_cstr(&bad_log), MLT_POLICY_BAD_SIGNATURE,
         "a signature under the log's key does not verify"},
        {"bad cosignature", mlt_buf_cstr(&policy_text), mlt_buf_cstr(&bad_witness), MLT_POLICY_BAD_COSIGNATURE,
         "a signature under the key of a witness does not verify"},
        {"no quorum", mlt_buf_cstr(&policy_text), NOTE15, MLT_POLICY_NO_QUORUM,
         "the quorum W1 is not met: 0 of the policy's 2 witnesses cosigned"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mlt_policy policy;
        struct mlt_policy_verdict verdict;
        parse(&policy, cases[i].policy);
        assert_int_equal(judge(&verdict, &policy, NULL, mlt_str(cases[i].note)), MLT_OK);
        if (verdict.reason != cases[i].reason || strcmp(verdict.why, cases[i].why ? cases[i].why : "") != 0) {
            fail_msg("%s: %s", cases[i].name, verdict.why);
        }
        mlt_policy_clear(&policy);
    }
    mlt_buf_clear(&policy_text);
    mlt_buf_clear(&good);
    mlt_buf_clear(&bad_log);
    mlt_buf_clear(&bad_witness);
    mlt_buf_clear(&unsigned_by_log);
}

static void test_the_caller_may_bring_the_log_key(void **state) {
    // A policy without logs takes the caller's key, and says which key signed; a key of another origin does not count.
    (void)state;
    struct mlt_policy policy;
    struct mlt_policy_verdict verdict;
    struct mlt_vkey log_key;
    struct mlt_vkey foo;
    assert_int_equal(mlt_vkey_parse(&log_key, mlt_str(LOG_VKEY), NULL), MLT_OK);
    assert_int_equal(mlt_vkey_parse(&foo, mlt_str(FOO_VKEY), NULL), MLT_OK);
    parse(&policy, "quorum none\n");
    assert_int_equal(judge(&verdict, &policy, &log_key, mlt_str(NOTE15)), MLT_OK);
    assert_true(verdict.holds);
    assert_ptr_equal(verdict.log_key, &log_key);
    assert_int_equal(judge(&verdict, &policy, &foo, mlt_str(NOTE15)), MLT_OK);
    assert_false(verdict.holds);
    mlt_policy_clear(&policy);
}

static void test_a_log_may_change_its_key(void **state) {
    // Of two keys of one origin, a signature by either is enough, and a bad one under the other is not passed over.
    (void)state;
    struct mlt_signer next;
    struct mlt_buf policy_text = {0};
    struct mlt_buf note = {0};
    struct mlt_policy policy;
    struct mlt_policy_verdict verdict;
    char vkey[MLT_VKEY_TEXT_MAX];
    const uint8_t seed[32] = {9, 9};
    assert_int_equal(mlt_signer_init(&next, mlt_str("example.com/log/testdata"), seed, NULL), MLT_OK);
    mlt_vkey_format(vkey, &next.vkey);
    mlt_buf_printf(&policy_text, "log %s\nlog " LOG_VKEY "\nquorum none\n", vkey);
    parse(&policy, mlt_buf_cstr(&policy_text));
    assert_int_equal(judge(&verdict, &policy, NULL, mlt_str(NOTE15)), MLT_OK);
    assert_true(verdict.holds);
    assert_ptr_equal(verdict.log_key, &policy.logs[1].vkey);
    assert_int_equal(mlt_note_sign(&note, mlt_str(text15), &next, NULL), MLT_OK);
    assert_int_equal(judge(&verdict, &policy, NULL, mlt_buf_bytes(&note)), MLT_OK);
    assert_true(verdict.holds);
    strstr((char *)note.data, DASH)[60] ^= 1;
    mlt_buf_put_str(&note, strstr(NOTE15, DASH));
    assert_int_equal(judge(&verdict, &policy, NULL, mlt_buf_bytes(&note)), MLT_OK);
    assert_string_equal(verdict.why, "a signature under the log's key does not verify");
    mlt_policy_clear(&policy);
    mlt_buf_clear(&policy_text);
    mlt_buf_clear(&note);
    mlt_signer_clear(&next);
}

static void test_what_is_no_checkpoint_is_not_judged(void **state) {
    // A good note by the log's key that is not a checkpoint: it could not be judged, and does not hold.
    (void)state;
    struct mlt_signer log;
    uint8_t seed[32];
    struct mlt_buf note = {0};
    struct mlt_policy policy;
    struct mlt_policy_verdict verdict;
    test_unhex(seed, sizeof(seed), log_seed);
    assert_int_equal(mlt_signer_init(&log, mlt_str("example.com/log/testdata"), seed, NULL), MLT_OK);
    assert_int_equal(mlt_note_sign(&note, mlt_str("example.com/log/testdata\n15\n"), &log, NULL), MLT_OK);
    parse(&policy, "log " LOG_VKEY "\nquorum none\n");
    assert_int_equal(judge(&verdict, &policy, NULL, mlt_buf_bytes(&note)), MLT_INVALID);
    assert_false(verdict.holds);
    assert_string_equal(verdict.why, "the note is not a checkpoint");
    mlt_policy_clear(&policy);
    mlt_buf_clear(&note);
    mlt_signer_clear(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_a_policy_may_hold),
        cmocka_unit_test(test_errors_name_the_line_and_what_would_be_right),
        cmocka_unit_test(test_one_key_under_two_names_is_a_duplicate),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_subset_of_witnesses_against_the_rule),
        cmocka_unit_test(test_each_rung_refuses_with_its_reason),
        cmocka_unit_test(test_the_caller_may_bring_the_log_key),
        cmocka_unit_test(test_a_log_may_change_its_key),
        cmocka_unit_test(test_what_is_no_checkpoint_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
