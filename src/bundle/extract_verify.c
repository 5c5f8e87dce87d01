// Checking an extract: the entries shown and the hashes of those that are not make up the range, between the paths of
// its first and its last entry.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/extract.h"

void mlt_extract_fault(struct mlt_extract_check *c, const char *where, const char *fmt, ...) {
    struct mlt_extract_report *r = c->report;
    if (r->num_faults < MLT_BUNDLE_FAULTS_MAX) {
        struct mlt_bundle_fault *f = &r->faults[r->num_faults];
        va_list args;
        va_start(args, fmt);
        (void)snprintf(f->where, sizeof(f->where), "%s", where);
        (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
        va_end(args);
    }
    r->num_faults++;
}

static void fault_entry(struct mlt_extract_check *c, uint64_t index, const char *text) {
    char where[48];
    (void)snprintf(where, sizeof(where), "entry %llu", (unsigned long long)index);
    mlt_extract_fault(c, where, "%s", text);
}

static void copy_text(char *out, size_t cap, struct mlt_bytes text) {
    (void)snprintf(out, cap, "%.*s", (int)(text.len < cap ? text.len : cap - 1),
                   text.ptr ? (const char *)text.ptr : "");
}

static void open_head(struct mlt_extract_check *c, const struct mlt_vkey *key) {
    struct mlt_extract_report *r = c->report;
    struct mlt_error why = {0};
    if (key) {
        r->key = *key;
    } else if (mlt_vkey_parse(&r->key, c->statement.key, NULL) != MLT_OK) {
        mlt_extract_fault(c, "checkpoint", "there is no key to check it with, neither given nor named");
        return;
    }
    if (mlt_checkpoint_open(&r->head, c->statement.checkpoint, &r->key, &why) != MLT_OK) {
        r->head = (struct mlt_checkpoint){0};
        struct mlt_vkey named;
        const bool other = key && mlt_vkey_parse(&named, c->statement.key, NULL) == MLT_OK &&
                           strcmp(named.name, key->name) == 0 && named.key_id != key->key_id;
        mlt_extract_fault(c, "checkpoint", "%s%s", why.text,
                          other ? "; the extract names another key of this log: its trail.json may lead there (--chain)"
                                : "");
        return;
    }
    r->signed_by_key = key != NULL;
}

static void read_times(struct mlt_extract_check *c) {
    const struct mlt_extract_statement *s = &c->statement;
    c->has_from = s->from.len > 0 && mlt_date_parse(&c->from, s->from);
    c->has_to = s->to.len > 0 && mlt_date_parse(&c->to, s->to);
    if ((s->from.len > 0 && !c->has_from) || (s->to.len > 0 && !c->has_to)) {
        mlt_extract_fault(c, "statement", "from and to are dates or times");
    }
}

enum mlt_status mlt_extract_begin(struct mlt_extract_check *c, struct mlt_extract_report *report,
                                  struct mlt_bytes statement, const struct mlt_vkey *key, struct mlt_error *err) {
    struct mlt_error why = {0};
    struct mlt_buf again = {0};
    *c = (struct mlt_extract_check){.report = report, .last_received = INT64_MIN};
    *report = (struct mlt_extract_report){0};
    const struct mlt_bytes text = mlt_arena_copy(&c->arena, statement);
    enum mlt_status status = mlt_extract_get(&c->statement, text, &c->arena, &why);
    if (status == MLT_NOMEM || (statement.len > 0 && !text.ptr)) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a statement");
    }
    if (status) {
        c->statement = (struct mlt_extract_statement){0};
        mlt_extract_fault(c, "statement", "%s", why.text);
        return MLT_OK;
    }
    const struct mlt_extract_statement *s = &c->statement;
    mlt_extract_put(&again, s);
    if (!again.failed && !mlt_bytes_equal(mlt_buf_bytes(&again), text)) {
        mlt_extract_fault(c, "statement", "is not in the form that FORMAT.md gives it");
    }
    mlt_buf_clear(&again);
    report->first = s->first;
    report->end = s->end;
    report->checkpoint = s->checkpoint;
    copy_text(report->from, sizeof(report->from), s->from);
    copy_text(report->to, sizeof(report->to), s->to);
    copy_text(report->kind, sizeof(report->kind), s->kind);
    copy_text(report->model, sizeof(report->model), s->model);
    read_times(c);
    open_head(c, key);
    if (report->head.origin[0] && s->end > report->head.size) {
        mlt_extract_fault(c, "statement", "a range up to entry %llu is beyond the tree of %llu",
                          (unsigned long long)s->end, (unsigned long long)report->head.size);
    }
    if (s->first < s->end && report->head.origin[0] &&
        !mlt_range_begin(&c->range, s->first, s->end, report->head.size, &s->first_proof)) {
        mlt_extract_fault(c, "statement", "first_proof is no path of entry %llu in a tree of %llu",
                          (unsigned long long)s->first, (unsigned long long)report->head.size);
    }
    return MLT_OK;
}

// Hashes of entries that are not shown, up to the next one that is.
static void pass_hidden(struct mlt_extract_check *c, uint64_t up_to) {
    const struct mlt_extract_statement *s = &c->statement;
    while (c->next_hidden < s->num_hidden && s->hidden[c->next_hidden].at < up_to &&
           s->hidden[c->next_hidden].at == mlt_range_next(&c->range)) {
        const struct mlt_extract_hidden *h = &s->hidden[c->next_hidden++];
        mlt_range_add(&c->range, h->level, h->hash);
    }
}

static void check_received(struct mlt_extract_check *c, uint64_t index, const struct mlt_entry *e) {
    if (e->received < c->last_received) {
        fault_entry(c, index, "was received before the entry in front of it");
    }
    if ((c->has_from && e->received < c->from) || (c->has_to && e->received >= c->to)) {
        fault_entry(c, index, "was not received in the time that was asked for");
    }
    c->last_received = e->received;
}

typedef enum mlt_status detail_fn(void *ctx, struct mlt_bytes name, const uint8_t hash[static MLT_HASH_LEN],
                                  struct mlt_bytes *bytes, struct mlt_error *err);

static enum mlt_status check_details(struct mlt_extract_check *c, uint64_t index, const struct mlt_entry *e,
                                     detail_fn *detail, void *ctx, struct mlt_error *err) {
    const struct mlt_json *j = &e->json;
    enum mlt_status status = MLT_OK;
    for (mlt_json_at n = e->details == MLT_JSON_NONE ? MLT_JSON_NONE : mlt_json_first(j, e->details);
         n != MLT_JSON_NONE && !status; n = mlt_json_next(j, e->details, n)) {
        uint8_t want[MLT_HASH_LEN], is[MLT_HASH_LEN];
        struct mlt_bytes bytes;
        if (!mlt_bundle_get_hash(want, j, mlt_json_get(j, n + 1, "sha256"))) {
            fault_entry(c, index, "names a detail without its hash");
            continue;
        }
        status = detail(ctx, mlt_json_string(j, n, &c->scratch), want, &bytes, err);
        if (status == MLT_NOTFOUND) {
            fault_entry(c, index, "has a detail that is not here");
            status = MLT_OK;
            continue;
        }
        if (!status) {
            mlt_sha256_one(is, bytes);
            c->report->details++;
            if (memcmp(is, want, sizeof(is)) != 0) {
                fault_entry(c, index, "has another detail than the one that is here");
            }
        }
    }
    return status;
}

static enum mlt_status check_disclosure(struct mlt_extract_check *c, uint64_t index, const struct mlt_entry *e,
                                        struct mlt_bytes disclosure, struct mlt_error *err) {
    struct mlt_bundle_payload payload;
    struct mlt_buf again = {0};
    struct mlt_error why = {0};
    if (disclosure.len == 0) {
        return MLT_OK;
    }
    if (e->payload == MLT_JSON_NONE) {
        fault_entry(c, index, "has no payload to be disclosed");
        return MLT_OK;
    }
    enum mlt_status status = mlt_bundle_get_payload(&payload, disclosure, &c->scratch, &why);
    status = status ? status : mlt_bundle_check_payload(&payload, e, &c->scratch, &why);
    if (status == MLT_NOMEM) {
        *err = why;
        return status;
    }
    if (status) {
        fault_entry(c, index, why.text);
        return MLT_OK;
    }
    mlt_bundle_put_payload(&again, &payload);
    if (again.failed) {
        mlt_buf_clear(&again);
        return mlt_fail(err, MLT_NOMEM, "no memory for a payload");
    }
    if (payload.state != MLT_PAYLOAD_OPEN || again.len != disclosure.len + 1 ||
        memcmp(again.data, disclosure.ptr, disclosure.len) != 0) {
        fault_entry(c, index, "has a disclosure that is not in the form that FORMAT.md gives it");
    }
    mlt_buf_clear(&again);
    c->report->payloads++;
    c->report->shown += payload.num_members;
    c->report->masked += e->json.tape[e->payload].count - payload.num_members;
    return MLT_OK;
}

enum mlt_status mlt_extract_entry(struct mlt_extract_check *c, uint64_t index, struct mlt_bytes entry,
                                  detail_fn *detail, void *ctx, struct mlt_bytes disclosure, struct mlt_error *err) {
    struct mlt_entry e = {0};
    struct mlt_error why = {0};
    uint8_t leaf[MLT_HASH_LEN];
    mlt_arena_reset(&c->scratch);
    pass_hidden(c, index);
    if (index != mlt_range_next(&c->range) || index < c->statement.first || index >= c->statement.end) {
        if (c->range.good) {
            char text[96];
            (void)snprintf(text, sizeof(text), "is here, and entry %llu was to be next",
                           (unsigned long long)mlt_range_next(&c->range));
            fault_entry(c, index, text);
        }
        c->range.good = false;
        return MLT_OK;
    }
    mlt_merkle_leaf(leaf, entry);
    mlt_range_add(&c->range, 0, leaf);
    c->report->found++;
    enum mlt_status status = mlt_entry_parse(&e, &c->scratch, entry, &why);
    if (status == MLT_NOMEM) {
        *err = why;
    } else if (status) {
        fault_entry(c, index, why.text);
        status = MLT_OK;
    } else {
        check_received(c, index, &e);
        status = check_details(c, index, &e, detail, ctx, err);
        status = status ? status : check_disclosure(c, index, &e, disclosure, err);
    }
    mlt_entry_clear(&e);
    return status;
}

void mlt_extract_end(struct mlt_extract_check *c) {
    struct mlt_extract_report *r = c->report;
    const struct mlt_extract_statement *s = &c->statement;
    if (r->head.origin[0] && s->first < s->end) {
        pass_hidden(c, s->end);
        if (r->num_faults == 0 && mlt_range_next(&c->range) != s->end) {
            mlt_extract_fault(c, "range", "ends before entry %llu, and is said to go up to %llu",
                              (unsigned long long)mlt_range_next(&c->range), (unsigned long long)s->end);
        } else if (!mlt_range_holds(&c->range, &s->last_proof, r->head.root)) {
            mlt_extract_fault(c, "range",
                              "entries %llu to %llu are not those of the log: one was changed, left out or put in",
                              (unsigned long long)s->first, (unsigned long long)(s->end - 1));
        }
    }
    // Without a signed head nothing was counted.
    if (r->head.origin[0] && (r->found != s->found || c->next_hidden != s->num_hidden)) {
        mlt_extract_fault(c, "statement", "says that %llu entries are shown; %llu are", (unsigned long long)s->found,
                          (unsigned long long)r->found);
    }
    r->verdict = r->num_faults == 0 && r->head.origin[0];
    mlt_arena_clear(&c->scratch);
}

// --- NDJSON ---

static enum mlt_status detail_of_line(void *ctx, struct mlt_bytes name, const uint8_t hash[static MLT_HASH_LEN],
                                      struct mlt_bytes *bytes, struct mlt_error *err) {
    const struct mlt_json *line = ctx;
    const mlt_json_at at = mlt_json_get_bytes(line, mlt_json_get(line, 0, "details"), name);
    (void)hash;
    if (at == MLT_JSON_NONE) {
        return mlt_fail(err, MLT_NOTFOUND, "no such detail");
    }
    *bytes = mlt_json_raw(line, at);
    return MLT_OK;
}

static size_t count_of(const struct mlt_json *j, mlt_json_at at) {
    return at == MLT_JSON_NONE || mlt_json_is(j, at, MLT_JSON_NULL) ? 0 : j->tape[at].count;
}

// Whether the payload beside a disclosure is what the disclosure proves.
static bool same_payload(const struct mlt_json *j, mlt_json_at payload, mlt_json_at disclosure,
                         struct mlt_arena *arena) {
    const mlt_json_at members = mlt_json_get(j, disclosure, "members");
    if (!mlt_json_is(j, payload, MLT_JSON_OBJECT) || !mlt_json_is(j, members, MLT_JSON_ARRAY) ||
        count_of(j, payload) != count_of(j, members)) {
        return false;
    }
    for (mlt_json_at m = mlt_json_first(j, members); m != MLT_JSON_NONE; m = mlt_json_next(j, members, m)) {
        const struct mlt_bytes name = mlt_json_string(j, mlt_json_get(j, m, "name"), arena);
        const mlt_json_at shown = name.ptr ? mlt_json_get_bytes(j, payload, name) : MLT_JSON_NONE;
        if (shown == MLT_JSON_NONE || !mlt_json_equal(j, shown, j, mlt_json_get(j, m, "value"))) {
            return false;
        }
    }
    return true;
}

static bool same_leaf(const struct mlt_json *j, mlt_json_at leaf, struct mlt_bytes entry) {
    uint8_t said[MLT_HASH_LEN], is[MLT_HASH_LEN];
    mlt_merkle_leaf(is, entry);
    return mlt_bundle_get_hash(said, j, leaf) && memcmp(said, is, sizeof(is)) == 0;
}

static bool only_known(const struct mlt_json *j, struct mlt_arena *arena) {
    static const char *const names[] = {"index", "entry", "payload", "payload_state", "disclosure", "details", "leaf"};
    for (mlt_json_at n = mlt_json_first(j, 0); n != MLT_JSON_NONE; n = mlt_json_next(j, 0, n)) {
        const struct mlt_bytes name = mlt_json_string(j, n, arena);
        bool known = false;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            known = known || mlt_bytes_is(name, names[i]);
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

// What stands in a line beside its entry is proved by the entry, or counted as asserted, or has no place there.
static void check_beside(struct mlt_extract_check *c, uint64_t index, const struct mlt_json *j, mlt_json_at entry,
                         mlt_json_at disclosure) {
    const mlt_json_at payload = mlt_json_get(j, 0, "payload"), leaf = mlt_json_get(j, 0, "leaf");
    const bool shown = payload != MLT_JSON_NONE && !mlt_json_is(j, payload, MLT_JSON_NULL);
    if (!only_known(j, &c->scratch)) {
        fault_entry(c, index, "stands in a line with a member that no extract has");
    }
    if (count_of(j, mlt_json_get(j, 0, "details")) != count_of(j, mlt_json_get(j, entry, "details"))) {
        fault_entry(c, index, "stands beside other details than its own");
    }
    if (leaf != MLT_JSON_NONE && !same_leaf(j, leaf, mlt_json_raw(j, entry))) {
        fault_entry(c, index, "stands beside a leaf hash that is not its own");
    }
    if (disclosure == MLT_JSON_NONE) {
        c->report->unsalted += shown || mlt_json_get(j, entry, "payload") != MLT_JSON_NONE;
    } else if (shown && !same_payload(j, payload, disclosure, &c->scratch)) {
        fault_entry(c, index, "stands beside another payload than the one disclosed");
    }
}

enum mlt_status mlt_extract_line(struct mlt_extract_check *c, struct mlt_bytes text, struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_error why = {0};
    uint64_t index;
    enum mlt_status status = mlt_json_scan(&json, text, &why);
    const mlt_json_at entry = status ? MLT_JSON_NONE : mlt_json_get(&json, 0, "entry");
    if (status == MLT_NOMEM) {
        *err = why;
    } else if (status || entry == MLT_JSON_NONE || !mlt_json_u64(&json, mlt_json_get(&json, 0, "index"), &index)) {
        mlt_extract_fault(c, "line", "after entry %llu: is no line of an extract",
                          (unsigned long long)mlt_range_next(&c->range));
        status = MLT_OK;
    } else {
        mlt_json_at disclosure = mlt_json_get(&json, 0, "disclosure");
        disclosure = mlt_json_is(&json, disclosure, MLT_JSON_NULL) ? MLT_JSON_NONE : disclosure;
        const struct mlt_bytes disclosed =
            disclosure == MLT_JSON_NONE ? (struct mlt_bytes){0} : mlt_json_raw(&json, disclosure);
        status = mlt_extract_entry(c, index, mlt_json_raw(&json, entry), detail_of_line, &json, disclosed, err);
        check_beside(c, index, &json, entry, disclosure);
    }
    mlt_json_clear(&json);
    return status;
}
