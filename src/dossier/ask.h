// One question being answered.
#ifndef MLT_DOSSIER_ASK_H
#define MLT_DOSSIER_ASK_H

#include "dossier/dossier_write.h"

#define MLT_ASK_MISSING_MAX 64 // what is missing is named up to here; a story rarely misses more than a few records

struct mlt_answer {
    const struct mlt_source *src;
    const struct mlt_ask *ask;
    struct mlt_arena *arena;
    struct mlt_story *story;         // NULL: there is none to tell
    struct mlt_bytes model, version; // that the answer is about
    bool answered;
    struct mlt_buf text; // the answer, one paragraph
    const char *missing[MLT_ASK_MISSING_MAX];
    size_t num_missing;
    struct mlt_proof_set basis; // entries that the answer rests on
};
void mlt_answer_missing(struct mlt_answer *a, const char *fmt, ...) MLT_PRINTF(2, 3);
// mlt_answer_say appends to the answer the member's text, or that it is not recorded.
void mlt_answer_say(struct mlt_answer *a, const char *before, const struct mlt_node *node, const char *member,
                    const char *after);
// The member as one line of text, whatever its type; NULL: not recorded, or withheld.
const char *mlt_answer_value(struct mlt_answer *a, const struct mlt_node *node, const char *member);
const struct mlt_node *mlt_answer_version(const struct mlt_answer *a);          // the model.version record; NULL: none
bool mlt_answer_about(const struct mlt_answer *a, const struct mlt_node *node); // same model and version
bool mlt_answer_is(const struct mlt_answer *a, const struct mlt_node *node, const char *member, struct mlt_bytes text);
// Whether the node claims a time up to the one asked about; true when none was asked about.
bool mlt_answer_by_then(const struct mlt_answer *a, const struct mlt_node *node);

// Each fills text, missing, basis and `answered`, then writes the members of `data`.
void mlt_answer_prediction(struct mlt_answer *a);
void mlt_answer_prediction_data(struct mlt_answer *a, struct mlt_dossier_writer *d);
void mlt_answer_training(struct mlt_answer *a);
void mlt_answer_training_data(struct mlt_answer *a, struct mlt_dossier_writer *d);
void mlt_answer_approval(struct mlt_answer *a);
void mlt_answer_approval_data(struct mlt_answer *a, struct mlt_dossier_writer *d);

#endif
