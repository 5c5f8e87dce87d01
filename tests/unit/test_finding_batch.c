// links: mlt_lineage mlt_memsource
// Signed batches: what a node signed, held against what is in the trail.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/allowed.h"
#include "lineage/finding.h"
#include "merkle/merkle.h"
#include "record/producer_batch.h"

#include <cmocka.h>

#define KEY 3
#define ALLOWED "namespaces=\"batch@mltrail\" %\n"
#define NUM 4 // predictions, in batches of two
#define PREDICTION                                                                                                     \
    "{\"kind\":\"prediction\",\"request_id\":\"r-%d\",\"timestamp\":\"2026-01-07T00:00:01Z\",\"feature_values\":{"     \
    "\"x\":"                                                                                                           \
    " [1, %d.50]},\"prediction\":0.25,\"serving_node\":\"n1\",\"stream\":\"s\",\"sequence\":%d}"

#define BOGUS                                                                                                          \
    "{\"kind\":\"batch\",\"timestamp\":\"2026-01-07T00:00:02Z\",\"serving_node\":\"n1\",\"stream\":\"s\",\"first\":1," \
    "\"last\":4,\"count\":4,\"root\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","     \
    "\"statement\":\"none\",\"nonce\":\"00\",\"leaves\":[]}"
#define READ_MAX 8192 // batches of a block that are looked at

// How the story differs from one with nothing wrong.
struct defect {
    const char *code; // the one finding about batches that it gives; NULL: none
    enum mlt_batch_verdict verdict;
    bool unset;      // no allowed signers
    bool other_node; // the key is allowed for another node
    bool changed;    // prediction 3 is not the one that was signed
    bool no_first;   // the batch before is left out
    bool no_last;    // the batch of the prediction is left out
    bool forged;     // a byte of the signature
    bool unsigned_;  // without a signature
    bool member;     // `count` beside the statement says something else
    bool leaf;       // a leaf that is not under the root
    bool withheld;   // the payload of the prediction
    bool chain;      // the second batch names another statement before it
    const char *name_space;
    bool completed; // a record without a number says more about prediction 3
    bool shadowed;  // somebody else sent batches with these numbers first
    size_t crowd;   // and so many that nobody reads
};

static void put_hex(struct mlt_json_writer *w, const uint8_t *hash) {
    mlt_jw_hex(w, mlt_bytes_of(hash, MLT_HASH_LEN));
}

static void prediction(char *out, size_t cap, int number, int x) {
    snprintf(out, cap, PREDICTION, number, x, number);
}

static void leaf_of(uint8_t out[static MLT_HASH_LEN], const uint8_t *nonce, const char *text) {
    struct mlt_json json = {0};
    struct mlt_arena arena = {0};
    assert_int_equal(mlt_json_scan(&json, mlt_str(text), NULL), MLT_OK);
    const struct mlt_json *objects[] = {&json};
    assert_int_equal(mlt_producer_batch_leaf(out, nonce, mlt_str("prediction"), objects, 1, &arena, NULL), MLT_OK);
    mlt_json_clear(&json);
    mlt_arena_clear(&arena);
}

// A batch over two predictions, of which `statement` becomes the text.
static void add_batch(struct mlt_memsource *m, const struct defect *d, unsigned first, const struct mlt_buf *previous,
                      struct mlt_buf *statement, bool leave_out) {
    uint8_t nonce[MLT_PRODUCER_BATCH_NONCE_LEN], leaves[2][MLT_HASH_LEN];
    char text[400], root[8 + 2 * MLT_HASH_LEN] = "sha256:", previous_text[8 + 2 * MLT_HASH_LEN] = "sha256:";
    struct mlt_frontier frontier = {0};
    struct mlt_buf record = {0}, signature = {0}, blob = {0};
    struct mlt_json_writer w;
    struct mlt_producer_batch b = {.serving_node = mlt_str("n1"), .stream = mlt_str("s"), .first = first, .count = 2};
    memset(nonce, (int)first, sizeof(nonce));
    b.last = first + 1;
    b.has_previous = previous != NULL;
    if (previous) {
        mlt_sha256_one(b.previous, mlt_buf_bytes(previous));
        b.previous[0] ^= d->chain;
    }
    for (unsigned i = 0; i < 2; i++) {
        prediction(text, sizeof(text), (int)(first + i), (int)(first + i));
        leaf_of(leaves[i], nonce, text);
        (void)mlt_frontier_add(&frontier, leaves[i], NULL);
    }
    mlt_frontier_root(&frontier, b.root);
    mlt_hex_encode(root + 7, mlt_bytes_of(b.root, MLT_HASH_LEN));
    mlt_hex_encode(previous_text + 7, mlt_bytes_of(b.previous, MLT_HASH_LEN));
    mlt_producer_batch_write(statement, &b);
    sshsigner_blob(&blob, KEY, d->name_space ? d->name_space : MLT_PRODUCER_BATCH_NAMESPACE, mlt_buf_bytes(statement));
    blob.data[blob.len - 1] ^= d->forged;
    sshsigner_armour(&signature, mlt_buf_bytes(&blob));
    leaves[1][0] ^= d->leaf;
    mlt_jw_init(&w, &record);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "kind", "batch");
    mlt_jw_member(&w, "timestamp", "2026-01-07T00:00:02Z");
    mlt_jw_member(&w, "serving_node", "n1");
    mlt_jw_member(&w, "stream", "s");
    mlt_jw_member_u64(&w, "first", b.first);
    mlt_jw_member_u64(&w, "last", b.last);
    mlt_jw_member_u64(&w, "count", b.count + d->member);
    mlt_jw_member(&w, "root", root);
    if (previous) {
        mlt_jw_member(&w, "previous", previous_text);
    }
    mlt_jw_member_bytes(&w, "statement", mlt_buf_bytes(statement));
    if (!d->unsigned_) {
        mlt_jw_member_bytes(&w, "signature", mlt_buf_bytes(&signature));
    }
    mlt_jw_name(&w, "nonce");
    put_hex(&w, nonce);
    mlt_jw_name(&w, "leaves");
    mlt_jw_array(&w);
    put_hex(&w, leaves[0]);
    put_hex(&w, leaves[1]);
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
    if (!leave_out) {
        mlt_memsource_add(m, "n1", "2026-01-07T00:00:03Z", mlt_buf_cstr(&record));
    }
    mlt_buf_clear(&record);
    mlt_buf_clear(&signature);
    mlt_buf_clear(&blob);
}

static struct mlt_memsource *build(const struct defect *d) {
    struct mlt_memsource *m = mlt_memsource_new();
    struct mlt_buf first = {0}, second = {0};
    char text[400];
    if (!d->unset) {
        allowed_set(m, KEY, d->other_node ? "n2 " ALLOWED : "n1 " ALLOWED);
    }
    for (int i = 1; i <= NUM; i++) {
        prediction(text, sizeof(text), i, i + (i == 3 && d->changed));
        uint64_t index = mlt_memsource_add(m, "n1", "2026-01-07T00:00:02Z", text);
        if (i == 3 && d->withheld) {
            mlt_memsource_set_payload(m, index, MLT_PAYLOAD_WITHHELD);
        }
    }
    if (d->completed) {
        mlt_memsource_add(m, "n1", "2026-01-07T00:00:02Z",
                          "{\"kind\":\"prediction\",\"request_id\":\"r-3\",\"timestamp\":\"2026-01-07T00:00:01Z\","
                          "\"policy_version\":\"7\"}");
    }
    if (d->shadowed) {
        struct mlt_buf other = {0};
        add_batch(m, &(struct defect){.forged = true}, 1, NULL, &other, false);
        mlt_buf_reset(&other);
        add_batch(m, &(struct defect){.unsigned_ = true, .leaf = true}, 3, NULL, &other, false);
        mlt_buf_clear(&other);
    }
    for (size_t i = 0; i < d->crowd; i++) {
        mlt_memsource_add(m, "mallory", "2026-01-07T00:00:02Z", BOGUS);
    }
    add_batch(m, &(struct defect){0}, 1, NULL, &first, d->no_first);
    add_batch(m, d, 3, &first, &second, d->no_last);
    mlt_buf_clear(&first);
    mlt_buf_clear(&second);
    return m;
}

// The story of prediction 3 has the verdict, and of the findings about batches the one that is wanted.
static bool holds(const struct defect *d) {
    struct mlt_memsource *m = build(d);
    struct mlt_source source = mlt_memsource_source(m);
    struct mlt_arena arena = {0};
    struct mlt_story *story = NULL;
    struct mlt_error err = {0};
    if (mlt_story_tell(&source, mlt_str("r-3"), &arena, &story, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    bool good = story->batch.verdict == d->verdict;
    bool found = d->code == NULL;
    for (size_t i = 0; i < story->num_findings; i++) {
        const char *code = story->findings[i].code;
        if (strncmp(code, "batch-", 6) == 0) {
            bool wanted = d->code != NULL && strcmp(code, d->code) == 0;
            found = found || wanted;
            good = good && wanted && story->findings[i].num_entries > 0;
        }
    }
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    mlt_memsource_free(m);
    return good && found;
}

static void test_what_was_signed_is_good(void **state) {
    // A prediction that its node signed, in a chain without a break, gives no finding.
    (void)state;
    assert_true(holds(&(struct defect){.verdict = MLT_BATCH_GOOD}));
}

static void test_others_batches_stand_in_nobodys_way(void **state) {
    // A batch of the stream can be sent by anybody, before the node: the one that the node signed is the one.
    (void)state;
    assert_true(holds(&(struct defect){.verdict = MLT_BATCH_GOOD, .shadowed = true}));
    assert_true(holds(&(struct defect){"batch-record-differs", MLT_BATCH_DIFFERS, .changed = true, .shadowed = true}));
    assert_true(
        holds(&(struct defect){"batch-signature-invalid", MLT_BATCH_INVALID, .no_last = true, .shadowed = true}));
}

static void test_a_crowd_of_batches(void **state) {
    // Batches that others sent, page after page of them, do not hide the node's own; beyond the bound it is said that
    // not all were looked at.
    (void)state;
    assert_true(holds(&(struct defect){.verdict = MLT_BATCH_GOOD, .crowd = 1024}));
    assert_true(holds(&(struct defect){.verdict = MLT_BATCH_GOOD, .crowd = READ_MAX - 2}));
    assert_true(holds(&(struct defect){"batch-unchecked", MLT_BATCH_UNCHECKED, .crowd = READ_MAX - 1}));
    assert_true(holds(&(struct defect){"batch-unchecked", MLT_BATCH_UNCHECKED, .crowd = READ_MAX + 1}));
}

static void test_each_defect_gives_its_finding(void **state) {
    // Whatever is wrong between the node and the trail is told, and nothing else is.
    static const struct defect defects[] = {
        {"batch-missing", MLT_BATCH_MISSING, .no_last = true},
        {"batch-record-differs", MLT_BATCH_DIFFERS, .changed = true},
        {"batch-record-differs", MLT_BATCH_DIFFERS, .leaf = true},
        {"batch-chain-broken", MLT_BATCH_BROKEN, .no_first = true},
        {"batch-chain-broken", MLT_BATCH_BROKEN, .chain = true},
        {"batch-signature-invalid", MLT_BATCH_INVALID, .forged = true},
        {"batch-signature-invalid", MLT_BATCH_INVALID, .unsigned_ = true},
        {"batch-signature-invalid", MLT_BATCH_INVALID, .member = true},
        {"batch-signature-invalid", MLT_BATCH_INVALID, .name_space = "approval@mltrail"},
        {"batch-signer-not-allowed", MLT_BATCH_NOT_ALLOWED, .other_node = true},
        {"batch-unchecked", MLT_BATCH_UNCHECKED, .unset = true},
        {"batch-unchecked", MLT_BATCH_UNCHECKED, .withheld = true},
        {"batch-unchecked", MLT_BATCH_GOOD, .completed = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
        if (!holds(&defects[i])) {
            fail_msg("defect %zu does not give %s", i, defects[i].code);
        }
    }
}

static void test_the_net_catches(void **state) {
    // A defect that nobody is told of fails the case.
    (void)state;
    assert_false(holds(&(struct defect){.verdict = MLT_BATCH_GOOD, .changed = true}));
    assert_false(holds(&(struct defect){.code = "batch-missing", .verdict = MLT_BATCH_MISSING}));
}

static void test_unsigned_streams_are_left_alone(void **state) {
    // A node that signs nothing has no batches missing.
    (void)state;
    assert_true(holds(&(struct defect){.verdict = MLT_BATCH_NONE, .no_first = true, .no_last = true}));
}

static void test_statement_round_trip(void **state) {
    // A statement is read back as it was written, and no other spelling of it is accepted.
    struct mlt_producer_batch b = {
        .serving_node = mlt_str("n\n\"1"), .stream = mlt_str("s"), .first = 1, .last = 2, .count = 2};
    struct mlt_producer_batch read;
    struct mlt_buf text = {0};
    struct mlt_arena arena = {0};
    (void)state;
    mlt_producer_batch_write(&text, &b);
    assert_int_equal(mlt_producer_batch_read(&read, mlt_buf_bytes(&text), &arena, NULL), MLT_OK);
    assert_true(mlt_bytes_is(read.serving_node, "n\n\"1"));
    assert_false(read.has_previous);
    for (size_t cut = 0; cut < text.len; cut++) {
        assert_int_equal(mlt_producer_batch_read(&read, mlt_bytes_of(text.data, cut), &arena, NULL), MLT_INVALID);
    }
    mlt_buf_put_u8(&text, '\n');
    assert_int_equal(mlt_producer_batch_read(&read, mlt_buf_bytes(&text), &arena, NULL), MLT_INVALID);
    mlt_buf_reset(&text);
    b.count = 3; // 1 … 2 are not three
    mlt_producer_batch_write(&text, &b);
    assert_int_equal(mlt_producer_batch_read(&read, mlt_buf_bytes(&text), &arena, NULL), MLT_INVALID);
    mlt_buf_clear(&text);
    mlt_arena_clear(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_signed_is_good), cmocka_unit_test(test_others_batches_stand_in_nobodys_way),
        cmocka_unit_test(test_a_crowd_of_batches),      cmocka_unit_test(test_each_defect_gives_its_finding),
        cmocka_unit_test(test_the_net_catches),         cmocka_unit_test(test_unsigned_streams_are_left_alone),
        cmocka_unit_test(test_statement_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
