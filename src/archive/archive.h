// ZIP archives: the one place that knows libzip. What is written is a function of the members alone; what is read is
// taken for hostile.
#ifndef MLT_ARCHIVE_ARCHIVE_H
#define MLT_ARCHIVE_ARCHIVE_H

#include "base/bytes.h"

#define MLT_ARCHIVE_NAME_MAX 255 // bytes of a member's name: any file system takes it

// One member to write: from memory, or a range of a file (`path` not NULL) for what does not fit there.
struct mlt_archive_member {
    const char *name;
    struct mlt_bytes data;
    const char *path;
    uint64_t start, len;
};
// mlt_archive_name_valid: letters, digits and ". _ -" in parts that a slash separates; no part is empty, "." or "..".
bool mlt_archive_name_valid(struct mlt_bytes name);

// mlt_archive_write appends an archive of the members to `out`, or writes it to `path`. The same members give the same
// bytes: every time is 1980-01-01, everything is deflated. `members` are sorted here; their names are valid and differ.
enum mlt_status mlt_archive_write(struct mlt_archive_member *members, size_t num, struct mlt_buf *out,
                                  struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_archive_write_file(struct mlt_archive_member *members, size_t num, const char *path,
                                       struct mlt_error *err) MLT_MUST_USE;

// What a reader is willing to take.
struct mlt_archive_limits {
    uint64_t members;
    uint64_t member_bytes; // of one, unpacked
    uint64_t total_bytes;  // of all, unpacked
    uint64_t ratio;        // unpacked to packed, of one member above a mebibyte
};
struct mlt_archive_entry {
    const char *name; // of the archive
    uint64_t len;     // as the directory says; what is read has exactly so many bytes
};
struct mlt_archive {
    void *zip;
    struct mlt_archive_entry *entries; // strictly ascending by name, bytewise
    size_t num_entries;
};
// mlt_archive_open reads the directory and holds it against `limits`. MLT_INVALID: no such archive as
// mlt_archive_write makes: a damaged directory, one that differs from the members' headers, comments, encryption, a
// method other than stored and deflated, an invalid name, names that do not ascend. MLT_LIMIT: over a limit.
// `bytes` must live as long as `out`.
enum mlt_status mlt_archive_open(struct mlt_archive *out, struct mlt_bytes bytes,
                                 const struct mlt_archive_limits *limits, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_archive_open_file(struct mlt_archive *out, const char *path,
                                      const struct mlt_archive_limits *limits, struct mlt_error *err) MLT_MUST_USE;
void mlt_archive_close(struct mlt_archive *a); // NULL and zero accepted
// mlt_archive_find gives the place of the member of this name; SIZE_MAX: there is none.
size_t mlt_archive_find(const struct mlt_archive *a, const char *name);

// mlt_archive_read gives one member whole, in `arena`. MLT_INVALID: the data is damaged (checksum, length).
enum mlt_status mlt_archive_read(struct mlt_archive *a, size_t i, struct mlt_arena *arena, struct mlt_bytes *out,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_archive_stream gives it in pieces of at most MLT_ARCHIVE_PIECE to `take`, whose status ends the reading.
#define MLT_ARCHIVE_PIECE ((size_t)64 * 1024)
enum mlt_status mlt_archive_stream(struct mlt_archive *a, size_t i,
                                   enum mlt_status (*take)(void *ctx, struct mlt_bytes piece, struct mlt_error *err),
                                   void *ctx, struct mlt_error *err) MLT_MUST_USE;

#endif
