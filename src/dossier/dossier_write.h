// What the files that write the dossier's JSON share.
#ifndef MLT_DOSSIER_DOSSIER_WRITE_H
#define MLT_DOSSIER_DOSSIER_WRITE_H

#include "dossier/dossier.h"

// The document being written.
struct mlt_dossier_writer {
    struct mlt_json_writer w;
    struct mlt_arena *arena;
};

struct mlt_time_bounds;
// The entries that the answer rests on, each once, in log order.
struct mlt_proof_set {
    struct mlt_arena *arena;
    struct mlt_proof_item {
        uint64_t index;
        struct mlt_bytes bytes; // empty: to be read from the source
        const struct mlt_time_bounds *bounds;
    } * items;
    size_t num;
    size_t cap;
    bool failed; // memory is out
    bool has_primary;
    uint64_t primary; // the entry that the dossier is about
};
void mlt_proof_set_add(struct mlt_proof_set *set, uint64_t index, struct mlt_bytes bytes);
void mlt_proof_set_add_node(struct mlt_proof_set *set, const struct mlt_node *node);
void mlt_proof_set_add_list(struct mlt_proof_set *set, const struct mlt_node_list *list);
void mlt_proof_set_add_findings(struct mlt_proof_set *set, const struct mlt_finding *findings, size_t num,
                                uint64_t size);
void mlt_proof_set_sort(struct mlt_proof_set *set);
bool mlt_proof_set_has(const struct mlt_proof_set *sorted, uint64_t index);

// mlt_node_member finds a member by its unescaped name over the parts of a node, the earliest first, corrections left
// out. False: not recorded, or withheld.
bool mlt_node_member(const struct mlt_node *node, struct mlt_bytes name, const struct mlt_json **json, mlt_json_at *at);
// mlt_node_text is the member's text; NULL when it is absent, withheld or no string.
const char *mlt_node_text(const struct mlt_node *node, const char *name, struct mlt_arena *arena);
// mlt_node_withheld says why a payload member that was submitted cannot be shown; NULL when it was not submitted.
const char *mlt_node_withheld(const struct mlt_node *node, struct mlt_bytes name);

// mlt_approver_assurance: "signed" (a good signature by an allowed key), "submitted" (by the approver himself) or
// "claimed".
const char *mlt_approver_assurance(const struct mlt_node *approval, struct mlt_arena *arena);

void mlt_dossier_put_time(struct mlt_json_writer *w, const char *name, bool has_time, int64_t time);

void mlt_dossier_put_list(struct mlt_dossier_writer *d, const char *name, const struct mlt_node_list *list);
void mlt_dossier_put_predictions(struct mlt_dossier_writer *d, const struct mlt_story *story);
void mlt_dossier_put_sources(struct mlt_dossier_writer *d, const struct mlt_node_list *datasets);
void mlt_dossier_put_in_force(struct mlt_dossier_writer *d, const struct mlt_in_force *in_force);
void mlt_dossier_put_timeline(struct mlt_dossier_writer *d, const struct mlt_story *story);

// Findings: all, or those that rest on an entry of `about` (NULL: all).
void mlt_dossier_put_findings(struct mlt_dossier_writer *d, const struct mlt_story *story,
                              const struct mlt_proof_set *about);
// mlt_proof_set_add_concerned adds the entries of the findings that rest on an entry of the sorted `set`.
void mlt_proof_set_add_concerned(struct mlt_proof_set *set, const struct mlt_story *story, uint64_t size);

enum mlt_status mlt_dossier_put_completeness(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                             const struct mlt_story *story, struct mlt_proof_set *set,
                                             struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_dossier_put_integrity(struct mlt_dossier_writer *d, const struct mlt_source *src,
                                          const struct mlt_dossier_context *ctx, struct mlt_proof_set *set,
                                          struct mlt_error *err) MLT_MUST_USE;

#endif
