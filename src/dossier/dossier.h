// The dossier: one model (a JSON document), many renderings. And the answers to the catalogued questions.
#ifndef MLT_DOSSIER_DOSSIER_H
#define MLT_DOSSIER_DOSSIER_H

#include "lineage/lineage.h"
#include "note/checkpoint.h"

// What a dossier needs besides the source: who signs, and what was asked.
struct mlt_dossier_context {
    const char *build; // "mltrail 0.1.0"
    const struct mlt_vkey *vkey;
    struct mlt_bytes checkpoint; // signed note for exactly src->size
    const char *assurance;       // as mlt_dossier_assurance words it
};

// mlt_dossier_assurance is what a log says of its own dossiers: who vouches for it. `policy` is the entry of the
// witness policy in force, UINT64_MAX: there is none. NULL: no memory.
const char *mlt_dossier_assurance(struct mlt_arena *arena, uint64_t policy);
// mlt_dossier_assurance_read takes `policy` from a dossier's integrity.assurance, where the dossier itself may have
// added ", time-stamped". False: no log words it so.
bool mlt_dossier_assurance_read(uint64_t *policy, struct mlt_bytes stated);

// mlt_dossier_json writes the dossier of design section 10 for `request_id` as of src->size. Every entry it rests on
// is proved: leaf hash recomputed from the entry's bytes, inclusion proof made and verified against the checkpoint.
// MLT_NOTFOUND: no such prediction. Same source, size and build give the same bytes.
//
// A record is {"kind","entry","entries","id","time","received","producer", the members of its kind (null: not recorded;
// {"withheld":"erased"|"masked"|"not-granted"|"missing","commitment"}: there and not to be shown), whatever else it
// said, "other_entries":[{"entry","relation","differs",…}]}; a prediction has "served" (null: cannot be told) and
// "resolved" too. A record's own member whose name is one of these stands as "recorded_<name>". integrity.verdict is
// about proofs alone: "verified", "failed" (with `problem`), "unchecked" (no checkpoint or key). Each of
// integrity.entries has "time_bounds":{"not_before","not_after","received_fits"}, the anchors around it as
// {"time","entry"} or null (null as a whole: it is an anchor that is there for others); integrity.anchors says what
// those anchors say and proves that their trees grew into this one. That is the log's word for them: tokens are checked
// with roots from outside.
enum mlt_status mlt_dossier_json(const struct mlt_source *src, const struct mlt_dossier_context *ctx,
                                 struct mlt_bytes request_id, struct mlt_buf *out, struct mlt_error *err) MLT_MUST_USE;

// Renderings take the dossier's JSON and nothing else.
// `color`: ANSI colours; `width`: of the terminal, 0 = 100.
enum mlt_status mlt_dossier_text(struct mlt_bytes dossier_json, bool color, unsigned width, struct mlt_buf *out,
                                 struct mlt_error *err) MLT_MUST_USE;
// One self-contained file that prints well, with the chain drawn as inline SVG. Nothing is fetched. Its one script
// hashes the entries that it carries, proves them against the checkpoint and compares what the page shows with what
// they say.
enum mlt_status mlt_dossier_html(struct mlt_bytes dossier_json, struct mlt_buf *out,
                                 struct mlt_error *err) MLT_MUST_USE;

// The catalogue of questions.
struct mlt_question {
    const char *id;     // "PRD-01"
    const char *text;   // word for word
    const char *params; // those it takes: "request-id,at", "model,model-version,request-id,at"
};
extern const struct mlt_question mlt_questions[];
extern const size_t mlt_num_questions;

struct mlt_ask {
    struct mlt_bytes request_id, model, model_version; // empty: not given
    bool has_at;
    int64_t at;
};
// mlt_ask_json answers question `id` (the id in any case, or the question word for word). A model without a version
// means the version that was last moved to production, up to `at` where that is given. Writes
// {"question":{…},"answered":bool,"answer":"…","data":{…},"missing":[…],
// "findings":[…],"entries":[…],"integrity":{…},"generated":{…}}. MLT_NOTFOUND: no such question. MLT_INVALID: a
// parameter is missing or wrong. "answered": false with what is missing is an answer, not an error.
enum mlt_status mlt_ask_json(const struct mlt_source *src, const struct mlt_dossier_context *ctx, const char *id,
                             const struct mlt_ask *ask, struct mlt_buf *out, struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_ask_text(struct mlt_bytes answer_json, bool color, unsigned width, struct mlt_buf *out,
                             struct mlt_error *err) MLT_MUST_USE;

#endif
