// Witnesses of the own checkpoints: who is asked, what a publication needs, what is told about it.
//
// The policy (C2SP tlog-policy) and the mode are kept in <state>/policy and <state>/witness-mode, so that a command
// that works in its own process asks the same witnesses as the server; a change is a control record.
#ifndef MLT_SERVER_WITNESSING_H
#define MLT_SERVER_WITNESSING_H

#include "server/api.h"
#include "witness/ring.h"

struct mlt_call;
struct mlt_witnessing; // NULL everywhere below: no policy

// mlt_witnessing_open reads the options or what <state> keeps; `*out` is NULL when there is no policy.
enum mlt_status mlt_witnessing_open(struct mlt_witnessing **out, struct mlt_env *env,
                                    const struct mlt_witnessing_options *opt, const char *state_dir,
                                    struct mlt_error *err) MLT_MUST_USE;
// mlt_witnessing_keep writes what the options say into <state>, with the trail's lock held.
enum mlt_status mlt_witnessing_keep(struct mlt_env *env, const struct mlt_witnessing_options *opt,
                                    const char *state_dir, struct mlt_error *err) MLT_MUST_USE;
// mlt_witnessing_hook makes the trail's publications ask. Before mlt_trail_open; the trail is given with
// mlt_witnessing_check, before it starts.
void mlt_witnessing_hook(struct mlt_witnessing *w, struct mlt_trail_options *opt);
// mlt_witnessing_check asks every witness how far it has seen this log, before anything is signed or published.
// MLT_CONFLICT: one knows another history. MLT_BUSY: the quorum cannot be had and the mode is `require`.
enum mlt_status mlt_witnessing_check(struct mlt_witnessing *w, struct mlt_trail *trail,
                                     struct mlt_error *err) MLT_MUST_USE;
// mlt_witnessing_hold is for a process that changes a trail and asks no witness: where <state> keeps the mode
// `require`, it publishes nothing. `*watched`: there is a policy.
enum mlt_status mlt_witnessing_hold(struct mlt_env *env, struct mlt_trail_options *opt, bool *watched,
                                    struct mlt_error *err) MLT_MUST_USE;
// mlt_witnessing_published is told of a publication; true: it has the quorum, or there is no policy.
bool mlt_witnessing_published(struct mlt_witnessing *w, uint64_t size, const struct mlt_cosigned *cosigned);
// mlt_witnessing_record appends a control record when policy or mode are not those of the newest one.
enum mlt_status mlt_witnessing_record(struct mlt_api *api, struct mlt_error *err) MLT_MUST_USE;
void mlt_witnessing_close(struct mlt_witnessing *w);

void mlt_witnessing_metrics(struct mlt_witnessing *w, struct mlt_buf *out);
struct mlt_json_writer;
// mlt_witnessing_ready writes the member "witnesses" of /readyz.
void mlt_witnessing_ready(struct mlt_witnessing *w, struct mlt_json_writer *out);
// mlt_witnessing_assurance says what a dossier may say of its own size: never what happened later. `call` has a source.
const char *mlt_witnessing_assurance(struct mlt_call *call);

#endif
