// links: mlt_server mlt_base_posix mlt_testlib
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base_posix/env_posix.h"
#include "lib/tempdir.h"
#include "server/intake.h"

// A protocol of the test's own: a message is words; "bad" is not understood, "skip" is none of ours, any other word is
// a capture whose correlation it is.
static enum mlt_status words(struct mlt_capture *out, const struct mlt_foreign *msg, struct mlt_error *err) {
    (void)err;
    struct mlt_cursor c = mlt_cursor_of(msg->body);
    uint32_t item = 0;
    if (msg->body.len == 0) {
        return mlt_capture_reject(out, 1, msg->body, "empty", "", "a message has words");
    }
    while (mlt_cursor_left(&c) > 0) {
        struct mlt_bytes word = mlt_cursor_line(&c);
        item++;
        if (mlt_bytes_is(word, "bad")) {
            (void)mlt_capture_reject(out, item, word, "bad-word", "/word", "there is no word \"bad\"");
        } else if (mlt_bytes_is(word, "skip")) {
            out->num_ignored++;
        } else {
            struct mlt_json_writer *w = mlt_capture_begin(out, "capture");
            mlt_jw_member(w, "format", "words");
            mlt_jw_member_bytes(w, "event_id", word);
            mlt_jw_member(w, "correlation", msg->header ? msg->header(msg->header_arg, "X-Story") : "none");
            mlt_jw_member(w, "message", "m");
            mlt_capture_end(out);
        }
    }
    return MLT_OK;
}

// The messages of the story that came before, as a job that has their number.
static enum mlt_status count_story(struct mlt_call *call, const struct mlt_source *src, const struct mlt_foreign *msg,
                                   struct mlt_capture *capture, struct mlt_error *err) {
    (void)call;
    const struct mlt_bytes values[] = {mlt_str("words"), mlt_str(msg->header(msg->header_arg, "X-Story"))};
    struct mlt_term term;
    uint64_t found[8];
    size_t num;
    uint64_t total;
    bool more;
    mlt_source_term(src, &term, MLT_DIM_CORRELATION, values, 2);
    enum mlt_status status = src->find(src->ctx, &term, 1, 0, false, 8, found, &num, &total, &more, err);
    char job[32];
    snprintf(job, sizeof job, "after-%llu", (unsigned long long)total);
    struct mlt_json_writer *w = mlt_capture_begin(capture, "training.run");
    mlt_jw_member(w, "training_job_id", job);
    mlt_capture_end(capture);
    return status;
}

static bool signed_by_ana(struct mlt_call *call, const struct mlt_foreign *msg, struct mlt_principal *out) {
    const char *who = msg->header(msg->header_arg, "X-Signed");
    if (!who || strcmp(who, "ana") != 0) {
        mlt_answer_problem(call->res, 401, "bad-signature", NULL, "ana did not sign this");
        return false;
    }
    *out = (struct mlt_principal){.name = "webhook:ana", .assurance = "authenticated"};
    mlt_grant_producer(&out->grant);
    return true;
}

static void say_thanks(const struct mlt_intake_outcome *o, struct mlt_response *res) {
    res->status = o->problem ? 207 : 202;
    res->content_type = MLT_TYPE_TEXT;
    mlt_buf_printf(&res->body, "thanks for %llu %s", (unsigned long long)o->accepted, o->content_type);
}

static const struct mlt_intake PLAIN = {.format = "words", .translate = words};
static const struct mlt_intake DERIVES = {.format = "words", .translate = words, .derive = count_story};
static const struct mlt_intake SIGNED = {.format = "words", .translate = words, .authenticate = signed_by_ana};
static const struct mlt_intake THANKS = {.format = "words", .translate = words, .answer = say_thanks};

static char dir[TEMPDIR_MAX];
static struct mlt_api *api;
static struct mlt_principal me;
static const char *signer;

static void open_api(uint64_t reserve) {
    static char trail[96];
    struct mlt_error err = {0};
    snprintf(trail, sizeof trail, "%s/t", dir);
    struct mlt_api_options opt = {.trail = {.dir = trail, .reserve_bytes = reserve, .journal_bytes = 1 << 20}};
    assert_int_equal(mlt_api_open(&api, mlt_env_posix(), &opt, &err), MLT_OK);
}

static int setup(void **state) {
    (void)state;
    static char trail[96];
    struct mlt_error err = {0};
    tempdir_make(dir, "intake");
    snprintf(trail, sizeof trail, "%s/t", dir);
    struct mlt_trail_options opt = {.dir = trail, .journal_bytes = 1 << 20};
    assert_int_equal(mlt_trail_create(mlt_env_posix(), &opt, "example.org/intake", false, false, &err), MLT_OK);
    mlt_principal_local(&me, 0);
    signer = NULL;
    open_api(0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    struct mlt_error err = {0};
    assert_int_equal(mlt_api_close(api, &err), MLT_OK);
    tempdir_remove(dir);
    return 0;
}

static const char *header(void *arg, const char *name) {
    return strcmp(name, "X-Signed") == 0 ? signer : strcmp(name, "X-Story") == 0 ? arg : NULL;
}

// Sends a message of a story; the text of the answer is valid until the next call.
static const char *tell(const struct mlt_intake *how, const char *story, const char *body,
                        const struct mlt_principal *principal, int want) {
    static char kept[4096];
    struct mlt_response res = {.status = 200};
    struct mlt_request req = {.method = "POST",
                              .path = "/words",
                              .query = "",
                              .content_type = "text/words",
                              .body = mlt_str(body),
                              .principal = principal,
                              .header = header,
                              .header_arg = (void *)(uintptr_t)story};
    struct mlt_call call = {.api = api, .req = &req, .res = &res};
    mlt_intake_handle(&call, how);
    snprintf(kept, sizeof kept, "%s", mlt_buf_cstr(&res.body));
    if (res.status != want) {
        fail_msg("%d instead of %d: %s", res.status, want, kept);
    }
    mlt_response_clear(&res);
    return kept;
}

// What the log has, oldest first.
static const char *log_of(const char *query) {
    static char kept[65536];
    struct mlt_response res = {0};
    struct mlt_request req = {
        .method = "GET", .path = "/v1/records", .query = query, .content_type = "", .principal = &me};
    mlt_api_handle(api, &req, &res);
    snprintf(kept, sizeof kept, "%s", mlt_buf_cstr(&res.body));
    assert_int_equal(res.status, 200);
    mlt_response_clear(&res);
    return kept;
}

static void test_good_and_bad_items(void **state) {
    // What is good is appended, what is not is told and kept, what is none of ours is counted; once more is a
    // duplicate.
    (void)state;
    const char *said = tell(&PLAIN, "s", "one\nbad\nskip\ntwo\n", &me, 200);
    assert_non_null(strstr(said, "\"accepted\":2,\"duplicates\":0,\"rejected\":1,\"ignored\":1"));
    assert_non_null(strstr(said, "{\"line\":2,\"code\":\"bad-word\",\"pointer\":\"/word\""));
    assert_non_null(strstr(log_of("kind=control"), "\"bad-word\""));
    assert_non_null(strstr(log_of("kind=capture"), "\"total\":2"));
    assert_non_null(strstr(tell(&PLAIN, "s", "one\ntwo\n", &me, 200), "\"accepted\":0,\"duplicates\":2"));
    tell(&PLAIN, "s", "bad\n", &me, 422);
    assert_non_null(strstr(tell(&PLAIN, "s", "", &me, 422), "\"empty\""));
    assert_non_null(strstr(tell(&PLAIN, "s", "skip\n", &me, 200), "\"ignored\":1"));
}

static void test_many_rejected_items(void **state) {
    // Beyond what is kept one by one, rejected items are still counted.
    (void)state;
    struct mlt_buf text = {0};
    for (int i = 0; i < MLT_CAPTURE_REJECTED_MAX + 7; i++) {
        mlt_buf_put_str(&text, "bad\n");
    }
    mlt_buf_put_str(&text, "good\n");
    assert_non_null(strstr(tell(&PLAIN, "s", mlt_buf_cstr(&text), &me, 200), "\"rejected\":1007"));
    mlt_buf_clear(&text);
}

static void test_derived_from_earlier_messages(void **state) {
    // A derivation sees every message that was acknowledged before, and no other story's.
    (void)state;
    tell(&DERIVES, "s", "one\n", &me, 200);
    tell(&DERIVES, "other", "x\ny\n", &me, 200);
    tell(&DERIVES, "s", "two\nthree\n", &me, 200);
    tell(&DERIVES, "s", "four\n", &me, 200);
    const char *runs = log_of("kind=training.run");
    assert_non_null(strstr(runs, "\"after-0\""));
    assert_non_null(strstr(runs, "\"after-1\""));
    assert_non_null(strstr(runs, "\"after-3\""));
    assert_null(strstr(runs, "\"after-2\""));
}

static void test_grants_hold(void **state) {
    // A producer may send; who may not append, or not this kind, is refused, and nothing is left behind.
    (void)state;
    struct mlt_principal producer = {.name = "token:p", .assurance = "authenticated"};
    mlt_grant_producer(&producer.grant);
    tell(&PLAIN, "s", "one\n", &producer, 200);
    snprintf(producer.grant.kinds[0], sizeof producer.grant.kinds[0], "prediction");
    producer.grant.kinds[1][0] = '\0';
    assert_non_null(strstr(tell(&PLAIN, "s", "two\n", &producer, 403), "\"not-granted\""));
    producer.grant.rights = MLT_MAY_READ;
    tell(&PLAIN, "s", "three\n", &producer, 403);
    assert_non_null(strstr(log_of("kind=capture"), "\"total\":1"));
}

static void test_messages_that_prove_their_sender(void **state) {
    // Without a principal, the message's own proof names the producer; without either nothing is taken.
    (void)state;
    tell(&SIGNED, "s", "one\n", NULL, 401);
    signer = "ana";
    tell(&SIGNED, "s", "one\n", NULL, 200);
    const char *all = log_of("kind=capture");
    assert_non_null(strstr(all, "\"total\":1"));
    assert_non_null(strstr(all, "webhook:ana"));
}

static void test_a_protocol_answers_in_its_own_way(void **state) {
    // The adapter has counts, problems and the type of the message.
    (void)state;
    assert_string_equal(tell(&THANKS, "s", "one\ntwo\n", &me, 202), "thanks for 2 text/words");
    tell(&THANKS, "s", "three\nbad\n", &me, 207);
}

static void test_no_space_is_told_so_that_clients_try_again(void **state) {
    // Clients of other systems retry after 503.
    (void)state;
    struct mlt_error err = {0};
    assert_int_equal(mlt_api_close(api, &err), MLT_OK);
    open_api(UINT64_C(1) << 60);
    assert_non_null(strstr(tell(&PLAIN, "s", "one\n", &me, 503), "\"no-space\""));
    tell(&PLAIN, "s", "bad\n", &me, 422);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good_and_bad_items, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_rejected_items, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derived_from_earlier_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grants_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_that_prove_their_sender, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_protocol_answers_in_its_own_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space_is_told_so_that_clients_try_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
