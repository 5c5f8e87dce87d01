// The answers to the three questions of the mission.
#include <assert.h>

#include "dossier/ask.h"

// An answer stays one paragraph: more datasets, or tables of one dataset, are counted in it and listed in its data.
#define NAMED_DATASETS_MAX 16
#define NAMED_TABLES_MAX 16

#define DAY_NS (86400 * MLT_NS_PER_S)

static int64_t day_of(int64_t ns) {
    return ns >= 0 ? ns / DAY_NS : -((-ns + DAY_NS - 1) / DAY_NS);
}

static void say_day(struct mlt_answer *a, const char *before, int64_t ns, const char *after) {
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, ns);
    mlt_buf_printf(&a->text, "%s%.10s%s", before, text, after);
}

static void say_version(struct mlt_answer *a) {
    mlt_buf_printf(&a->text, "model %.*s version %.*s", MLT_ARG(a->model), MLT_ARG(a->version));
}

// Corrections and contradictions stand beside a record, and not in its place: the answer must not pass over them.
static void say_disputed(struct mlt_answer *a, const struct mlt_node *node) {
    for (size_t i = 0; i < node->num_parts; i++) {
        const struct mlt_part *part = &node->parts[i];
        if (part->relation == MLT_REL_CORRECTS || part->relation == MLT_REL_CONFLICTS) {
            mlt_buf_printf(&a->text, " Entry %llu is %s by entry %llu.", (unsigned long long)node->entry,
                           part->relation == MLT_REL_CORRECTS ? "corrected" : "contradicted",
                           (unsigned long long)part->index);
        }
    }
}

// PRD-01

static void check_date(struct mlt_answer *a, const struct mlt_entry *entry) {
    if (!a->ask->has_at) {
        return;
    }
    if (!entry->has_time) {
        mlt_answer_missing(a, "the time of the prediction");
    } else if (day_of(entry->time) != day_of(a->ask->at)) {
        a->answered = false;
        say_day(a, " It was not made on ", a->ask->at, "");
        say_day(a, ": it claims ", entry->time, ".");
        mlt_answer_missing(a, "a prediction of this request on the date asked about");
    }
}

// A request of which the log has no response made a prediction that nobody saw here, or none.
static bool is_unanswered(const struct mlt_story *s) {
    for (size_t i = 0; i < s->num_findings; i++) {
        const struct mlt_finding *f = &s->findings[i];
        for (size_t n = 0; strcmp(f->code, "prediction-unanswered") == 0 && n < f->num_entries; n++) {
            if (f->entries[n] == s->served->entry) {
                return true;
            }
        }
    }
    return false;
}

// The artifact as the prediction names it; what a version is registered with is not what answered.
static void say_artifact(struct mlt_answer *a, const struct mlt_node *served, const struct mlt_node *version) {
    const char *member = "model_artifact_hash";
    if (!mlt_answer_value(a, served, member) && mlt_answer_value(a, version, member)) {
        mlt_answer_say(a, ", registered with artifact ", version, member, " (which one it was is not recorded)");
    } else {
        mlt_answer_say(a, ", artifact ", served, member, "");
    }
}

void mlt_answer_prediction(struct mlt_answer *a) {
    const struct mlt_story *s = a->story;
    mlt_proof_set_add_list(&a->basis, &s->predictions);
    if (!s->served) {
        mlt_buf_printf(&a->text, "The request has %llu predictions, and which of them was served cannot be told.",
                       (unsigned long long)s->predictions.total);
        mlt_answer_missing(a, "which prediction was served");
        return;
    }
    const struct mlt_entry *entry = &s->served->parts[0].entry;
    const bool named = mlt_node_text(s->served, "model_version", a->arena) != NULL;
    if (a->model.len == 0 || a->version.len == 0) {
        mlt_buf_put_str(&a->text, "The prediction does not name the model version that made it, and the trail does not "
                                  "tell which one was in production there and then.");
        mlt_answer_missing(a, "model and model_version of entry %llu", (unsigned long long)s->served->entry);
        return;
    }
    const struct mlt_node *version = mlt_answer_version(a);
    a->answered = !is_unanswered(s);
    mlt_answer_say(a, "On ", s->served, "timestamp", " request ");
    mlt_buf_printf(&a->text, "%.*s was %s ", MLT_ARG(s->request_id), a->answered ? "answered by" : "sent to");
    say_version(a);
    say_artifact(a, s->served, version);
    mlt_answer_say(a, ", on ", s->served, "serving_node", "");
    mlt_buf_printf(&a->text, " (entry %llu).", (unsigned long long)s->served->entry);
    if (!named) {
        mlt_buf_put_str(&a->text, " The prediction does not say so itself: it is the version that was in production "
                                  "there and then.");
    }
    if (!a->answered) {
        mlt_buf_put_str(&a->text, " No response to it is recorded.");
        mlt_answer_missing(a, "the response to %.*s", MLT_ARG(s->request_id));
    }
    say_disputed(a, s->served);
    if (version) {
        mlt_proof_set_add_node(&a->basis, version);
    } else {
        mlt_answer_missing(a, "model.version %.*s %.*s", MLT_ARG(a->model), MLT_ARG(a->version));
        mlt_buf_put_str(&a->text, " The registration of that version is not recorded.");
    }
    for (size_t i = 0; i < s->num_resolutions; i++) {
        if (s->resolutions[i].prediction == s->served) {
            mlt_proof_set_add(&a->basis, s->resolutions[i].entry, (struct mlt_bytes){0});
        }
    }
    if (s->in_force.by_log) {
        mlt_proof_set_add_node(&a->basis, s->in_force.by_log);
    }
    check_date(a, entry);
}

void mlt_answer_prediction_data(struct mlt_answer *a, struct mlt_dossier_writer *d) {
    mlt_dossier_put_predictions(d, a->story);
    mlt_dossier_put_list(d, "model_versions", &a->story->model_versions);
    mlt_dossier_put_in_force(d, &a->story->in_force);
    mlt_proof_set_add_list(&a->basis, &a->story->model_versions);
}

// TRN-02

static const struct mlt_node *find_named(struct mlt_answer *a, const struct mlt_node_list *list, const char *member,
                                         struct mlt_bytes value, const char *member2, struct mlt_bytes value2) {
    for (size_t i = 0; i < list->num; i++) {
        if (mlt_answer_is(a, list->nodes[i], member, value) &&
            (!member2 || mlt_answer_is(a, list->nodes[i], member2, value2))) {
            return list->nodes[i];
        }
    }
    return NULL;
}

// The job of the version, as the version names it.
static const struct mlt_node *find_run(struct mlt_answer *a) {
    const struct mlt_node *version = mlt_answer_version(a);
    if (!version) {
        mlt_answer_missing(a, "model.version %.*s %.*s", MLT_ARG(a->model), MLT_ARG(a->version));
        return NULL;
    }
    mlt_proof_set_add_node(&a->basis, version);
    const char *job = mlt_node_text(version, "training_job_id", a->arena);
    if (!job) {
        mlt_answer_missing(a, "training_job_id of %.*s %.*s (entry %llu)", MLT_ARG(a->model), MLT_ARG(a->version),
                           (unsigned long long)version->entry);
        return NULL;
    }
    const struct mlt_node *run =
        find_named(a, &a->story->training_runs, "training_job_id", mlt_str(job), NULL, (struct mlt_bytes){0});
    if (!run) {
        mlt_answer_missing(a, "training.run %s", job);
    }
    return run;
}

// Null is a statement (all dates), absence is none.
static void say_range(struct mlt_answer *a, const struct mlt_json *json, mlt_json_at range) {
    const struct mlt_bytes from = mlt_json_string(json, mlt_json_get(json, range, "from"), a->arena);
    const struct mlt_bytes to = mlt_json_string(json, mlt_json_get(json, range, "to"), a->arena);
    if (range == MLT_JSON_NONE) {
        mlt_buf_put_str(&a->text, " (date range not recorded)");
        return;
    }
    if (!from.len && !to.len) {
        mlt_buf_put_str(&a->text, " (all dates)");
    }
    if (from.len) {
        mlt_buf_printf(&a->text, " from %.*s", MLT_ARG(from));
    }
    if (to.len) {
        mlt_buf_printf(&a->text, " to %.*s (exclusive)", MLT_ARG(to));
    }
}

// The dataset versions that it was made from; their tables are among the sources in the data.
static bool say_inputs(struct mlt_answer *a, const struct mlt_node *dataset) {
    const struct mlt_json *json;
    mlt_json_at list;
    size_t num = 0;
    if (!mlt_node_member(dataset, mlt_str("inputs"), &json, &list)) {
        return false;
    }
    for (mlt_json_at in = mlt_json_first(json, list); in != MLT_JSON_NONE; in = mlt_json_next(json, list, in)) {
        const struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, in, "dataset"), a->arena);
        const struct mlt_bytes version = mlt_json_string(json, mlt_json_get(json, in, "version"), a->arena);
        const struct mlt_node *input = find_named(a, &a->story->dataset_versions, "dataset", name, "version", version);
        if (!input) {
            mlt_answer_missing(a, "dataset.version %.*s %.*s", MLT_ARG(name), MLT_ARG(version));
        }
        if (num++ < NAMED_DATASETS_MAX) {
            mlt_buf_printf(&a->text, "%s%.*s %.*s", num == 1 ? ", made from " : " and ", MLT_ARG(name),
                           MLT_ARG(version));
        }
    }
    if (num > NAMED_DATASETS_MAX) {
        mlt_buf_put_str(&a->text, " and further datasets");
    }
    return num > 0;
}

static void say_sources(struct mlt_answer *a, const struct mlt_node *dataset) {
    const struct mlt_json *json;
    mlt_json_at list;
    size_t num = 0;
    const bool derived = say_inputs(a, dataset);
    if (!mlt_node_member(dataset, mlt_str("sources"), &json, &list)) {
        if (!derived) {
            mlt_answer_missing(a, "sources of dataset entry %llu", (unsigned long long)dataset->entry);
        }
        return;
    }
    for (mlt_json_at s = mlt_json_first(json, list); s != MLT_JSON_NONE; s = mlt_json_next(json, list, s)) {
        const struct mlt_bytes table = mlt_json_string(json, mlt_json_get(json, s, "table"), a->arena);
        const struct mlt_bytes system = mlt_json_string(json, mlt_json_get(json, s, "system"), a->arena);
        const mlt_json_at range = mlt_json_get(json, s, "date_range");
        if (num++ == NAMED_TABLES_MAX) {
            mlt_buf_put_str(&a->text, ", and further tables");
            break;
        }
        mlt_buf_printf(&a->text, "%stable %.*s", num == 1 ? ", from " : ", and ", MLT_ARG(table));
        if (system.len) {
            mlt_buf_printf(&a->text, " of %.*s", MLT_ARG(system));
        }
        say_range(a, json, range);
        if (range == MLT_JSON_NONE) {
            mlt_answer_missing(a, "date_range of table %.*s in dataset entry %llu", MLT_ARG(table),
                               (unsigned long long)dataset->entry);
        }
    }
}

static void say_dataset(struct mlt_answer *a, const struct mlt_json *json, mlt_json_at use, bool first) {
    const struct mlt_bytes name = mlt_json_string(json, mlt_json_get(json, use, "dataset"), a->arena);
    const struct mlt_bytes version = mlt_json_string(json, mlt_json_get(json, use, "version"), a->arena);
    const struct mlt_bytes role = mlt_json_string(json, mlt_json_get(json, use, "role"), a->arena);
    const struct mlt_node *dataset = find_named(a, &a->story->dataset_versions, "dataset", name, "version", version);
    mlt_buf_printf(&a->text, "%s%.*s %.*s", first ? "" : "; ", MLT_ARG(name), MLT_ARG(version));
    if (role.len) {
        mlt_buf_printf(&a->text, " (%.*s)", MLT_ARG(role));
    }
    if (!dataset) {
        mlt_answer_missing(a, "dataset.version %.*s %.*s", MLT_ARG(name), MLT_ARG(version));
        mlt_buf_put_str(&a->text, ", which is not recorded itself");
        return;
    }
    mlt_proof_set_add_node(&a->basis, dataset);
    mlt_answer_say(a, ", ", dataset, "hash", "");
    say_sources(a, dataset);
}

void mlt_answer_training(struct mlt_answer *a) {
    const struct mlt_json *json;
    mlt_json_at uses;
    if (a->version.len == 0) {
        mlt_buf_put_str(&a->text, "Which model version is meant cannot be told from the prediction.");
        mlt_answer_missing(a, "model and model_version of the prediction");
        return;
    }
    mlt_buf_put_str(&a->text, "The training of ");
    say_version(a);
    const struct mlt_node *run = find_run(a);
    if (!run) {
        mlt_buf_put_str(&a->text, " is not recorded.");
        return;
    }
    mlt_proof_set_add_node(&a->basis, run);
    mlt_answer_say(a, " was job ", run, "training_job_id", "");
    mlt_buf_printf(&a->text, " (entry %llu)", (unsigned long long)run->entry);
    if (!mlt_node_member(run, mlt_str("datasets"), &json, &uses) || mlt_json_first(json, uses) == MLT_JSON_NONE) {
        mlt_buf_put_str(&a->text, ", which records no dataset.");
        mlt_answer_missing(a, "datasets of entry %llu", (unsigned long long)run->entry);
        return;
    }
    a->answered = true;
    mlt_buf_put_str(&a->text, ", on: ");
    size_t num = 0;
    for (mlt_json_at u = mlt_json_first(json, uses); u != MLT_JSON_NONE; u = mlt_json_next(json, uses, u)) {
        if (num++ == NAMED_DATASETS_MAX) {
            mlt_buf_put_str(&a->text, "; and further datasets");
            break;
        }
        say_dataset(a, json, u, num == 1);
    }
    mlt_buf_put_str(&a->text, ".");
    say_disputed(a, run);
    for (size_t i = 0; i < a->story->dataset_versions.num; i++) {
        say_disputed(a, a->story->dataset_versions.nodes[i]);
    }
}

void mlt_answer_training_data(struct mlt_answer *a, struct mlt_dossier_writer *d) {
    mlt_dossier_put_list(d, "model_versions", &a->story->model_versions);
    mlt_dossier_put_list(d, "training_runs", &a->story->training_runs);
    mlt_dossier_put_list(d, "dataset_versions", &a->story->dataset_versions);
    mlt_dossier_put_sources(d, &a->story->dataset_versions);
    mlt_proof_set_add_list(&a->basis, &a->story->model_versions);
    mlt_proof_set_add_list(&a->basis, &a->story->training_runs);
    mlt_proof_set_add_list(&a->basis, &a->story->dataset_versions);
}

// APR-01

static const struct mlt_node *newest_verdict(struct mlt_answer *a, const char *verdict, const char *reference,
                                             uint64_t from) {
    const struct mlt_node *newest = NULL;
    for (size_t i = 0; i < a->story->approvals.num; i++) {
        const struct mlt_node *n = a->story->approvals.nodes[i];
        assert(n != NULL);
        if (n->entry >= from && mlt_answer_about(a, n) && mlt_answer_by_then(a, n) &&
            mlt_answer_is(a, n, "verdict", mlt_str(verdict)) && (!newest || n->entry > newest->entry) &&
            (!reference || mlt_answer_is(a, n, "approval_reference", mlt_str(reference)))) {
            newest = n;
        }
    }
    return newest;
}

// The transition in force, unless the question is about a time before it: then the newest one up to that time.
static const struct mlt_node *transition_then(struct mlt_answer *a) {
    const struct mlt_in_force *f = &a->story->in_force;
    const struct mlt_node *found = f->by_time ? f->by_time : f->by_log;
    if (found && mlt_answer_about(a, found) && mlt_answer_by_then(a, found)) {
        return found;
    }
    found = NULL;
    for (size_t i = 0; i < a->story->transitions.num; i++) {
        const struct mlt_node *t = a->story->transitions.nodes[i];
        if (mlt_answer_about(a, t) && mlt_answer_by_then(a, t)) {
            found = t;
        }
    }
    return found;
}

// The approval that the transition names, else any: the newest from before it, else the earliest one (as the findings
// choose it).
static const struct mlt_node *approval_of(struct mlt_answer *a, const struct mlt_node *transition,
                                          const char *reference) {
    const struct mlt_node *found = NULL;
    for (size_t i = 0; i < a->story->approvals.num; i++) {
        const struct mlt_node *n = a->story->approvals.nodes[i];
        if (mlt_answer_about(a, n) && mlt_answer_by_then(a, n) && mlt_answer_is(a, n, "verdict", mlt_str("approved")) &&
            (!reference || mlt_answer_is(a, n, "approval_reference", mlt_str(reference))) &&
            (!found || !transition || n->entry < transition->entry)) {
            found = n;
        }
    }
    return found;
}

static void say_assurance(struct mlt_answer *a, const struct mlt_node *approval) {
    const struct mlt_entry *entry = &approval->parts[0].entry;
    const char *assurance = mlt_approver_assurance(approval, a->arena);
    if (strcmp(assurance, "signed") == 0) {
        mlt_buf_put_str(&a->text, " The approver signed it, and the signature is good.");
    } else if (strcmp(assurance, "submitted") == 0) {
        mlt_buf_printf(&a->text, " The approver submitted it in person (%.*s).", MLT_ARG(entry->assurance));
    } else {
        mlt_buf_printf(&a->text, " The name of the approver is a claim of %.*s: there is no %ssignature.",
                       MLT_ARG(entry->principal), approval->num_signatures > 0 ? "good " : "");
    }
}

// The moment that is asked about: as given, else the time of the prediction.
static bool moment_of(const struct mlt_answer *a, int64_t *out) {
    const struct mlt_node *served = a->story->served;
    const bool at_prediction = !a->ask->has_at && served && served->parts[0].entry.has_time;
    *out = at_prediction ? served->parts[0].entry.time : a->ask->at;
    return at_prediction || a->ask->has_at;
}

// What became of the approval by then.
static void say_end(struct mlt_answer *a, const struct mlt_node *approval) {
    int64_t expires, at;
    const char *text = mlt_node_text(approval, "expires_at", a->arena);
    const char *reference = mlt_node_text(approval, "approval_reference", a->arena);
    const struct mlt_node *revoked = newest_verdict(a, "revoked", reference, approval->entry);
    const struct mlt_node *rejected = newest_verdict(a, "rejected", reference, approval->entry);
    if (rejected) {
        mlt_proof_set_add_node(&a->basis, rejected);
        mlt_answer_say(a, " It was then rejected under the same reference by ", rejected, "approver", "");
        mlt_answer_say(a, " on ", rejected, "timestamp", ".");
        a->answered = false;
        mlt_answer_missing(a, "an approval that was not rejected");
    }
    if (revoked) {
        mlt_proof_set_add_node(&a->basis, revoked);
        mlt_answer_say(a, " It was revoked by ", revoked, "approver", "");
        mlt_answer_say(a, " on ", revoked, "timestamp", ".");
        a->answered = false;
        mlt_answer_missing(a, "an approval that is not revoked");
    }
    if (text && mlt_time_parse(&expires, mlt_str(text))) {
        const bool over = moment_of(a, &at) && expires <= at;
        mlt_buf_printf(&a->text, over ? " It had expired on %s." : " It is valid until %s.", text);
        if (over) {
            a->answered = false;
            mlt_answer_missing(a, "an approval that had not expired");
        }
    }
}

// The deployment that the approval was given for: the newest one that names it, else the newest at all.
static void say_deployment(struct mlt_answer *a, const struct mlt_node *approval) {
    const char *reference = approval ? mlt_node_text(approval, "approval_reference", a->arena) : NULL;
    const struct mlt_node *found = NULL;
    bool found_named = false;
    for (size_t i = 0; i < a->story->transitions.num; i++) {
        const struct mlt_node *t = a->story->transitions.nodes[i];
        const bool named = reference && mlt_answer_is(a, t, "approval_reference", mlt_str(reference));
        if (mlt_answer_about(a, t) && mlt_answer_by_then(a, t) && (named || !found_named)) {
            found = t;
            found_named = named;
        }
    }
    if (!found) {
        mlt_buf_put_str(&a->text, " No deployment of it is recorded.");
        return;
    }
    mlt_proof_set_add_node(&a->basis, found);
    if (!mlt_answer_is(a, found, "move", mlt_str("alias"))) {
        mlt_answer_say(a, " It was moved to ", found, "to_stage", "");
    } else if (mlt_answer_is(a, found, "to_stage", mlt_str("none"))) { // its stage and other aliases are as they were
        mlt_answer_say(a, " The alias ", found, "from_stage", " was taken from it");
    } else {
        mlt_answer_say(a, " It was given the alias ", found, "to_stage", "");
    }
    mlt_answer_say(a, " by ", found, "performed_by", "");
    mlt_answer_say(a, " on ", found, "timestamp", found_named ? " under this approval" : "");
    mlt_buf_printf(&a->text, " (entry %llu).", (unsigned long long)found->entry);
}

static void say_no_approval(struct mlt_answer *a) {
    const struct mlt_node *rejected = newest_verdict(a, "rejected", NULL, 0);
    mlt_buf_put_str(&a->text, "No approval of ");
    say_version(a);
    mlt_buf_put_str(&a->text, a->ask->has_at ? " is recorded up to then." : " is recorded.");
    mlt_answer_missing(a, "approval of %.*s %.*s", MLT_ARG(a->model), MLT_ARG(a->version));
    if (rejected) {
        mlt_proof_set_add_node(&a->basis, rejected);
        mlt_answer_say(a, " It was rejected by ", rejected, "approver", "");
        mlt_answer_say(a, " on ", rejected, "timestamp", ".");
    }
    say_deployment(a, NULL);
}

void mlt_answer_approval(struct mlt_answer *a) {
    if (a->version.len == 0) {
        mlt_buf_put_str(&a->text, "Which model version is meant cannot be told from the prediction.");
        mlt_answer_missing(a, "model and model_version of the prediction");
        return;
    }
    const struct mlt_node *transition = transition_then(a);
    const char *reference = transition ? mlt_node_text(transition, "approval_reference", a->arena) : NULL;
    const struct mlt_node *named = approval_of(a, transition, reference);
    const struct mlt_node *approval = named ? named : approval_of(a, transition, NULL);
    if (!approval) {
        say_no_approval(a);
        return;
    }
    a->answered = named;
    mlt_proof_set_add_node(&a->basis, approval);
    mlt_answer_say(a, "", approval, "approver", "");
    if (mlt_answer_value(a, approval, "role")) {
        mlt_answer_say(a, " (", approval, "role", ")");
    }
    mlt_buf_put_str(&a->text, " approved ");
    say_version(a);
    mlt_answer_say(a, " on ", approval, "timestamp", "");
    mlt_answer_say(a, ", reference ", approval, "approval_reference", "");
    mlt_buf_printf(&a->text, " (entry %llu).", (unsigned long long)approval->entry);
    mlt_answer_say(a, " Reason: ", approval, "reason", ".");
    if (mlt_answer_value(a, approval, "conditions")) {
        mlt_answer_say(a, " Conditions: ", approval, "conditions", ".");
    }
    say_disputed(a, approval);
    say_assurance(a, approval);
    say_end(a, approval);
    say_deployment(a, approval);
    if (!named && transition) {
        mlt_proof_set_add_node(&a->basis, transition);
        mlt_buf_printf(&a->text, " But the deployment in force names the approval %s (entry %llu).", reference,
                       (unsigned long long)transition->entry);
        mlt_answer_missing(a, "approval %s of %.*s %.*s", reference, MLT_ARG(a->model), MLT_ARG(a->version));
    }
}

void mlt_answer_approval_data(struct mlt_answer *a, struct mlt_dossier_writer *d) {
    mlt_dossier_put_list(d, "approvals", &a->story->approvals);
    mlt_dossier_put_list(d, "transitions", &a->story->transitions);
    mlt_proof_set_add_list(&a->basis, &a->story->approvals);
    mlt_proof_set_add_list(&a->basis, &a->story->transitions);
}
