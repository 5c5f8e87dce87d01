#include "server/witnessing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/api_state.h"
#include "server/metric.h"

#define MODE_MAX 32
#define SETTING "witness_policy"
#define POLICY_IN_RECORD_MAX 8192 // as any setting; a longer policy is named by its hash alone

struct mlt_witnessing {
    struct mlt_env *env;
    struct mlt_policy policy;
    struct mlt_buf text;
    bool require;
    struct mlt_vkey log_key; // set by the check, before anybody asks
    struct mlt_ring *ring;
    struct mlt_ring_options ring_opt;
    char evidence_dir[MLT_PATH_MAX + 16];
    void (*log)(void *arg, const char *line);
    void *log_arg;
    struct mlt_trail *trail;

    pthread_mutex_t mu; // of all below
    bool tried;         // a publication has gathered
    uint64_t size;      // of the head gathered for last
    struct mlt_ring_result last;
    uint64_t published_size; // of the checkpoint published last by this process …
    bool published_quorum;   // … and whether it has the quorum
    uint64_t proven_size;    // largest size published with the quorum
};

// -- what <state> keeps -----------------------------------------------------------------------------------------------

static void path_of(char out[static MLT_PATH_MAX + 32], const char *dir, const char *name) {
    (void)snprintf(out, MLT_PATH_MAX + 32, "%s/%s", dir, name);
}

static enum mlt_status read_kept(struct mlt_env *env, const char *state_dir, const char *name, size_t max,
                                 struct mlt_buf *out, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, state_dir, name);
    enum mlt_status status = mlt_env_read_file(env, path, max, out, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return status;
}

// An unchanged file is left alone: commands that work on a trail need no write access to say the same again.
static enum mlt_status keep(struct mlt_env *env, const char *state_dir, const char *name, struct mlt_bytes content,
                            struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    struct mlt_buf present = {0};
    path_of(path, state_dir, name);
    bool same = mlt_env_read_file(env, path, MLT_POLICY_TEXT_MAX, &present, NULL) == MLT_OK &&
                mlt_bytes_equal(mlt_buf_bytes(&present), content);
    mlt_buf_clear(&present);
    return same ? MLT_OK : mlt_env_replace_file(env, path, content, false, err);
}

static enum mlt_status forget(struct mlt_env *env, const char *state_dir, struct mlt_error *err) {
    char path[MLT_PATH_MAX + 32];
    path_of(path, state_dir, "policy");
    enum mlt_status status = env->unlink(env, path, err);
    if (status == MLT_NOTFOUND) {
        mlt_error_clear(err);
        return MLT_OK;
    }
    return status ? status : env->sync_dir(env, state_dir, err);
}

static enum mlt_status read_mode(struct mlt_witnessing *w, const struct mlt_witnessing_options *opt,
                                 const char *state_dir, struct mlt_error *err) {
    if (opt->mode != MLT_WITNESS_AS_KEPT) {
        w->require = opt->mode == MLT_WITNESS_REQUIRE;
        return MLT_OK;
    }
    struct mlt_buf text = {0};
    enum mlt_status status = read_kept(w->env, state_dir, "witness-mode", MODE_MAX, &text, err);
    w->require = mlt_bytes_is(mlt_buf_bytes(&text), "require\n");
    if (!status && !w->require && text.len > 0 && !mlt_bytes_is(mlt_buf_bytes(&text), "prefer\n")) {
        status = mlt_fail(err, MLT_CORRUPT, "%s/witness-mode says neither \"prefer\" nor \"require\"", state_dir);
    }
    mlt_buf_clear(&text);
    return status;
}

static enum mlt_status read_policy(struct mlt_witnessing *w, const struct mlt_witnessing_options *opt,
                                   const char *state_dir, struct mlt_error *err) {
    bool given = opt->policy.len > 0;
    enum mlt_status status = MLT_OK;
    if (given) {
        mlt_buf_put_bytes(&w->text, opt->policy);
    } else {
        status = read_kept(w->env, state_dir, "policy", MLT_POLICY_TEXT_MAX, &w->text, err);
    }
    if (status || w->text.len == 0) {
        return status;
    }
    status = mlt_policy_parse(&w->policy, mlt_buf_bytes(&w->text), err);
    return status ? mlt_context(err, status, given ? "the policy" : "%s/policy", state_dir) : MLT_OK;
}

enum mlt_status mlt_witnessing_keep(struct mlt_env *env, const struct mlt_witnessing_options *opt,
                                    const char *state_dir, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    if (opt->forget) {
        return forget(env, state_dir, err);
    }
    if (opt->policy.len > 0) {
        status = keep(env, state_dir, "policy", opt->policy, err);
    }
    if (status == MLT_OK && opt->mode != MLT_WITNESS_AS_KEPT) {
        status = keep(env, state_dir, "witness-mode",
                      mlt_str(opt->mode == MLT_WITNESS_REQUIRE ? "require\n" : "prefer\n"), err);
    }
    return status;
}

// -- the hook of the trail --------------------------------------------------------------------------------------------

static void to_stderr(void *arg, const char *line) {
    (void)arg;
    (void)fprintf(stderr, "mltrail: %s\n", line);
}

static uint64_t size_now(void *arg) {
    struct mlt_head head;
    mlt_trail_head(arg, &head);
    return head.size;
}

// What was gathered says, as one word for people: n of the policy, k of them on this head.
static enum mlt_status gather(struct mlt_witnessing *w, const struct mlt_head *head, struct mlt_hash_source hashes,
                              bool all, struct mlt_buf *note, struct mlt_ring_result *out, struct mlt_error *err) {
    const struct mlt_ring_head ring_head = {.size = head->size,
                                            .note = mlt_bytes_of(head->note, head->note_len),
                                            .hashes = hashes,
                                            .size_now = size_now,
                                            .size_now_arg = w->trail};
    enum mlt_status status = mlt_ring_gather(w->ring, &ring_head, all, note, out, err);
    if (status == MLT_OK) {
        pthread_mutex_lock(&w->mu);
        w->tried = true;
        w->size = head->size;
        w->last = *out;
        pthread_mutex_unlock(&w->mu);
    }
    return status;
}

static enum mlt_status no_quorum(const struct mlt_ring_result *r, struct mlt_error *err) {
    return mlt_fail(err, MLT_BUSY,
                    "only %zu of %zu witnesses cosigned, which is not the policy's quorum, and --witness-mode is "
                    "require",
                    r->num_cosigned, r->num_witnesses);
}

static enum mlt_status cosign(void *arg, const struct mlt_head *head, const struct mlt_hash_source *hashes,
                              struct mlt_buf *note, struct mlt_cosigned *out, struct mlt_error *err) {
    struct mlt_witnessing *w = arg;
    struct mlt_ring_result result;
    enum mlt_status status = gather(w, head, *hashes, false, note, &result, err);
    if (status == MLT_OK && !result.quorum && w->require) {
        status = no_quorum(&result, err);
    }
    *out = (struct mlt_cosigned){.quorum = result.quorum, .again_ns = result.again_s * MLT_NS_PER_S};
    return status;
}

bool mlt_witnessing_published(struct mlt_witnessing *w, uint64_t size, const struct mlt_cosigned *cosigned) {
    bool changed;
    if (!w) {
        return true;
    }
    pthread_mutex_lock(&w->mu);
    changed = w->published_size > 0 && w->published_quorum != cosigned->quorum;
    w->published_size = size;
    w->published_quorum = cosigned->quorum;
    w->proven_size = cosigned->quorum ? size : w->proven_size;
    pthread_mutex_unlock(&w->mu);
    if (changed) {
        w->log(w->log_arg, cosigned->quorum ? "the witnesses' quorum is met again"
                                            : "the witnesses' quorum is not met: checkpoints are self-attested");
    }
    return cosigned->quorum;
}

void mlt_witnessing_hook(struct mlt_witnessing *w, struct mlt_trail_options *opt) {
    if (w) {
        opt->cosign = cosign;
        opt->cosign_arg = w;
    }
}

// -- opening, the check at start --------------------------------------------------------------------------------------

enum mlt_status mlt_witnessing_open(struct mlt_witnessing **out, struct mlt_env *env,
                                    const struct mlt_witnessing_options *opt, const char *state_dir,
                                    struct mlt_error *err) {
    *out = NULL;
    if (opt->forget) {
        return MLT_OK;
    }
    struct mlt_witnessing *w = calloc(1, sizeof *w);
    if (!w) {
        return mlt_fail(err, MLT_NOMEM, "no memory for the witnesses");
    }
    w->env = env;
    w->log = opt->log ? opt->log : to_stderr;
    w->log_arg = opt->log_arg;
    (void)pthread_mutex_init(&w->mu, NULL);
    (void)snprintf(w->evidence_dir, sizeof w->evidence_dir, "%s/evidence", state_dir);
    w->ring_opt = (struct mlt_ring_options){.env = env,
                                            .policy = &w->policy,
                                            .log_key = &w->log_key,
                                            .evidence_dir = w->evidence_dir,
                                            .cacert = opt->cacert,
                                            .log = w->log,
                                            .log_arg = w->log_arg};
    enum mlt_status status = read_policy(w, opt, state_dir, err);
    status = status ? status : read_mode(w, opt, state_dir, err);
    if (status || w->text.len == 0) {
        mlt_witnessing_close(w);
        return status;
    }
    *out = w;
    return MLT_OK;
}

void mlt_witnessing_close(struct mlt_witnessing *w) {
    if (!w) {
        return;
    }
    mlt_ring_close(w->ring);
    mlt_policy_clear(&w->policy);
    mlt_buf_clear(&w->text);
    pthread_mutex_destroy(&w->mu);
    free(w);
}

enum mlt_status mlt_witnessing_check(struct mlt_witnessing *w, struct mlt_trail *trail, struct mlt_error *err) {
    struct mlt_head head;
    struct mlt_buf note = {0};
    struct mlt_ring_result result = {0};
    if (!w) {
        return MLT_OK;
    }
    w->trail = trail;
    w->log_key = *mlt_trail_vkey(trail);
    enum mlt_status status = mlt_ring_open(&w->ring, &w->ring_opt, err);
    if (status) {
        return status;
    }
    mlt_trail_head(trail, &head);
    status = gather(w, &head, mlt_trail_hashes(trail), true, &note, &result, err);
    mlt_buf_clear(&note);
    if (status == MLT_CONFLICT) {
        return mlt_context(err, status, "this log has been rolled back or forked, so nothing is signed or published");
    }
    // An empty tree says nothing that a witness would have to confirm; some take none.
    if (status == MLT_OK && !result.quorum && w->require && head.size > 0) {
        status = no_quorum(&result, err);
    }
    return status;
}

// -- the record of the policy -----------------------------------------------------------------------------------------

static void put_value(struct mlt_witnessing *w, struct mlt_json_writer *out) {
    uint8_t hash[MLT_HASH_LEN];
    if (!w) {
        mlt_jw_null(out);
        return;
    }
    mlt_sha256_one(hash, mlt_buf_bytes(&w->text));
    mlt_jw_object(out);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_name(out, "sha256");
    mlt_jw_hex(out, mlt_bytes_of(hash, sizeof hash));
    if (w->text.len <= POLICY_IN_RECORD_MAX) {
        mlt_jw_member_bytes(out, "policy", mlt_buf_bytes(&w->text));
    }
    mlt_jw_end_object(out);
}

// find_record gives the newest record of the policy as of the source's size; UINT64_MAX: none.
static enum mlt_status find_record(const struct mlt_source *src, uint64_t *entry, struct mlt_error *err) {
    struct mlt_term term;
    struct mlt_bytes name = mlt_str(SETTING);
    size_t num = 0;
    bool more;
    mlt_term_make(&term, src->index_key, MLT_DIM_SETTING, &name, 1);
    *entry = UINT64_MAX;
    return src->find(src->ctx, &term, 1, UINT64_MAX, true, 1, entry, &num, NULL, &more, err);
}

// is_recorded says whether the newest record has exactly this value; no record at all means null.
static enum mlt_status is_recorded(const struct mlt_source *src, struct mlt_bytes value, bool *same,
                                   struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_entry e = {0};
    struct mlt_bytes bytes;
    uint64_t entry;
    enum mlt_status status = find_record(src, &entry, err);
    *same = entry == UINT64_MAX && mlt_bytes_is(value, "null");
    if (status == MLT_OK && entry != UINT64_MAX) {
        status = src->entry(src->ctx, entry, &arena, &bytes, err);
        status = status ? status : mlt_entry_parse(&e, &arena, bytes, err);
        mlt_json_at at = status ? MLT_JSON_NONE : mlt_json_get(&e.json, e.facts, "value");
        struct mlt_bytes kept = at == MLT_JSON_NONE ? mlt_str("null") : mlt_json_raw(&e.json, at);
        *same = status == MLT_OK && mlt_bytes_equal(kept, value);
    }
    mlt_entry_clear(&e);
    mlt_arena_clear(&arena);
    return status;
}

static enum mlt_status append_record(struct mlt_api *api, struct mlt_bytes value, struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, api, "control");
    mlt_jw_member(&w, "control", "setting");
    mlt_jw_member(&w, "name", SETTING);
    mlt_jw_member_raw(&w, "value", value);
    mlt_jw_member(&w, "reason", "given at start");
    return mlt_own_end(&w, &text, api, NULL, err);
}

enum mlt_status mlt_witnessing_record(struct mlt_api *api, struct mlt_error *err) {
    struct mlt_buf value = {0};
    struct mlt_json_writer w;
    struct mlt_source src;
    struct mlt_head head;
    bool same = false;
    mlt_trail_head(api->trail, &head);
    mlt_jw_init(&w, &value);
    put_value(api->witnessing, &w);
    enum mlt_status status = value.failed ? mlt_fail(err, MLT_NOMEM, "no memory for a control record")
                                          : mlt_index_source(api->index, head.size, false, &src, err);
    if (status == MLT_OK) {
        status = is_recorded(&src, mlt_buf_bytes(&value), &same, err);
        mlt_index_source_clear(&src);
    }
    if (status == MLT_OK && !same) {
        status = append_record(api, mlt_buf_bytes(&value), err);
    }
    mlt_buf_clear(&value);
    return status;
}

// -- what is told -----------------------------------------------------------------------------------------------------

const char *mlt_witnessing_assurance(struct mlt_call *call) {
    uint64_t entry = UINT64_MAX;
    bool none = true;
    const char *text = NULL;
    if (find_record(&call->source, &entry, NULL) == MLT_OK && entry != UINT64_MAX &&
        is_recorded(&call->source, mlt_str("null"), &none, NULL) == MLT_OK && !none) {
        text = mlt_arena_printf(&call->arena,
                                "self-attested; the witness policy of entry %" PRIu64
                                " applies to the published checkpoint, which stands beside",
                                entry);
    }
    return text ? text : "self-attested";
}

static void member_metric(struct mlt_witnessing *w, struct mlt_buf *out, const char *name, const char *type,
                          const char *help, uint64_t (*value)(const struct mlt_ring_status *)) {
    mlt_buf_printf(out, "# HELP mltrail_witness_%s %s\n# TYPE mltrail_witness_%s %s\n", name, help, name, type);
    for (size_t i = 0; i < w->policy.num_witnesses; i++) {
        struct mlt_ring_status is;
        mlt_ring_get(w->ring, i, &is);
        mlt_buf_printf(out, "mltrail_witness_%s{witness=", name);
        mlt_metric_label(out, is.witness->name);
        mlt_buf_printf(out, "} %" PRIu64 "\n", value(&is));
    }
}

static uint64_t is_up(const struct mlt_ring_status *is) {
    return is->state == MLT_RING_OK;
}
static uint64_t size_of(const struct mlt_ring_status *is) {
    return is->cosigned_size;
}
static uint64_t cosigned_of(const struct mlt_ring_status *is) {
    return is->num_cosigned;
}
static uint64_t failed_of(const struct mlt_ring_status *is) {
    return is->num_failed;
}

struct standing {
    struct mlt_ring_result last;
    uint64_t published_size, proven_size;
    bool quorum, tried;
};

static struct standing standing_of(struct mlt_witnessing *w) {
    pthread_mutex_lock(&w->mu);
    struct standing s = {.last = w->last,
                         .published_size = w->published_size,
                         .proven_size = w->proven_size,
                         .quorum = w->published_quorum,
                         .tried = w->tried};
    pthread_mutex_unlock(&w->mu);
    return s;
}

void mlt_witnessing_metrics(struct mlt_witnessing *w, struct mlt_buf *out) {
    if (!w) {
        return;
    }
    struct standing s = standing_of(w);
    mlt_buf_printf(out,
                   "# HELP mltrail_witness_quorum Whether the published checkpoint has the quorum of the policy.\n"
                   "# TYPE mltrail_witness_quorum gauge\nmltrail_witness_quorum %d\n"
                   "# HELP mltrail_proven_size Entries that a checkpoint with the quorum covers.\n"
                   "# TYPE mltrail_proven_size gauge\nmltrail_proven_size %" PRIu64 "\n",
                   s.quorum, s.proven_size);
    member_metric(w, out, "up", "gauge", "Whether the last attempt at the witness gave a cosignature.", is_up);
    member_metric(w, out, "cosigned_size", "gauge", "Largest size that the witness cosigned.", size_of);
    member_metric(w, out, "cosigned_total", "counter", "Cosignatures since the start.", cosigned_of);
    member_metric(w, out, "failed_total", "counter", "Attempts without a cosignature since the start.", failed_of);
}

void mlt_witnessing_ready(struct mlt_witnessing *w, struct mlt_json_writer *out) {
    if (!w) {
        return;
    }
    struct standing s = standing_of(w);
    mlt_jw_name(out, "witnesses");
    mlt_jw_object(out);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_member_bool(out, "quorum_met", s.quorum);
    mlt_jw_member_u64(out, "cosigned", s.last.num_cosigned);
    mlt_jw_member_u64(out, "of", s.last.num_witnesses);
    mlt_jw_member_u64(out, "published_size", s.published_size);
    mlt_jw_end_object(out);
}

static void put_u64_or_null(struct mlt_json_writer *out, const char *name, bool there, uint64_t value) {
    mlt_jw_name(out, name);
    there ? mlt_jw_u64(out, value) : mlt_jw_null(out);
}

static void put_witness(struct mlt_json_writer *out, const struct mlt_ring_status *is) {
    char vkey[MLT_VKEY_TEXT_MAX];
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_vkey_format(vkey, &is->witness->vkey);
    mlt_time_format(time, (int64_t)is->cosigned_at * MLT_NS_PER_S);
    mlt_jw_object(out);
    mlt_jw_member_bytes(out, "name", is->witness->name);
    mlt_jw_member(out, "vkey", vkey);
    if (is->witness->url.len > 0) {
        mlt_jw_member_bytes(out, "url", is->witness->url);
    } else {
        mlt_jw_member(out, "url", NULL);
    }
    mlt_jw_member(out, "state", mlt_ring_state_name(is->state));
    put_u64_or_null(out, "cosigned_size", is->cosigned, is->cosigned_size);
    mlt_jw_member(out, "cosigned_at", is->cosigned ? time : NULL);
    put_u64_or_null(out, "latency_ms", is->latency_ms >= 0, (uint64_t)is->latency_ms);
    mlt_jw_member(out, "last_error", is->last_error[0] ? is->last_error : NULL);
    put_u64_or_null(out, "retry_in_ms", is->retry_in_ms > 0, (uint64_t)is->retry_in_ms);
    mlt_jw_member_u64(out, "cosignatures", is->num_cosigned);
    mlt_jw_member_u64(out, "failures", is->num_failed);
    mlt_jw_end_object(out);
}

static void put_standing(struct mlt_json_writer *out, struct mlt_witnessing *w) {
    struct standing s = standing_of(w);
    char assurance[96];
    (void)snprintf(assurance, sizeof assurance,
                   s.quorum ? "witnessed %zu of %zu" : "self-attested (%zu of %zu cosigned)", s.last.num_cosigned,
                   s.last.num_witnesses);
    mlt_jw_member(out, "mode", w->require ? "require" : "prefer");
    mlt_jw_name(out, "quorum_met");
    s.tried ? mlt_jw_bool(out, s.quorum) : mlt_jw_null(out);
    mlt_jw_member_u64(out, "published_size", s.published_size);
    mlt_jw_member_u64(out, "proven_size", s.proven_size);
    mlt_jw_member(out, "assurance", assurance);
}

void mlt_handle_witnesses(struct mlt_call *call) {
    struct mlt_witnessing *w = call->api->witnessing;
    struct mlt_json_writer out;
    mlt_jw_init(&out, &call->res->body);
    mlt_jw_object(&out);
    if (w) {
        put_standing(&out, w);
    } else {
        mlt_jw_member(&out, "mode", NULL);
        mlt_jw_member(&out, "assurance", "self-attested: the trail has no witness policy");
    }
    mlt_jw_name(&out, "items");
    mlt_jw_array(&out);
    for (size_t i = 0; w && i < w->policy.num_witnesses; i++) {
        struct mlt_ring_status is;
        mlt_ring_get(w->ring, i, &is);
        put_witness(&out, &is);
    }
    mlt_jw_end_array(&out);
    mlt_jw_end_object(&out);
    mlt_call_answer_json(call);
}
