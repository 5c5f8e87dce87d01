// Query strings: name=value pairs, percent-decoded, each name at most once.
#ifndef MLT_SERVER_QUERY_H
#define MLT_SERVER_QUERY_H

#include "base/bytes.h"

#define MLT_QUERY_PARAMS_MAX 32 // the longest list of parameters has fourteen
#define MLT_QUERY_LEN_MAX 16384 // names are short; the header limit is not far above

struct mlt_query_param {
    struct mlt_bytes name;
    struct mlt_bytes value;
};
struct mlt_query {
    struct mlt_query_param params[MLT_QUERY_PARAMS_MAX];
    size_t num_params;
};

// mlt_query_parse decodes `text` (without '?') into `arena`. MLT_INVALID: bad encoding, a name twice, a pair without a
// name. MLT_LIMIT: too long or too many.
enum mlt_status mlt_query_parse(struct mlt_query *out, struct mlt_bytes text, struct mlt_arena *arena,
                                struct mlt_error *err) MLT_MUST_USE;
const struct mlt_query_param *mlt_query_find(const struct mlt_query *query, const char *name); // NULL: not given

#endif
