// MLflow: exchanges with its server, its webhooks, and what stands in its registry, as records.
//
// An exchange (docs/integrations/mlflow-exchange.md) is one request to an MLflow server and its answer, made by whoever
// stood between: the wrapper in the server, or `mltrail proxy`. It becomes one `access`, and further records where the
// registry changed: `transition` (a stage, an alias), `model.version`, `training.run`, `dataset.version`.
#ifndef MLT_CAPTURE_MLFLOW_H
#define MLT_CAPTURE_MLFLOW_H

#include "capture/capture.h"

#define MLT_MLFLOW_NAME_MAX 1000 // bytes of a name that goes into a record; longer ones are cut: the access counts
#define MLT_MLFLOW_QUERY_MAX (64 * 1024) // of a request that is kept as `query`; of a longer one its length

// mlt_capture_mlflow_exchanges takes NDJSON, one exchange a line (application/json: one exchange).
enum mlt_status mlt_capture_mlflow_exchanges(struct mlt_capture *out, const struct mlt_foreign *msg,
                                             struct mlt_error *err) MLT_MUST_USE;

// mlt_capture_mlflow_webhook takes a delivery, whose signature has been checked, as a `capture` record; delivered again
// it is the same record.
enum mlt_status mlt_capture_mlflow_webhook(struct mlt_capture *out, const struct mlt_foreign *msg,
                                           struct mlt_error *err) MLT_MUST_USE;

// Parts that the importer writes as well, from the same JSON that MLflow's API gives. `json` may be the answer to
// anything: the values are found by position.

// mlt_mlflow_put_run writes training.run, and dataset.version for each of its inputs. A run that goes on gives only
// what will not change. `triggered_by` {NULL, 0}: not known; with `claimed` whom the run itself names counts.
// MLT_INVALID: there is no run id.
enum mlt_status mlt_mlflow_put_run(struct mlt_capture *out, const struct mlt_json *json, mlt_json_at run,
                                   struct mlt_bytes triggered_by, bool claimed) MLT_MUST_USE;

struct mlt_mlflow_version {
    const struct mlt_json *json;
    mlt_json_at version;            // MLflow's ModelVersion
    struct mlt_bytes registered_by; // {NULL, 0}: not known
    mlt_json_at hash, manifest;     // in `files`; MLT_JSON_NONE: not computed
    const struct mlt_json *files;   // a digest set and a list of files
};
// MLT_INVALID: name or version are missing.
enum mlt_status mlt_mlflow_put_version(struct mlt_capture *out, const struct mlt_mlflow_version *v) MLT_MUST_USE;

// mlt_mlflow_text gives a string, or the digits of a number: what one release writes as a string and another as a
// number.
struct mlt_bytes mlt_mlflow_text(const struct mlt_json *json, mlt_json_at at, const char *member,
                                 struct mlt_arena *arena);
// mlt_mlflow_time reads a time in milliseconds since 1970, number or string; false: absent.
bool mlt_mlflow_time(const struct mlt_json *json, mlt_json_at at, const char *member, char out[static 31]);
// mlt_mlflow_tag finds the value of a tag in an array of {key, value}; {NULL, 0}: none.
struct mlt_bytes mlt_mlflow_tag(const struct mlt_json *json, mlt_json_at tags, const char *key,
                                struct mlt_arena *arena);
bool mlt_mlflow_is_prompt(const struct mlt_json *json, mlt_json_at tags); // prompts are stored as models
// mlt_mlflow_stage gives the usual spelling of a stage: MLflow takes any case.
struct mlt_bytes mlt_mlflow_stage(struct mlt_bytes stage);
// mlt_mlflow_clip cuts a name to MLT_MLFLOW_NAME_MAX bytes, not in the middle of a character.
struct mlt_bytes mlt_mlflow_clip(struct mlt_bytes name);

#endif
