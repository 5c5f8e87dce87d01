// Reading an MLflow server over its REST API: runs, versions, aliases, artifacts.
#ifndef MLT_MLFLOW_REGISTRY_H
#define MLT_MLFLOW_REGISTRY_H

#include "net/client.h"
#include "record/json.h"

#define MLT_REGISTRY_PAGE 500         // of one answer
#define MLT_REGISTRY_PAGES_MAX 100000 // a server that always has a next page is at fault

struct mlt_registry {
    struct mlt_client *client;
    const char *const *headers; // of every request; NULL: none
    size_t num_headers;
    uint64_t num_requests;
};

// An answer of the server that was understood. Zero-initialised is a valid empty one.
struct mlt_registry_answer {
    struct mlt_json json;
    struct mlt_buf body;
    int status;
};
void mlt_registry_answer_clear(struct mlt_registry_answer *a);

// mlt_registry_get reads JSON. MLT_NOTFOUND: 404. MLT_DENIED: 401, 403. MLT_INVALID: another status of 4xx, or no JSON.
// MLT_IO: 5xx, or no answer.
enum mlt_status mlt_registry_get(struct mlt_registry *r, const char *target, struct mlt_registry_answer *out,
                                 struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_post(struct mlt_registry *r, const char *target, struct mlt_bytes body,
                                  struct mlt_registry_answer *out, struct mlt_error *err) MLT_MUST_USE;

// What is listed page by page: `each` gets one object of the answer; anything but MLT_OK ends the list.
typedef enum mlt_status mlt_registry_each(void *arg, const struct mlt_json *json, mlt_json_at at,
                                          struct mlt_error *err);
enum mlt_status mlt_registry_each_version(struct mlt_registry *r, struct mlt_bytes model /* len 0: of all */,
                                          mlt_registry_each *each, void *arg, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_each_model(struct mlt_registry *r, mlt_registry_each *each, void *arg,
                                        struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_each_experiment(struct mlt_registry *r, mlt_registry_each *each, void *arg,
                                             struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_each_run(struct mlt_registry *r, struct mlt_bytes experiment, mlt_registry_each *each,
                                      void *arg, struct mlt_error *err) MLT_MUST_USE;

// Single ones. `out` has the answer; the value is its member `model_version` or `run`.
enum mlt_status mlt_registry_version(struct mlt_registry *r, struct mlt_bytes model, struct mlt_bytes version,
                                     struct mlt_registry_answer *out, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_model(struct mlt_registry *r, struct mlt_bytes model, struct mlt_registry_answer *out,
                                   struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_registry_run(struct mlt_registry *r, struct mlt_bytes run_id, struct mlt_registry_answer *out,
                                 struct mlt_error *err) MLT_MUST_USE;

#endif
