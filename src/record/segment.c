#include "record/segment.h"

#include "record/json.h"

#define CONTROL "segment"

static mlt_json_at fact(const struct mlt_entry *entry, const char *name) {
    return mlt_json_get(&entry->json, entry->facts, name);
}

bool mlt_segment_may_be(struct mlt_bytes entry) {
    static const char begin[] = "{\"v\":1,\"kind\":\"control\",";
    return entry.len >= sizeof(begin) - 1 && memcmp(entry.ptr, begin, sizeof(begin) - 1) == 0;
}

bool mlt_segment_is(const struct mlt_entry *entry) {
    mlt_json_at control = fact(entry, "control");
    return mlt_segment_may_be(entry->json.text) && mlt_bytes_is(mlt_json_raw(&entry->json, control), "\"" CONTROL "\"");
}

enum mlt_status mlt_segment_read(struct mlt_segment *out, const struct mlt_entry *entry, uint64_t index,
                                 struct mlt_error *err) {
    const struct mlt_json *j = &entry->json;
    mlt_json_at root = fact(entry, "root");
    struct mlt_bytes hex = mlt_json_raw(j, root);
    const char *wrong = NULL;
    if (!mlt_segment_is(entry)) {
        wrong = "it is no control entry that commits to a segment";
    } else if (!mlt_json_u64(j, fact(entry, "first"), &out->first) || !mlt_json_u64(j, fact(entry, "end"), &out->end) ||
               !mlt_json_u64(j, fact(entry, "links"), &out->num_leaves)) {
        wrong = "first, end and links must be numbers";
    } else if (!mlt_json_is(j, root, MLT_JSON_STRING) ||
               !mlt_hex_decode(out->root, sizeof(out->root), mlt_bytes_of(hex.ptr + 1, hex.len - 2))) {
        wrong = "root must be 64 hexadecimal digits";
    } else if (out->first >= out->end || out->end > index) {
        wrong = "a segment has entries, and all lie before the entry that commits to it";
    } else if (out->num_leaves > (out->end - out->first) * MLT_TERMS_MAX) {
        wrong = "an entry has at most 256 links";
    }
    return wrong ? mlt_fail(err, MLT_CORRUPT, "FORMAT.md, Segment commitments: entry %llu: %s",
                            (unsigned long long)index, wrong)
                 : MLT_OK;
}

void mlt_segment_write(struct mlt_json_writer *w, const struct mlt_segment *segment) {
    mlt_jw_member(w, "control", CONTROL);
    mlt_jw_member_u64(w, "first", segment->first);
    mlt_jw_member_u64(w, "end", segment->end);
    mlt_jw_member_u64(w, "links", segment->num_leaves);
    mlt_jw_name(w, "root");
    mlt_jw_hex(w, mlt_bytes_of(segment->root, sizeof(segment->root)));
}
