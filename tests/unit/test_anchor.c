// links: mlt_record mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/timestamp_vectors.h"
#include "note/checkpoint.h"
#include "record/anchor.h"

// An anchor of the vectors' checkpoint (size 7) and token, written as a record and read again.
struct made {
    struct mlt_buf note, token, text;
    struct mlt_timestamp_roots *roots, *other;
    struct mlt_json json;
    struct mlt_arena arena;
    struct mlt_anchor anchor;
};

static struct mlt_anchor describe(struct made *m) {
    struct mlt_anchor a = {.is_timestamp = true,
                           .checkpoint = mlt_buf_bytes(&m->note),
                           .token = mlt_buf_bytes(&m->token),
                           .url = mlt_str("https://tsa.example.com/"),
                           .roots = mlt_str("sha256:00")};
    struct mlt_note note;
    struct mlt_checkpoint head;
    assert_int_equal(mlt_note_parse(&note, &m->arena, a.checkpoint, NULL), MLT_OK);
    assert_int_equal(mlt_checkpoint_parse(&head, note.text, NULL), MLT_OK);
    assert_int_equal(mlt_timestamp_read(&a.says, a.token, NULL), MLT_OK);
    a.tree_size = head.size;
    mlt_sha256_one(a.token_hash, a.token);
    memcpy(a.root, head.root, sizeof a.root);
    return a;
}

static int set_up(void **state) {
    static struct made m;
    struct mlt_json_writer w;
    timestamp_vector(&m.note, "note");
    timestamp_vector(&m.token, "good.tst");
    m.roots = timestamp_vector_roots("root.pem");
    m.other = timestamp_vector_roots("other.pem");
    struct mlt_anchor a = describe(&m);
    mlt_jw_init(&w, &m.text);
    mlt_jw_object(&w);
    mlt_anchor_put(&w, &a);
    mlt_jw_end_object(&w);
    assert_int_equal(mlt_json_scan(&m.json, mlt_buf_bytes(&m.text), NULL), MLT_OK);
    assert_int_equal(mlt_anchor_read(&m.anchor, &m.arena, &m.json, 0, NULL), MLT_OK);
    *state = &m;
    return 0;
}

static int tear_down(void **state) {
    struct made *m = *state;
    mlt_timestamp_roots_free(m->roots);
    mlt_timestamp_roots_free(m->other);
    mlt_json_clear(&m->json);
    mlt_arena_clear(&m->arena);
    mlt_buf_clear(&m->note);
    mlt_buf_clear(&m->token);
    mlt_buf_clear(&m->text);
    *m = (struct made){0};
    return 0;
}

static struct mlt_timestamp_verdict judge(const struct mlt_anchor *a, const char *origin,
                                          const struct mlt_timestamp_roots *roots) {
    struct mlt_timestamp_verdict verdict;
    assert_int_equal(mlt_anchor_judge(a, origin, roots, &verdict, NULL), MLT_OK);
    assert_true(verdict.good == (verdict.why[0] == '\0'));
    return verdict;
}

static void test_round_trip(void **state) {
    // What is written as a record reads back as it was.
    struct made *m = *state;
    struct mlt_anchor a = describe(m);
    assert_true(m->anchor.is_timestamp);
    assert_int_equal(m->anchor.tree_size, 7);
    assert_memory_equal(m->anchor.root, a.root, sizeof a.root);
    assert_true(mlt_bytes_equal(m->anchor.checkpoint, a.checkpoint));
    assert_true(mlt_bytes_equal(m->anchor.token, a.token));
    assert_true(mlt_bytes_equal(m->anchor.url, a.url));
    assert_true(mlt_bytes_equal(m->anchor.roots, a.roots));
    assert_int_equal(m->anchor.says.gen_time, a.says.gen_time);
    assert_int_equal(m->anchor.says.accuracy_ns, a.says.accuracy_ns);
    assert_string_equal(m->anchor.says.authority, a.says.authority);
}

static void test_good(void **state) {
    // Good with the right root; good as far as it goes without any; false with another one.
    struct made *m = *state;
    assert_string_equal(judge(&m->anchor, "example.com/trail", m->roots).why, "");
    assert_string_equal(judge(&m->anchor, NULL, NULL).why, "");
    assert_false(judge(&m->anchor, NULL, m->other).good);
}

static void test_every_statement_is_held_to_the_token(void **state) {
    // Whatever an anchor says beside its token and its checkpoint must be what they say.
    struct made *m = *state;
    struct mlt_anchor a = m->anchor;
    a.tree_size++;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "another tree"));
    a = m->anchor;
    a.root[0] ^= 1;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "another tree"));
    a = m->anchor;
    a.says.gen_time += 1;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "something else"));
    a = m->anchor;
    a.says.serial[0] = a.says.serial[0] == 'A' ? 'B' : 'A';
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "something else"));
    a = m->anchor;
    (void)snprintf(a.says.authority, sizeof a.says.authority, "CN=Somebody Else");
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "something else"));
    a = m->anchor;
    a.token_hash[31] ^= 1;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "something else"));
    a = m->anchor;
    a.checkpoint.len -= 1; // without its last newline it is no note
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "no checkpoint"));
    a = m->anchor;
    a.token.len -= 1;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "no time-stamp token"));
    a.token.len = 0;
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "lacks"));
    assert_non_null(strstr(judge(&m->anchor, "example.com/other", m->roots).why, "not of this trail"));
    a = m->anchor;
    a.is_timestamp = false;
    assert_false(judge(&a, NULL, m->roots).good);
}

static void test_another_checkpoint(void **state) {
    // A token over another checkpoint of the same size and root is not one over this: a cosignature more is other
    // bytes.
    struct made *m = *state;
    struct mlt_buf note = {0};
    struct mlt_anchor a = m->anchor;
    mlt_buf_put_bytes(&note, m->anchor.checkpoint);
    mlt_buf_put_str(&note, "\xe2\x80\x94 witness.example.com AAAAAAAA\n");
    a.checkpoint = mlt_buf_bytes(&note);
    assert_non_null(strstr(judge(&a, NULL, m->roots).why, "other bytes"));
    mlt_buf_clear(&note);
}

static void test_malformed(void **state) {
    // A record that lacks what an anchor needs is reported as damage; one of another kind of anchor is passed on.
    struct made *m = *state;
    static const char *const bad[] = {
        "{\"anchor\":\"rfc3161\"}",
        "{\"anchor\":\"rfc3161\",\"tree_size\":7,\"root\":\"00\"}",
        ("{\"anchor\":\"rfc3161\",\"tree_size\":7,"
         "\"root\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}"),
        "{\"tree_size\":-1,\"root\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}",
    };
    struct mlt_json json = {0};
    struct mlt_anchor a;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(mlt_json_scan(&json, mlt_str(bad[i]), NULL), MLT_OK);
        assert_int_equal(mlt_anchor_read(&a, &m->arena, &json, 0, NULL), MLT_CORRUPT);
    }
    const char *other = "{\"anchor\":\"carved-in-stone\",\"tree_size\":7,"
                        "\"root\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}";
    assert_int_equal(mlt_json_scan(&json, mlt_str(other), NULL), MLT_OK);
    assert_int_equal(mlt_anchor_read(&a, &m->arena, &json, 0, NULL), MLT_OK);
    assert_false(a.is_timestamp);
    mlt_json_clear(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_statement_is_held_to_the_token),
        cmocka_unit_test(test_another_checkpoint),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
