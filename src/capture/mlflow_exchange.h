// One exchange on its way to records: what the files of the mapping share.
#ifndef MLT_CAPTURE_MLFLOW_EXCHANGE_H
#define MLT_CAPTURE_MLFLOW_EXCHANGE_H

#include "capture/mlflow.h"
#include "capture/mlflow_route.h"

struct mlt_mlflow_exchange {
    const struct mlt_json *json;
    struct mlt_arena *arena;                                           // of the exchange
    struct mlt_bytes id, server, method, path, query, started_at, who; // who: the principal, or else who is claimed
    mlt_json_at request, response, before, after;
    bool begins; // nothing is answered yet
    bool ends;   // a record of its beginning exists
    bool has_status;
    uint64_t status;
    struct mlt_mlflow_match match;
};

// mlt_mlflow_field gives a parameter of the request, from its body or its query; {NULL, 0}: not given.
struct mlt_bytes mlt_mlflow_field(const struct mlt_mlflow_exchange *ex, const char *name);
struct mlt_bytes mlt_mlflow_member(const struct mlt_mlflow_exchange *ex, const char *name); // of the exchange
bool mlt_mlflow_succeeded(const struct mlt_mlflow_exchange *ex);
bool mlt_mlflow_native_is(const struct mlt_mlflow_exchange *ex, const char *native);

// mlt_mlflow_put_moves writes the transitions of an exchange that succeeded.
enum mlt_status mlt_mlflow_put_moves(struct mlt_capture *out, const struct mlt_mlflow_exchange *ex) MLT_MUST_USE;

#endif
