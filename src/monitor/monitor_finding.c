// Findings, as far as entries alone allow: the entries that tell of model versions, their data, approvals and
// transitions are kept, and the story of each version that something new is about is told again by the same code as a
// dossier's. Payloads stay sealed, and facts too long for an entry are not there: what rests on them is not found here.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lineage/finding.h"
#include "monitor/monitor_private.h"
#include "record/draft.h"
#include "record/link.h"

#define GOVERNANCE_LEN_MAX ((size_t)128 << 20) // some hundred thousand versions; beyond, further ones are not followed
#define VERSIONS_MAX 1024                      // told again in one round

struct term_of {
    struct mlt_term term;
    uint32_t place; // into `places`
};

struct place {
    uint64_t index;
    size_t off, len; // in `bytes`
};

struct mlt_monitor_findings {
    struct mlt_buf bytes;  // as in the file: u64 index, u16 length, bytes, each
    struct mlt_buf places; // struct place
    struct mlt_buf terms;  // struct term_of
    size_t saved_len;      // of `bytes` in the file
};

static void governance_path(const struct mlt_monitor *m, char out[static MLT_MONITOR_PATH_MAX]) {
    (void)snprintf(out, MLT_MONITOR_PATH_MAX, "%s/governance", m->opt.state_dir);
}

static const struct place *places_of(const struct mlt_monitor_findings *f, size_t *num) {
    *num = f->places.len / sizeof(struct place);
    return (const void *)f->places.data;
}

// Terms under the key that everybody knows: ours is nobody's secret.
static enum mlt_status add_terms(struct mlt_monitor *m, const struct mlt_entry *e, uint32_t place,
                                 struct mlt_error *err) {
    struct mlt_monitor_findings *f = m->findings;
    struct mlt_record_keys keys = {0};
    struct mlt_json facts = {0};
    struct mlt_draft draft;
    memcpy(keys.index_key, mlt_link_key, sizeof keys.index_key);
    enum mlt_status st = mlt_json_scan(&facts, mlt_json_raw(&e->json, e->facts), err);
    st = st ? st : mlt_entry_redraft(&draft, &m->arena, e, &facts, NULL, &keys, err);
    for (size_t i = 0; !st && i < draft.num_terms; i++) {
        const struct term_of t = {.term = draft.terms[i], .place = place};
        mlt_buf_put(&f->terms, &t, sizeof t);
    }
    mlt_json_clear(&facts);
    return st ? st : f->terms.failed ? mlt_fail(err, MLT_NOMEM, "no memory for governance") : MLT_OK;
}

static enum mlt_status add(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e, struct mlt_bytes bytes,
                           struct mlt_error *err) {
    struct mlt_monitor_findings *f = m->findings;
    size_t num;
    (void)places_of(f, &num);
    mlt_buf_put_u64be(&f->bytes, index);
    mlt_buf_put_u16be(&f->bytes, (uint16_t)bytes.len);
    const struct place p = {.index = index, .off = f->bytes.len, .len = bytes.len};
    mlt_buf_put_bytes(&f->bytes, bytes);
    mlt_buf_put(&f->places, &p, sizeof p);
    if (f->bytes.failed || f->places.failed) {
        return mlt_fail(err, MLT_NOMEM, "no memory for governance");
    }
    return add_terms(m, e, (uint32_t)num, err);
}

static bool is_governance(const struct mlt_entry *e) {
    if (!e->kind) {
        return false;
    }
    switch (e->kind->kind) {
    case MLT_KIND_DATASET_VERSION:
    case MLT_KIND_TRAINING_RUN:
    case MLT_KIND_MODEL_VERSION:
    case MLT_KIND_APPROVAL:
    case MLT_KIND_TRANSITION:
    case MLT_KIND_CORRECTION:
        return true;
    case MLT_KIND_CONTROL:
        return mlt_bytes_is(mlt_json_raw(&e->json, mlt_json_get(&e->json, e->facts, "control")), "\"setting\"");
    default:
        return false;
    }
}

enum mlt_status mlt_monitor_read_governance(struct mlt_monitor *m, uint64_t index, const struct mlt_entry *e,
                                            struct mlt_bytes bytes, struct mlt_error *err) {
    if (m->opt.findings == MLT_FINDINGS_NONE || !is_governance(e)) {
        return MLT_OK;
    }
    if (bytes.len > UINT16_MAX || m->findings->bytes.len + bytes.len > GOVERNANCE_LEN_MAX) {
        m->round->num_untold++; // who fills the space on purpose must not do it unseen
        return MLT_OK;
    }
    return add(m, index, e, bytes, err);
}

// --- the file ---

static enum mlt_status read_back(struct mlt_monitor *m, struct mlt_bytes file, struct mlt_error *err) {
    struct mlt_cursor c = mlt_cursor_of(file);
    struct mlt_entry e = {0};
    enum mlt_status st = MLT_OK;
    while (!st && mlt_cursor_left(&c) > 0) {
        uint64_t index = mlt_cursor_u64be(&c);
        struct mlt_bytes bytes = mlt_cursor_take(&c, mlt_cursor_u16be(&c));
        mlt_arena_reset(&m->arena);
        st = c.failed ? mlt_fail(err, MLT_CORRUPT, "the file ends within an entry")
                      : mlt_entry_parse_again(&e, &m->arena, bytes, err);
        st = st ? st : add(m, index, &e, bytes, err);
    }
    mlt_entry_clear(&e);
    return st;
}

enum mlt_status mlt_monitor_findings_open(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_buf file = {0};
    m->findings = calloc(1, sizeof *m->findings);
    if (!m->findings) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a monitor");
    }
    if (m->state.governance == 0) {
        return MLT_OK;
    }
    governance_path(m, path);
    enum mlt_status st = mlt_env_read_file(m->opt.env, path, 2 * GOVERNANCE_LEN_MAX, &file, err);
    if (!st && file.len < m->state.governance) {
        st = mlt_fail(err, MLT_CORRUPT, "it is shorter than the state says");
    }
    if (!st) {
        file.len = (size_t)m->state.governance; // what a crash left behind is read again from the log
        st = read_back(m, mlt_buf_bytes(&file), err);
    }
    m->findings->saved_len = m->findings->bytes.len;
    mlt_buf_clear(&file);
    return st ? mlt_context(err, st, "%s", path) : MLT_OK;
}

void mlt_monitor_findings_close(struct mlt_monitor *m) {
    if (m->findings) {
        mlt_buf_clear(&m->findings->bytes);
        mlt_buf_clear(&m->findings->places);
        mlt_buf_clear(&m->findings->terms);
        free(m->findings);
    }
}

enum mlt_status mlt_monitor_findings_save(struct mlt_monitor *m, struct mlt_error *err) {
    char path[MLT_MONITOR_PATH_MAX];
    struct mlt_monitor_findings *f = m->findings;
    struct mlt_env *env = m->opt.env;
    struct mlt_file *file;
    if (f->bytes.len == f->saved_len) {
        return MLT_OK;
    }
    governance_path(m, path);
    enum mlt_status st = env->open(env, &file, path, MLT_OPEN_WRITE | MLT_OPEN_CREATE | MLT_OPEN_PRIVATE, err);
    if (st) {
        return st;
    }
    st = env->write(env, file, f->bytes.data + f->saved_len, f->bytes.len - f->saved_len, f->saved_len, err);
    st = st ? st : env->sync(env, file, err);
    env->close(env, file);
    st = st ? st : env->sync_dir(env, m->opt.state_dir, err);
    f->saved_len = st ? f->saved_len : f->bytes.len;
    return st;
}

void mlt_monitor_findings_revert(struct mlt_monitor *m) {
    struct mlt_monitor_findings *f = m->findings;
    size_t num;
    const struct place *p = places_of(f, &num);
    while (num > 0 && p[num - 1].off + p[num - 1].len > m->state.governance) {
        num--;
    }
    f->places.len = num * sizeof *p;
    f->bytes.len = f->saved_len = (size_t)m->state.governance;
    const struct term_of *t = (const void *)f->terms.data;
    while (f->terms.len > 0 && t[f->terms.len / sizeof *t - 1].place >= num) {
        f->terms.len -= sizeof *t;
    }
}

// --- the source that stories are told from ---

static const struct place *place_of(const struct mlt_monitor_findings *f, uint64_t index) {
    size_t num;
    const struct place *p = places_of(f, &num);
    size_t low = 0;
    size_t high = num;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p[middle].index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < num && p[low].index == index ? &p[low] : NULL;
}

static enum mlt_status read_entry(void *ctx, uint64_t index, struct mlt_arena *arena, struct mlt_bytes *out,
                                  struct mlt_error *err) {
    const struct mlt_monitor_findings *f = ctx;
    const struct place *p = place_of(f, index);
    (void)arena;
    if (!p) {
        return mlt_fail(err, MLT_NOTFOUND, "entry %" PRIu64 " is not kept", index);
    }
    *out = mlt_bytes_of(f->bytes.data + p->off, p->len);
    return MLT_OK;
}

static enum mlt_status read_detail(void *ctx, const uint8_t hash[static MLT_HASH_LEN], struct mlt_arena *arena,
                                   struct mlt_bytes *out, struct mlt_error *err) {
    (void)ctx;
    (void)hash;
    (void)arena;
    *out = (struct mlt_bytes){0};
    return mlt_fail(err, MLT_NOTFOUND, "details are not in the entries");
}

static enum mlt_status read_payload(void *ctx, uint64_t index, const struct mlt_entry *entry, struct mlt_arena *arena,
                                    enum mlt_payload_state *state, struct mlt_bytes *plain, struct mlt_error *err) {
    (void)ctx;
    (void)index;
    (void)arena;
    (void)err;
    *plain = (struct mlt_bytes){0};
    *state = entry->payload == MLT_JSON_NONE ? MLT_PAYLOAD_NONE : MLT_PAYLOAD_WITHHELD;
    return MLT_OK;
}

static bool same_term(const struct mlt_term *a, const struct mlt_term *b) {
    return a->dim == b->dim && memcmp(a->hash, b->hash, MLT_TERM_LEN) == 0;
}

// The terms of one entry follow each other; [*at, end).
static bool has_all(const struct term_of *t, size_t begin, size_t end, const struct mlt_term *terms, size_t num_terms) {
    for (size_t i = 0; i < num_terms; i++) {
        bool has = false;
        for (size_t k = begin; k < end && !has; k++) {
            has = same_term(&t[k].term, &terms[i]);
        }
        if (!has) {
            return false;
        }
    }
    return true;
}

// All matches, ascending, into `out`: positions in `places`.
static bool match_all(const struct mlt_monitor_findings *f, const struct mlt_term *terms, size_t num_terms,
                      struct mlt_buf *out) {
    const struct term_of *t = (const void *)f->terms.data;
    size_t num = f->terms.len / sizeof *t;
    size_t end;
    for (size_t at = 0; at < num; at = end) {
        end = at + 1;
        while (end < num && t[end].place == t[at].place) {
            end++;
        }
        if (has_all(t, at, end, terms, num_terms)) {
            mlt_buf_put(out, &t[at].place, sizeof t[at].place);
        }
    }
    return !out->failed;
}

static enum mlt_status find(void *ctx, const struct mlt_term *terms, size_t num_terms, uint64_t from, bool descending,
                            size_t limit, uint64_t *out, size_t *num_out, uint64_t *total, bool *more,
                            struct mlt_error *err) {
    const struct mlt_monitor_findings *f = ctx;
    struct mlt_buf found = {0};
    size_t num;
    const struct place *p = places_of(f, &num);
    *num_out = 0;
    *more = false;
    if (!match_all(f, terms, num_terms, &found)) {
        mlt_buf_clear(&found);
        return mlt_fail(err, MLT_NOMEM, "no memory to look up governance");
    }
    const uint32_t *places = (const void *)found.data;
    size_t matches = found.len / sizeof *places;
    for (size_t i = 0; i < matches; i++) {
        uint64_t index = p[places[descending ? matches - 1 - i : i]].index;
        if (descending ? index >= from : index < from) {
            continue;
        }
        if (*num_out < limit) {
            out[(*num_out)++] = index;
        } else {
            *more = true;
        }
    }
    if (total) {
        *total = matches;
    }
    mlt_buf_clear(&found);
    return MLT_OK;
}

static enum mlt_status stream(void *ctx, const struct mlt_term *term, struct mlt_stream_run *out, size_t cap,
                              size_t *num_runs, struct mlt_error *err) {
    (void)ctx;
    (void)term;
    (void)out;
    (void)cap;
    (void)err;
    *num_runs = 0; // streams are followed by their numbers alone, monitor_stream.c
    return MLT_OK;
}

static struct mlt_source source_of(struct mlt_monitor *m) {
    struct mlt_source s = {
        .ctx = m->findings,
        .size = m->head.size,
        .origin = m->head.origin,
        .entry = read_entry,
        .detail = read_detail,
        .payload = read_payload,
        .find = find,
        .stream = stream,
    };
    memcpy(s.index_key, mlt_link_key, sizeof s.index_key);
    return s;
}

// --- telling ---

static bool is_wanted(const struct mlt_monitor *m, const struct mlt_finding *f) {
    bool open = f->resolved_by == UINT64_MAX;
    return open && (m->opt.findings == MLT_FINDINGS_ALL || f->severity >= MLT_SEV_HIGH);
}

static enum mlt_status tell_version(struct mlt_monitor *m, struct mlt_bytes model, struct mlt_bytes version,
                                    struct mlt_error *err) {
    struct mlt_arena arena = {0};
    struct mlt_source src = source_of(m);
    struct mlt_story *story = NULL;
    struct mlt_error why = {0};
    enum mlt_status st = mlt_story_tell_version(&src, model, version, &arena, &story, &why);
    if (st == MLT_NOTFOUND) { // not registered, or some of its facts are beside their entry
        mlt_arena_clear(&arena);
        m->round->num_untold++;
        return MLT_OK;
    }
    for (size_t i = 0; !st && i < story->num_findings; i++) {
        const struct mlt_finding *f = &story->findings[i];
        if (is_wanted(m, f)) {
            struct mlt_alarm alarm = {.kind = MLT_ALARM_FINDING,
                                      .has_index = f->num_entries > 0,
                                      .index = f->num_entries > 0 ? f->entries[0] : 0};
            st = mlt_monitor_alarm(m, &alarm, &why, "%s (%s), %.*s/%.*s: %s", f->code, mlt_severity_name(f->severity),
                                   MLT_ARG(model), MLT_ARG(version), f->condition);
        }
    }
    mlt_story_clear(story);
    mlt_arena_clear(&arena);
    if (st && err) {
        *err = why;
    }
    return st;
}

struct version {
    struct mlt_bytes model, version; // in the arena
};

static bool is_known(const struct version *v, size_t num, const struct version *one) {
    for (size_t i = 0; i < num; i++) {
        if (mlt_bytes_equal(v[i].model, one->model) && mlt_bytes_equal(v[i].version, one->version)) {
            return true;
        }
    }
    return false;
}

// The versions that entries of this round speak of, each once. Of those for whom there is no room every mention counts
// as untold: no later round comes back to them.
static enum mlt_status gather(struct mlt_monitor *m, struct mlt_arena *arena, struct version *out, size_t *num,
                              struct mlt_error *err) {
    size_t num_places;
    const struct place *p = places_of(m->findings, &num_places);
    struct mlt_entry e = {0};
    enum mlt_status st = MLT_OK;
    for (size_t i = num_places; !st && i > 0 && p[i - 1].off > m->state.governance; i--) {
        struct mlt_bytes bytes = mlt_bytes_of(m->findings->bytes.data + p[i - 1].off, p[i - 1].len);
        st = mlt_entry_parse_again(&e, arena, bytes, err);
        if (st) {
            break;
        }
        struct version v = {mlt_json_string(&e.json, mlt_json_get(&e.json, e.facts, "model"), arena),
                            mlt_json_string(&e.json, mlt_json_get(&e.json, e.facts, "model_version"), arena)};
        if (!v.model.ptr || !v.version.ptr || is_known(out, *num, &v)) {
            continue;
        }
        if (*num < VERSIONS_MAX) {
            out[(*num)++] = v;
        } else {
            m->round->num_untold++;
        }
    }
    mlt_entry_clear(&e);
    return st;
}

enum mlt_status mlt_monitor_tell_findings(struct mlt_monitor *m, struct mlt_error *err) {
    struct mlt_arena arena = {0};
    size_t num = 0;
    m->next.governance = m->findings->bytes.len;
    if (m->opt.findings == MLT_FINDINGS_NONE) {
        return MLT_OK;
    }
    struct version *versions = calloc(VERSIONS_MAX, sizeof *versions);
    enum mlt_status st =
        versions ? gather(m, &arena, versions, &num, err) : mlt_fail(err, MLT_NOMEM, "no memory to tell findings");
    for (size_t i = 0; i < num && !st; i++) {
        st = tell_version(m, versions[i].model, versions[i].version, err);
    }
    free(versions);
    mlt_arena_clear(&arena);
    return st;
}
