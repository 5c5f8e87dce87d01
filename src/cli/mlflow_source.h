// What `import mlflow` and `reconcile mlflow` share: an MLflow server to read from, and what it and the trail say of
// the same model.
#ifndef MLT_CLI_MLFLOW_SOURCE_H
#define MLT_CLI_MLFLOW_SOURCE_H

#include "cli/transport.h"
#include "mlflow/artifact.h"

struct mlt_mlflow_source {
    struct mlt_cli *cli;
    const char *name; // host and port
    struct mlt_registry registry;
    struct mlt_artifact_options artifacts;
    bool digests; // read the files of models
};
// mlt_mlflow_open takes the URL and the options --user, --password-file, --bearer-file, --source-cacert, --max-bytes,
// --local-files, --no-digests. 0, or the exit status after saying what is wrong.
int mlt_mlflow_open(struct mlt_cli *cli, const char *url, struct mlt_mlflow_source *out);
void mlt_mlflow_close(struct mlt_mlflow_source *s);
#define MLT_MLFLOW_SOURCE_OPTIONS                                                                                      \
    {"user", 'u', "NAME", "Name for the MLflow server (default: $MLFLOW_TRACKING_USERNAME).", NULL},                   \
        {"password-file", 0, "FILE", "File with its password (default: $MLFLOW_TRACKING_PASSWORD).", "<file>"},        \
        {"bearer-file", 0, "FILE", "File with a token for it (default: $MLFLOW_TRACKING_TOKEN).", "<file>"},           \
        {"source-cacert", 0, "FILE", "PEM file of the authorities that its certificate is checked against.",           \
         "<file>"},                                                                                                    \
        {"max-bytes", 0, "N", "Of one model's files at most (default: 68719476736).", NULL},                           \
        {"local-files", 0, NULL, "Read file:// locations from this machine: it shares the server's disk.", NULL},      \
        {"no-digests", 0, NULL, "Do not read the files of models.", NULL}, {                                           \
        "model", 'm', "NAME", "This registered model alone; may be given several times.", NULL                         \
    }

// A model as both have it.
struct mlt_mlflow_held_version {
    struct mlt_bytes version;
    bool in_mlflow;
    struct mlt_bytes json;        // MLflow's ModelVersion; empty: it is not there
    struct mlt_bytes stage;       // in MLflow; "none"
    bool in_trail;                // a model.version record is
    bool has_run;                 // the training run that it names is recorded
    struct mlt_bytes run_id;      // that MLflow names
    struct mlt_bytes trail_stage; // "none"
    struct mlt_bytes trail_hash;  // JSON; empty: none
    bool deleted;                 // a deletion through MLflow is recorded
};
struct mlt_mlflow_held_alias {
    struct mlt_bytes alias;
    struct mlt_bytes version, trail_version; // empty: nobody holds it
    uint64_t entry;                          // of the trail, by which trail_version got it
};
struct mlt_mlflow_held {
    struct mlt_arena arena;
    struct mlt_bytes model;
    struct mlt_mlflow_held_version *versions;
    size_t num_versions, cap_versions;
    struct mlt_mlflow_held_alias *aliases;
    size_t num_aliases, cap_aliases;
};
// mlt_mlflow_hold reads both. 0, or the exit status after saying what is wrong.
int mlt_mlflow_hold(struct mlt_mlflow_source *s, struct mlt_bytes model, struct mlt_mlflow_held *out);
void mlt_mlflow_held_clear(struct mlt_mlflow_held *h);

// mlt_mlflow_each_name calls `each` with the models that are asked for: those of --model, or all of the registry but
// prompts. Ends with the first exit status that is not 0.
int mlt_mlflow_each_name(struct mlt_mlflow_source *s, int (*each)(void *arg, struct mlt_bytes model), void *arg);

// mlt_mlflow_digest reads the files of a version. `*why` says why it could not, NULL: it did.
void mlt_mlflow_digest(struct mlt_mlflow_source *s, struct mlt_bytes model, struct mlt_bytes version,
                       struct mlt_manifest *out, struct mlt_error *why);

#endif
