#include "spool/orphan.h"

#include <stdio.h>
#include <stdlib.h>

#include "record/json.h"
#include "spool/spool_tally.h"

// -- the survey -------------------------------------------------------------------------------------------------------

struct survey {
    struct mlt_orphan *o;
    bool has_header;
    bool unread; // numbers were passed over that are at the server
    struct mlt_spool_place acked;
    bool has_ack;
    struct mlt_json json;
    struct mlt_arena arena;
    struct mlt_error *err;
};

void mlt_orphan_damaged(struct mlt_orphan *o, const struct mlt_spool_damage *damage) {
    for (size_t i = 0; i < o->num_damage && i < MLT_ORPHAN_DAMAGE_MAX; i++) {
        if (o->damage[i].segment == damage->segment) {
            return; // told already
        }
    }
    if (o->num_damage < MLT_ORPHAN_DAMAGE_MAX) {
        o->damage[o->num_damage] = *damage;
    }
    o->num_damage++;
}

static bool behind_ack(const struct survey *s, uint64_t segment, uint64_t offset) {
    return !s->has_ack || segment > s->acked.segment || (segment == s->acked.segment && offset >= s->acked.offset);
}

static void report(struct survey *s, uint64_t segment, uint64_t offset, const char *why) {
    struct mlt_spool_damage d = {.segment = segment, .offset = offset};
    (void)snprintf(d.why, sizeof d.why, "%s", why);
    if (behind_ack(s, segment, offset)) {
        mlt_orphan_damaged(s->o, &d);
    }
}

static void see(struct survey *s, uint64_t sequence, bool sent) {
    struct mlt_orphan *o = s->o;
    if (sequence > o->count) {
        o->lost += s->unread ? 0 : sequence - o->count - (sent ? 1 : 0);
        o->count = sequence;
    }
    s->unread = false;
}

static bool text_is(struct survey *s, mlt_json_at object, const char *name, const char *value) {
    return mlt_bytes_is(mlt_json_string(&s->json, mlt_json_get(&s->json, object, name), &s->arena), value);
}

static void take_record(struct survey *s, struct mlt_bytes record, bool sent) {
    const char *stream = s->o->stream;
    uint64_t sequence;
    mlt_arena_reset(&s->arena);
    if (mlt_json_scan(&s->json, record, NULL) != MLT_OK) {
        return;
    }
    mlt_json_at own = mlt_json_get(&s->json, 0, "stream");
    if (own != MLT_JSON_NONE && !text_is(s, 0, "stream", stream)) {
        return;
    }
    if (text_is(s, 0, "kind", "prediction") &&
        mlt_json_u64(&s->json, mlt_json_get(&s->json, 0, "sequence"), &sequence)) {
        see(s, sequence, sent);
    }
    s->o->finished = sent && text_is(s, 0, "kind", "tally") &&
                     mlt_json_is(&s->json, mlt_json_get(&s->json, 0, "final"), MLT_JSON_TRUE) &&
                     text_is(s, mlt_json_get(&s->json, 0, "scope"), "stream", stream);
}

static void take_frame(struct survey *s, const struct mlt_frame *f, bool sent) {
    s->o->finished = false;
    if (f->type == MLT_FRAME_RECORD) {
        take_record(s, f->body, sent);
    }
}

static void take_header(struct survey *s, const struct mlt_spool_header *h) {
    if (s->has_header) {
        see(s, h->sequence, false);
    } else {
        s->o->count = h->sequence;
        s->o->lost = h->lost;
    }
    s->o->header = *h;
    s->has_header = true;
}

// Good frames behind the fault count as taken and lost: they are not sent.
static void count_behind(struct survey *s, uint64_t segment, struct mlt_bytes bytes, size_t from) {
    struct mlt_frame f;
    size_t at;
    uint64_t number = s->o->end.frame;
    while (mlt_frame_find(&f, &at, bytes, from, number + 1)) {
        take_frame(s, &f, false);
        number = f.number;
        from = at + MLT_FRAME_HEAD_LEN + f.body.len - 1;
    }
    s->o->end = (struct mlt_spool_place){segment + 1, 0, number > s->o->end.frame ? number + 1 : s->o->end.frame};
}

static void fault(struct survey *s, uint64_t segment, struct mlt_bytes bytes, size_t at, const char *why) {
    report(s, segment, at, why);
    s->o->finished = false;
    count_behind(s, segment, bytes, at);
}

// Damage before what was acknowledged costs nothing.
static bool passes_over(struct survey *s, size_t len) {
    struct mlt_spool_place *end = &s->o->end;
    if (!s->has_ack || s->acked.segment != end->segment || end->offset >= s->acked.offset || s->acked.offset > len) {
        return false;
    }
    *end = s->acked;
    s->unread = true;
    return true;
}

static void survey_frames(struct survey *s, struct mlt_bytes bytes, bool last) {
    struct mlt_spool_place *end = &s->o->end;
    while (end->offset < bytes.len) {
        struct mlt_frame f, behind;
        size_t need, at;
        struct mlt_bytes rest = mlt_bytes_of(bytes.ptr + end->offset, (size_t)(bytes.len - end->offset));
        enum mlt_frame_found what = mlt_frame_read(&f, &need, rest, end->frame);
        if (what == MLT_FRAME_WHOLE) {
            take_frame(s, &f, true);
            end->offset += need;
            end->frame++;
            continue;
        }
        if (passes_over(s, bytes.len)) {
            continue;
        }
        bool torn = last && (what == MLT_FRAME_SHORT ? !mlt_frame_find(&behind, &at, rest, 0, end->frame + 1)
                                                     : need == rest.len);
        if (torn) {
            s->o->torn = rest.len;
        } else {
            fault(s, end->segment, bytes, (size_t)end->offset,
                  what == MLT_FRAME_SHORT ? "the frame is cut off" : "wrong checksum, number or type");
        }
        return;
    }
}

static enum mlt_status survey_segment(struct survey *s, uint64_t segment, bool last) {
    struct mlt_orphan *o = s->o;
    struct mlt_buf path = {0}, content = {0};
    struct mlt_spool_header header;
    size_t len;
    struct mlt_error why = {0};
    const char *name = mlt_spool_segment_path(&path, o->dir, o->stream, segment);
    enum mlt_status status = name ? mlt_env_read_file(o->env, name, MLT_SPOOL_FILE_MAX, &content, s->err)
                                  : mlt_fail(s->err, MLT_NOMEM, "no memory to read a spool");
    if (status != MLT_OK) {
        goto out;
    }
    struct mlt_bytes bytes = mlt_buf_bytes(&content);
    o->bytes += bytes.len;
    o->end = (struct mlt_spool_place){segment, 0, o->end.frame};
    status = mlt_spool_header_read(&header, &len, bytes, &why);
    if (status == MLT_NOMEM) {
        *s->err = why;
        goto out;
    }
    bool torn = status == MLT_NOTFOUND && last;
    bool good = status == MLT_OK && strcmp(header.stream, o->stream) == 0 && header.segment == segment;
    status = MLT_OK;
    if (torn) {
        o->torn = bytes.len;
    } else if (!good) {
        fault(s, segment, bytes, 0, why.text[0] ? why.text : "the head is that of another segment");
    } else {
        o->end = (struct mlt_spool_place){segment, len, header.first_frame};
        take_header(s, &header);
        survey_frames(s, bytes, last);
    }
out:
    mlt_buf_clear(&content);
    mlt_buf_clear(&path);
    return status;
}

static void read_ack(struct survey *s) {
    struct mlt_buf path = {0}, line = {0};
    const char *name = mlt_spool_path(&path, s->o->dir, s->o->stream, ".ack");
    s->has_ack = name && mlt_env_read_file(s->o->env, name, MLT_SPOOL_ACK_MAX, &line, NULL) == MLT_OK &&
                 mlt_spool_ack_read(&s->acked, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
    mlt_buf_clear(&path);
}

// Where sending goes on: what .ack says, when it leads into a segment that is there, and not behind what a power loss
// left of the last one.
static void choose_place(struct survey *s, const uint64_t *segments, size_t num) {
    struct mlt_orphan *o = s->o;
    o->at = (struct mlt_spool_place){segments[0], 0, 1};
    o->until = (struct mlt_spool_place){segments[num - 1], UINT64_MAX, 0};
    for (size_t i = 0; s->has_ack && i < num; i++) {
        if (segments[i] == s->acked.segment) {
            o->ack_beyond = o->end.segment == s->acked.segment && o->end.offset + o->torn < s->acked.offset;
            o->at = o->ack_beyond ? o->at : s->acked;
        }
    }
}

enum mlt_status mlt_orphan_survey(struct mlt_orphan *o, struct mlt_error *err) {
    struct mlt_error own;
    struct survey s = {.o = o, .err = err ? err : &own};
    uint64_t *segments;
    size_t num;
    enum mlt_status status = mlt_spool_segments(o->env, o->dir, o->stream, &segments, &num, s.err);
    if (status != MLT_OK) {
        return status;
    }
    read_ack(&s);
    if (num > 0 && s.has_ack && s.acked.segment > segments[num - 1]) {
        // A power loss while it was removed brought some back: all of it was acknowledged.
        o->at = o->until = o->end = s.acked;
        o->finished = true;
        free(segments);
        return MLT_OK;
    }
    o->end = (struct mlt_spool_place){1, 0, 1};
    for (size_t i = 0; i < num && status == MLT_OK; i++) {
        if (i > 0 && segments[i] != segments[i - 1] + 1) {
            report(&s, segments[i - 1] + 1, 0, "the segment is missing");
        }
        status = survey_segment(&s, segments[i], i + 1 == num);
    }
    if (status == MLT_OK && !s.has_header && o->num_damage == 0) {
        status = mlt_fail(s.err, MLT_NOTFOUND, "stream %s has no segment that can be read", o->stream);
    }
    if (num > 0) {
        choose_place(&s, segments, num);
    }
    mlt_json_clear(&s.json);
    mlt_arena_clear(&s.arena);
    free(segments);
    return status;
}

// -- taking over ------------------------------------------------------------------------------------------------------

struct next_name {
    const char *after;
    char name[MLT_SPOOL_STREAM_LEN];
};

static bool note_stream(void *arg, const char *name) {
    struct next_name *n = arg;
    char stream[MLT_SPOOL_STREAM_LEN];
    uint64_t segment;
    if (mlt_spool_name_read(name, stream, &segment) == MLT_SPOOL_SEGMENT && strcmp(stream, n->after) > 0 &&
        (!n->name[0] || strcmp(stream, n->name) < 0)) {
        memcpy(n->name, stream, sizeof n->name);
    }
    return true;
}

static enum mlt_status new_orphan(struct mlt_orphan **out, struct mlt_env *env, const char *dir, const char *stream,
                                  struct mlt_error *err) {
    struct mlt_orphan *o = calloc(1, sizeof *o);
    if (o) {
        o->env = env;
        o->dir = strdup(dir);
        o->damage = calloc(MLT_ORPHAN_DAMAGE_MAX, sizeof *o->damage);
        (void)snprintf(o->stream, sizeof o->stream, "%s", stream);
    }
    if (!o || !o->dir || !o->damage) {
        mlt_orphan_free(o);
        return mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    }
    *out = o;
    return MLT_OK;
}

static void remove_file(struct mlt_orphan *o, const char *suffix) {
    struct mlt_buf path = {0};
    const char *name = mlt_spool_path(&path, o->dir, o->stream, suffix);
    if (name) {
        (void)o->env->unlink(o->env, name, NULL);
    }
    mlt_buf_clear(&path);
}

// MLT_BUSY: its writer lives. MLT_NOTFOUND: somebody else was quicker, or it has not even a head.
static enum mlt_status take(struct mlt_orphan *o, struct mlt_error *err) {
    struct mlt_buf path = {0};
    uint64_t *segments = NULL;
    size_t num = 0;
    const char *name = mlt_spool_path(&path, o->dir, o->stream, ".lock");
    enum mlt_status status =
        name ? o->env->lock(o->env, &o->lock_file, name, err) : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    status = status == MLT_OK ? mlt_spool_segments(o->env, o->dir, o->stream, &segments, &num, err) : status;
    free(segments);
    mlt_buf_clear(&path);
    if (status == MLT_OK && num == 0) {
        remove_file(o, ".lock"); // made by asking for it
        return mlt_fail(err, MLT_NOTFOUND, "stream %s is gone", o->stream);
    }
    return status == MLT_OK ? mlt_orphan_survey(o, err) : status;
}

enum mlt_status mlt_orphan_find(struct mlt_orphan **out, struct mlt_env *env, const char *dir, const char *after,
                                struct mlt_error *err) {
    struct next_name next = {0};
    char last[MLT_SPOOL_STREAM_LEN];
    *out = NULL;
    (void)snprintf(last, sizeof last, "%s", after);
    for (;;) {
        struct mlt_orphan *o = NULL;
        next = (struct next_name){.after = last};
        enum mlt_status status = env->list(env, dir, note_stream, &next, err);
        if (status == MLT_NOTFOUND || (status == MLT_OK && !next.name[0])) {
            mlt_error_clear(err);
            return MLT_OK;
        }
        status = status == MLT_OK ? new_orphan(&o, env, dir, next.name, err) : status;
        status = status == MLT_OK ? take(o, err) : status;
        if (status == MLT_OK) {
            *out = o;
            return MLT_OK;
        }
        if (status == MLT_NOTFOUND && o->lock_file) {
            mlt_orphan_remove(o); // a writer that died before its first frame
        } else {
            mlt_orphan_free(o);
        }
        if (status != MLT_BUSY && status != MLT_NOTFOUND) {
            return mlt_context(err, status, "stream %s in %s", next.name, dir);
        }
        memcpy(last, next.name, sizeof last);
    }
}

// -- the tally that is owed -------------------------------------------------------------------------------------------

// A segment that begins with the tally: where the last one is damaged, or ends within its head.
static void put_fresh_header(const struct mlt_orphan *o, const char *now, struct mlt_buf *out) {
    struct mlt_spool_header h = o->header;
    h.segment = o->end.segment;
    h.first_frame = o->end.frame;
    h.sequence = o->count;
    h.lost = o->lost;
    (void)snprintf(h.created, sizeof h.created, "%s", now);
    mlt_spool_header_put(out, &h);
}

static void put_tally(const struct mlt_orphan *o, const char *now, struct mlt_buf *out) {
    static const uint8_t head[MLT_FRAME_HEAD_LEN];
    size_t begin = out->len;
    mlt_buf_put(out, head, sizeof head);
    mlt_spool_tally_put(out, &(struct mlt_spool_tally){.stream = o->stream,
                                                       .serving_node = o->header.serving_node,
                                                       .from = o->header.started,
                                                       .to = now,
                                                       .count = o->count,
                                                       .lost = o->lost,
                                                       .recovered = true});
    if (!out->failed) {
        mlt_frame_put_head(out->data + begin, o->end.frame, MLT_FRAME_RECORD,
                           mlt_bytes_of(out->data + begin + sizeof head, out->len - begin - sizeof head));
    }
}

// The torn tail is cut off before anything stands behind it.
static enum mlt_status append_at_end(struct mlt_orphan *o, struct mlt_bytes bytes, struct mlt_error *err) {
    struct mlt_env *env = o->env;
    struct mlt_buf path = {0};
    struct mlt_file *file = NULL;
    const char *name = mlt_spool_segment_path(&path, o->dir, o->stream, o->end.segment);
    enum mlt_status status = name
                                 ? env->open(env, &file, name, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_PRIVATE, err)
                                 : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    if (status == MLT_OK) {
        status = env->truncate(env, file, o->end.offset, err);
        status = status == MLT_OK ? env->write(env, file, bytes.ptr, bytes.len, o->end.offset, err) : status;
        status = status == MLT_OK ? env->sync(env, file, err) : status;
        status = status == MLT_OK ? env->sync_dir(env, o->dir, err) : status;
        env->close(env, file);
    }
    mlt_buf_clear(&path);
    return status;
}

enum mlt_status mlt_orphan_owe(struct mlt_orphan *o, struct mlt_error *err) {
    struct mlt_buf bytes = {0};
    char now[MLT_SPOOL_TIME_LEN];
    if (o->finished || (o->count == 0 && o->lost == 0) || !o->header.serving_node[0]) {
        return MLT_OK;
    }
    if (o->ack_beyond) { // else it would lead into the tally
        enum mlt_status status = mlt_orphan_acked(o, &o->at, err);
        if (status != MLT_OK) {
            return status;
        }
        o->ack_beyond = false;
    }
    mlt_time_format(now, o->env->now(o->env));
    if (o->end.offset == 0) {
        put_fresh_header(o, now, &bytes);
    }
    put_tally(o, now, &bytes);
    enum mlt_status status =
        bytes.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a tally") : append_at_end(o, mlt_buf_bytes(&bytes), err);
    if (status == MLT_OK) {
        o->finished = true;
        o->torn = 0;
        o->until.segment = o->end.segment;
        o->end.offset += bytes.len;
        o->end.frame++;
    }
    mlt_buf_clear(&bytes);
    return status;
}

// -- what the server has ----------------------------------------------------------------------------------------------

static bool is_damaged(const struct mlt_orphan *o, uint64_t segment) {
    for (size_t i = 0; i < o->num_damage && i < MLT_ORPHAN_DAMAGE_MAX; i++) {
        if (o->damage[i].segment == segment) {
            return true;
        }
    }
    return o->num_damage > MLT_ORPHAN_DAMAGE_MAX; // nobody knows: rather keep it
}

static enum mlt_status drop_segment(struct mlt_orphan *o, uint64_t segment, struct mlt_error *err) {
    struct mlt_buf path = {0}, kept = {0};
    char temporary[32]; // of a writer that died while it wrote the segment again
    (void)snprintf(temporary, sizeof temporary, ".%08llu.seg.tmp", (unsigned long long)segment);
    remove_file(o, temporary);
    const char *name = mlt_spool_segment_path(&path, o->dir, o->stream, segment);
    mlt_buf_printf(&kept, "%s/%s.%08llu.damaged", o->dir, o->stream, (unsigned long long)segment);
    const char *kept_name = mlt_buf_cstr(&kept);
    enum mlt_status status = !name || !kept_name      ? mlt_fail(err, MLT_NOMEM, "no memory for a spool")
                             : is_damaged(o, segment) ? o->env->rename(o->env, name, kept_name, err)
                                                      : o->env->unlink(o->env, name, err);
    mlt_buf_clear(&kept);
    mlt_buf_clear(&path);
    return status == MLT_NOTFOUND ? MLT_OK : status;
}

static enum mlt_status drop_below(struct mlt_orphan *o, uint64_t segment, struct mlt_error *err) {
    uint64_t *segments;
    size_t num;
    enum mlt_status status = mlt_spool_segments(o->env, o->dir, o->stream, &segments, &num, err);
    for (size_t i = 0; status == MLT_OK && i < num && segments[i] < segment; i++) {
        status = drop_segment(o, segments[i], err);
    }
    free(segments);
    return status;
}

enum mlt_status mlt_orphan_acked(struct mlt_orphan *o, const struct mlt_spool_place *place, struct mlt_error *err) {
    struct mlt_buf line = {0}, path = {0};
    mlt_spool_ack_put(&line, place);
    const char *name = mlt_spool_path(&path, o->dir, o->stream, ".ack");
    enum mlt_status status = name && !line.failed ? mlt_env_replace_file(o->env, name, mlt_buf_bytes(&line), true, err)
                                                  : mlt_fail(err, MLT_NOMEM, "no memory for a spool");
    mlt_buf_clear(&line);
    mlt_buf_clear(&path);
    o->at = *place;
    status = status == MLT_NOSPACE ? MLT_OK : status; // the segments that go make space for it
    return status == MLT_OK ? drop_below(o, place->segment, err) : status;
}

void mlt_orphan_remove(struct mlt_orphan *o) {
    // The segments are gone for good before .ack goes, by which they are known to be done with.
    if (drop_below(o, UINT64_MAX, NULL) == MLT_OK && o->env->sync_dir(o->env, o->dir, NULL) == MLT_OK) {
        remove_file(o, ".ack.tmp");
        remove_file(o, ".ack");
        remove_file(o, ".lock");
    }
    mlt_orphan_free(o);
}

void mlt_orphan_free(struct mlt_orphan *o) {
    if (!o) {
        return;
    }
    mlt_orphan_forget(o);
    free(o->damage);
    free(o->dir);
    free(o);
}

void mlt_orphan_forget(struct mlt_orphan *o) {
    if (o->lock_file) {
        o->env->close(o->env, o->lock_file);
        o->lock_file = NULL;
    }
}
