// Finding kinds and members. The tables are in kind_mission.c, kind_around.c and kind_server.c.
#include "record/kind.h"

#include <assert.h>
#include <pthread.h>

#include "record/kind_tables.h"

static const struct mlt_kind_info KINDS[MLT_NUM_KINDS] = {
    {MLT_KIND_PREDICTION, "prediction", false, mlt_members_prediction,
     "A model's answer to one request, in production."},
    {MLT_KIND_DATASET_VERSION, "dataset.version", false, mlt_members_dataset_version,
     "A version of a dataset and where it came from."},
    {MLT_KIND_TRAINING_RUN, "training.run", false, mlt_members_training_run, "One run of a training job."},
    {MLT_KIND_MODEL_VERSION, "model.version", false, mlt_members_model_version, "A version of a model, as registered."},
    {MLT_KIND_APPROVAL, "approval", false, mlt_members_approval, "A verdict on a model version."},
    {MLT_KIND_TRANSITION, "transition", false, mlt_members_transition,
     "A model version moves from one stage to another. The state is kept per model, version and deployment; moving an "
     "alias is two transitions."},
    {MLT_KIND_ACCESS, "access", false, mlt_members_access,
     "Somebody used the model registry, the prediction log, training data, or the trail itself."},
    {MLT_KIND_DECISION, "decision", false, mlt_members_decision,
     "What was decided about a person, apart from what the model predicted."},
    {MLT_KIND_OVERSIGHT, "oversight", false, mlt_members_oversight, "A human looked at predictions and judged them."},
    {MLT_KIND_EXPLANATION, "explanation", false, mlt_members_explanation, "Why a prediction came out as it did."},
    {MLT_KIND_NOTICE, "notice", false, mlt_members_notice, "What a person was told."},
    {MLT_KIND_OUTCOME, "outcome", false, mlt_members_outcome, "What happened afterwards."},
    {MLT_KIND_CORRECTION, "correction", false, mlt_members_correction,
     "An earlier record is wrong; both versions are shown."},
    {MLT_KIND_CAPTURE, "capture", false, mlt_members_capture,
     "A message of another system, kept as it was received; the records that were made of it stand beside it."},
    {MLT_KIND_TALLY, "tally", false, mlt_members_tally,
     "A count by somebody who counts independently, so that missing records show."},
    {MLT_KIND_BATCH, "batch", false, mlt_members_batch,
     "What a serving node signed of its predictions, chained to what it signed before, so that nobody behind it can "
     "invent, change or drop one."},
    {MLT_KIND_CONTROL, "control", true, mlt_members_control, "Something happened to the trail itself."},
    {MLT_KIND_ALERT, "alert", true, mlt_members_alert, "Access that was unusual."},
    {MLT_KIND_EXPORT, "export", true, mlt_members_export, "Entries or payloads left the trail."},
    {MLT_KIND_ERASURE, "erasure", true, mlt_members_erasure, "Payloads are destroyed; the entries stay."},
    {MLT_KIND_HOLD, "hold", true, mlt_members_hold, "Payloads may not be destroyed, or may be again."},
    {MLT_KIND_ANCHOR, "anchor", true, mlt_members_anchor, "An outside party attested the tree."},
    {MLT_KIND_CUSTOM, "x-", false, mlt_members_custom,
     "A kind of your own: any name that begins with `x-`. Every member is payload unless `public` lists it."},
};

// Members by a hash of their names: each kind has a table of slots with room for twice its members, a slot holds the
// member's position plus one. Built once.
#define NUM_SLOTS (2 * MLT_KIND_MEMBERS_MAX)

static uint8_t slots[MLT_NUM_KINDS][NUM_SLOTS];
static uint8_t lengths[MLT_NUM_KINDS][MLT_KIND_MEMBERS_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t slot_of(const uint8_t *name, size_t len) {
    unsigned middle = name[len / 2];
    return (len * 5 + name[0] * 7u + name[len - 1] * 11u + middle * 3u) % NUM_SLOTS;
}

static void build_slots(void) {
    for (size_t k = 0; k < MLT_NUM_KINDS; k++) {
        assert(KINDS[k].kind == (enum mlt_kind)k);
        for (size_t i = 0; KINDS[k].members[i].name; i++) {
            assert(i < MLT_KIND_MEMBERS_MAX);
            struct mlt_bytes name = mlt_str(KINDS[k].members[i].name);
            assert(name.len > 0 && name.len <= UINT8_MAX);
            size_t slot = slot_of(name.ptr, name.len);
            while (slots[k][slot] != 0) {
                slot = (slot + 1) % NUM_SLOTS;
            }
            slots[k][slot] = (uint8_t)(i + 1);
            lengths[k][i] = (uint8_t)name.len;
        }
    }
}

const struct mlt_kind_info *mlt_kind_info(enum mlt_kind kind) {
    return (unsigned)kind < MLT_NUM_KINDS ? &KINDS[kind] : NULL;
}

const struct mlt_kind_info *mlt_kind_find(struct mlt_bytes name) {
    if (name.len > 2 && memcmp(name.ptr, "x-", 2) == 0) {
        return &KINDS[MLT_KIND_CUSTOM];
    }
    for (size_t i = 0; i < MLT_KIND_CUSTOM; i++) {
        if (mlt_bytes_is(name, KINDS[i].name)) {
            return &KINDS[i];
        }
    }
    return NULL;
}

const struct mlt_member *mlt_kind_member(const struct mlt_kind_info *kind, struct mlt_bytes name) {
    int failed = pthread_once(&once, build_slots);
    assert(failed == 0 && kind == &KINDS[kind->kind]);
    if (name.len == 0) {
        return NULL;
    }
    const uint8_t *table = slots[kind->kind];
    for (size_t slot = slot_of(name.ptr, name.len); table[slot] != 0; slot = (slot + 1) % NUM_SLOTS) {
        size_t i = table[slot] - 1u;
        if (lengths[kind->kind][i] == name.len && memcmp(kind->members[i].name, name.ptr, name.len) == 0) {
            return &kind->members[i];
        }
    }
    return NULL;
}
