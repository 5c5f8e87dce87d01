// links: mlt_witness mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "lib/simdisk.h"
#include "lib/small_log.h"
#include "lib/vectors.h"
#include "witness/witness.h"

#define ORIGIN "log.example.com/a"
#define DIR "w"

struct fixture {
    struct simdisk *disk;
    struct mlt_env *env;
    struct mlt_witness *witness;
    struct mlt_vkey vkey;
    struct small_log log;
    struct small_log fork; // the same key, other leaves from the fourth on
    struct mlt_error err;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->disk = simdisk_new(1);
    f->env = simdisk_env(f->disk);
    simdisk_clock(f->disk, 1700000000 * INT64_C(1000000000));
    small_log_init(&f->log, ORIGIN, 1, 3, "a");
    small_log_init(&f->fork, ORIGIN, 1, 3, "b");
    assert_int_equal(mlt_witness_create(f->env, DIR, "witness.example.com/w", &f->vkey, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &f->log.signer.vkey, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_open(&f->witness, f->env, DIR, false, &f->err), MLT_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    mlt_witness_close(f->witness);
    small_log_clear(&f->log);
    small_log_clear(&f->fork);
    simdisk_free(f->disk);
    free(f);
    return 0;
}

static int post(struct fixture *f, struct mlt_bytes body, struct mlt_buf *answer) {
    struct mlt_witness_answer a = {0};
    mlt_witness_add_checkpoint(f->witness, body, &a);
    assert_true(a.body.len > 0 && a.body.data[a.body.len - 1] == '\n');
    assert_int_equal(a.status == 500, a.fault.text[0] != '\0');
    assert_string_equal(a.content_type, a.status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8");
    if (answer) {
        mlt_buf_reset(answer);
        mlt_buf_put_bytes(answer, mlt_buf_bytes(&a.body));
    }
    mlt_buf_clear(&a.body);
    return a.status;
}

static int submit(struct fixture *f, struct small_log *log, uint64_t old, uint64_t size, struct mlt_buf *answer) {
    struct mlt_buf body = {0};
    small_log_request(log, old, size, &body);
    int status = post(f, mlt_buf_bytes(&body), answer);
    mlt_buf_clear(&body);
    return status;
}

// the time in a cosignature of this size, which must be good
static uint64_t cosigned_at(struct fixture *f, struct small_log *log, uint64_t size, struct mlt_bytes line) {
    struct mlt_buf note = {0};
    struct mlt_arena arena = {0};
    struct mlt_note parsed;
    uint64_t time = 0;
    const char *why = "";
    small_log_note(log, size, &note);
    mlt_buf_put_bytes(&note, line);
    assert_int_equal(mlt_note_parse(&parsed, &arena, mlt_buf_bytes(&note), &f->err), MLT_OK);
    if (!mlt_cosignature_verify(&parsed, &f->vkey, &time, &why)) {
        fail_msg("%s", why);
    }
    mlt_arena_clear(&arena);
    mlt_buf_clear(&note);
    return time;
}

static void test_growth(void **state) {
    // A log that grows is cosigned at each size, its time is the witness's, and the size is kept over a restart.
    struct fixture *f = *state;
    struct mlt_buf answer = {0};
    assert_int_equal(submit(f, &f->log, 0, 2, &answer), 200);
    assert_int_equal(cosigned_at(f, &f->log, 2, mlt_buf_bytes(&answer)), 1700000000);
    assert_int_equal(submit(f, &f->log, 2, 7, &answer), 200);
    mlt_witness_close(f->witness);
    assert_int_equal(mlt_witness_open(&f->witness, f->env, DIR, false, &f->err), MLT_OK);
    assert_int_equal(submit(f, &f->log, 0, 7, &answer), 409);
    assert_true(mlt_bytes_is(mlt_buf_bytes(&answer), "7\n"));
    assert_int_equal(submit(f, &f->log, 7, 150, &answer), 200);
    mlt_buf_clear(&answer);
}

static void test_same_size(void **state) {
    // The same size is signed again with a new time, which never goes back though the clock does.
    struct fixture *f = *state;
    struct mlt_buf answer = {0};
    assert_int_equal(submit(f, &f->log, 0, 5, NULL), 200);
    simdisk_clock(f->disk, 1700000600 * INT64_C(1000000000));
    assert_int_equal(submit(f, &f->log, 5, 5, &answer), 200);
    assert_int_equal(cosigned_at(f, &f->log, 5, mlt_buf_bytes(&answer)), 1700000600);
    simdisk_clock(f->disk, 1600000000 * INT64_C(1000000000));
    assert_int_equal(submit(f, &f->log, 5, 5, &answer), 200);
    assert_int_equal(cosigned_at(f, &f->log, 5, mlt_buf_bytes(&answer)), 1700000600);
    mlt_buf_clear(&answer);
}

static void test_empty_tree(void **state) {
    // An empty tree is cosigned as what it is; one that claims another root is not.
    struct fixture *f = *state;
    struct mlt_checkpoint c = {.origin = ORIGIN, .root = {1}};
    struct mlt_buf body = {0};
    mlt_buf_put_str(&body, "old 0\n\n");
    assert_int_equal(mlt_checkpoint_sign(&body, &c, &f->log.signer, &f->err), MLT_OK);
    assert_int_equal(post(f, mlt_buf_bytes(&body), NULL), 422);
    assert_int_equal(submit(f, &f->log, 0, 0, NULL), 200);
    assert_int_equal(submit(f, &f->log, 0, 4, NULL), 200);
    mlt_buf_clear(&body);
}

static void test_fork_and_rollback(void **state) {
    // Another tree under the same key gets nothing, at any size; neither does an older one.
    struct fixture *f = *state;
    struct mlt_buf answer = {0};
    assert_int_equal(submit(f, &f->log, 0, 5, NULL), 200);
    assert_int_equal(submit(f, &f->fork, 5, 5, NULL), 422);
    assert_int_equal(submit(f, &f->fork, 5, 9, NULL), 422);
    assert_int_equal(submit(f, &f->fork, 3, 9, &answer), 409);
    assert_true(mlt_bytes_is(mlt_buf_bytes(&answer), "5\n"));
    assert_int_equal(submit(f, &f->log, 5, 4, NULL), 400);
    assert_int_equal(submit(f, &f->log, 3, 4, NULL), 409);
    assert_int_equal(submit(f, &f->log, 0, 4, NULL), 409);
    assert_int_equal(submit(f, &f->log, 5, 6, NULL), 200);
    mlt_buf_clear(&answer);
}

static void test_refusals(void **state) {
    // Each rung of the ladder has its status.
    struct fixture *f = *state;
    struct small_log stranger;
    struct mlt_buf body = {0};
    assert_int_equal(post(f, mlt_str("old one\n\nx\n"), NULL), 400);
    assert_int_equal(post(f, mlt_str("old 0\n\nno note"), NULL), 400);
    assert_int_equal(post(f, mlt_str(""), NULL), 400);
    small_log_init(&stranger, "log.example.com/b", 2, 0, "s");
    assert_int_equal(submit(f, &stranger, 0, 2, NULL), 404);
    small_log_clear(&stranger);
    small_log_init(&stranger, ORIGIN, 2, 0, "s"); // the name, but not the key
    assert_int_equal(submit(f, &stranger, 0, 2, NULL), 403);
    small_log_clear(&stranger);
    small_log_request(&f->log, 0, 2, &body);
    body.data[body.len - 20] ^= 1; // within the base64 of the signature
    assert_int_equal(post(f, mlt_buf_bytes(&body), NULL), 403);
    mlt_buf_reset(&body);
    // a proof where none belongs
    mlt_buf_put_str(&body, "old 0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
    small_log_note(&f->log, 2, &body);
    assert_int_equal(post(f, mlt_buf_bytes(&body), NULL), 422);
    assert_int_equal(submit(f, &f->log, 0, 2, NULL), 200);
    mlt_buf_clear(&body);
}

static void test_monitoring(void **state) {
    // The head can be fetched by the hash of the origin and carries both signatures; what is not there is 404.
    struct fixture *f = *state;
    char id[MLT_WITNESS_ID_LEN + 1];
    uint8_t hash[MLT_HASH_LEN];
    struct mlt_witness_answer a = {0};
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_vkey keys[] = {f->log.signer.vkey, f->vkey};
    bool good[2];
    mlt_sha256_one(hash, mlt_str(ORIGIN));
    mlt_hex_encode(id, mlt_bytes_of(hash, sizeof(hash)));
    mlt_witness_get_checkpoint(f->witness, mlt_str(id), &a);
    assert_int_equal(a.status, 404);
    mlt_buf_reset(&a.body);
    assert_int_equal(submit(f, &f->log, 0, 2, NULL), 200);
    mlt_witness_get_checkpoint(f->witness, mlt_str(id), &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(mlt_note_parse(&note, &arena, mlt_buf_bytes(&a.body), &f->err), MLT_OK);
    assert_true(mlt_note_verify(&note, keys, 1, good, NULL));
    assert_true(mlt_cosignature_verify(&note, &f->vkey, NULL, NULL));
    assert_int_equal(note.num_sigs, 2);
    mlt_buf_reset(&a.body);
    mlt_witness_get_checkpoint(f->witness, mlt_str("../../etc/passwd"), &a);
    assert_int_equal(a.status, 404);
    mlt_buf_clear(&a.body);
    mlt_arena_clear(&arena);
}

static void test_one_process(void **state) {
    // Two processes would cosign past each other: the second one is refused, a reader is not.
    struct fixture *f = *state;
    struct mlt_witness *second;
    assert_int_equal(mlt_witness_open(&second, f->env, DIR, false, &f->err), MLT_BUSY);
    assert_int_equal(mlt_witness_open(&second, f->env, DIR, true, &f->err), MLT_OK);
    mlt_witness_close(second);
    assert_int_equal(mlt_witness_open(&second, f->env, "nowhere", false, &f->err), MLT_NOTFOUND);
}

static void test_one_creation_at_a_time(void **state) {
    // While somebody makes a witness in a directory nobody else does: the key that was told first stays.
    struct fixture *f = *state;
    struct mlt_file *lock;
    struct mlt_vkey vkey;
    struct mlt_vkey again;
    assert_int_equal(f->env->mkdir(f->env, "v", true, &f->err), MLT_OK);
    assert_int_equal(f->env->lock(f->env, &lock, "v/lock", &f->err), MLT_OK);
    assert_int_equal(mlt_witness_create(f->env, "v", "w", &vkey, &f->err), MLT_CONFLICT);
    f->env->close(f->env, lock);
    assert_int_equal(mlt_witness_create(f->env, "v", "w", &vkey, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_create(f->env, "v", "w", &again, &f->err), MLT_CONFLICT);
    struct mlt_witness *w;
    assert_int_equal(mlt_witness_open(&w, f->env, "v", false, &f->err), MLT_OK);
    assert_true(mlt_vkey_equal(mlt_witness_vkey(w), &vkey));
    mlt_witness_close(w);
}

static void test_logs(void **state) {
    // A log is known once; the same origin under another key, or a witness's key, is refused.
    struct fixture *f = *state;
    struct small_log stranger;
    struct mlt_vkey again;
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &f->log.signer.vkey, &f->err), MLT_OK);
    small_log_init(&stranger, ORIGIN, 2, 0, "s");
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &stranger.signer.vkey, &f->err), MLT_CONFLICT);
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &f->vkey, &f->err), MLT_INVALID);
    assert_int_equal(mlt_witness_create(f->env, DIR, "w", &again, &f->err), MLT_CONFLICT);
    assert_int_equal(mlt_witness_create(f->env, "v", "two words", &again, &f->err), MLT_INVALID);
    small_log_clear(&stranger);
}

// A chain in which `newer` followed the fixture's log at size 5.
static void rotate(struct fixture *f, struct small_log *newer, struct mlt_key_chain *chain) {
    struct mlt_key_link link = {.size = 5, .kept = 5};
    small_log_root(&f->log, 5, link.root);
    memcpy(link.kept_root, link.root, MLT_HASH_LEN);
    mlt_key_chain_init(chain, &f->log.signer.vkey);
    assert_int_equal(mlt_key_link_sign(&link, &f->log.signer, &newer->signer, &f->err), MLT_OK);
    assert_int_equal(mlt_key_chain_push(chain, &newer->signer.vkey, &link, &f->err), MLT_OK);
}

static void test_a_newer_key_is_followed(void **state) {
    // With a good chain the newer key takes the place of the older one, and still nothing but extensions is cosigned.
    struct fixture *f = *state;
    struct small_log newer, forked;
    static struct mlt_key_chain chain;
    struct mlt_buf answer = {0};
    small_log_init(&newer, ORIGIN, 2, 3, "a");
    small_log_init(&forked, ORIGIN, 2, 3, "b");
    assert_int_equal(submit(f, &f->log, 0, 5, NULL), 200);
    assert_int_equal(submit(f, &newer, 5, 7, NULL), 403);
    rotate(f, &newer, &chain);
    chain.links[0].old_signature[0] ^= 1;
    assert_int_equal(mlt_witness_follow_log(f->env, DIR, &chain, &f->err), MLT_CONFLICT);
    assert_int_equal(submit(f, &newer, 5, 7, NULL), 403);
    chain.links[0].old_signature[0] ^= 1;
    assert_int_equal(mlt_witness_follow_log(f->env, DIR, &chain, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_follow_log(f->env, DIR, &chain, &f->err), MLT_OK);
    assert_int_equal(submit(f, &forked, 5, 7, NULL), 422); // the head by the older key binds the newer one
    assert_int_equal(submit(f, &f->log, 5, 7, NULL), 403); // which alone signs from here on
    assert_int_equal(submit(f, &newer, 5, 7, &answer), 200);
    assert_int_equal(cosigned_at(f, &newer, 7, mlt_buf_bytes(&answer)), 1700000000);
    assert_int_equal(submit(f, &newer, 7, 150, NULL), 200);
    // Back is not a way: the older chain does not lead from the newer key.
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &f->log.signer.vkey, &f->err), MLT_CONFLICT);
    mlt_buf_clear(&answer);
    small_log_clear(&newer);
    small_log_clear(&forked);
}

static void head_path(char out[static 80]) {
    uint8_t hash[MLT_HASH_LEN];
    char id[MLT_WITNESS_ID_LEN + 1];
    mlt_sha256_one(hash, mlt_str(ORIGIN));
    mlt_hex_encode(id, mlt_bytes_of(hash, sizeof(hash)));
    (void)snprintf(out, 80, DIR "/heads/%s", id);
}

static void test_damaged_head(void **state) {
    // A head that the witness did not write itself is no head: nothing is cosigned on top of it, nor without it.
    struct fixture *f = *state;
    char path[80];
    uint64_t len;
    assert_int_equal(submit(f, &f->log, 0, 5, NULL), 200);
    head_path(path);
    uint8_t *bytes = simdisk_bytes(f->disk, path, &len);
    assert_non_null(bytes);
    bytes[len - 10] ^= 1; // in our own cosignature
    assert_int_equal(submit(f, &f->log, 5, 6, NULL), 500);
    assert_int_equal(submit(f, &f->log, 0, 6, NULL), 500);
}

static void test_full_disk(void **state) {
    // Without room for the head there is no cosignature, and with room again the witness goes on from where it was.
    struct fixture *f = *state;
    assert_int_equal(submit(f, &f->log, 0, 5, NULL), 200);
    simdisk_fill(f->disk, 10);
    assert_int_equal(submit(f, &f->log, 5, 6, NULL), 500);
    simdisk_fill(f->disk, UINT64_MAX);
    assert_int_equal(submit(f, &f->log, 5, 7, NULL), 200);
}

// -- the recorded conversation of another witness ---------------------------------------------------------------------

static const char SIGSUM_KEY[] = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";

static struct mlt_bytes up_to(struct mlt_cursor *c, const char *line, struct mlt_buf *out) {
    mlt_buf_reset(out);
    while (mlt_cursor_left(c) > 0) {
        struct mlt_bytes l = mlt_cursor_line(c);
        if (mlt_bytes_is(l, line)) {
            break;
        }
        mlt_buf_put_bytes(out, l);
        mlt_buf_put_u8(out, '\n');
    }
    return mlt_buf_bytes(out);
}

static void add_sigsum_log(struct fixture *f) {
    struct mlt_vkey log = {.type = MLT_KEY_ED25519};
    uint8_t hash[MLT_HASH_LEN];
    uint8_t typed[1 + MLT_ED25519_KEY_LEN] = {MLT_KEY_ED25519};
    char hex[2 * MLT_HASH_LEN + 1];
    test_unhex(log.key, sizeof(log.key), SIGSUM_KEY);
    mlt_sha256_one(hash, mlt_bytes_of(log.key, sizeof(log.key)));
    mlt_hex_encode(hex, mlt_bytes_of(hash, sizeof(hash)));
    (void)snprintf(log.name, sizeof(log.name), "sigsum.org/v1/tree/%s", hex);
    memcpy(typed + 1, log.key, sizeof(log.key));
    log.key_id = mlt_key_id(mlt_str(log.name), MLT_KEY_ED25519, mlt_bytes_of(log.key, sizeof(log.key)));
    assert_int_equal(log.key_id, 0x5202289b);
    assert_int_equal(mlt_witness_add_log(f->env, DIR, &log, &f->err), MLT_OK);
}

static void test_recorded_conversation(void **state) {
    // litewitness's own test, request by request. Two statuses differ: where it says 403 for an unknown log, the
    // specification says 404; and the signature that it spoils is no canonical base64 then, which is malformed here.
    struct fixture *f = *state;
    char path[1024];
    struct mlt_buf text = {0};
    struct mlt_buf body = {0};
    struct mlt_buf answer = {0};
    struct mlt_buf skipped = {0};
    int requests = 0;
    if (!test_shared_path(path, sizeof(path), "vectors/litewitness/cmd/litewitness/testdata/litewitness.txt")) {
        skip();
    }
    assert_true(test_read_file(path, &text));
    add_sigsum_log(f);
    struct mlt_cursor c = mlt_cursor_of(mlt_buf_bytes(&text));
    (void)up_to(&c, "POST http://localhost:7380/add-checkpoint", &skipped);
    while (mlt_cursor_left(&c) > 0) {
        (void)up_to(&c, "```", &skipped);
        struct mlt_bytes sent = up_to(&c, "```", &body);
        struct mlt_bytes expected = up_to(&c, "POST http://localhost:7380/add-checkpoint", &skipped);
        const char *says = mlt_buf_cstr(&skipped);
        assert_true(expected.len > 8 && strncmp(says, "HTTP ", 5) == 0);
        int status = atoi(says + 5);
        int ours = strstr(says, "unknown log") ? 404 : strstr(says, "invalid signature") ? 400 : status;
        assert_int_equal(post(f, sent, &answer), ours);
        const char *got = mlt_buf_cstr(&answer);
        if (status == 409) {
            char exact[32];
            (void)snprintf(exact, sizeof(exact), "body == \"%.*s\\n\"", (int)answer.len - 1, got);
            assert_non_null(strstr(says, exact));
        } else if (status == 200) {
            assert_memory_equal(got, "\xe2\x80\x94 witness.example.com/w ", 26);
        }
        requests++;
    }
    assert_int_equal(requests, 9);
    mlt_buf_clear(&text);
    mlt_buf_clear(&body);
    mlt_buf_clear(&answer);
    mlt_buf_clear(&skipped);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_growth),
                                       TEST(test_same_size),
                                       TEST(test_empty_tree),
                                       TEST(test_fork_and_rollback),
                                       TEST(test_refusals),
                                       TEST(test_monitoring),
                                       TEST(test_one_process),
                                       TEST(test_one_creation_at_a_time),
                                       TEST(test_logs),
                                       TEST(test_a_newer_key_is_followed),
                                       TEST(test_damaged_head),
                                       TEST(test_full_disk),
                                       TEST(test_recorded_conversation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
