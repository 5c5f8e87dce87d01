// What a request to an MLflow server does, and to what: one table over the paths of its REST API, its artifact proxy
// and its page. The proxy, the mapping to records and docs/integrations/mlflow-exchange.md all follow it.
#ifndef MLT_CAPTURE_MLFLOW_ROUTE_H
#define MLT_CAPTURE_MLFLOW_ROUTE_H

#include "base/bytes.h"

// What names the resource.
enum mlt_mlflow_id {
    MLT_MLFLOW_ID_NONE,
    MLT_MLFLOW_ID_NAME,       // member `name`: a registered model
    MLT_MLFLOW_ID_VERSION,    // `name`/`version`
    MLT_MLFLOW_ID_ALIAS,      // `name`/`version`, the version given or looked up; else `name`
    MLT_MLFLOW_ID_RUN,        // run/`run_id`
    MLT_MLFLOW_ID_EXPERIMENT, // experiment/`experiment_id`
    MLT_MLFLOW_ID_ARTIFACT,   // run/`run_uuid`/`path` of the query, or `path` alone
    MLT_MLFLOW_ID_WILD,       // the part of the path that the pattern leaves open
    MLT_MLFLOW_ID_GRAPHQL,    // what the variables of the operation name
    MLT_MLFLOW_ID_USER,       // user/`username`
    MLT_MLFLOW_ID_PATH,       // the path itself
};

enum mlt_mlflow_flags {
    MLT_MLFLOW_BODY = 1,    // the request's JSON belongs to the exchange; never where it may hold a secret
    MLT_MLFLOW_ANSWER = 2,  // and so does the answer's
    MLT_MLFLOW_BEFORE = 4,  // changes a state that has to be read first
    MLT_MLFLOW_RUN = 8,     // the run is read afterwards
    MLT_MLFLOW_STATIC = 16, // says nothing about anybody's data: recorded only by who wants everything
    MLT_MLFLOW_NAMES = 32,  // the request's JSON names the resource, and nothing else of it is kept
};

struct mlt_mlflow_route {
    const char *method;   // NULL: any
    const char *pattern;  // behind the API's prefix, or with a leading '/' at the end of a path; '*' is one segment,
                          // "**" the rest
    const char *action;   // of the access record; NULL: follows the method and the last segment
    const char *native;   // what MLflow calls it; NULL: method and path
    const char *resource; // type of the resource
    enum mlt_mlflow_id id;
    unsigned flags;
};

struct mlt_mlflow_match {
    const struct mlt_mlflow_route *route; // never NULL
    struct mlt_bytes path;                // without a static prefix; behind the API's prefix where there is one
    struct mlt_bytes prefix;              // the static prefix that a server has been put behind; empty: none
    struct mlt_bytes wild;                // what the last '*' or "**" stands for
    const char *action;
};

// mlt_mlflow_route_find always finds one: what is not known is of type `other`. `path` is without the query and decoded
// (mlt_mlflow_decode), as MLflow has it before it looks for its own route: "transition%2Dstage" is a transition.
struct mlt_mlflow_match mlt_mlflow_route_find(struct mlt_bytes method, struct mlt_bytes path);

// mlt_mlflow_route_at gives the rows one by one, for documentation and tests; NULL at the end.
const struct mlt_mlflow_route *mlt_mlflow_route_at(size_t i);

// mlt_mlflow_decode undoes percent-encoding (and '+', in a query). What is badly encoded stays as it was sent: an
// access is recorded in any case. {NULL, 0}: no memory.
struct mlt_bytes mlt_mlflow_decode(struct mlt_bytes text, bool plus, struct mlt_arena *arena);
// mlt_mlflow_query finds the first parameter of that name, decoded; {NULL, 0}: not given.
struct mlt_bytes mlt_mlflow_query(struct mlt_bytes query, const char *name, struct mlt_arena *arena);

#endif
