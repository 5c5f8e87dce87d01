// Names in memory: which entries have a name, and for the one that the name identifies, who submitted it and what.
#ifndef MLT_INDEX_NAMES_H
#define MLT_INDEX_NAMES_H

#include "index/runs.h"
#include "index/termmap.h"

#define MLT_CONTENT_LEN 16
#define MLT_NAME_VALUE_LEN (8 + MLT_CONTENT_LEN) // in a run: u64be owner || content; nothing when not an identity

struct mlt_name_row {
    uint64_t entry;
    uint64_t owner;
    uint8_t content[MLT_CONTENT_LEN];
    uint32_t next; // row with the same name and a higher entry; MLT_TERMMAP_NONE at the end
    bool identity;
};

// Zero-initialised is valid and empty.
struct mlt_names {
    struct mlt_termmap map;
    uint32_t *heads, *tails; // by number of the term
    uint32_t cap_terms;
    struct mlt_name_row *rows;
    uint32_t num_rows, cap_rows;
};

void mlt_names_clear(struct mlt_names *n);
void mlt_names_reset(struct mlt_names *n);
// mlt_names_add: entries of one name come in ascending order; the same entry again only adds the identity.
// False when memory is out.
bool mlt_names_add(struct mlt_names *n, const struct mlt_term *name, uint64_t entry, bool identity, uint64_t owner,
                   const uint8_t content[static MLT_CONTENT_LEN]);
// The rows of a name in ascending order of entries.
const struct mlt_name_row *mlt_names_first(const struct mlt_names *n, const struct mlt_term *name);
const struct mlt_name_row *mlt_names_next(const struct mlt_names *n, const struct mlt_name_row *row);
// mlt_names_write puts all rows into the run.
enum mlt_status mlt_names_write(const struct mlt_names *n, struct mlt_run_writer *w,
                                struct mlt_error *err) MLT_MUST_USE;

#endif
