// The layout of an archive: members one after the other from the first byte on, the directory, its end. libzip and
// other readers go by the directory, some by what stands in front of each member, and extra fields may give a member a
// second name. Nothing of that kind is left room for: an archive shows the same members to everybody.
#include <zip.h>

#include "archive/archive.h"
#include "archive/archive_layout.h"

#define LOCAL_LEN 30
#define CENTRAL_LEN 46
#define END_LEN 22
#define END64_LEN 56
#define LOCATOR_LEN 20
#define LOCAL_SIGNATURE 0x04034b50U
#define CENTRAL_SIGNATURE 0x02014b50U
#define END_SIGNATURE 0x06054b50U
#define END64_SIGNATURE 0x06064b50U
#define LOCATOR_SIGNATURE 0x07064b50U
#define FLAGS_KNOWN 0x0806U // UTF-8 names, and how hard deflate tried
#define EXTRA64_ID 1U
#define EXTRA64_LOCAL_LEN 16U // both lengths
#define FULL16 0xffffU
#define FULL32 0xffffffffU

struct layout {
    zip_source_t *source;
    uint64_t len;               // of the archive
    uint64_t num;               // of members
    uint64_t at, directory_end; // in the directory
    uint64_t next;              // where the next member stands
};

static uint32_t u16(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p) {
    return u16(p) | u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p) {
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static bool read_at(const struct layout *l, uint64_t at, uint8_t *out, size_t len) {
    return at <= l->len && len <= l->len - at && zip_source_seek(l->source, (zip_int64_t)at, SEEK_SET) == 0 &&
           zip_source_read(l->source, out, len) == (zip_int64_t)len;
}

// The end of the directory with 64-bit numbers, right before its locator.
static bool read_end64(struct layout *l, uint64_t *directory) {
    uint8_t locator[LOCATOR_LEN], end[END64_LEN];
    if (l->len < END_LEN + LOCATOR_LEN + END64_LEN) {
        return false;
    }
    const uint64_t at = l->len - END_LEN - LOCATOR_LEN - END64_LEN;
    if (!read_at(l, at + END64_LEN, locator, sizeof(locator)) || u32(locator) != LOCATOR_SIGNATURE ||
        u32(locator + 4) != 0 || u64(locator + 8) != at || !read_at(l, at, end, sizeof(end)) ||
        u32(end) != END64_SIGNATURE || u64(end + 4) != END64_LEN - 12 || u64(end + 16) != 0 ||
        u64(end + 24) != u64(end + 32)) {
        return false;
    }
    l->num = u64(end + 32);
    *directory = u64(end + 48);
    l->directory_end = at;
    return *directory <= at && u64(end + 40) == at - *directory;
}

static bool read_end(struct layout *l, uint64_t *directory) {
    uint8_t end[END_LEN];
    if (l->len < END_LEN || !read_at(l, l->len - END_LEN, end, sizeof(end)) || u32(end) != END_SIGNATURE ||
        u32(end + 4) != 0 || u16(end + 8) != u16(end + 10) || u16(end + 20) != 0) {
        return false;
    }
    const bool full = u16(end + 10) == FULL16 || u32(end + 12) == FULL32 || u32(end + 16) == FULL32;
    l->num = u16(end + 10);
    *directory = u32(end + 16);
    l->directory_end = l->len - END_LEN;
    if (!full && *directory <= l->directory_end && u32(end + 12) == l->directory_end - *directory) {
        return true;
    }
    // Long members bring the other end with them also where its numbers would fit here; they are the same then.
    const uint64_t num = l->num, at = *directory;
    return read_end64(l, directory) && (u16(end + 10) == FULL16 || num == l->num) &&
           (u32(end + 16) == FULL32 || at == *directory) &&
           (u32(end + 12) == FULL32 || u32(end + 12) == l->directory_end - *directory);
}

// A number of the directory, in 64 bits in the extra field where it is full.
static uint64_t number(const uint8_t *at, const uint8_t *extra, size_t *extra_len) {
    const uint32_t small = u32(at);
    if (small != FULL32) {
        return small;
    }
    const uint64_t large = u64(extra + *extra_len);
    *extra_len += sizeof(large);
    return large;
}

// A plain file, whatever system the archive was made on: no link, no folder.
static bool is_plain(const uint8_t central[static CENTRAL_LEN]) {
    const uint32_t attributes = u32(central + 38), type = attributes >> 28;
    return (attributes & 0x10) == 0 && (type == 0 || type == 8);
}

static bool check_local(struct layout *l, const uint8_t central[static CENTRAL_LEN], uint64_t packed) {
    uint8_t local[LOCAL_LEN], extra[4];
    if (!read_at(l, l->next, local, sizeof(local)) || u32(local) != LOCAL_SIGNATURE ||
        u16(local + 6) != u16(central + 8) || u16(local + 26) != u16(central + 28)) {
        return false;
    }
    const uint64_t after = l->next + LOCAL_LEN + u16(local + 26), extra_len = u16(local + 28);
    if (extra_len > 0 && (extra_len != sizeof(extra) + EXTRA64_LOCAL_LEN || !read_at(l, after, extra, sizeof(extra)) ||
                          u16(extra) != EXTRA64_ID || u16(extra + 2) != EXTRA64_LOCAL_LEN)) {
        return false;
    }
    if (after + extra_len > l->len || packed > l->len - after - extra_len) {
        return false;
    }
    l->next = after + extra_len + packed;
    return true;
}

static bool check_central(struct layout *l) {
    uint8_t central[CENTRAL_LEN], extra[4 + 3 * 8] = {0};
    if (!read_at(l, l->at, central, sizeof(central)) || u32(central) != CENTRAL_SIGNATURE) {
        return false;
    }
    const size_t name_len = u16(central + 28), extra_len = u16(central + 30);
    if ((u16(central + 8) & ~FLAGS_KNOWN) != 0 || u16(central + 32) != 0 || u16(central + 34) != 0 ||
        !is_plain(central) || extra_len > sizeof(extra) ||
        !read_at(l, l->at + CENTRAL_LEN + name_len, extra, extra_len)) {
        return false;
    }
    size_t taken = 4;
    (void)number(central + 24, extra, &taken); // the length that it unpacks to stands first
    const uint64_t packed = number(central + 20, extra, &taken);
    const uint64_t at = number(central + 42, extra, &taken);
    if (extra_len != (taken > 4 ? taken : 0) ||
        (taken > 4 && (u16(extra) != EXTRA64_ID || u16(extra + 2) != taken - 4)) || at != l->next) {
        return false;
    }
    l->at += CENTRAL_LEN + name_len + extra_len;
    return check_local(l, central, packed);
}

static bool check(struct layout *l) {
    uint64_t directory = 0;
    if (!read_end(l, &directory)) {
        return false;
    }
    l->at = directory;
    for (uint64_t i = 0; i < l->num; i++) {
        if (!check_central(l)) {
            return false;
        }
    }
    return l->next == directory && l->at == l->directory_end;
}

enum mlt_status mlt_archive_check_layout(zip_source_t *source, struct mlt_error *err) {
    struct layout l = {.source = source};
    zip_stat_t st;
    zip_stat_init(&st);
    if (zip_source_open(source) != 0) {
        return mlt_fail(err, MLT_IO, "archive: %s", zip_error_strerror(zip_source_error(source)));
    }
    const bool known = zip_source_stat(source, &st) == 0 && (st.valid & ZIP_STAT_SIZE);
    l.len = known ? st.size : 0;
    const bool good = known && check(&l);
    (void)zip_source_close(source);
    return good ? MLT_OK
                : mlt_fail(err, MLT_INVALID,
                           "the archive is not laid out as ours: members one after the other from its first byte on, "
                           "plain files without extra fields, then the directory and its end");
}
