// links: mlt_witness mlt_http mlt_base_posix mlt_testlib
//
// Witnesses asked together: real ones behind real sockets, some of whom misbehave.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "http/service.h"
#include "lib/small_log.h"
#include "lib/tempdir.h"
#include "witness/ring.h"
#include "witness/witness.h"

#define NUM 3
#define SLOW_MS 1500

enum manner { HONEST, SLOW, DOWN, LATER, GARBAGE };

struct peer {
    struct mlt_witness *witness;
    struct mlt_service *service;
    struct mlt_vkey vkey;
    atomic_int manner;
    atomic_int asked;
};

struct fixture {
    char base[TEMPDIR_MAX];
    char evidence[96];
    struct mlt_env *env;
    struct small_log log;
    struct small_log fork;
    struct peer peer[NUM];
    struct mlt_policy policy;
    struct mlt_ring *ring;
    struct mlt_buf note;
    struct mlt_ring_result result;
    struct mlt_error err;
};

static void handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    struct peer *p = arg;
    struct mlt_witness_answer a = {0};
    int manner = atomic_load(&p->manner);
    atomic_fetch_add(&p->asked, 1);
    assert_string_equal(req->path, "/prefix/add-checkpoint");
    if (manner == DOWN || manner == LATER || manner == GARBAGE) {
        out->status = manner == DOWN ? 500 : manner == LATER ? 503 : 200;
        mlt_buf_put_str(&out->body, "no\n");
        return;
    }
    if (manner == SLOW) {
        struct timespec pause = {.tv_sec = SLOW_MS / 1000, .tv_nsec = SLOW_MS % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    }
    mlt_witness_add_checkpoint(p->witness, req->body, &a);
    out->status = a.status;
    out->content_type = a.content_type;
    out->body = a.body;
}

static void start_peer(struct fixture *f, size_t i) {
    struct peer *p = &f->peer[i];
    char dir[96];
    char name[32];
    const struct mlt_service_options opt = {
        .listen = "127.0.0.1:0", .body_max = MLT_ADD_CHECKPOINT_MAX, .handle = handle, .arg = p};
    (void)snprintf(dir, sizeof(dir), "%s/w%zu", f->base, i);
    (void)snprintf(name, sizeof(name), "w%zu.example.com", i);
    assert_int_equal(mlt_witness_create(f->env, dir, name, &p->vkey, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_add_log(f->env, dir, &f->log.signer.vkey, &f->err), MLT_OK);
    assert_int_equal(mlt_witness_open(&p->witness, f->env, dir, false, &f->err), MLT_OK);
    assert_int_equal(mlt_service_start(&p->service, &opt, &f->err), MLT_OK);
}

static void make_policy(struct fixture *f) {
    struct mlt_buf text = {0};
    for (size_t i = 0; i < NUM; i++) {
        char vkey[MLT_VKEY_TEXT_MAX];
        mlt_vkey_format(vkey, &f->peer[i].vkey);
        mlt_buf_printf(&text, "witness w%zu %s http://127.0.0.1:%u/prefix/\n", i, vkey,
                       mlt_service_port(f->peer[i].service));
    }
    mlt_buf_put_str(&text, "group two 2 w0 w1 w2\nquorum two\n");
    if (mlt_policy_parse(&f->policy, mlt_buf_bytes(&text), &f->err) != MLT_OK) {
        fail_msg("%s", f->err.text);
    }
    mlt_buf_clear(&text);
}

static void open_ring(struct fixture *f) {
    const struct mlt_ring_options opt = {.env = f->env,
                                         .policy = &f->policy,
                                         .log_key = &f->log.signer.vkey,
                                         .evidence_dir = f->evidence,
                                         .timeout_ms = 4000};
    mlt_ring_close(f->ring);
    assert_int_equal(mlt_ring_open(&f->ring, &opt, &f->err), MLT_OK);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->env = mlt_env_posix();
    tempdir_make(f->base, "ring");
    (void)snprintf(f->evidence, sizeof(f->evidence), "%s/evidence", f->base);
    small_log_init(&f->log, "log.example.com/a", 1, 3, "a");
    small_log_init(&f->fork, "log.example.com/a", 1, 3, "b");
    for (size_t i = 0; i < NUM; i++) {
        start_peer(f, i);
    }
    make_policy(f);
    open_ring(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    mlt_ring_close(f->ring);
    for (size_t i = 0; i < NUM; i++) {
        mlt_service_stop(f->peer[i].service);
        mlt_witness_close(f->peer[i].witness);
    }
    mlt_policy_clear(&f->policy);
    mlt_buf_clear(&f->note);
    small_log_clear(&f->log);
    small_log_clear(&f->fork);
    tempdir_remove(f->base);
    free(f);
    return 0;
}

static enum mlt_status gather(struct fixture *f, struct small_log *log, uint64_t size, bool all) {
    struct mlt_buf signed_note = {0};
    small_log_note(log, size, &signed_note);
    const struct mlt_ring_head head = {
        .size = size, .note = mlt_buf_bytes(&signed_note), .hashes = small_log_hashes(log)};
    mlt_buf_reset(&f->note);
    enum mlt_status st = mlt_ring_gather(f->ring, &head, all, &f->note, &f->result, &f->err);
    mlt_buf_clear(&signed_note);
    return st;
}

static struct mlt_ring_status status_of(struct fixture *f, size_t i) {
    struct mlt_ring_status is;
    mlt_ring_get(f->ring, i, &is);
    return is;
}

static int num_files(const char *dir) {
    DIR *d = opendir(dir);
    int num = 0;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        num += e->d_name[0] != '.';
    }
    if (d) {
        closedir(d);
    }
    return num;
}

static void assert_judged(struct fixture *f, bool holds, size_t num_cosigned) {
    struct mlt_arena arena = {0};
    struct mlt_note note;
    struct mlt_policy_verdict v;
    assert_int_equal(mlt_note_parse(&note, &arena, mlt_buf_bytes(&f->note), &f->err), MLT_OK);
    assert_int_equal(mlt_policy_judge(&v, &f->policy, &f->log.signer.vkey, &note, &f->err), MLT_OK);
    assert_int_equal(v.holds, holds);
    assert_int_equal(v.num_cosigned, num_cosigned);
    assert_int_equal(f->result.quorum, holds);
    assert_int_equal(f->result.num_cosigned, num_cosigned);
    mlt_arena_clear(&arena);
}

static void test_growth(void **state) {
    // A log that grows is cosigned by all; after the first time nobody has to be asked twice.
    struct fixture *f = *state;
    assert_int_equal(gather(f, &f->log, 2, true), MLT_OK);
    assert_judged(f, true, 3);
    for (uint64_t size = 3; size < 20; size += 4) {
        assert_int_equal(gather(f, &f->log, size, true), MLT_OK);
        assert_judged(f, true, 3);
    }
    assert_int_equal(atomic_load(&f->peer[0].asked), 6);
    assert_int_equal(status_of(f, 0).cosigned_size, 19);
    assert_int_equal(f->result.again_s, MLT_RING_REFRESH_S);
    // A ring that knows nothing finds out where the witnesses stand.
    open_ring(f);
    assert_int_equal(gather(f, &f->log, 30, true), MLT_OK);
    assert_judged(f, true, 3);
    assert_int_equal(atomic_load(&f->peer[0].asked), 8);
}

static void test_same_head(void **state) {
    // The same head again within minutes is answered from what is there.
    struct fixture *f = *state;
    assert_int_equal(gather(f, &f->log, 7, true), MLT_OK);
    assert_int_equal(gather(f, &f->log, 7, false), MLT_OK);
    assert_judged(f, true, 3);
    assert_int_equal(atomic_load(&f->peer[1].asked), 1);
}

static void test_slow_one(void **state) {
    // A slow witness holds nobody up once the quorum is met, and its answer counts for the same head later.
    struct fixture *f = *state;
    atomic_store(&f->peer[2].manner, SLOW);
    int64_t begun = f->env->monotonic(f->env);
    assert_int_equal(gather(f, &f->log, 7, false), MLT_OK);
    assert_true(f->env->monotonic(f->env) - begun < SLOW_MS * INT64_C(1000000));
    assert_judged(f, true, 2);
    while (!status_of(f, 2).cosigned) {
        struct timespec pause = {.tv_nsec = 20000000};
        nanosleep(&pause, NULL);
    }
    assert_int_equal(gather(f, &f->log, 7, false), MLT_OK);
    assert_judged(f, true, 3);
}

static void test_no_quorum(void **state) {
    // Too few cosignatures are said, not invented; those who fail are left alone for a while, and come back.
    struct fixture *f = *state;
    atomic_store(&f->peer[0].manner, DOWN);
    atomic_store(&f->peer[1].manner, GARBAGE);
    assert_int_equal(gather(f, &f->log, 7, false), MLT_OK);
    assert_judged(f, false, 1);
    assert_true(f->result.again_s <= 2);
    assert_int_equal(status_of(f, 0).state, MLT_RING_FAILING);
    assert_true(status_of(f, 1).last_error[0] != '\0');
    assert_int_equal(gather(f, &f->log, 8, false), MLT_OK);
    assert_int_equal(atomic_load(&f->peer[0].asked), 1); // within its pause
    atomic_store(&f->peer[0].manner, HONEST);
    sleep(1);
    assert_int_equal(gather(f, &f->log, 9, false), MLT_OK);
    assert_judged(f, true, 2 + (f->result.num_cosigned == 3));
    assert_int_equal(status_of(f, 0).state, MLT_RING_OK);
}

static void test_rolled_back(void **state) {
    // A log that is shorter than a witness knows is told so, and gathers nothing any more.
    struct fixture *f = *state;
    assert_int_equal(gather(f, &f->log, 9, true), MLT_OK);
    open_ring(f);
    assert_int_equal(gather(f, &f->log, 5, true), MLT_CONFLICT);
    assert_non_null(strstr(f->err.text, "size 9"));
    assert_non_null(strstr(f->err.text, f->evidence));
    assert_true(num_files(f->evidence) >= 1);
    assert_int_equal(gather(f, &f->log, 20, true), MLT_CONFLICT);
}

static uint64_t grown(void *arg) {
    (void)arg;
    return 12;
}

static void test_shown_by_others(void **state) {
    // A witness to whom somebody else brought a later head of this log is no evidence against it.
    struct fixture *f = *state;
    struct mlt_buf request = {0};
    struct mlt_buf signed_note = {0};
    struct mlt_witness_answer a = {0};
    small_log_request(&f->log, 0, 12, &request);
    mlt_witness_add_checkpoint(f->peer[0].witness, mlt_buf_bytes(&request), &a);
    assert_int_equal(a.status, 200);
    small_log_note(&f->log, 9, &signed_note);
    const struct mlt_ring_head head = {
        .size = 9, .note = mlt_buf_bytes(&signed_note), .hashes = small_log_hashes(&f->log), .size_now = grown};
    assert_int_equal(mlt_ring_gather(f->ring, &head, true, &f->note, &f->result, &f->err), MLT_OK);
    assert_judged(f, true, 2);
    mlt_buf_clear(&request);
    mlt_buf_clear(&signed_note);
    mlt_buf_clear(&a.body);
}

static void test_fork(void **state) {
    // Two logs under one key: whoever comes second is refused, at the same size and at a larger one.
    struct fixture *f = *state;
    assert_int_equal(gather(f, &f->log, 9, true), MLT_OK);
    open_ring(f);
    assert_int_equal(gather(f, &f->fork, 9, true), MLT_CONFLICT);
    assert_non_null(strstr(f->err.text, "another tree"));
    open_ring(f);
    assert_int_equal(gather(f, &f->fork, 15, true), MLT_CONFLICT);
    open_ring(f);
    assert_int_equal(gather(f, &f->log, 15, true), MLT_OK);
    assert_judged(f, true, 3);
}

static void test_url(void **state) {
    // A witness behind plain HTTP on another machine is refused when the ring is made.
    struct fixture *f = *state;
    char vkey[MLT_VKEY_TEXT_MAX];
    struct mlt_buf text = {0};
    struct mlt_policy policy;
    struct mlt_ring *ring;
    mlt_vkey_format(vkey, &f->peer[0].vkey);
    mlt_buf_printf(&text, "witness w %s http://witness.example.com/\nquorum w\n", vkey);
    assert_int_equal(mlt_policy_parse(&policy, mlt_buf_bytes(&text), &f->err), MLT_OK);
    const struct mlt_ring_options opt = {
        .env = f->env, .policy = &policy, .log_key = &f->log.signer.vkey, .evidence_dir = f->evidence};
    assert_int_equal(mlt_ring_open(&ring, &opt, &f->err), MLT_INVALID);
    mlt_policy_clear(&policy);
    mlt_buf_clear(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_growth),    TEST(test_same_head),   TEST(test_slow_one),
                                       TEST(test_no_quorum), TEST(test_rolled_back), TEST(test_shown_by_others),
                                       TEST(test_fork),      TEST(test_url)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
