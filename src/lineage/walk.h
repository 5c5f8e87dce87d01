// The walk: from names to nodes, and the order of stages.
#ifndef MLT_LINEAGE_WALK_H
#define MLT_LINEAGE_WALK_H

#include "lineage/node.h"

#define MLT_STORY_LIST_MAX 1000  // approvals or transitions of one version, newest: a registry has tens
#define MLT_STORY_NODES_MAX 4096 // datasets, runs and components of one story: bounds a walk over hostile records

void mlt_walk_term(const struct mlt_walk *w, struct mlt_term *out, enum mlt_dim dim, struct mlt_bytes a,
                   struct mlt_bytes b);
// mlt_walk_setting loads the setting in force: the newest of this name below the size; NULL: it was never set.
enum mlt_status mlt_walk_setting(const struct mlt_walk *w, const char *name, struct mlt_node **out) MLT_MUST_USE;
enum mlt_status mlt_walk_edge(struct mlt_walk *w, const struct mlt_node *from, const struct mlt_node *to,
                              const char *how) MLT_MUST_USE;
struct mlt_bytes mlt_walk_join(const struct mlt_walk *w, struct mlt_bytes a, char between, struct mlt_bytes b);

// The nodes of the story by their names; NULL when it has none.
const struct mlt_node *mlt_story_version(const struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version);
const struct mlt_node *mlt_story_run(const struct mlt_walk *w, struct mlt_bytes job);
const struct mlt_node *mlt_story_dataset(const struct mlt_walk *w, struct mlt_bytes dataset, struct mlt_bytes version);
// mlt_node_names_version: the node's members model and model_version are these.
bool mlt_node_names_version(const struct mlt_walk *w, const struct mlt_node *node, struct mlt_bytes model,
                            struct mlt_bytes version);

// Steps of the walk; each adds what it reaches to the story, once.
enum mlt_status mlt_walk_version(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version,
                                 const struct mlt_node *from, const char *how) MLT_MUST_USE;
enum mlt_status mlt_walk_run(struct mlt_walk *w, struct mlt_bytes job, const struct mlt_node *from) MLT_MUST_USE;
enum mlt_status mlt_walk_dataset(struct mlt_walk *w, struct mlt_bytes name, struct mlt_bytes version,
                                 const struct mlt_node *from, const char *how) MLT_MUST_USE;
enum mlt_status mlt_walk_approvals(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version) MLT_MUST_USE;
enum mlt_status mlt_walk_transitions(struct mlt_walk *w, struct mlt_bytes model, struct mlt_bytes version) MLT_MUST_USE;
enum mlt_status mlt_walk_predictions(struct mlt_walk *w, struct mlt_bytes request_id) MLT_MUST_USE;
enum mlt_status mlt_walk_access(struct mlt_walk *w) MLT_MUST_USE;
// mlt_walk_signers loads the allowed signers in force into w->signers, once.
enum mlt_status mlt_walk_signers(struct mlt_walk *w) MLT_MUST_USE;
// mlt_walk_signatures checks the signatures of the story's approvals, once, and adds what is wrong with them.
enum mlt_status mlt_walk_signatures(struct mlt_walk *w) MLT_MUST_USE;
// mlt_walk_finish sorts the lists and makes the findings of what was walked.
enum mlt_status mlt_walk_finish(struct mlt_walk *w) MLT_MUST_USE;
enum mlt_status mlt_walk_begin(struct mlt_walk *w, const struct mlt_source *src, struct mlt_arena *arena,
                               struct mlt_error *err) MLT_MUST_USE;

// A version in use: by a prediction, or (prediction NULL) asked about as such.
struct mlt_subject {
    const struct mlt_node *prediction;
    struct mlt_bytes model, version;   // empty: not named and not resolved
    const struct mlt_node *registered; // its model.version; NULL: none
    struct mlt_in_force in_force;
    bool in_production_by_log, in_production_by_time;
};
// mlt_prediction_may_be_served: it is no shadow or challenger and did not fail.
bool mlt_prediction_may_be_served(const struct mlt_walk *w, const struct mlt_node *prediction);
// mlt_walk_choose_served sets story->served, or says why it cannot be told.
enum mlt_status mlt_walk_choose_served(struct mlt_walk *w) MLT_MUST_USE;
// mlt_walk_subject: of a prediction, or (prediction NULL) of this version as it stands at the end of the log.
enum mlt_status mlt_walk_subject(struct mlt_walk *w, const struct mlt_node *prediction, struct mlt_bytes model,
                                 struct mlt_bytes version, struct mlt_subject *out) MLT_MUST_USE;

// Which stages and aliases count as production: the newest setting below the size, or the default.
struct mlt_stages {
    const struct mlt_node *setting; // NULL: the default
    struct mlt_value names;
};
enum mlt_status mlt_stages_load(const struct mlt_walk *w, struct mlt_stages *out) MLT_MUST_USE;
bool mlt_stages_production(const struct mlt_walk *w, const struct mlt_stages *stages, struct mlt_bytes stage);

// Where a version stood, before `position` in the log (by_log) or up to the claimed time `at`.
struct mlt_moment {
    bool by_log;
    uint64_t position;
    int64_t at;
};
struct mlt_standing {
    const struct mlt_node *last;  // the last transition that concerns the deployment; NULL: never moved
    const struct mlt_node *since; // the one that brought it into production; NULL: not in production
};
// `deployment`: of the prediction; an absent one, or an absent member of it, fits all.
enum mlt_status mlt_force_standing(const struct mlt_walk *w, const struct mlt_stages *stages,
                                   const struct mlt_node_list *transitions, struct mlt_bytes model,
                                   struct mlt_bytes version, struct mlt_value deployment,
                                   const struct mlt_moment *moment, struct mlt_standing *out) MLT_MUST_USE;
// mlt_force_check calls `mismatch` for each transition (log order) whose from_stage is not where the version stood.
typedef enum mlt_status mlt_force_mismatch(void *arg, const struct mlt_node *transition, const struct mlt_node *before,
                                           struct mlt_bytes stage);
enum mlt_status mlt_force_check(const struct mlt_walk *w, const struct mlt_node_list *transitions,
                                mlt_force_mismatch *mismatch, void *arg) MLT_MUST_USE;
// mlt_force_resolve finds the one version that was in production at the prediction's deployment and time. `*num` is
// how many there were; the transition is set for the first of them.
enum mlt_status mlt_force_resolve(const struct mlt_walk *w, const struct mlt_node *prediction,
                                  struct mlt_resolution *out, size_t *num) MLT_MUST_USE;

#endif
