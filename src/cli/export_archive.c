// An extract as an archive. Entries, payloads and details are put aside in one file beside the target while they come
// in, so that memory holds one page of the trail's answers; the archive is then packed from that file.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bundle/extract.h"
#include "cli/export_extract.h"

struct packing {
    struct mlt_extract *x;
    FILE *aside;
    const char *aside_path;
    uint64_t len;                     // of what is put aside
    struct mlt_buf members;           // of struct mlt_archive_member
    struct mlt_buf sums;              // of struct mlt_bundle_sum
    struct mlt_buf entries, payloads; // of the chunk being filled
    uint64_t chunk_first, chunk_num;
    struct mlt_extract_pages facts, disclosed;
    struct mlt_json disclosed_json;
    bool has_filter;
    uint64_t disclosed_index; // of the line at hand; UINT64_MAX: none is left
};

FILE *mlt_export_create(const char *path) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (fd >= 0 && !file) {
        (void)close(fd);
    }
    return file;
}

static int fail_write(struct packing *p) {
    return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "cannot write %s: %s", p->aside_path, strerror(errno));
}

static int no_memory(struct packing *p) {
    return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "out of memory");
}

static int put_aside(struct packing *p, const char *name, struct mlt_bytes data) {
    struct mlt_bundle_sum sum = {.name = name, .len = data.len};
    const struct mlt_archive_member member = {.name = name, .path = p->aside_path, .start = p->len, .len = data.len};
    if (!name) {
        return no_memory(p);
    }
    if (data.len > 0 && fwrite(data.ptr, 1, data.len, p->aside) != data.len) {
        return fail_write(p);
    }
    p->len += data.len;
    mlt_sha256_one(sum.hash, data);
    mlt_buf_put(&p->members, &member, sizeof(member));
    mlt_buf_put(&p->sums, &sum, sizeof(sum));
    return p->members.failed || p->sums.failed ? no_memory(p) : 0;
}

static int end_chunk(struct packing *p) {
    struct mlt_arena *arena = &p->x->cli->arena;
    const unsigned long long first = p->chunk_first;
    int code = 0;
    if (p->entries.failed || p->payloads.failed) {
        return no_memory(p);
    }
    if (p->chunk_num > 0) {
        code = put_aside(p, mlt_arena_printf(arena, "entries/%020llu.bin", first), mlt_buf_bytes(&p->entries));
    }
    if (code == 0 && p->payloads.len > 0) {
        code = put_aside(p, mlt_arena_printf(arena, "payloads/%020llu.ndjson", first), mlt_buf_bytes(&p->payloads));
    }
    p->chunk_first += p->chunk_num;
    p->chunk_num = 0;
    mlt_buf_reset(&p->entries);
    mlt_buf_reset(&p->payloads);
    return code;
}

// --- one entry ---

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct mlt_bundle_sum *)a)->name, ((const struct mlt_bundle_sum *)b)->name);
}

static bool has_member(const struct packing *p, const char *name) {
    const struct mlt_bundle_sum *sums = (const void *)p->sums.data;
    for (size_t i = 0; i < p->sums.len / sizeof(*sums); i++) {
        if (strcmp(sums[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_details(struct packing *p, const struct mlt_json *j) {
    const mlt_json_at list = mlt_json_get(j, 0, "details");
    int code = 0;
    for (mlt_json_at n = mlt_json_is(j, list, MLT_JSON_OBJECT) ? mlt_json_first(j, list) : MLT_JSON_NONE;
         n != MLT_JSON_NONE && code == 0; n = mlt_json_next(j, list, n)) {
        const struct mlt_bytes bytes = mlt_json_raw(j, n + 1);
        uint8_t hash[MLT_HASH_LEN];
        char hex[2 * MLT_HASH_LEN + 1];
        mlt_sha256_one(hash, bytes);
        mlt_hex_encode(hex, mlt_bytes_of(hash, sizeof(hash)));
        const char *name = mlt_arena_printf(&p->x->cli->arena, "details/%s", hex);
        code = name && has_member(p, name) ? 0 : put_aside(p, name, bytes);
    }
    return code;
}

static void add_disclosure(struct packing *p, uint64_t index, const struct mlt_json *j) {
    const mlt_json_at at = mlt_json_get(j, 0, "disclosure");
    if (mlt_json_is(j, at, MLT_JSON_OBJECT)) {
        mlt_buf_printf(&p->payloads, "{\"index\":%" PRIu64 ",\"disclosure\":", index);
        mlt_buf_put_bytes(&p->payloads, mlt_json_raw(j, at));
        mlt_buf_put_str(&p->payloads, "}\n");
    }
}

// Of a filtered extract, the payloads come in answers of their own, to those entries alone that the filter lets
// through.
static int next_disclosed(struct packing *p) {
    struct mlt_bytes line;
    const int code = mlt_extract_pages_next(&p->disclosed, &line);
    p->disclosed_index = UINT64_MAX;
    if (code == 0 && line.len > 0 &&
        (mlt_json_scan(&p->disclosed_json, line, NULL) != MLT_OK ||
         !mlt_json_u64(&p->disclosed_json, mlt_json_get(&p->disclosed_json, 0, "index"), &p->disclosed_index))) {
        return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "the trail's answer is no extract");
    }
    return code;
}

static int add_entry(struct packing *p, const struct mlt_json *j) {
    uint64_t index;
    const struct mlt_bytes entry = mlt_json_raw(j, mlt_json_get(j, 0, "entry"));
    if (!mlt_json_u64(j, mlt_json_get(j, 0, "index"), &index) || entry.len == 0 || entry.len > MLT_ENTRY_MAX) {
        return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "the trail's answer is no extract");
    }
    if (index != p->x->next) {
        return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED,
                            "your grant does not cover entry %" PRIu64
                            ", and an extract as a bundle holds every entry of "
                            "its range; ask with a grant for every kind and model, or for --format ndjson",
                            p->x->next);
    }
    int code = mlt_extract_shown(p->x, index);
    mlt_buf_put_u16be(&p->entries, (uint16_t)entry.len);
    mlt_buf_put_bytes(&p->entries, entry);
    p->chunk_num++;
    if (!p->has_filter) {
        add_disclosure(p, index, j);
    } else if (code == 0 && index == p->disclosed_index) {
        add_disclosure(p, index, &p->disclosed_json);
        code = next_disclosed(p);
    }
    code = code == 0 ? add_details(p, j) : code;
    if (code == 0 &&
        (p->chunk_num == MLT_EXTRACT_CHUNK_ENTRIES || p->entries.len + p->payloads.len > MLT_EXTRACT_CHUNK_BYTES)) {
        code = end_chunk(p);
    }
    return code;
}

static int add_entries(struct packing *p) {
    struct mlt_json json = {0};
    struct mlt_bytes line;
    int code = p->has_filter ? next_disclosed(p) : 0;
    while (code == 0 && (code = mlt_extract_pages_next(&p->facts, &line)) == 0 && line.len > 0) {
        code = mlt_json_scan(&json, line, NULL) == MLT_OK
                   ? add_entry(p, &json)
                   : mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "the trail's answer is no extract");
    }
    mlt_json_clear(&json);
    return code == 0 ? end_chunk(p) : code;
}

// --- the rest ---

static int add_statement(struct packing *p) {
    struct mlt_buf text = {0};
    int code = mlt_extract_close(p->x);
    if (code == 0) {
        mlt_extract_put(&text, &p->x->statement);
        code = put_aside(p, "extract.json", mlt_buf_bytes(&text));
    }
    mlt_buf_clear(&text);
    code = code == 0 ? put_aside(p, "checkpoint", p->x->statement.checkpoint) : code;
    return code == 0 ? put_aside(p, "VERIFY.txt", mlt_str(mlt_extract_how_to)) : code;
}

static int add_manifests(struct packing *p) {
    struct mlt_buf text = {0};
    const size_t num = p->sums.len / sizeof(struct mlt_bundle_sum);
    qsort(p->sums.data, num, sizeof(struct mlt_bundle_sum), by_name);
    mlt_bundle_put_summed(&text, (const void *)p->sums.data, num, MLT_EXTRACT_FORMAT);
    int code = put_aside(p, "manifest.json", mlt_buf_bytes(&text));
    mlt_buf_reset(&text);
    qsort(p->sums.data, num + (code == 0), sizeof(struct mlt_bundle_sum), by_name);
    const struct mlt_bundle_sum *sums = (const void *)p->sums.data;
    for (size_t i = 0; code == 0 && i < num + 1; i++) {
        mlt_bundle_put_sum(&text, &sums[i]);
    }
    code = code == 0 ? put_aside(p, "manifest.sha256", mlt_buf_bytes(&text)) : code;
    mlt_buf_clear(&text);
    return code;
}

static int pack(struct packing *p, const char *path) {
    struct mlt_error err = {0};
    const char *part = mlt_arena_printf(&p->x->cli->arena, "%s.part", path);
    FILE *made = part ? mlt_export_create(part) : NULL; // whoever packs keeps the mode of a file that is there
    if (fflush(p->aside) != 0 || !made) {
        return fail_write(p);
    }
    (void)fclose(made);
    if (mlt_archive_write_file((void *)p->members.data, p->members.len / sizeof(struct mlt_archive_member), part,
                               &err) != MLT_OK) {
        (void)unlink(part);
        return mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "%s", err.text);
    }
    if (rename(part, path) != 0) {
        const int code = mlt_cli_fail(p->x->cli, MLT_EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
        (void)unlink(part);
        return code;
    }
    return 0;
}

int mlt_export_archive(struct mlt_cli *cli, struct mlt_extract *x, const char *path) {
    struct packing p = {.x = x, .chunk_first = x->statement.first, .disclosed_index = UINT64_MAX};
    p.has_filter = x->statement.kind.len > 0 || x->statement.model.len > 0;
    p.aside_path = mlt_arena_printf(&cli->arena, "%s.aside", path);
    p.aside = p.aside_path ? mlt_export_create(p.aside_path) : NULL;
    if (!p.aside) {
        return fail_write(&p);
    }
    mlt_extract_pages_init(&p.facts, x, false, p.has_filter ? "none" : "salts");
    mlt_extract_pages_init(&p.disclosed, x, true, "salts");
    int code = add_entries(&p);
    code = code == 0 ? add_statement(&p) : code;
    code = code == 0 ? add_manifests(&p) : code;
    code = code == 0 ? pack(&p, path) : code;
    (void)fclose(p.aside);
    (void)unlink(p.aside_path);
    mlt_extract_pages_clear(&p.facts);
    mlt_extract_pages_clear(&p.disclosed);
    mlt_json_clear(&p.disclosed_json);
    mlt_buf_clear(&p.members);
    mlt_buf_clear(&p.sums);
    mlt_buf_clear(&p.entries);
    mlt_buf_clear(&p.payloads);
    return code;
}
