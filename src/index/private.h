// What index.c, reload.c and source.c share.
#ifndef MLT_INDEX_PRIVATE_H
#define MLT_INDEX_PRIVATE_H

#include "index/index.h"
#include "index/lookup.h"

struct mlt_index {
    struct mlt_lookup *lookup;
    struct mlt_trail *trail; // until the trail is closed
    struct mlt_env *env;
    char dir[MLT_PATH_MAX]; // <trail>/index
};

// mlt_index_reload adds the entries from the lookup's end to `size` from the log.
enum mlt_status mlt_index_reload(struct mlt_index *ix, uint64_t size, const struct mlt_index_options *opt,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
