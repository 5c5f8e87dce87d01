// links: mlt_spool mlt_base_posix mlt_testlib
//
// What is put into a spool comes out again, also after every kind of harm that tests/vectors/spool has: what the Python
// SDK wrote is read here as it reads it itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base_posix/env_posix.h"
#include "lib/simdisk.h"
#include "lib/tempdir.h"
#include "record/json.h"
#include "spool/orphan.h"
#include "spool/refused.h"
#include "spool/writer.h"

#define NODE "node-1"

// Frames that were read, one after the other.
struct taken {
    struct mlt_frame frames[256];
    size_t num, max;
    struct mlt_arena arena;
};

static bool take(void *arg, const struct mlt_frame *f) {
    struct taken *t = arg;
    if (t->num == t->max) {
        return false;
    }
    t->frames[t->num] = *f;
    t->frames[t->num++].body = mlt_arena_copy(&t->arena, f->body);
    return true;
}

static struct mlt_spool_writer *open_writer(const char *dir, uint64_t bytes_max) {
    struct mlt_spool_writer *w;
    struct mlt_error err = {0};
    const struct mlt_spool_options opt = {.dir = dir, .serving_node = NODE, .bytes_max = bytes_max};
    if (mlt_spool_writer_open(&w, mlt_env_posix(), &opt, &err) != MLT_OK) {
        fail_msg("%s", err.text);
    }
    return w;
}

static enum mlt_status put(struct mlt_spool_writer *w, const char *body) {
    struct mlt_spool_put done;
    return mlt_spool_writer_put(w, &(struct mlt_spool_item){MLT_FRAME_RECORD, mlt_str(body), 0, {0}}, &done, NULL);
}

static enum mlt_status put_prediction(struct mlt_spool_writer *w, struct mlt_spool_put *done) {
    return mlt_spool_writer_put(w,
                                &(struct mlt_spool_item){MLT_FRAME_RECORD,
                                                         mlt_str("{\"kind\":\"prediction\",\"sequence\":"),
                                                         MLT_SPOOL_SEQUENCE, mlt_str(",\"request_id\":\"r\"}")},
                                done, NULL);
}

static void read_all(struct mlt_spool_reader *r, struct mlt_spool_place *place, const struct mlt_spool_place *until,
                     struct taken *t) {
    enum mlt_spool_found found;
    struct mlt_spool_damage damage;
    t->max = 256;
    do {
        assert_int_equal(mlt_spool_read(r, place, until, take, t, &found, &damage, NULL), MLT_OK);
        assert_int_not_equal(found, MLT_SPOOL_FOUND_DAMAGE);
    } while (found == MLT_SPOOL_FOUND_FRAMES);
}

static void test_what_is_put_is_read(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_spool_writer *w = open_writer(dir, 0);
    struct mlt_spool_reader r = {mlt_env_posix(), dir, mlt_spool_writer_stream(w), {0}, {0}};
    struct mlt_spool_place place = {1, 0, 1};
    struct taken t = {0};
    struct mlt_spool_put done;
    assert_int_equal(put(w, "{}"), MLT_OK);
    assert_int_equal(put_prediction(w, &done), MLT_OK);
    assert_int_equal(done.frame, 2);
    assert_int_equal(done.sequence, 1);
    struct mlt_spool_place until = mlt_spool_writer_place(w);
    assert_int_equal(put(w, "beyond"), MLT_OK); // which the reader was not told of
    read_all(&r, &place, &until, &t);
    assert_int_equal(t.num, 2);
    assert_true(mlt_bytes_is(t.frames[1].body, "{\"kind\":\"prediction\",\"sequence\":1,\"request_id\":\"r\"}"));
    until = mlt_spool_writer_place(w);
    read_all(&r, &place, &until, &t);
    assert_int_equal(t.num, 3);
    assert_int_equal(place.frame, 4);
    mlt_spool_reader_clear(&r);
    mlt_arena_clear(&t.arena);
    mlt_spool_writer_free(w);
    tempdir_remove(dir);
}

static void test_what_is_put_at_once_is_whole_or_not_there(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX], body[8192];
    tempdir_make(dir, "spool");
    struct mlt_spool_writer *w = open_writer(dir, MLT_SPOOL_BYTES_MIN);
    struct mlt_spool_item items[8];
    struct mlt_spool_put put = {0};
    memset(body, 'x', sizeof body);
    for (size_t i = 0; i < 8; i++) {
        items[i] = (struct mlt_spool_item){MLT_FRAME_RECORD, mlt_str("{\"sequence\":"), MLT_SPOOL_SEQUENCE,
                                           mlt_bytes_of(body, sizeof body)};
    }
    assert_int_equal(mlt_spool_writer_put_all(w, items, 3, &put, NULL), MLT_OK);
    assert_int_equal(put.frame, 1);
    assert_int_equal(put.sequence, 1);
    uint64_t bytes = mlt_spool_writer_bytes(w);
    assert_int_equal(mlt_spool_writer_put_all(w, items, 8, &put, NULL), MLT_NOSPACE);
    assert_int_equal(mlt_spool_writer_sequence(w), 3);
    assert_in_range(mlt_spool_writer_bytes(w), bytes, bytes + MLT_SPOOL_HEADER_MAX); // at most a segment's head
    assert_int_equal(mlt_spool_writer_put_all(w, items, 3, &put, NULL), MLT_OK);
    assert_int_equal(put.frame, 4);
    assert_int_equal(put.sequence, 4);
    struct mlt_spool_reader r = {mlt_env_posix(), dir, mlt_spool_writer_stream(w), {0}, {0}};
    struct mlt_spool_place place = {1, 0, 1}, until = mlt_spool_writer_place(w);
    struct taken t = {0};
    read_all(&r, &place, &until, &t);
    assert_int_equal(t.num, 6);
    for (size_t i = 0; i < t.num; i++) {
        char begin[64];
        (void)snprintf(begin, sizeof begin, "{\"sequence\":%zux", i + 1);
        assert_memory_equal(t.frames[i].body.ptr, begin, strlen(begin));
    }
    mlt_arena_clear(&t.arena);
    mlt_spool_reader_clear(&r);
    mlt_spool_writer_remove(w);
    tempdir_remove(dir);
}

static void test_a_full_spool_gives_space_back_by_the_segment(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_spool_writer *w = open_writer(dir, MLT_SPOOL_BYTES_MIN);
    struct mlt_spool_place half = {0};
    char body[1001];
    size_t num = 0;
    memset(body, 'x', 1000);
    body[1000] = '\0';
    while (put(w, body) == MLT_OK) {
        num++;
        half = num == 32 ? mlt_spool_writer_place(w) : half;
    }
    assert_in_range(num, 55, 65);
    assert_int_equal(put(w, "x"), MLT_OK); // a small one still fits
    assert_int_equal(put(w, body), MLT_NOSPACE);
    uint64_t full = mlt_spool_writer_bytes(w);
    assert_int_equal(mlt_spool_writer_acked(w, &half, NULL), MLT_OK);
    assert_true(mlt_spool_writer_bytes(w) < full - 16000);
    assert_int_equal(put(w, body), MLT_OK);
    mlt_spool_writer_free(w);
    tempdir_remove(dir);
}

static void test_a_full_disk_gets_its_space_back(void **state) {
    (void)state;
    struct simdisk *disk = simdisk_new(1);
    struct mlt_env *env = simdisk_env(disk);
    const struct mlt_spool_options opt = {.dir = "spool", .serving_node = NODE, .bytes_max = MLT_SPOOL_BYTES_MIN};
    static char body[6000];
    struct mlt_spool_writer *w;
    struct mlt_orphan *o;
    struct mlt_spool_place place;
    assert_int_equal(mlt_spool_writer_open(&w, env, &opt, NULL), MLT_OK);
    memset(body, 'x', sizeof body - 1);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(put(w, body), MLT_OK);
    }
    uint64_t bytes = mlt_spool_writer_bytes(w);
    place = mlt_spool_writer_place(w);
    assert_true(place.segment > 2);
    simdisk_fill(disk, 0);
    place = (struct mlt_spool_place){2, 0, 3};
    assert_int_equal(mlt_spool_writer_acked(w, &place, NULL), MLT_OK);
    assert_true(mlt_spool_writer_bytes(w) < bytes);
    mlt_spool_writer_free(w);
    assert_int_equal(mlt_orphan_find(&o, env, "spool", "", NULL), MLT_OK);
    assert_non_null(o);
    assert_int_equal(o->at.segment, 2);
    place = o->end;
    bytes = o->end.segment;
    assert_int_equal(mlt_orphan_acked(o, &place, NULL), MLT_OK);
    uint64_t *segments;
    size_t num;
    assert_int_equal(mlt_spool_segments(env, "spool", o->stream, &segments, &num, NULL), MLT_OK);
    assert_true(num == 1 && segments[0] == bytes);
    free(segments);
    mlt_orphan_remove(o);
    simdisk_free(disk);
}

static void test_a_dead_writers_stream_is_adopted_once(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_env *env = mlt_env_posix();
    struct mlt_spool_writer *w = open_writer(dir, 0);
    struct mlt_orphan *o, *second;
    struct mlt_spool_put done;
    assert_int_equal(put_prediction(w, &done), MLT_OK);
    (void)mlt_spool_writer_drop(w);
    assert_int_equal(put_prediction(w, &done), MLT_OK);
    assert_int_equal(done.sequence, 3);
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_null(o);              // it lives
    char left[TEMPDIR_MAX + 80]; // it died while it wrote a segment again
    (void)snprintf(left, sizeof left, "%s/%s.00000001.seg.tmp", dir, mlt_spool_writer_stream(w));
    mlt_spool_writer_free(w);
    assert_int_equal(mlt_env_replace_file(env, left, mlt_str("mltrail"), true, NULL), MLT_OK);
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_non_null(o);
    assert_int_equal(mlt_orphan_find(&second, env, dir, "", NULL), MLT_OK);
    assert_null(second);
    assert_int_equal(o->count, 3);
    assert_int_equal(o->lost, 1);
    assert_int_equal(mlt_orphan_owe(o, NULL), MLT_OK);
    mlt_orphan_free(o); // given back half done
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_true(o->finished);
    assert_int_equal(o->end.frame, 4);
    mlt_orphan_remove(o);
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_null(o);
    assert_int_not_equal(access(left, F_OK), 0);
    tempdir_remove(dir);
}

static void test_an_ended_stream_owes_nothing(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_spool_writer *w = open_writer(dir, 0);
    struct mlt_spool_put done;
    struct mlt_orphan *o;
    assert_int_equal(put_prediction(w, &done), MLT_OK);
    assert_int_equal(mlt_spool_writer_end(w, NULL), MLT_OK);
    assert_int_equal(put_prediction(w, &done), MLT_CONFLICT);
    mlt_spool_writer_free(w);
    assert_int_equal(mlt_orphan_find(&o, mlt_env_posix(), dir, "", NULL), MLT_OK);
    assert_true(o->finished);
    assert_int_equal(o->end.frame, 3);
    mlt_orphan_remove(o);
    tempdir_remove(dir);
}

// -- the vectors ------------------------------------------------------------------------------------------------------

struct expected {
    struct mlt_json json;
    struct mlt_buf text;
    struct mlt_arena arena;
};

static void copy_spool(const char *name, const char *to) {
    char command[1024];
    (void)snprintf(command, sizeof command, "cp -r tests/vectors/spool/%s/. %s/", name, to);
    assert_int_equal(system(command), 0); // NOLINT: a fixed command of a test
}

static uint64_t number_at(const struct mlt_json *j, mlt_json_at at) {
    uint64_t n = 0;
    assert_true(mlt_json_u64(j, at, &n));
    return n;
}

static void check_frame(struct expected *e, mlt_json_at want, const struct mlt_frame *f) {
    assert_int_equal(f->number, number_at(&e->json, mlt_json_get(&e->json, want, "number")));
    assert_int_equal(f->type, number_at(&e->json, mlt_json_get(&e->json, want, "type")));
    struct mlt_bytes body = mlt_json_string(&e->json, mlt_json_get(&e->json, want, "body"), &e->arena);
    if (!body.ptr) {
        struct mlt_bytes text = mlt_json_string(&e->json, mlt_json_get(&e->json, want, "base64"), &e->arena);
        uint8_t *bytes = mlt_arena_take(&e->arena, text.len);
        assert_true(mlt_base64_decode(bytes, text.len, &body.len, text));
        body.ptr = bytes;
    }
    assert_true(mlt_bytes_equal(body, f->body));
}

static void check_tally(struct expected *e, mlt_json_at want, const struct mlt_orphan *o, const struct mlt_frame *f) {
    struct mlt_json j = {0};
    assert_int_equal(mlt_json_scan(&j, f->body, NULL), MLT_OK);
    assert_int_equal(f->number, number_at(&e->json, mlt_json_get(&e->json, want, "number")));
    assert_int_equal(o->count, number_at(&e->json, mlt_json_get(&e->json, want, "count")));
    assert_int_equal(o->lost, number_at(&e->json, mlt_json_get(&e->json, want, "lost")));
    assert_int_equal(o->count, number_at(&j, mlt_json_get(&j, 0, "count")));
    assert_true(mlt_json_is(&j, mlt_json_get(&j, 0, "recovered"), MLT_JSON_TRUE));
    mlt_json_clear(&j);
}

static void check_damage(struct expected *e, mlt_json_at want, const struct mlt_orphan *o) {
    size_t i = 0;
    for (mlt_json_at at = mlt_json_first(&e->json, want); at != MLT_JSON_NONE; at = mlt_json_next(&e->json, want, at)) {
        mlt_json_at segment = mlt_json_first(&e->json, at);
        assert_true(i < o->num_damage);
        assert_int_equal(o->damage[i].segment, number_at(&e->json, segment));
        assert_int_equal(o->damage[i++].offset, number_at(&e->json, mlt_json_next(&e->json, at, segment)));
    }
    assert_int_equal(o->num_damage, i);
}

static void check_kept(struct expected *e, mlt_json_at want, const char *dir, const char *stream) {
    for (mlt_json_at at = mlt_json_first(&e->json, want); at != MLT_JSON_NONE; at = mlt_json_next(&e->json, want, at)) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s.%08llu.damaged", dir, stream,
                       (unsigned long long)number_at(&e->json, at));
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        (void)fclose(f);
    }
}

static void check_vector(struct expected *e, const char *name, mlt_json_at want) {
    struct mlt_env *env = mlt_env_posix();
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_orphan *o = NULL;
    struct taken t = {.max = 256};
    enum mlt_spool_found found;
    struct mlt_spool_damage damage;
    copy_spool(name, dir);
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_non_null(o);
    assert_int_equal(o->torn, number_at(&e->json, mlt_json_get(&e->json, want, "torn")));
    check_damage(e, mlt_json_get(&e->json, want, "damage"), o);
    assert_int_equal(mlt_orphan_owe(o, NULL), MLT_OK);
    struct mlt_spool_reader r = {env, dir, o->stream, {0}, {0}};
    struct mlt_spool_place place = o->at;
    do {
        assert_int_equal(mlt_spool_read(&r, &place, &o->until, take, &t, &found, &damage, NULL), MLT_OK);
        if (found == MLT_SPOOL_FOUND_DAMAGE) {
            mlt_orphan_damaged(o, &damage);
        }
        assert_int_equal(mlt_orphan_acked(o, &place, NULL), MLT_OK);
    } while (found != MLT_SPOOL_FOUND_NOTHING);
    size_t i = 0;
    mlt_json_at send = mlt_json_get(&e->json, want, "send");
    for (mlt_json_at at = mlt_json_first(&e->json, send); at != MLT_JSON_NONE; at = mlt_json_next(&e->json, send, at)) {
        assert_true(i < t.num);
        check_frame(e, at, &t.frames[i++]);
    }
    mlt_json_at tally = mlt_json_get(&e->json, want, "tally");
    if (!mlt_json_is(&e->json, tally, MLT_JSON_NULL)) {
        assert_true(i < t.num);
        check_tally(e, tally, o, &t.frames[i++]);
    }
    assert_int_equal(t.num, i);
    char stream[MLT_SPOOL_STREAM_LEN];
    memcpy(stream, o->stream, sizeof stream);
    mlt_orphan_remove(o);
    check_kept(e, mlt_json_get(&e->json, want, "kept"), dir, stream);
    assert_int_equal(mlt_orphan_find(&o, env, dir, "", NULL), MLT_OK);
    assert_null(o);
    mlt_spool_reader_clear(&r);
    mlt_arena_clear(&t.arena);
    tempdir_remove(dir);
}

static void test_vectors(void **state) {
    (void)state;
    struct expected e = {0};
    struct mlt_env *env = mlt_env_posix();
    assert_int_equal(mlt_env_read_file(env, "tests/vectors/spool/expected.json", 1 << 20, &e.text, NULL), MLT_OK);
    assert_int_equal(mlt_json_scan(&e.json, mlt_buf_bytes(&e.text), NULL), MLT_OK);
    size_t num = 0;
    for (mlt_json_at n = mlt_json_first(&e.json, 0); n != MLT_JSON_NONE; n = mlt_json_next(&e.json, 0, n)) {
        char *name = mlt_arena_cstr(&e.arena, mlt_json_string(&e.json, n, &e.arena));
        print_message("vector %s\n", name);
        check_vector(&e, name, n + 1);
        num++;
    }
    assert_true(num >= 10);
    mlt_arena_clear(&e.arena);
    mlt_buf_clear(&e.text);
    mlt_json_clear(&e.json);
}

// -- the rest ---------------------------------------------------------------------------------------------------------

static void test_a_request_is_read_as_it_was_put(void **state) {
    (void)state;
    struct mlt_buf b = {0};
    struct mlt_arena arena = {0};
    struct mlt_frame_request back;
    const struct mlt_frame_request req = {.method = "POST",
                                          .path = "/v1/traces?a=b",
                                          .content_type = "application/x-protobuf",
                                          .headers = {{"ce-id", "1"}},
                                          .num_headers = 1,
                                          .body = mlt_str("\xff\n")};
    mlt_frame_request_put(&b, &req);
    assert_int_equal(mlt_frame_request_read(&back, &arena, mlt_buf_bytes(&b), NULL), MLT_OK);
    assert_string_equal(back.path, req.path);
    assert_string_equal(back.headers[0].value, "1");
    assert_true(mlt_bytes_equal(back.body, req.body));
    static const char *const bad[] = {"{\"method\":\"POST\",\"path\":\"/a\\r\\nX: y\"}",
                                      "{\"method\":\"POST\",\"path\":\"a\"}",
                                      "{\"method\":\"P T\",\"path\":\"/a\"}",
                                      "{\"method\":\"POST\",\"path\":\"/a\",\"headers\":{\"a\":\"b\\n\"}}",
                                      "{\"method\":\"POST\",\"path\":\"/a\",\"headers\":{\"a:\":\"b\"}}",
                                      "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mlt_buf_reset(&b);
        mlt_buf_put_u32be(&b, (uint32_t)strlen(bad[i]));
        mlt_buf_put_str(&b, bad[i]);
        assert_int_equal(mlt_frame_request_read(&back, &arena, mlt_buf_bytes(&b), NULL), MLT_INVALID);
    }
    mlt_buf_reset(&b);
    mlt_buf_put_u32be(&b, 100);
    assert_int_equal(mlt_frame_request_read(&back, &arena, mlt_buf_bytes(&b), NULL), MLT_INVALID);
    mlt_buf_clear(&b);
    mlt_arena_clear(&arena);
}

static void test_names(void **state) {
    (void)state;
    char stream[MLT_SPOOL_STREAM_LEN];
    uint64_t segment;
    assert_int_equal(mlt_spool_name_read("1-0123456789ab.00000012.seg", stream, &segment), MLT_SPOOL_SEGMENT);
    assert_int_equal(segment, 12);
    assert_string_equal(stream, "1-0123456789ab");
    assert_int_equal(mlt_spool_name_read("1-0123456789ab.lock", stream, &segment), MLT_SPOOL_LOCK);
    assert_int_equal(mlt_spool_name_read("1-0123456789ab.ack", stream, &segment), MLT_SPOOL_ACK);
    static const char *const others[] = {"rejected.ndjson",
                                         "1-0123456789ab.ack.tmp",
                                         "1-0123456789ab.00000000.seg",
                                         "1-0123456789ab.1.seg",
                                         "-0123456789ab.lock",
                                         "1-0123456789abc.lock",
                                         "12345678901-0123456789ab.lock",
                                         "1-0123456789AB.lock",
                                         "1-0123456789ab.00000001.damaged"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(mlt_spool_name_read(others[i], stream, &segment), MLT_SPOOL_OTHER);
    }
}

static void test_acks(void **state) {
    (void)state;
    struct mlt_spool_place p;
    assert_true(mlt_spool_ack_read(&p, mlt_str("2 300 17\n")));
    assert_int_equal(p.segment, 2);
    assert_int_equal(p.offset, 300);
    assert_int_equal(p.frame, 17);
    static const char *const bad[] = {"",        "1 2",     "1 2\n",    "1 2 3",  "1 2 3\n4",
                                      "0 0 1\n", "1 0 0\n", "01 2 3\n", "a b c\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(mlt_spool_ack_read(&p, mlt_str(bad[i])));
    }
}

static void test_what_was_refused_is_appended(void **state) {
    (void)state;
    char dir[TEMPDIR_MAX];
    tempdir_make(dir, "spool");
    struct mlt_env *env = mlt_env_posix();
    struct mlt_buf lines = {0}, content = {0};
    char path[512];
    mlt_refused_put(&lines, env,
                    &(struct mlt_refused){.stream = "1-0123456789ab",
                                          .frame = 3,
                                          .type = MLT_FRAME_RECORD,
                                          .status = 422,
                                          .problem = mlt_str("{\"code\":\"x\"}"),
                                          .body = mlt_str("{\"a\":1}")});
    assert_int_equal(mlt_refused_keep(env, dir, mlt_buf_bytes(&lines), NULL), MLT_OK);
    assert_int_equal(mlt_refused_keep(env, dir, mlt_buf_bytes(&lines), NULL), MLT_OK);
    (void)snprintf(path, sizeof path, "%s/rejected.ndjson", dir);
    assert_int_equal(mlt_env_read_file(env, path, 4096, &content, NULL), MLT_OK);
    assert_int_equal(content.len, 2 * lines.len);
    const char *text = mlt_buf_cstr(&content);
    assert_non_null(strstr(text, "\"frame\":3,\"status\":422,\"problem\":{\"code\":\"x\"},\"record\":{\"a\":1}}\n"));
    mlt_buf_clear(&lines);
    mlt_buf_clear(&content);
    tempdir_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_read),
        cmocka_unit_test(test_what_is_put_at_once_is_whole_or_not_there),
        cmocka_unit_test(test_a_full_spool_gives_space_back_by_the_segment),
        cmocka_unit_test(test_a_full_disk_gets_its_space_back),
        cmocka_unit_test(test_a_dead_writers_stream_is_adopted_once),
        cmocka_unit_test(test_an_ended_stream_owes_nothing),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_a_request_is_read_as_it_was_put),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_what_was_refused_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
