// Making a bundle: let the dossier be made over a source that remembers, then prove all that it was told.
#include <stdio.h>
#include <stdlib.h>

#include "bundle/bundle_anchors.h"
#include "bundle/bundle_record.h"

struct maker {
    const struct mlt_bundle_request *req;
    struct mlt_bundle_recorder rec;
    struct mlt_arena *arena; // of the recorder: lives as long as the maker
    struct mlt_buf members;  // of struct mlt_bundle_member
    struct mlt_bundle_absence absence;
    struct mlt_bundle_answers answers;
    struct mlt_buf dossier;
    struct mlt_error *err;
};

static enum mlt_status no_memory(const struct maker *m) {
    return mlt_fail(m->err, MLT_NOMEM, "no memory for a bundle");
}

// --- what is proved, and what only asserted ---

static bool has_link(const struct maker *m, const struct mlt_bundle_term *term) {
    for (size_t i = 0; i < m->absence.num_links; i++) {
        if (mlt_bundle_term_equal(&m->absence.links[i].term, term)) {
            return true;
        }
    }
    return false;
}

static enum mlt_status prove_link(struct maker *m, const struct mlt_bundle_term *term) {
    const struct mlt_bundle_links *links = m->req->links;
    struct mlt_bundle_link *link = &m->absence.links[m->absence.num_links++];
    *link = (struct mlt_bundle_link){.term = *term, .whole = true};
    mlt_link_make(&link->link, (enum mlt_dim)term->dim, term->values, term->num_values);
    link->proofs = mlt_arena_zero(m->arena, (links->num_segments + 1) * sizeof(*link->proofs));
    if (!link->proofs) {
        return no_memory(m);
    }
    enum mlt_status status = MLT_OK;
    for (size_t s = 0; !status && s < links->num_segments; s++) {
        status = links->prove(links->ctx, s, &link->link, m->arena, &link->proofs[s], m->err);
        link->whole = link->whole && link->proofs[s].num_shown == link->proofs[s].count;
    }
    return status;
}

static enum mlt_status prove_links(struct maker *m) {
    const struct mlt_bundle_term partial = {.dim = MLT_DIM_PARTIAL};
    m->absence.links = mlt_arena_zero(m->arena, (m->answers.num_finds + 2) * sizeof(*m->absence.links));
    if (!m->absence.links) {
        return no_memory(m);
    }
    // What the proofs do not cover comes first: entries that refer to more than they commit to.
    enum mlt_status status = m->req->links ? prove_link(m, &partial) : MLT_OK;
    for (size_t i = 0; !status && m->req->links && i < m->answers.num_finds; i++) {
        const struct mlt_bundle_term *term;
        struct mlt_bytes kind;
        if (mlt_bundle_question(&m->answers.finds[i], &term, &kind) && !has_link(m, term)) {
            status = prove_link(m, term);
        }
    }
    return status;
}

static bool same_answer(const struct mlt_bundle_find *a, const struct mlt_bundle_find *b) {
    return a->num_entries == b->num_entries && a->total == b->total && a->more == b->more &&
           (a->num_entries == 0 || memcmp(a->entries, b->entries, a->num_entries * sizeof(*a->entries)) == 0);
}

// An answer that the proofs do not give is asserted: of a link that very many entries have, or one that the entry alone
// does not show (a name that was spilled into a detail).
static enum mlt_status judge_find(struct maker *m, struct mlt_bundle_find *f) {
    const struct mlt_bundle_term *term;
    struct mlt_bytes kind;
    struct mlt_bundle_find proved = *f;
    f->asserted = true;
    proved.entries = mlt_arena_take(m->arena, (f->limit + 1) * sizeof(*proved.entries));
    if (!proved.entries) {
        return no_memory(m);
    }
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && mlt_bundle_question(f, &term, &kind) && i < m->absence.num_links; i++) {
        const struct mlt_bundle_link *link = &m->absence.links[i];
        bool answered;
        if (mlt_bundle_term_equal(&link->term, term)) {
            // Entries are read through the recorder, so that they come into the bundle.
            status = mlt_bundle_answer(&m->absence, link, kind, &m->rec.src, &proved, &answered, m->err);
            f->asserted = status || !answered || !same_answer(f, &proved);
        }
    }
    return status;
}

static enum mlt_status judge_finds(struct maker *m) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < m->answers.num_finds; i++) {
        status = judge_find(m, &m->answers.finds[i]);
    }
    return status;
}

static enum mlt_status take_segments(struct maker *m) {
    const struct mlt_bundle_links *links = m->req->links;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && links && i < links->num_segments; i++) {
        struct mlt_bytes bytes;
        status = m->req->now->entry(m->req->now->ctx, links->segments[i].entry, m->arena, &bytes, m->err);
        if (!status) {
            mlt_bundle_recorder_add_entry(&m->rec, links->segments[i].entry, bytes);
        }
    }
    if (links) {
        m->absence.segments = mlt_arena_zero(m->arena, (links->num_segments + 1) * sizeof(*m->absence.segments));
        if (!m->absence.segments) {
            return no_memory(m);
        }
        memcpy(m->absence.segments, links->segments, links->num_segments * sizeof(*links->segments));
        m->absence.num_segments = links->num_segments;
    }
    return status;
}

// --- members ---

static enum mlt_status add_member(struct maker *m, const char *name, struct mlt_bytes data) {
    const struct mlt_bundle_member member = {.name = name, .data = data};
    mlt_buf_put(&m->members, &member, sizeof(member));
    return name && data.ptr ? MLT_OK : no_memory(m);
}

// Takes the text out of `buf`, which is empty again.
static enum mlt_status add_text(struct maker *m, const char *name, struct mlt_buf *buf) {
    const struct mlt_bytes data = buf->failed ? (struct mlt_bytes){0} : mlt_arena_copy(m->arena, mlt_buf_bytes(buf));
    mlt_buf_clear(buf);
    *buf = (struct mlt_buf){0};
    return add_member(m, name, data);
}

static enum mlt_status add_entry(struct maker *m, const struct mlt_bundle_seen_entry *e) {
    const unsigned long long index = e->index;
    struct mlt_tlog_proof proof = {.index = e->index, .checkpoint = m->req->checkpoint};
    struct mlt_buf text = {0};
    enum mlt_status status = m->req->now->prove(m->req->now->ctx, e->index, &proof.proof, m->err);
    if (status) {
        return mlt_context(m->err, status, "entry %llu", index);
    }
    mlt_tlog_proof_format(&text, &proof);
    status = add_text(m, mlt_arena_printf(m->arena, "proofs/%llu.tlog-proof", index), &text);
    return status ? status : add_member(m, mlt_arena_printf(m->arena, "entries/%llu.json", index), e->bytes);
}

static enum mlt_status add_entries(struct maker *m) {
    const struct mlt_bundle_seen_entry *e = (const void *)m->rec.entries.data;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < MLT_BUNDLE_VECTOR_LEN(m->rec.entries, *e); i++) {
        status = add_entry(m, &e[i]);
    }
    return status;
}

static enum mlt_status add_anchor(struct maker *m, const struct mlt_bundle_seen_entry *e) {
    const struct mlt_detail_source details = {m->rec.src.ctx, m->rec.src.detail, false};
    const unsigned long long index = e->index;
    struct mlt_anchor anchor;
    if (!mlt_bundle_anchor_read(&anchor, e->bytes, &details, m->arena)) {
        return MLT_OK;
    }
    const enum mlt_status status = add_member(m, mlt_arena_printf(m->arena, "anchors/%llu.tst", index), anchor.token);
    return status ? status
                  : add_member(m, mlt_arena_printf(m->arena, "anchors/%llu.checkpoint", index), anchor.checkpoint);
}

// Reads details of anchors, which come into the bundle too.
static enum mlt_status add_anchors(struct maker *m) {
    const struct mlt_bundle_seen_entry *e = (const void *)m->rec.entries.data;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < MLT_BUNDLE_VECTOR_LEN(m->rec.entries, *e); i++) {
        status = add_anchor(m, &e[i]);
    }
    return status ? status : mlt_bundle_recorder_settle(&m->rec, m->err);
}

static enum mlt_status add_details(struct maker *m) {
    const struct mlt_bundle_seen_detail *d = (const void *)m->rec.details.data;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < MLT_BUNDLE_VECTOR_LEN(m->rec.details, *d); i++) {
        char hex[2 * MLT_HASH_LEN + 1];
        mlt_hex_encode(hex, mlt_bytes_of(d[i].hash, MLT_HASH_LEN));
        status = add_member(m, mlt_arena_printf(m->arena, "details/%s", hex), d[i].bytes);
    }
    return status;
}

static enum mlt_status add_payloads(struct maker *m) {
    const struct mlt_bundle_seen_payload *p = (const void *)m->rec.payloads.data;
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < MLT_BUNDLE_VECTOR_LEN(m->rec.payloads, *p); i++) {
        struct mlt_buf text = {0};
        mlt_bundle_put_payload(&text, &p[i].payload);
        status = add_text(m, mlt_arena_printf(m->arena, "payloads/%llu.json", (unsigned long long)p[i].index), &text);
    }
    return status;
}

static enum mlt_status add_consistency(struct maker *m) {
    struct mlt_bundle_consistency c = {.from = m->req->src->size, .to = m->req->now->size};
    struct mlt_buf text = {0};
    const enum mlt_status status = mlt_merkle_prove_consistency(&m->req->hashes, c.from, c.to, &c.proof, m->err);
    if (status) {
        return status;
    }
    mlt_bundle_put_consistency(&text, &c);
    return add_text(m, "consistency.json", &text);
}

static enum mlt_status add_renderings(struct maker *m) {
    struct mlt_buf out = {0};
    enum mlt_status status = add_member(m, "dossier.json", mlt_buf_bytes(&m->dossier));
    if (!status) {
        status = mlt_dossier_html(mlt_buf_bytes(&m->dossier), &out, m->err);
        status = status ? status : add_text(m, "dossier.html", &out);
    }
    if (!status) {
        status = mlt_dossier_text(mlt_buf_bytes(&m->dossier), false, 0, &out, m->err);
        status = status ? status : add_text(m, "dossier.txt", &out);
    }
    mlt_buf_clear(&out);
    return status;
}

// The proofs of a look-up are in each segment: in a log whose segments are many, for being short or not merged yet,
// they may outgrow what a verifier reads.
static enum mlt_status check_readable(const struct maker *m, struct mlt_bytes absence) {
    struct mlt_json json = {0};
    const enum mlt_status status = mlt_json_scan(&json, absence, m->err);
    mlt_json_clear(&json);
    return status == MLT_LIMIT || absence.len > MLT_BUNDLE_MEMBER_MAX
               ? mlt_fail(m->err, MLT_LIMIT,
                          "the proofs in %zu segments are too many for a bundle; ask again when the segments have been "
                          "merged, or serve with a larger --segment-entries",
                          m->absence.num_segments)
               : status;
}

static enum mlt_status add_rest(struct maker *m) {
    struct mlt_buf out = {0};
    enum mlt_status status = add_member(m, "VERIFY.txt", mlt_str(mlt_bundle_how_to));
    status = status ? status : add_member(m, "trail.json", m->req->trail_json);
    status = status ? status : add_member(m, "checkpoint", m->req->checkpoint);
    if (!status) {
        mlt_bundle_put_absence(&out, &m->absence);
        status = out.failed ? no_memory(m) : check_readable(m, mlt_buf_bytes(&out));
        status = status ? status : add_text(m, "absence.json", &out);
    }
    if (!status) {
        mlt_bundle_put_answers(&out, &m->answers);
        status = add_text(m, "answers.json", &out);
    }
    mlt_buf_clear(&out);
    return status;
}

static int by_name(const void *a, const void *b) {
    const struct mlt_bundle_member *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum mlt_status add_manifests(struct maker *m) {
    struct mlt_buf out = {0};
    struct mlt_bundle_member *members = (void *)m->members.data;
    const size_t num = MLT_BUNDLE_VECTOR_LEN(m->members, *members);
    qsort(members, num, sizeof(*members), by_name);
    enum mlt_status status = mlt_bundle_put_manifest(&out, members, num, MLT_BUNDLE_FORMAT) ? MLT_OK : no_memory(m);
    status = status ? status : add_text(m, "manifest.json", &out);
    if (!status && !m->members.failed) {
        members = (void *)m->members.data;
        qsort(members, num + 1, sizeof(*members), by_name);
        mlt_bundle_put_sums(&out, members, num + 1);
        status = add_text(m, "manifest.sha256", &out);
    }
    return status;
}

static enum mlt_status write_archive(struct maker *m, struct mlt_buf *zip) {
    const struct mlt_bundle_member *members = (const void *)m->members.data;
    const size_t num = MLT_BUNDLE_VECTOR_LEN(m->members, *members);
    if (num > MLT_BUNDLE_MEMBERS_MAX) {
        return mlt_fail(m->err, MLT_LIMIT, "the bundle would have %zu members; at most %llu are made", num,
                        (unsigned long long)MLT_BUNDLE_MEMBERS_MAX);
    }
    struct mlt_archive_member *packed = mlt_arena_zero(m->arena, num * sizeof(*packed));
    if (!packed || m->members.failed) {
        return no_memory(m);
    }
    for (size_t i = 0; i < num; i++) {
        packed[i] = (struct mlt_archive_member){.name = members[i].name, .data = members[i].data};
    }
    return mlt_archive_write(packed, num, zip, m->err);
}

static void list_entries(const struct maker *m, struct mlt_buf *out) {
    const struct mlt_bundle_seen_entry *e = (const void *)m->rec.entries.data;
    for (size_t i = 0; i < MLT_BUNDLE_VECTOR_LEN(m->rec.entries, *e); i++) {
        mlt_buf_put(out, &e[i].index, sizeof(e[i].index));
    }
}

static enum mlt_status tell_and_prove(struct maker *m) {
    enum mlt_status status = mlt_dossier_json(&m->rec.src, m->req->ctx, m->req->request_id, &m->dossier, m->err);
    status = status ? status : mlt_bundle_recorder_settle(&m->rec, m->err);
    if (status) {
        return status;
    }
    m->answers.finds = (void *)m->rec.finds.data;
    m->answers.num_finds = MLT_BUNDLE_VECTOR_LEN(m->rec.finds, *m->answers.finds);
    m->answers.streams = (void *)m->rec.streams.data;
    m->answers.num_streams = MLT_BUNDLE_VECTOR_LEN(m->rec.streams, *m->answers.streams);
    m->answers.growths = (void *)m->rec.growths.data;
    m->answers.num_growths = MLT_BUNDLE_VECTOR_LEN(m->rec.growths, *m->answers.growths);
    status = take_segments(m);
    status = status ? status : prove_links(m);
    // Read through the recorder, so that it comes into the bundle.
    status = status ? status : mlt_bundle_complete(&m->absence, &m->rec.src, m->arena, m->err);
    status = status ? status : judge_finds(m);
    return status ? status : mlt_bundle_recorder_settle(&m->rec, m->err);
}

static enum mlt_status add_members(struct maker *m) {
    enum mlt_status (*const steps[])(struct maker *) = {add_renderings, add_anchors,     add_entries, add_details,
                                                        add_payloads,   add_consistency, add_rest,    add_manifests};
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; !status && i < sizeof(steps) / sizeof(steps[0]); i++) {
        status = steps[i](m);
    }
    return status;
}

enum mlt_status mlt_bundle_make(const struct mlt_bundle_request *req, struct mlt_buf *zip, struct mlt_buf *entries,
                                struct mlt_error *err) {
    struct maker m = {.req = req, .err = err};
    mlt_bundle_recorder_init(&m.rec, req);
    m.arena = &m.rec.arena;
    enum mlt_status status = tell_and_prove(&m);
    status = status ? status : add_members(&m);
    status = status ? status : write_archive(&m, zip);
    if (!status) {
        list_entries(&m, entries);
    }
    mlt_buf_clear(&m.dossier);
    mlt_buf_clear(&m.members);
    mlt_bundle_recorder_clear(&m.rec);
    return status;
}
