// The members of a bundle that is verified, and their manifests.
#include "bundle/bundle_read.h"

struct mlt_bundle_member *mlt_bundle_member_find(struct mlt_bundle_reading *r, const char *name) {
    const size_t at = mlt_archive_find(&r->archive, name); // members are those of the archive, in its order
    if (at >= r->num_members) {
        return NULL;
    }
    r->members[at].used = true;
    return &r->members[at];
}

struct mlt_bundle_member *mlt_bundle_member_need(struct mlt_bundle_reading *r, const char *name) {
    struct mlt_bundle_member *m = mlt_bundle_member_find(r, name);
    if (!m) {
        mlt_bundle_fault(r, name, "is missing");
    }
    return m;
}

enum mlt_status mlt_bundle_read_members(struct mlt_bundle_reading *r, struct mlt_bytes zip) {
    enum mlt_status status = mlt_archive_open(&r->archive, zip, &mlt_bundle_limits, r->err);
    if (status) {
        return mlt_bundle_blame(r, "", status);
    }
    r->members = mlt_arena_zero(r->arena, (r->archive.num_entries + 1) * sizeof(*r->members));
    if (!r->members) {
        return mlt_fail(r->err, MLT_NOMEM, "no memory for a bundle");
    }
    for (size_t i = 0; !status && i < r->archive.num_entries; i++) {
        struct mlt_bundle_member *m = &r->members[i];
        m->name = r->archive.entries[i].name;
        status = mlt_bundle_blame(r, m->name, mlt_archive_read(&r->archive, i, r->arena, &m->data, r->err));
        r->num_members = i + 1;
    }
    return status;
}

bool mlt_bundle_small_member(struct mlt_archive *archive, const char *name, uint64_t max, struct mlt_arena *arena,
                             struct mlt_bytes *out) {
    const size_t at = mlt_archive_find(archive, name);
    return at != SIZE_MAX && archive->entries[at].len <= max &&
           mlt_archive_read(archive, at, arena, out, NULL) == MLT_OK;
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

enum mlt_status mlt_bundle_check_manifests(struct mlt_bundle_reading *r) {
    struct mlt_buf text = {0};
    const struct mlt_bundle_member *sums = mlt_bundle_member_need(r, "manifest.sha256");
    const struct mlt_bundle_member *manifest = mlt_bundle_member_need(r, "manifest.json");
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

// What was read, written again, gives the same bytes: a member has one form, and nothing hides between its tokens.
void mlt_bundle_check_form(struct mlt_bundle_reading *r, const struct mlt_bundle_member *m, struct mlt_buf *again) {
    if (!again->failed && !mlt_bytes_equal(m->data, mlt_buf_bytes(again))) {
        mlt_bundle_fault(r, m->name, "is not in the form that FORMAT.md gives it");
    }
    mlt_buf_clear(again);
}
