// Alarms: a directory of evidence each, that stands on its own: whoever holds it can check it without us.
#include <stdio.h>

#include "monitor/monitor_private.h"
#include "record/json.h"

const char *mlt_alarm_name(enum mlt_alarm_kind kind) {
    static const char *const names[MLT_NUM_ALARMS] = {
        [MLT_ALARM_SIGNATURE] = "bad-signature",
        [MLT_ALARM_ROLLBACK] = "rollback",
        [MLT_ALARM_FORK] = "fork",
        [MLT_ALARM_ENTRIES] = "changed-entry",
        [MLT_ALARM_TILE] = "bad-tile",
        [MLT_ALARM_MIRROR] = "mirror-differs",
        [MLT_ALARM_FORMAT] = "bad-entry",
        [MLT_ALARM_RECEIVED] = "received-goes-back",
        [MLT_ALARM_SEGMENT] = "wrong-segment",
        [MLT_ALARM_STALE] = "stale",
        [MLT_ALARM_FINDING] = "finding",
    };
    return (unsigned)kind < MLT_NUM_ALARMS ? names[kind] : "other";
}

// Alarms that say that the log is not one tree: what raised them is never taken for the next state.
static bool is_about_tree(enum mlt_alarm_kind kind) {
    return kind == MLT_ALARM_SIGNATURE || kind == MLT_ALARM_ROLLBACK || kind == MLT_ALARM_FORK ||
           kind == MLT_ALARM_ENTRIES || kind == MLT_ALARM_TILE || kind == MLT_ALARM_MIRROR;
}

// Is it the same alarm again? One about the tree is, as long as the same checkpoint is remembered, whatever is served
// since: a fork that grows is one fork. Words count where they name a place; sizes and ages in others would make each
// time another one of them.
static void identify(const struct mlt_alarm *a, uint8_t out[static MLT_HASH_LEN]) {
    const struct mlt_bytes none = {0};
    bool about_tree = is_about_tree(a->kind);
    bool words = a->kind == MLT_ALARM_SIGNATURE || (a->kind != MLT_ALARM_STALE && (!about_tree || a->path[0]));
    const struct mlt_bytes parts[] = {mlt_str(mlt_alarm_name(a->kind)), mlt_str("\n"), words ? mlt_str(a->text) : none,
                                      mlt_str("\n"),
                                      about_tree                   ? a->before
                                      : a->kind == MLT_ALARM_STALE ? a->now
                                                                   : none};
    mlt_sha256(out, parts, sizeof parts / sizeof parts[0]);
}

static bool was_told(const struct mlt_monitor_state *s, const uint8_t id[static MLT_HASH_LEN]) {
    for (size_t at = 0; at < s->told.len; at += MLT_HASH_LEN) {
        if (memcmp(s->told.data + at, id, MLT_HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

// Told is told, whether or not the rest of the round is remembered.
static bool remember_told(struct mlt_monitor *m, const uint8_t id[static MLT_HASH_LEN]) {
    struct mlt_buf *lists[] = {&m->state.told, &m->next.told};
    for (size_t i = 0; i < 2; i++) {
        if (lists[i]->len / MLT_HASH_LEN >= MLT_MONITOR_TOLD_MAX) {
            lists[i]->len -= MLT_HASH_LEN;
            memmove(lists[i]->data, lists[i]->data + MLT_HASH_LEN, lists[i]->len);
        }
        mlt_buf_put(lists[i], id, MLT_HASH_LEN);
    }
    return !lists[0]->failed && !lists[1]->failed;
}

static void write_proof(struct mlt_buf *out, const struct mlt_proof *proof) {
    for (size_t i = 0; i < proof->num_hashes; i++) {
        mlt_buf_put_base64(out, mlt_bytes_of(proof->hash[i], MLT_HASH_LEN));
        mlt_buf_put_u8(out, '\n');
    }
}

static void write_report(struct mlt_buf *out, const struct mlt_monitor *m, const struct mlt_alarm *a) {
    struct mlt_json_writer w;
    char when[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(when, m->opt.env->now(m->opt.env));
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "alarm", mlt_alarm_name(a->kind));
    mlt_jw_member(&w, "time", when);
    mlt_jw_member(&w, "origin", m->opt.key ? m->opt.key->name : m->head.origin);
    mlt_jw_member(&w, "text", a->text);
    mlt_jw_name(&w, "entry");
    a->has_index ? mlt_jw_u64(&w, a->index) : mlt_jw_null(&w);
    mlt_jw_member(&w, "path", a->path[0] ? a->path : NULL);
    mlt_jw_member_u64(&w, "size_remembered", m->state.tree.frontier.size);
    mlt_jw_member_u64(&w, "size_served", m->head.size);
    mlt_jw_end_object(&w);
    mlt_buf_put_u8(out, '\n');
}

static enum mlt_status put_file(struct mlt_monitor *m, const char *dir, const char *name, struct mlt_bytes bytes,
                                struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return bytes.len > 0 ? mlt_env_replace_file(m->opt.env, path, bytes, false, err) : MLT_OK;
}

static enum mlt_status make_dir(struct mlt_monitor *m, const struct mlt_alarm *a, const uint8_t *id,
                                char dir[static MLT_MONITOR_PATH_MAX], struct mlt_error *err) {
    char hex[2 * MLT_HASH_LEN + 1];
    char when[MLT_TIME_TEXT_LEN + 1];
    struct mlt_env *env = m->opt.env;
    mlt_time_format(when, env->now(env));
    mlt_hex_encode(hex, mlt_bytes_of(id, MLT_HASH_LEN));
    (void)snprintf(dir, MLT_MONITOR_PATH_MAX, "%s/alarms", m->opt.state_dir);
    enum mlt_status st = mlt_env_make_dir(env, dir, true, err);
    if (st) {
        return st;
    }
    (void)snprintf(dir, MLT_MONITOR_PATH_MAX, "%s/alarms/%.19sZ-%s-%.8s", m->opt.state_dir, when,
                   mlt_alarm_name(a->kind), hex);
    return mlt_env_make_dir(env, dir, true, err);
}

static enum mlt_status write_evidence(struct mlt_monitor *m, const struct mlt_alarm *a, const uint8_t *id,
                                      char dir[static MLT_MONITOR_PATH_MAX], struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_buf proof = {0};
    write_report(&text, m, a);
    if (a->proof) {
        write_proof(&proof, a->proof);
    }
    enum mlt_status st = text.failed || proof.failed ? mlt_fail(err, MLT_NOMEM, "no memory for an alarm") : MLT_OK;
    st = st ? st : make_dir(m, a, id, dir, err);
    st = st ? st : put_file(m, dir, "alarm.json", mlt_buf_bytes(&text), err);
    st = st ? st : put_file(m, dir, "checkpoint.remembered", a->before, err);
    st = st ? st : put_file(m, dir, "checkpoint.served", a->now, err);
    st = st ? st : put_file(m, dir, "consistency.proof", mlt_buf_bytes(&proof), err);
    st = st ? st : put_file(m, dir, "served.bytes", a->bytes, err);
    mlt_buf_clear(&text);
    mlt_buf_clear(&proof);
    return st ? mlt_context(err, st, "write the evidence of an alarm (%s)", a->text) : MLT_OK;
}

enum mlt_status mlt_monitor_alarm(struct mlt_monitor *m, struct mlt_alarm *alarm, struct mlt_error *err,
                                  const char *fmt, ...) {
    char dir[MLT_MONITOR_PATH_MAX] = "";
    uint8_t id[MLT_HASH_LEN];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(alarm->text, sizeof alarm->text, fmt, args);
    va_end(args);
    alarm->before = mlt_buf_bytes(&m->state.note);
    alarm->now = mlt_buf_bytes(&m->served);
    m->round->num_alarms++;
    m->tree_alarms += is_about_tree(alarm->kind) ? 1 : 0;
    identify(alarm, id);
    if (was_told(&m->state, id)) {
        return MLT_OK;
    }
    // Told even if the evidence cannot be kept: silence would be worse.
    enum mlt_status st = write_evidence(m, alarm, id, dir, err);
    if (m->opt.alarm) {
        m->opt.alarm(m->opt.alarm_arg, alarm, dir);
    }
    if (!st && !remember_told(m, id)) {
        st = mlt_fail(err, MLT_NOMEM, "no memory for an alarm");
    }
    return st;
}
