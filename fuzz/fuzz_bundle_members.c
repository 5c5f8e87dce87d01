// links: mlt_bundle
//
// The same verifier behind the checksums of the archive: the input is a list of members (u8 length and name, u32 length
// and bytes), which are packed with manifests that fit.
#include <stdlib.h>

#include "bundle/bundle_parts.h"

#define MEMBERS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct mlt_bundle_member members[MEMBERS_MAX + 2];
    size_t num;
    struct mlt_arena arena;
};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct mlt_bundle_member *)a)->name, ((const struct mlt_bundle_member *)b)->name);
}

static bool has(const struct input *in, const char *name) {
    for (size_t i = 0; i < in->num; i++) {
        if (strcmp(in->members[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add(struct input *in, const char *name, struct mlt_bytes data) {
    if (name && mlt_archive_name_valid(mlt_str(name)) && !has(in, name)) {
        in->members[in->num++] = (struct mlt_bundle_member){.name = name, .data = data};
    }
}

static void take_apart(struct input *in, struct mlt_bytes bytes) {
    struct mlt_cursor c = mlt_cursor_of(bytes);
    while (mlt_cursor_left(&c) > 0 && in->num < MEMBERS_MAX) {
        const struct mlt_bytes name = mlt_cursor_take(&c, mlt_cursor_u8(&c));
        const struct mlt_bytes data = mlt_cursor_take(&c, mlt_cursor_u32be(&c));
        if (!c.failed && memchr(name.ptr, 0, name.len) == NULL) {
            add(in, mlt_arena_cstr(&in->arena, name), data);
        }
    }
}

static void add_manifests(struct input *in, struct mlt_buf *manifest, struct mlt_buf *sums) {
    qsort(in->members, in->num, sizeof(in->members[0]), by_name);
    if (!mlt_bundle_put_manifest(manifest, in->members, in->num, MLT_BUNDLE_FORMAT)) {
        abort();
    }
    add(in, "manifest.json", mlt_buf_bytes(manifest));
    qsort(in->members, in->num, sizeof(in->members[0]), by_name);
    mlt_bundle_put_sums(sums, in->members, in->num);
    add(in, "manifest.sha256", mlt_buf_bytes(sums));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mlt_bundle_report report;
    static struct input in;
    static struct mlt_archive_member packed[MEMBERS_MAX + 2];
    struct mlt_buf manifest = {0}, sums = {0}, zip = {0};
    struct mlt_arena arena = {0};
    in = (struct input){0};
    take_apart(&in, mlt_bytes_of(data, size));
    add_manifests(&in, &manifest, &sums);
    for (size_t i = 0; i < in.num; i++) {
        packed[i] = (struct mlt_archive_member){.name = in.members[i].name, .data = in.members[i].data};
    }
    if (mlt_archive_write(packed, in.num, &zip, NULL) != MLT_OK) {
        abort();
    }
    const enum mlt_status status = mlt_bundle_verify(mlt_buf_bytes(&zip), NULL, "mltrail test", &arena, &report, NULL);
    if (report.verdict != (!status && report.num_faults == 0)) {
        abort();
    }
    mlt_arena_clear(&arena);
    mlt_arena_clear(&in.arena);
    mlt_buf_clear(&manifest);
    mlt_buf_clear(&sums);
    mlt_buf_clear(&zip);
    return 0;
}
