// Terms: what an entry can be found by. A term is a keyed hash of a dimension and its values, so that the index does
// not spell out who or what; the key lies in the state directory.
#ifndef MLT_RECORD_TERM_H
#define MLT_RECORD_TERM_H

#include "crypto/sha256.h"

#define MLT_TERM_LEN 16
#define MLT_INDEX_KEY_LEN 32

enum mlt_dim {
    // Names: many different values, few entries each; kept as sorted runs. The name is what identifies the record
    // within its kind, without the producer.
    MLT_DIM_REQUEST = 1,     // request_id: prediction, and decision/explanation/oversight/notice/outcome that name it
    MLT_DIM_DATASET_VERSION, // dataset, version: the dataset.version record itself
    MLT_DIM_MODEL_VERSION,   // model, model_version: the model.version record itself
    MLT_DIM_JOB,             // training_job_id: the training.run itself
    MLT_DIM_EVENT,           // kind, event_id (or the issued id)
    MLT_DIM_RESOURCE,        // resource type, id: access to it
    MLT_DIM_CORRECTS,        // the identity or entry that a correction corrects
    MLT_DIM_CORRELATION,     // format, correlation: the messages of another system that belong together
    MLT_DIM_LAST_NAME = MLT_DIM_CORRELATION,
    // Lists: few different values, many entries each; kept as posting lists with counts per segment.
    MLT_DIM_KIND = 32,      // kind
    MLT_DIM_USES_MODEL,     // model: every prediction, approval, transition, model.version of that model
    MLT_DIM_USES_VERSION,   // model, model_version: predictions, approvals, transitions, components that name it
    MLT_DIM_PREDICTED_BY,   // model, model_version: predictions only (counts for blast radius)
    MLT_DIM_APPROVES,       // model, model_version: approvals
    MLT_DIM_MOVES,          // model, model_version: transitions
    MLT_DIM_USES_DATASET,   // dataset, version: training runs and dataset versions that have it as input
    MLT_DIM_USES_JOB,       // training_job_id: model versions that came from it
    MLT_DIM_USES_COMPONENT, // model, model_version: model versions that contain it
    MLT_DIM_APPROVAL,       // approval_reference: approvals and transitions
    MLT_DIM_NODE,           // serving_node
    MLT_DIM_STREAM,         // serving_node, stream: predictions and tallies, with sequence
    MLT_DIM_PRINCIPAL,      // principal of an access (payload, hence the keyed hash)
    MLT_DIM_SUBJECT,        // subject of a prediction (payload)
    MLT_DIM_TABLE,          // system, table
    MLT_DIM_PRODUCER,       // producer principal
    MLT_DIM_HOUR,           // event time: decimal hours since 1970, floor
    MLT_DIM_SETTING,        // control entries that change a setting: its name
    MLT_DIM_DEPLOYMENT,     // environment, region, endpoint, variant: transitions
    MLT_DIM_STAGE,          // to_stage: transitions
    MLT_DIM_MOVES_MODEL,    // model: transitions
    MLT_DIM_TALLIES,        // serving_node, stream: tallies
    MLT_DIM_CONTROL,        // control entries: what of
    MLT_DIM_PARTIAL,        // no value; a link only: the entry may have links that it does not commit to
    MLT_DIM_DATASET,        // dataset: its versions
    MLT_DIM_BATCHES,        // serving_node, stream, number of a block of sequences: batches with a part of it
};

static inline bool mlt_dim_is_name(enum mlt_dim dim) {
    return dim <= MLT_DIM_LAST_NAME;
}

// mlt_dim_is_linked: entries commit to this dimension in segment commitments (record/link.h). Left out are what a
// payload says and what so many entries share that a list of them proves nothing about one.
static inline bool mlt_dim_is_linked(enum mlt_dim dim) {
    switch (dim) {
    case MLT_DIM_REQUEST:
    case MLT_DIM_DATASET_VERSION:
    case MLT_DIM_MODEL_VERSION:
    case MLT_DIM_JOB:
    case MLT_DIM_EVENT:
    case MLT_DIM_RESOURCE:
    case MLT_DIM_CORRECTS:
    case MLT_DIM_CORRELATION:
    case MLT_DIM_APPROVES:
    case MLT_DIM_MOVES:
    case MLT_DIM_MOVES_MODEL:
    case MLT_DIM_USES_DATASET:
    case MLT_DIM_USES_JOB:
    case MLT_DIM_USES_COMPONENT:
    case MLT_DIM_APPROVAL:
    case MLT_DIM_TALLIES:
    case MLT_DIM_BATCHES:
    case MLT_DIM_TABLE:
    case MLT_DIM_SETTING:
    case MLT_DIM_DEPLOYMENT:
    case MLT_DIM_PARTIAL:
        return true;
    default:
        return false;
    }
}

struct mlt_term {
    uint8_t hash[MLT_TERM_LEN];
    uint8_t dim;
};

// mlt_term_make hashes a dimension and its values, in order; an absent value is an empty slice and differs from nothing
// else but "". Values are unescaped text.
//   SHA-256(key || u8 dim || for each value: u32be length || bytes), first 16 bytes.
void mlt_term_make(struct mlt_term *out, const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim,
                   const struct mlt_bytes *values, size_t num_values);

// mlt_term_hash gives all 32 bytes of that hash.
void mlt_term_hash(uint8_t out[static MLT_HASH_LEN], const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim,
                   const struct mlt_bytes *values, size_t num_values);

// Few values recur in most records (the model, the node, the hour): a cache of their terms spares a hash each. One per
// thread; zero-initialised is empty. It holds facts of recent records in the clear, in memory only.
#define MLT_TERM_CACHE_SLOTS 256   // a few dozen models, nodes and streams at a time, direct-mapped
#define MLT_TERM_CACHE_KEY_MAX 120 // longer names are hashed each time

struct mlt_term_cache {
    struct {
        uint8_t len; // 0: empty
        uint8_t key[MLT_TERM_CACHE_KEY_MAX];
        struct mlt_term term;
    } slot[MLT_TERM_CACHE_SLOTS];
};
// mlt_term_make_cached is mlt_term_make through a cache (NULL: none) that is used with one key only.
void mlt_term_make_cached(struct mlt_term_cache *cache, struct mlt_term *out,
                          const uint8_t key[static MLT_INDEX_KEY_LEN], enum mlt_dim dim, const struct mlt_bytes *values,
                          size_t num_values);

#endif
