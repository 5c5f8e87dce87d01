// Extracts: every entry of a range of the log, with the proof that the range is whole (docs/FORMAT.md, "Extract"). As
// NDJSON, whose last line is the statement, or as an archive.
#ifndef MLT_BUNDLE_EXTRACT_H
#define MLT_BUNDLE_EXTRACT_H

#include "bundle/bundle_parts.h"

#define MLT_EXTRACT_FORMAT "mltrail/v1 extract"
#define MLT_EXTRACT_STATEMENT_MAX ((size_t)256 << 20) // hashes of what is not shown: at worst one for each entry
#define MLT_EXTRACT_LINE_MAX ((size_t)64 << 20)       // a record of 20 MiB, escaped and with its salts
#define MLT_EXTRACT_CHUNK_ENTRIES 4096                // of one member of the archive
#define MLT_EXTRACT_CHUNK_BYTES ((size_t)32 << 20) // its entries and payloads, before the last one: what is in memory
extern const struct mlt_archive_limits mlt_extract_limits;

// A subtree of entries that are not shown.
struct mlt_extract_hidden {
    uint64_t at;
    unsigned level;
    uint8_t hash[MLT_HASH_LEN];
};
struct mlt_extract_statement {
    uint64_t first, end;          // entries [first, end)
    uint64_t found;               // of them shown
    struct mlt_bytes from, to;    // by `received`, as asked; empty: not asked
    struct mlt_bytes kind, model; // the filter; empty: none
    struct mlt_bytes checkpoint, key;
    struct mlt_proof first_proof, last_proof; // of entry `first` and entry `end` - 1
    struct mlt_extract_hidden *hidden;        // in order
    size_t num_hidden;
};
#define MLT_EXTRACT_BEGINS "{\"extract\":" // a statement does
// mlt_extract_put writes one JSON object without a newline.
void mlt_extract_put(struct mlt_buf *out, const struct mlt_extract_statement *s);
// mlt_extract_get borrows from `text`. MLT_INVALID says what is wrong.
enum mlt_status mlt_extract_get(struct mlt_extract_statement *out, struct mlt_bytes text, struct mlt_arena *arena,
                                struct mlt_error *err) MLT_MUST_USE;

extern const char mlt_extract_how_to[]; // VERIFY.txt

struct mlt_extract_report {
    bool verdict;
    bool signed_by_key; // by the key that the verifier was given; else by the one that the extract names
    struct mlt_vkey key;
    struct mlt_checkpoint head;
    struct mlt_bytes checkpoint; // in the checker's arena
    uint64_t first, end, found, details, payloads, shown, masked;
    char from[64], to[64], kind[128], model[256];
    bool other_how_to; // its VERIFY.txt is another: asserted
    uint64_t unsalted; // entries shown with what is said of their payload and no salts: asserted
    struct mlt_bundle_fault faults[MLT_BUNDLE_FAULTS_MAX];
    uint64_t num_faults;
};

// One extract being checked: statement, then each entry that is shown, ascending, then the end.
struct mlt_extract_check {
    struct mlt_extract_report *report;
    struct mlt_arena arena;   // of the statement
    struct mlt_arena scratch; // of one entry
    struct mlt_extract_statement statement;
    struct mlt_range range;
    size_t next_hidden;
    int64_t last_received;
    bool has_from, has_to;
    int64_t from, to;
};
// mlt_extract_begin reads the statement. `key` NULL: none from outside. MLT_NOMEM at worst: what is wrong is a fault.
enum mlt_status mlt_extract_begin(struct mlt_extract_check *c, struct mlt_extract_report *report,
                                  struct mlt_bytes statement, const struct mlt_vkey *key,
                                  struct mlt_error *err) MLT_MUST_USE;
// mlt_extract_entry takes the bytes of an entry. `detail` gives a spilled fact (MLT_NOTFOUND: it is not here), which is
// hashed here. `disclosure` of no length: no member of its payload is shown with its salt.
enum mlt_status mlt_extract_entry(struct mlt_extract_check *c, uint64_t index, struct mlt_bytes entry,
                                  enum mlt_status (*detail)(void *ctx, struct mlt_bytes name,
                                                            const uint8_t hash[static MLT_HASH_LEN],
                                                            struct mlt_bytes *bytes, struct mlt_error *err),
                                  void *ctx, struct mlt_bytes disclosure, struct mlt_error *err) MLT_MUST_USE;
void mlt_extract_end(struct mlt_extract_check *c); // the verdict; frees

void mlt_extract_fault(struct mlt_extract_check *c, const char *where, const char *fmt, ...) MLT_PRINTF(3, 4);

// mlt_extract_line takes a line of an NDJSON extract, the statement's excepted.
enum mlt_status mlt_extract_line(struct mlt_extract_check *c, struct mlt_bytes text,
                                 struct mlt_error *err) MLT_MUST_USE;
// mlt_extract_archive checks an extract in an archive. The archive is open; its directory was within limits.
enum mlt_status mlt_extract_archive(struct mlt_archive *a, const struct mlt_vkey *key, struct mlt_extract_report *out,
                                    struct mlt_error *err) MLT_MUST_USE;

#endif
