// The parts of `anchor`, and what `serve` and `verify` share with it.
#ifndef MLT_CLI_ANCHOR_H
#define MLT_CLI_ANCHOR_H

#include "cli/cli.h"
#include "crypto/timestamp.h"
#include "record/anchor.h"
#include "server/api.h"

// anchor_options.c. 0, or the exit status after saying what is wrong.
// mlt_anchor_authorities reads --tsa (URLs joined by commas) and the option that names the file of roots.
int mlt_anchor_authorities(struct mlt_cli *cli, const char *roots_option, struct mlt_anchoring_options *out);
// mlt_anchor_roots reads the trusted certificates of the option, else of the configuration. `*out` NULL: none named.
int mlt_anchor_roots(struct mlt_cli *cli, const char *option, struct mlt_timestamp_roots **out);

// anchor_item.c: one anchor as the API gives it, an item of a page of records. `anchor` borrows from `facts` and arena.
struct mlt_anchor_item {
    uint64_t entry;
    struct mlt_buf text;
    struct mlt_json facts;
    struct mlt_anchor anchor;
    struct mlt_error problem; // MLT_OK, or why `anchor` cannot be read
};
void mlt_anchor_item_read(struct mlt_anchor_item *out, struct mlt_arena *arena, const struct mlt_json *json,
                          mlt_json_at item);
void mlt_anchor_item_clear(struct mlt_anchor_item *item);

// anchor_verify.c
int mlt_anchor_verify(struct mlt_cli *cli);

#endif
