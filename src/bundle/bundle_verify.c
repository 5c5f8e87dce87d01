// The verifier's ladder. It starts with a verdict of false, notes every fault that it meets, and says true on the last
// line alone, when there was none. Where later rungs would stand on air it ends early.
#include <stdio.h>

#include "bundle/bundle_read.h"

// --- the dossier's own head ---

// Who else signed is for a policy from outside to say; that one applied is passed on as the dossier's word.
static void read_assurance(struct mlt_bundle_reading *r) {
    const struct mlt_json *j = &r->dossier;
    const struct mlt_bytes says =
        mlt_json_string(j, mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "assurance"), r->arena);
    if (!mlt_dossier_assurance_read(&r->policy, says)) {
        mlt_bundle_fault(r, "dossier.json", "/integrity/assurance is not worded as a log words it");
    } else if (r->policy != UINT64_MAX) {
        mlt_bundle_assert(r, "the dossier says of itself: %.*s (a policy proves who cosigned; see --policy)",
                          says.len > 150 ? 150 : (int)says.len, (const char *)says.ptr);
    }
}

// Signatures of others would be shown without anybody having looked at them.
static enum mlt_status check_signed_alone(struct mlt_bundle_reading *r) {
    struct mlt_note note;
    const enum mlt_status status = mlt_note_parse(&note, r->arena, r->note_then, r->err);
    if (!status && note.num_sigs != 1) {
        mlt_bundle_fault(r, "dossier.json",
                         "/integrity/checkpoint/note has %zu signatures; a dossier's has the log's alone",
                         note.num_sigs);
    }
    return status ? mlt_bundle_blame(r, "dossier.json", status) : MLT_OK;
}

static enum mlt_status read_dossier(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, "dossier.json");
    if (!m || !r->head.origin[0]) {
        return MLT_OK;
    }
    r->report->dossier = m->data;
    enum mlt_status status = mlt_json_scan(&r->dossier, m->data, r->err);
    if (status) {
        return mlt_bundle_blame(r, "dossier.json", status);
    }
    const struct mlt_json *j = &r->dossier;
    r->request_id = mlt_json_string(j, mlt_json_get(j, 0, "request_id"), r->arena);
    r->note_then = mlt_json_string(
        j, mlt_json_get(j, mlt_json_get(j, mlt_json_get(j, 0, "integrity"), "checkpoint"), "note"), r->arena);
    mlt_bundle_copy_text(r->report->request_id, sizeof(r->report->request_id), r->request_id);
    mlt_bundle_copy_text(r->report->build, sizeof(r->report->build),
                         mlt_json_string(j, mlt_json_get(j, mlt_json_get(j, 0, "generated"), "build"), r->arena));
    r->report->same_build = strcmp(r->report->build, r->own_build) == 0;
    status = mlt_checkpoint_open(&r->then, r->note_then, &r->report->key, r->err);
    if (status) {
        r->then = (struct mlt_checkpoint){0};
        (void)mlt_context(r->err, status, "/integrity/checkpoint/note");
        return mlt_bundle_blame(r, "dossier.json", status);
    }
    read_assurance(r);
    return check_signed_alone(r);
}

static enum mlt_status check_consistency(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, "consistency.json");
    struct mlt_bundle_consistency c;
    if (!m || !r->then.origin[0]) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_bundle_get_consistency(&c, m->data, r->err);
    if (status) {
        return mlt_bundle_blame(r, m->name, status);
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
    mlt_bundle_check_form(r, m, &again);
    return MLT_OK;
}

// --- the dossier again ---

static enum mlt_status compare_dossier(struct mlt_bundle_reading *r, struct mlt_bytes again) {
    struct mlt_json json = {0};
    if (mlt_bytes_equal(again, r->dossier.text)) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_json_scan(&json, again, r->err);
    const bool other = !r->report->same_build;
    const char *pointer = status ? NULL : mlt_bundle_difference(&r->dossier, &json, other, r->arena);
    if (!status && !pointer && other && mlt_bundle_difference(&r->dossier, &json, false, r->arena)) {
        mlt_bundle_assert(r, "how findings and the timeline are worded: another build wrote them");
    }
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
    const char *assurance = mlt_dossier_assurance(r->arena, r->policy);
    if (!assurance) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for a dossier");
    }
    const struct mlt_dossier_context ctx = {
        .build = r->report->build, .vkey = &r->report->key, .checkpoint = r->note_then, .assurance = assurance};
    struct mlt_buf again = {0};
    enum mlt_status status = mlt_dossier_json(&src, &ctx, r->request_id, &again, r->err);
    if (status) {
        (void)mlt_context(r->err, status, "it cannot be made again");
        status = mlt_bundle_blame(r, "dossier.json", status);
    } else {
        status = compare_dossier(r, mlt_buf_bytes(&again));
    }
    mlt_buf_clear(&again);
    return status;
}

static enum mlt_status check_rendering(struct mlt_bundle_reading *r, const char *name, struct mlt_buf *again,
                                       enum mlt_status status) {
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, name);
    if (status) {
        status = mlt_bundle_blame(r, name, status);
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
    const struct mlt_bundle_member *how = mlt_bundle_member_need(r, "VERIFY.txt");
    if (how && r->report->same_build && !mlt_bytes_is(how->data, mlt_bundle_how_to)) {
        mlt_bundle_fault(r, "VERIFY.txt", "is not the text that this build writes");
    }
    // Which build it was is the bundle's own word.
    if (!r->report->same_build) {
        mlt_bundle_assert(r, "that dossier.html and dossier.txt show what dossier.json says, and what VERIFY.txt says: "
                             "another build wrote them, and they were not compared");
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
    enum mlt_status status = mlt_bundle_read_members(r, zip);
    if (status || r->num_members == 0) {
        return status;
    }
    status = mlt_bundle_check_manifests(r);
    status = status ? status : mlt_bundle_check_trail(r, key);
    status = status ? status : read_dossier(r);
    if (status || !r->then.origin[0] || !r->head.origin[0]) {
        return status; // without heads there is nothing to prove anything against
    }
    status = check_consistency(r);
    status = status ? status : mlt_bundle_read_entries(r);
    if (status) {
        return status;
    }
    mlt_bundle_check_details(r);
    mlt_bundle_read_proofs_then(r);
    status = mlt_bundle_check_absence(r);
    status = status ? status : mlt_bundle_read_answers(r);
    status = status ? status : tell_again(r);
    status = status ? status : render_again(r);
    status = status ? status : mlt_bundle_check_anchors(r);
    if (!status && r->report->num_faults == 0) {
        check_used(r);
    }
    return status;
}

enum mlt_status mlt_bundle_verify(struct mlt_bytes zip, const struct mlt_vkey *key, const char *build,
                                  struct mlt_arena *arena, struct mlt_bundle_report *out, struct mlt_error *err) {
    struct mlt_error own = {0};
    struct mlt_bundle_reading r = {
        .arena = arena, .report = out, .err = err ? err : &own, .own_build = build, .terms = {.arena = arena}};
    *out = (struct mlt_bundle_report){0};
    const enum mlt_status status = climb(&r, zip, key);
    out->size = r.then.size;
    out->checkpoint_size = r.head.size;
    memcpy(out->root, r.head.root, sizeof(out->root));
    memcpy(out->origin, r.head.origin, sizeof(out->origin));
    mlt_json_clear(&r.dossier);
    mlt_buf_clear(&r.terms.seen);
    mlt_archive_close(&r.archive);
    if (!status && r.num_members == 0 && out->num_faults == 0) {
        mlt_bundle_fault(&r, "", "the archive is empty");
    }
    out->verdict = !status && out->num_faults == 0 && r.then.origin[0];
    return status;
}
