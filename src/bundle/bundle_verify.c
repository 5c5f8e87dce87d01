// The verifier's ladder. It starts with a verdict of false, notes every fault that it meets, and says true on the last
// line alone, when there was none. Where later rungs would stand on air it ends early.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/bundle_read.h"
#include "record/key_json.h"

void mlt_bundle_fault(struct mlt_bundle_reading *r, const char *where, const char *fmt, ...) {
    if (r->report->num_faults < MLT_BUNDLE_FAULTS_MAX) {
        struct mlt_bundle_fault *f = &r->report->faults[r->report->num_faults];
        va_list args;
        va_start(args, fmt);
        (void)snprintf(f->where, sizeof(f->where), "%s", where);
        (void)vsnprintf(f->text, sizeof(f->text), fmt, args);
        va_end(args);
    }
    r->report->num_faults++;
}

void mlt_bundle_assert(struct mlt_bundle_reading *r, const char *fmt, ...) {
    struct mlt_bundle_report *out = r->report;
    char text[sizeof(out->asserted[0])];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (size_t i = 0; i < out->num_asserted && i < MLT_BUNDLE_ASSERTED_MAX; i++) {
        if (strcmp(out->asserted[i], text) == 0) {
            return;
        }
    }
    if (out->num_asserted < MLT_BUNDLE_ASSERTED_MAX) {
        memcpy(out->asserted[out->num_asserted], text, sizeof(text));
    }
    out->num_asserted++;
}

// A status is the bundle's fault when its bytes were at fault, and the machine's otherwise.
static enum mlt_status blame(struct mlt_bundle_reading *r, const char *where, enum mlt_status status) {
    if (status == MLT_INVALID || status == MLT_LIMIT || status == MLT_CORRUPT || status == MLT_NOTFOUND ||
        status == MLT_DENIED) {
        mlt_bundle_fault(r, where, "%s", r->err->text);
        mlt_error_clear(r->err);
        return MLT_OK;
    }
    return status;
}

// --- members ---

static int by_name(const void *key, const void *member) {
    return strcmp(key, ((const struct mlt_bundle_member *)member)->name);
}

struct mlt_bundle_member *mlt_bundle_member_find(struct mlt_bundle_reading *r, const char *name) {
    struct mlt_bundle_member *m =
        r->num_members > 0 ? bsearch(name, r->members, r->num_members, sizeof(*r->members), by_name) : NULL;
    if (m) {
        m->used = true;
    }
    return m;
}

static struct mlt_bundle_member *need_member(struct mlt_bundle_reading *r, const char *name) {
    struct mlt_bundle_member *m = mlt_bundle_member_find(r, name);
    if (!m) {
        mlt_bundle_fault(r, name, "is missing");
    }
    return m;
}

static enum mlt_status read_members(struct mlt_bundle_reading *r, struct mlt_bytes zip) {
    enum mlt_status status = mlt_archive_open(&r->archive, zip, &mlt_bundle_limits, r->err);
    if (status) {
        return blame(r, "", status);
    }
    r->members = mlt_arena_zero(r->arena, (r->archive.num_entries + 1) * sizeof(*r->members));
    if (!r->members) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for a bundle");
    }
    for (size_t i = 0; !status && i < r->archive.num_entries; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        m->name = r->archive.entries[i].name;
        status = blame(r, m->name, mlt_archive_read(&r->archive, i, r->arena, &m->data, r->err));
        r->num_members = i + 1;
    }
    return status;
}

bool mlt_bundle_checkpoint(struct mlt_archive *archive, struct mlt_arena *arena, struct mlt_bytes *out) {
    for (size_t i = 0; i < archive->num_entries; i++) {
        if (strcmp(archive->entries[i].name, "checkpoint") == 0) {
            return archive->entries[i].len <= MLT_NOTE_MAX && mlt_archive_read(archive, i, arena, out, NULL) == MLT_OK;
        }
    }
    return false;
}

static bool has_line(struct mlt_bytes text, struct mlt_bytes line) {
    while (text.len >= line.len && line.len > 0) {
        const uint8_t *at = memchr(text.ptr, line.ptr[0], text.len - line.len + 1);
        if (!at) {
            return false;
        }
        if (memcmp(at, line.ptr, line.len) == 0) {
            return true;
        }
        text.len -= (size_t)(at + 1 - text.ptr);
        text.ptr = at + 1;
    }
    return false;
}

// Which members have another hash than the manifest says: each sum is looked for by itself.
static void blame_members(struct mlt_bundle_reading *r, struct mlt_bytes sums) {
    for (size_t i = 0; i < r->num_members; i++) {
        struct mlt_buf line = {0};
        mlt_bundle_put_sums(&line, &r->members[i], 1);
        if (line.len > 0 && !has_line(sums, mlt_buf_bytes(&line))) {
            mlt_bundle_fault(r, r->members[i].name, "is not as manifest.sha256 has it, or not in it");
        }
        mlt_buf_clear(&line);
    }
}

static enum mlt_status check_manifests(struct mlt_bundle_reading *r) {
    struct mlt_buf text = {0};
    const struct mlt_bundle_member *sums = need_member(r, "manifest.sha256");
    const struct mlt_bundle_member *manifest = need_member(r, "manifest.json");
    mlt_bundle_put_sums(&text, r->members, r->num_members);
    if (sums && !mlt_bytes_equal(sums->data, mlt_buf_bytes(&text))) {
        blame_members(r, sums->data);
        mlt_bundle_fault(r, "manifest.sha256", "does not list exactly the members that are here");
    }
    mlt_buf_reset(&text);
    const bool made = mlt_bundle_put_manifest(&text, r->members, r->num_members, MLT_BUNDLE_FORMAT);
    if (made && manifest && !mlt_bytes_equal(manifest->data, mlt_buf_bytes(&text))) {
        mlt_bundle_fault(r, "manifest.json", "is not what the members here give");
    }
    mlt_buf_clear(&text);
    return !made ? mlt_fail(r->err, MLT_NOMEM, "no memory for a manifest") : MLT_OK;
}

// --- who signed ---

// The line without its signature, behind the words that no checkpoint begins with (FORMAT.md, trail.json).
static bool trail_signed_by(struct mlt_bytes text, const struct mlt_vkey *key) {
    static const char name[] = ",\"signature\":\"";
    struct mlt_buf message = {0};
    uint8_t signature[MLT_ED25519_SIG_LEN];
    size_t at = 0, len = 0;
    for (size_t i = 0; i + sizeof(name) - 1 < text.len; i++) {
        at = memcmp(text.ptr + i, name, sizeof(name) - 1) == 0 ? i : at;
    }
    if (at == 0 || text.len < at + sizeof(name) - 1 + 3 || memcmp(text.ptr + text.len - 3, "\"}\n", 3) != 0) {
        return false;
    }
    const size_t start = at + sizeof(name) - 1;
    mlt_buf_printf(&message, "mltrail/v1 trail.json\n%.*s}\n", (int)at, (const char *)text.ptr);
    const bool good =
        mlt_base64_decode(signature, sizeof(signature), &len, mlt_bytes_of(text.ptr + start, text.len - 3 - start)) &&
        len == sizeof(signature) && !message.failed && mlt_ed25519_verify(key->key, mlt_buf_bytes(&message), signature);
    mlt_buf_clear(&message);
    return good;
}

// The keys that trail.json names: the first that signed the checkpoint.
static bool offered_key(struct mlt_bundle_reading *r, const struct mlt_json *json, struct mlt_vkey *out) {
    const mlt_json_at keys = mlt_json_get(json, 0, "keys");
    for (mlt_json_at k = mlt_json_is(json, keys, MLT_JSON_ARRAY) ? mlt_json_first(json, keys) : MLT_JSON_NONE;
         k != MLT_JSON_NONE; k = mlt_json_next(json, keys, k)) {
        struct mlt_checkpoint head;
        if (mlt_vkey_parse(out, mlt_json_string(json, k, r->arena), NULL) == MLT_OK &&
            mlt_checkpoint_open(&head, r->checkpoint, out, NULL) == MLT_OK) {
            return true;
        }
    }
    return false;
}

// The key in use when the bundle was made, where the given one had been replaced by then: trail.json leads to it
// (FORMAT.md, Keys).
static void follow_keys(struct mlt_bundle_reading *r, const struct mlt_json *json, struct mlt_vkey *used) {
    struct mlt_checkpoint head;
    struct mlt_key_chain *chain = mlt_arena_zero(r->arena, sizeof(*chain));
    if (chain && mlt_checkpoint_open(&head, r->checkpoint, used, NULL) == MLT_DENIED &&
        mlt_key_json_get(chain, json, r->arena, NULL) == MLT_OK && mlt_key_chain_leads(chain, used)) {
        *used = chain->keys[0];
    }
}

static enum mlt_status check_trail(struct mlt_bundle_reading *r, const struct mlt_vkey *key) {
    const struct mlt_bundle_member *trail = need_member(r, "trail.json");
    const struct mlt_bundle_member *checkpoint = need_member(r, "checkpoint");
    struct mlt_json json = {0};
    struct mlt_vkey *used = &r->report->key;
    if (!trail || !checkpoint) {
        return MLT_OK;
    }
    r->checkpoint = checkpoint->data;
    r->report->checkpoint = checkpoint->data;
    enum mlt_status status = mlt_json_scan(&json, trail->data, r->err);
    if (status) {
        mlt_json_clear(&json);
        return blame(r, "trail.json", status);
    }
    if (key) {
        *used = *key;
        follow_keys(r, &json, used);
    }
    if (!key && !offered_key(r, &json, used)) {
        mlt_bundle_fault(r, "checkpoint", "is signed by none of the keys that trail.json names");
    } else if (mlt_checkpoint_open(&r->head, checkpoint->data, used, r->err)) {
        r->head = (struct mlt_checkpoint){0};
        (void)blame(r, "checkpoint", MLT_DENIED);
    } else if (!trail_signed_by(trail->data, used)) {
        mlt_bundle_fault(r, "trail.json", "is not signed by the key that signed the checkpoint");
    } else {
        const struct mlt_bytes origin = mlt_json_string(&json, mlt_json_get(&json, 0, "origin"), r->arena);
        if (!mlt_bytes_is(origin, r->head.origin)) {
            mlt_bundle_fault(r, "trail.json", "names another origin than the checkpoint");
        }
        r->report->signed_by_key = key != NULL;
    }
    mlt_json_clear(&json);
    return MLT_OK;
}

// What was read, written again, gives the same bytes: a member has one form, and nothing hides between its tokens.
static void check_form(struct mlt_bundle_reading *r, const struct mlt_bundle_member *m, struct mlt_buf *again) {
    if (!again->failed && !mlt_bytes_equal(m->data, mlt_buf_bytes(again))) {
        mlt_bundle_fault(r, m->name, "is not in the form that FORMAT.md gives it");
    }
    mlt_buf_clear(again);
}

// --- the dossier's own head ---

static void copy_text(char *out, size_t cap, struct mlt_bytes text) {
    (void)snprintf(out, cap, "%.*s", (int)(text.len < cap ? text.len : cap - 1),
                   text.ptr ? (const char *)text.ptr : "");
}

// Who else signed is for a policy from outside to say; what the dossier says of it is passed on as its word.
static void assert_assurance(struct mlt_bundle_reading *r) {
    const struct mlt_json *j = &r->dossier;
    const struct mlt_bytes says =
        mlt_json_string(j, mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "assurance"), r->arena);
    if (says.len > 0 && !mlt_bytes_is(says, "self-attested") && !mlt_bytes_is(says, "self-attested, time-stamped")) {
        mlt_bundle_assert(r, "the dossier says of itself: %.*s (a policy proves who cosigned; see --policy)",
                          says.len > 150 ? 150 : (int)says.len, (const char *)says.ptr);
    }
}

static enum mlt_status read_dossier(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = need_member(r, "dossier.json");
    if (!m || !r->head.origin[0]) {
        return MLT_OK;
    }
    r->report->dossier = m->data;
    enum mlt_status status = mlt_json_scan(&r->dossier, m->data, r->err);
    if (status) {
        return blame(r, "dossier.json", status);
    }
    const struct mlt_json *j = &r->dossier;
    r->request_id = mlt_json_string(j, mlt_json_get(j, 0, "request_id"), r->arena);
    r->note_then = mlt_json_string(
        j, mlt_json_get(j, mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "checkpoint"), "note"), r->arena);
    copy_text(r->report->request_id, sizeof(r->report->request_id), r->request_id);
    copy_text(r->report->build, sizeof(r->report->build),
              mlt_json_string(j, mlt_json_get(j, mlt_json_get(j, 0, "generated"), "build"), r->arena));
    r->report->same_build = strcmp(r->report->build, r->own_build) == 0;
    status = mlt_checkpoint_open(&r->then, r->note_then, &r->report->key, r->err);
    if (status) {
        r->then = (struct mlt_checkpoint){0};
        (void)mlt_context(r->err, status, "/integrity/checkpoint/note");
        return blame(r, "dossier.json", status);
    }
    assert_assurance(r);
    return MLT_OK;
}

static enum mlt_status check_consistency(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = need_member(r, "consistency.json");
    struct mlt_bundle_consistency c;
    if (!m || !r->then.origin[0]) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_bundle_get_consistency(&c, m->data, r->err);
    if (status) {
        return blame(r, m->name, status);
    }
    if (c.from != r->then.size || c.to != r->head.size ||
        !mlt_merkle_verify_consistency(c.from, c.to, &c.proof, r->then.root, r->head.root)) {
        mlt_bundle_fault(r, m->name,
                         "does not prove that the checkpoint's tree of %llu extends the dossier's of %llu (RFC 6962 "
                         "section 2.1.2)",
                         (unsigned long long)r->head.size, (unsigned long long)r->then.size);
    }
    struct mlt_buf again = {0};
    mlt_bundle_put_consistency(&again, &c);
    check_form(r, m, &again);
    return MLT_OK;
}

// --- entries ---

// "entries/17.json": the number between `before` and `after`, in its only form.
static bool member_number(const char *name, const char *before, const char *after, uint64_t *out) {
    const size_t len = strlen(name), head = strlen(before), tail = strlen(after);
    return len > head + tail && memcmp(name, before, head) == 0 && strcmp(name + len - tail, after) == 0 &&
           mlt_decimal_decode(out, mlt_bytes_of(name + head, len - head - tail));
}

static int by_index(const void *a, const void *b) {
    const struct mlt_bundle_read_entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

struct mlt_bundle_read_entry *mlt_bundle_entry_find(struct mlt_bundle_reading *r, uint64_t index) {
    const struct mlt_bundle_read_entry key = {.index = index};
    return r->num_entries > 0 ? bsearch(&key, r->entries, r->num_entries, sizeof(key), by_index) : NULL;
}

static enum mlt_status prove_entry(struct mlt_bundle_reading *r, struct mlt_bundle_read_entry *e) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_tlog_proof proof;
    uint8_t leaf[MLT_HASH_LEN];
    (void)snprintf(name, sizeof(name), "proofs/%llu.tlog-proof", (unsigned long long)e->index);
    const struct mlt_bundle_member *m = need_member(r, name);
    if (!m) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_tlog_proof_parse(&proof, r->arena, m->data, r->err);
    if (status) {
        return blame(r, name, status);
    }
    mlt_merkle_leaf(leaf, e->bytes);
    if (!mlt_bytes_equal(proof.checkpoint, r->checkpoint) || proof.extra.len > 0) {
        mlt_bundle_fault(r, name, "carries another checkpoint than the bundle");
    } else if (proof.index != e->index ||
               !mlt_merkle_verify_inclusion(e->index, r->head.size, leaf, &proof.proof, r->head.root)) {
        mlt_bundle_fault(r, name, "does not prove that entry %llu is in the log (RFC 6962 section 2.1.1)",
                         (unsigned long long)e->index);
    } else {
        e->proved = true;
        r->report->entries++;
    }
    struct mlt_buf again = {0};
    mlt_tlog_proof_format(&again, &proof);
    check_form(r, m, &again);
    return MLT_OK;
}

static enum mlt_status read_payload(struct mlt_bundle_reading *r, struct mlt_bundle_read_entry *e) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_entry entry = {0};
    (void)snprintf(name, sizeof(name), "payloads/%llu.json", (unsigned long long)e->index);
    const struct mlt_bundle_member *m = mlt_bundle_member_find(r, name);
    if (!m) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_entry_parse(&entry, r->arena, e->bytes, r->err);
    status = status ? status : mlt_bundle_get_payload(&e->payload, m->data, r->arena, r->err);
    status = status ? status : mlt_bundle_check_payload(&e->payload, &entry, r->arena, r->err);
    e->has_payload_member = status == MLT_OK && entry.payload != MLT_JSON_NONE;
    if (e->has_payload_member) {
        r->report->payloads++;
        r->report->shown += e->payload.num_members;
        r->report->masked += entry.json.tape[entry.payload].count - e->payload.num_members;
        struct mlt_buf again = {0};
        mlt_bundle_put_payload(&again, &e->payload);
        check_form(r, m, &again);
    } else if (!status) {
        mlt_bundle_fault(r, name, "entry %llu has no payload", (unsigned long long)e->index);
    }
    mlt_entry_clear(&entry);
    return status ? blame(r, name, status) : MLT_OK;
}

static enum mlt_status read_entries(struct mlt_bundle_reading *r) {
    enum mlt_status status = MLT_OK;
    r->entries = mlt_arena_zero(r->arena, (r->num_members + 1) * sizeof(*r->entries));
    if (!r->entries) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for entries");
    }
    for (size_t i = 0; i < r->num_members; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        if (member_number(m->name, "entries/", ".json", &r->entries[r->num_entries].index)) {
            r->entries[r->num_entries++].bytes = m->data;
            m->used = true;
        }
    }
    // Names ascend as text; numbers are looked up.
    qsort(r->entries, r->num_entries, sizeof(*r->entries), by_index);
    for (size_t i = 0; !status && i < r->num_entries; i++) {
        status = prove_entry(r, &r->entries[i]);
        status = status ? status : read_payload(r, &r->entries[i]);
    }
    return status;
}

static void check_details(struct mlt_bundle_reading *r) {
    for (size_t i = 0; i < r->num_members; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        uint8_t named[MLT_HASH_LEN], is[MLT_HASH_LEN];
        if (strncmp(m->name, "details/", 8) != 0) {
            continue;
        }
        mlt_sha256_one(is, m->data);
        if (!mlt_hex_decode(named, sizeof(named), mlt_str(m->name + 8)) || memcmp(named, is, sizeof(is)) != 0) {
            mlt_bundle_fault(r, m->name, "does not have the SHA-256 that names it");
        }
        r->report->details++;
    }
}

// The proofs of the dossier, at its own size: what its regeneration proves entries with.
static void read_proofs_then(struct mlt_bundle_reading *r) {
    const struct mlt_json *j = &r->dossier;
    const mlt_json_at list = mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "entries");
    for (mlt_json_at at = mlt_json_is(j, list, MLT_JSON_ARRAY) ? mlt_json_first(j, list) : MLT_JSON_NONE;
         at != MLT_JSON_NONE; at = mlt_json_next(j, list, at)) {
        uint64_t index;
        uint8_t leaf[MLT_HASH_LEN];
        struct mlt_bundle_read_entry *e =
            mlt_json_u64(j, mlt_json_get(j, at, "index"), &index) ? mlt_bundle_entry_find(r, index) : NULL;
        if (!e || !mlt_bundle_get_proof(&e->proof_then, j, mlt_json_get(j, at, "proof"))) {
            continue; // what it lacks is found out when the dossier is made again
        }
        mlt_merkle_leaf(leaf, e->bytes);
        e->has_proof_then = mlt_merkle_verify_inclusion(index, r->then.size, leaf, &e->proof_then, r->then.root);
        if (!e->has_proof_then) {
            mlt_bundle_fault(r, "dossier.json", "/integrity/entries: the proof of entry %llu does not hold",
                             (unsigned long long)index);
        }
    }
}

// --- what is not there ---

static void check_segment(struct mlt_bundle_reading *r, struct mlt_bundle_segment *s, uint64_t *covered) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_bundle_read_entry *e = mlt_bundle_entry_find(r, s->entry);
    (void)snprintf(name, sizeof(name), "entries/%llu.json", (unsigned long long)s->entry);
    if (!e || !e->proved) {
        mlt_bundle_fault(r, "absence.json", "rests on the segment in entry %llu, which is not proved here",
                         (unsigned long long)s->entry);
        return;
    }
    e->used = true;
    if (mlt_bundle_get_segment(&s->segment, s->entry, e->bytes, r->arena, r->err)) {
        (void)blame(r, name, MLT_CORRUPT);
    } else if (s->segment.first != *covered) {
        mlt_bundle_fault(r, "absence.json", "the segment in entry %llu begins at %llu; up to %llu is covered",
                         (unsigned long long)s->entry, (unsigned long long)s->segment.first,
                         (unsigned long long)*covered);
    } else {
        *covered = s->segment.end;
        r->report->segments++;
    }
}

static void check_link(struct mlt_bundle_reading *r, struct mlt_bundle_link *link) {
    for (size_t s = 0; s < r->absence.num_segments; s++) {
        const char *why = NULL;
        if (!mlt_link_proof_verify(&r->absence.segments[s].segment, &link->link, &link->proofs[s], &why)) {
            mlt_bundle_fault(r, "absence.json", "%s, segment %zu: %s", mlt_bundle_term_text(&link->term, r->arena), s,
                             why);
        }
    }
    r->report->links++;
}

// Proofs of links are silent about what an entry has no room to commit to; which entries those are is proved as well.
static void check_partial(struct mlt_bundle_reading *r) {
    struct mlt_bundle_find all = {.from = UINT64_MAX, .descending = true};
    for (size_t i = 0; i < r->absence.num_links; i++) {
        if (r->absence.links[i].term.dim == MLT_DIM_PARTIAL && r->absence.links[i].term.num_values == 0) {
            r->partial = &r->absence.links[i];
        }
    }
    if (!r->partial) {
        mlt_bundle_fault(r, "absence.json", "does not show which entries refer to more than they commit to");
        return;
    }
    (void)mlt_bundle_answer(&r->absence, r->partial, r->then.size, &all);
    if (all.total > 0) {
        mlt_bundle_assert(
            r,
            "that none of the %llu entries which refer to more than they commit to (long records) belongs "
            "here, unless it is shown",
            (unsigned long long)all.total);
    }
}

static enum mlt_status check_absence(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = need_member(r, "absence.json");
    uint64_t covered = 0;
    if (!m) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_bundle_get_absence(&r->absence, m->data, r->arena, r->err);
    if (status) {
        r->absence = (struct mlt_bundle_absence){0};
        return blame(r, m->name, status);
    }
    struct mlt_buf again = {0};
    mlt_bundle_put_absence(&again, &r->absence);
    check_form(r, m, &again);
    for (size_t i = 0; i < r->absence.num_segments; i++) {
        check_segment(r, &r->absence.segments[i], &covered);
    }
    if (covered < r->then.size) {
        mlt_bundle_fault(r, m->name,
                         "segments cover entries up to %llu of %llu: that nothing is left out is not proved",
                         (unsigned long long)covered, (unsigned long long)r->then.size);
        r->absence.num_links = 0;
        return MLT_OK;
    }
    for (size_t i = 0; i < r->absence.num_links; i++) {
        check_link(r, &r->absence.links[i]);
    }
    check_partial(r);
    return MLT_OK;
}

static enum mlt_status read_answers(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = need_member(r, "answers.json");
    const enum mlt_status status = m ? mlt_bundle_get_answers(&r->answers, m->data, r->arena, r->err) : MLT_OK;
    if (status) {
        r->answers = (struct mlt_bundle_answers){0};
        return blame(r, m->name, status);
    }
    if (m) {
        struct mlt_buf again = {0};
        mlt_bundle_put_answers(&again, &r->answers);
        check_form(r, m, &again);
    }
    return MLT_OK;
}

// --- the dossier again ---

static enum mlt_status compare_dossier(struct mlt_bundle_reading *r, struct mlt_bytes again) {
    struct mlt_json json = {0};
    if (mlt_bytes_equal(again, r->dossier.text)) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_json_scan(&json, again, r->err);
    const char *pointer = status ? NULL : mlt_bundle_difference(&r->dossier, &json, r->arena);
    if (pointer) {
        mlt_bundle_fault(r, "dossier.json", "differs from what the entries give%s: first at \"%s\"",
                         r->report->same_build ? "" : " with this build", pointer);
    } else if (!status && r->report->same_build) {
        mlt_bundle_fault(r, "dossier.json", "says what the entries give, in other bytes");
    }
    mlt_json_clear(&json);
    return status;
}

static enum mlt_status tell_again(struct mlt_bundle_reading *r) {
    const struct mlt_source src = mlt_bundle_read_source(r);
    const char *assurance = mlt_arena_cstr(
        r->arena,
        mlt_json_string(&r->dossier, mlt_json_get(&r->dossier, mlt_json_get(&r->dossier, 0, "integrity"), "assurance"),
                        r->arena));
    const struct mlt_dossier_context ctx = {
        .build = r->report->build, .vkey = &r->report->key, .checkpoint = r->note_then, .assurance = assurance};
    struct mlt_buf again = {0};
    enum mlt_status status = mlt_dossier_json(&src, &ctx, r->request_id, &again, r->err);
    if (status) {
        (void)mlt_context(r->err, status, "it cannot be made again");
        status = blame(r, "dossier.json", status);
    } else {
        status = compare_dossier(r, mlt_buf_bytes(&again));
    }
    mlt_buf_clear(&again);
    return status;
}

static enum mlt_status check_rendering(struct mlt_bundle_reading *r, const char *name, struct mlt_buf *again,
                                       enum mlt_status status) {
    const struct mlt_bundle_member *m = need_member(r, name);
    if (status) {
        status = blame(r, name, status);
    } else if (m && r->report->same_build && !mlt_bytes_equal(m->data, mlt_buf_bytes(again))) {
        mlt_bundle_fault(r, name, "is not what dossier.json looks like");
    }
    mlt_buf_clear(again);
    return status;
}

static enum mlt_status render_again(struct mlt_bundle_reading *r) {
    struct mlt_buf html = {0}, text = {0};
    const struct mlt_bytes dossier = r->dossier.text;
    enum mlt_status status = check_rendering(r, "dossier.html", &html, mlt_dossier_html(dossier, &html, r->err));
    if (!status) {
        status = check_rendering(r, "dossier.txt", &text, mlt_dossier_text(dossier, false, 0, &text, r->err));
    }
    const struct mlt_bundle_member *how = need_member(r, "VERIFY.txt");
    if (how && r->report->same_build && !mlt_bytes_is(how->data, mlt_bundle_how_to)) {
        mlt_bundle_fault(r, "VERIFY.txt", "is not the text that this build writes");
    }
    return status;
}

// Nothing is in a bundle that its dossier does not rest on: what nobody asked for proves nothing.
static void check_used(struct mlt_bundle_reading *r) {
    for (size_t i = 0; i < r->num_members; i++) {
        if (!r->members[i].used) {
            mlt_bundle_fault(r, r->members[i].name, "has no part in this bundle");
        }
    }
    for (size_t i = 0; i < r->num_entries; i++) {
        if (!r->entries[i].used) {
            char name[MLT_BUNDLE_NAME_LEN];
            (void)snprintf(name, sizeof(name), "entries/%llu.json", (unsigned long long)r->entries[i].index);
            mlt_bundle_fault(r, name, "the dossier does not rest on it");
        }
    }
}

static enum mlt_status climb(struct mlt_bundle_reading *r, struct mlt_bytes zip, const struct mlt_vkey *key) {
    enum mlt_status status = read_members(r, zip);
    if (status || r->num_members == 0) {
        return status;
    }
    status = check_manifests(r);
    status = status ? status : check_trail(r, key);
    status = status ? status : read_dossier(r);
    if (status || !r->then.origin[0] || !r->head.origin[0]) {
        return status; // without heads there is nothing to prove anything against
    }
    status = check_consistency(r);
    status = status ? status : read_entries(r);
    if (status) {
        return status;
    }
    check_details(r);
    read_proofs_then(r);
    status = check_absence(r);
    status = status ? status : read_answers(r);
    status = status ? status : tell_again(r);
    status = status ? status : render_again(r);
    if (!status && r->report->num_faults == 0) {
        check_used(r);
    }
    return status;
}

enum mlt_status mlt_bundle_verify(struct mlt_bytes zip, const struct mlt_vkey *key, const char *build,
                                  struct mlt_arena *arena, struct mlt_bundle_report *out, struct mlt_error *err) {
    struct mlt_error own = {0};
    struct mlt_bundle_reading r = {.arena = arena, .report = out, .err = err ? err : &own, .own_build = build};
    *out = (struct mlt_bundle_report){0};
    const enum mlt_status status = climb(&r, zip, key);
    out->size = r.then.size;
    out->checkpoint_size = r.head.size;
    memcpy(out->root, r.head.root, sizeof(out->root));
    memcpy(out->origin, r.head.origin, sizeof(out->origin));
    mlt_json_clear(&r.dossier);
    mlt_buf_clear(&r.terms);
    mlt_archive_close(&r.archive);
    if (!status && r.num_members == 0 && out->num_faults == 0) {
        mlt_bundle_fault(&r, "", "the archive is empty");
    }
    out->verdict = !status && out->num_faults == 0 && r.then.origin[0];
    return status;
}
