// links: mlt_spool mlt_base_posix mlt_testlib
// A segment of a spool with any bytes in it: survey and reader end, give the same frames, and agree where they stop;
// what is written back reads the same.
#include <assert.h>
#include <stdlib.h>

#include "lib/simdisk.h"
#include "spool/orphan.h"

#define STREAM "4711-00112233aabb"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counted {
    uint64_t last, num;
};

static bool take(void *arg, const struct mlt_frame *f) {
    struct counted *c = arg;
    assert(f->number > c->last);
    c->last = f->number;
    c->num++;
    struct mlt_arena arena = {0};
    struct mlt_frame_request req;
    if (f->type == MLT_FRAME_REQUEST && mlt_frame_request_read(&req, &arena, f->body, NULL) == MLT_OK) {
        struct mlt_buf again = {0};
        struct mlt_frame_request back;
        mlt_frame_request_put(&again, &req);
        assert(mlt_frame_request_read(&back, &arena, mlt_buf_bytes(&again), NULL) == MLT_OK);
        assert(mlt_bytes_equal(back.body, req.body) && strcmp(back.path, req.path) == 0);
        mlt_buf_clear(&again);
    }
    mlt_arena_clear(&arena);
    return true;
}

static void put_file(struct mlt_env *env, const char *path, const uint8_t *data, size_t size) {
    struct mlt_file *file;
    assert(env->open(env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE, NULL) == MLT_OK);
    assert(size == 0 || env->write(env, file, data, size, 0, NULL) == MLT_OK);
    env->close(env, file);
}

static void read_all(struct mlt_env *env, struct mlt_orphan *o, struct counted *c) {
    struct mlt_spool_reader r = {env, "d", o->stream, {0}, {0}};
    struct mlt_spool_place place = o->at;
    enum mlt_spool_found found;
    struct mlt_spool_damage damage;
    for (unsigned i = 0;; i++) {
        assert(i < 8);
        assert(mlt_spool_read(&r, &place, &o->until, take, c, &found, &damage, NULL) == MLT_OK);
        if (found == MLT_SPOOL_FOUND_NOTHING) {
            break;
        }
        assert(mlt_orphan_acked(o, &place, NULL) == MLT_OK);
    }
    mlt_spool_reader_clear(&r);
}

// The stream as the orphan of a directory in memory.
static void adopt(const uint8_t *data, size_t size) {
    struct simdisk *disk = simdisk_new(1);
    struct mlt_env *env = simdisk_env(disk);
    struct mlt_orphan *o = NULL;
    struct counted c = {0};
    assert(env->mkdir(env, "d", true, NULL) == MLT_OK);
    put_file(env, "d/" STREAM ".00000001.seg", data, size);
    assert(mlt_orphan_find(&o, env, "d", "", NULL) == MLT_OK);
    if (o) {
        uint64_t frames = o->end.offset > 0 ? o->end.frame : 0;
        bool owes = !o->finished && (o->count > 0 || o->lost > 0);
        assert(mlt_orphan_owe(o, NULL) == MLT_OK);
        read_all(env, o, &c);
        assert(frames == 0 || c.num == 0 || c.last + 1 == frames + (owes ? 1 : 0));
        mlt_orphan_remove(o);
        assert(mlt_orphan_find(&o, env, "d", "", NULL) == MLT_OK && !o);
    }
    simdisk_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mlt_bytes bytes = mlt_bytes_of(data, size);
    struct mlt_spool_place place;
    struct mlt_buf again = {0};
    if (mlt_spool_ack_read(&place, bytes)) {
        mlt_spool_ack_put(&again, &place);
        assert(mlt_bytes_equal(mlt_buf_bytes(&again), bytes));
    }
    mlt_buf_clear(&again);
    adopt(data, size);
    return 0;
}
