// What an MLflow server has, as records: its runs, and where the trail lacks them or has them otherwise its versions,
// stages and aliases.
#include <inttypes.h>
#include <stdio.h>

#include "capture/mlflow.h"
#include "cli/batch.h"
#include "cli/import.h"
#include "cli/mlflow_source.h"

struct importing {
    struct mlt_cli *cli;
    struct mlt_mlflow_source source;
    struct mlt_capture batch;
    struct mlt_progress progress;
    bool dry_run;
    uint64_t runs, versions, transitions, digests, undigested;
    uint64_t records, accepted, duplicates, rejected;
    int code;
};

// -- to the trail -----------------------------------------------------------------------------------------------------

static void tell_problem(void *arg, uint64_t line, struct mlt_bytes pointer, struct mlt_bytes detail) {
    (void)line;
    mlt_cli_note(((struct importing *)arg)->cli, "rejected: %.*s: %.*s", MLT_ARG(pointer), MLT_ARG(detail));
}

static int send(struct importing *im) {
    struct mlt_batch_answer answer = {0};
    int code = mlt_cli_open(im->cli);
    code = code == 0 ? mlt_batch_send(im->cli, mlt_buf_bytes(&im->batch.lines), NULL, &im->progress, &answer) : code;
    im->accepted += answer.accepted;
    im->duplicates += answer.duplicates;
    im->rejected += answer.rejected;
    mlt_batch_each_problem(&answer, tell_problem, im);
    mlt_batch_answer_clear(&answer);
    return code;
}

static int flush(struct importing *im) {
    int code = 0;
    if (im->batch.lines.failed) {
        return mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "out of memory");
    }
    im->records += im->batch.num_records;
    if (im->batch.num_records > 0 && !im->dry_run) {
        code = send(im);
    }
    mlt_capture_clear(&im->batch);
    mlt_progress_step(&im->progress, im->records, 0);
    return code;
}

static int flush_when_full(struct importing *im) {
    return im->batch.lines.len >= MLT_BATCH_BYTES ? flush(im) : 0;
}

// -- runs -------------------------------------------------------------------------------------------------------------

static enum mlt_status take_run(void *arg, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    struct importing *im = arg;
    enum mlt_status status = mlt_mlflow_put_run(&im->batch, json, at, (struct mlt_bytes){0}, true);
    im->runs += status == MLT_OK ? 1u : 0u;
    im->code = flush_when_full(im);
    return im->code != 0 ? mlt_fail(err, MLT_INTERNAL, "stopped") : status == MLT_NOMEM ? status : MLT_OK;
}

static bool wanted(struct importing *im, struct mlt_bytes id, struct mlt_bytes name) {
    size_t at = 0;
    const char *given = mlt_cli_next(im->cli, "experiment", &at);
    if (!given) {
        return true;
    }
    for (; given; given = mlt_cli_next(im->cli, "experiment", &at)) {
        if (mlt_bytes_is(id, given) || mlt_bytes_is(name, given)) {
            return true;
        }
    }
    return false;
}

static enum mlt_status take_experiment(void *arg, const struct mlt_json *json, mlt_json_at at, struct mlt_error *err) {
    struct importing *im = arg;
    struct mlt_arena arena = {0};
    struct mlt_bytes id = mlt_mlflow_text(json, at, "experiment_id", &arena);
    struct mlt_bytes name = mlt_mlflow_text(json, at, "name", &arena);
    enum mlt_status status =
        wanted(im, id, name) ? mlt_registry_each_run(&im->source.registry, id, take_run, im, err) : MLT_OK;
    mlt_arena_clear(&arena);
    return status;
}

static int import_runs(struct importing *im) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_registry_each_experiment(&im->source.registry, take_experiment, im, &err);
    if (im->code != 0) {
        return im->code;
    }
    return status == MLT_OK ? 0 : mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "%s", err.text);
}

// -- versions ---------------------------------------------------------------------------------------------------------

// files_json puts digest set and list of files into one document. False: they could not be read.
static bool files_json(struct importing *im, const struct mlt_mlflow_held *h, const struct mlt_mlflow_held_version *v,
                       struct mlt_buf *out) {
    struct mlt_manifest m = {0};
    struct mlt_error why;
    struct mlt_json_writer w;
    if (!im->source.digests) {
        return false;
    }
    mlt_mlflow_digest(&im->source, h->model, v->version, &m, &why);
    if (why.status != MLT_OK) {
        im->undigested++;
        mlt_cli_note(im->cli, "%.*s/%.*s: no digest: %s", MLT_ARG(h->model), MLT_ARG(v->version), why.text);
        return false;
    }
    im->digests++;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "hash");
    mlt_manifest_put_hash(&m, &w);
    if (m.num <= MLT_MANIFEST_SHOWN_MAX) {
        mlt_jw_name(&w, "manifest");
        mlt_manifest_put_files(&m, false, &w);
    }
    mlt_jw_end_object(&w);
    mlt_manifest_clear(&m);
    return !out->failed;
}

static int put_version(struct importing *im, const struct mlt_mlflow_held *h, const struct mlt_mlflow_held_version *v) {
    struct mlt_json json = {0}, files = {0};
    struct mlt_arena arena = {0};
    struct mlt_buf text = {0};
    struct mlt_mlflow_version put = {.json = &json, .hash = MLT_JSON_NONE, .manifest = MLT_JSON_NONE};
    enum mlt_status status = mlt_json_scan(&json, v->json, NULL);
    if (status == MLT_OK && files_json(im, h, v, &text) &&
        mlt_json_scan(&files, mlt_buf_bytes(&text), NULL) == MLT_OK) {
        put.files = &files;
        put.hash = mlt_json_get(&files, 0, "hash");
        put.manifest = mlt_json_get(&files, 0, "manifest");
    }
    bool adds = !v->in_trail || (v->trail_hash.len == 0 && put.files);
    if (status == MLT_OK && adds) {
        put.registered_by = mlt_mlflow_text(&json, 0, "user_id", &arena);
        status = mlt_mlflow_put_version(&im->batch, &put);
        im->versions += status == MLT_OK ? 1u : 0u;
    }
    mlt_json_clear(&json);
    mlt_json_clear(&files);
    mlt_buf_clear(&text);
    mlt_arena_clear(&arena);
    return status == MLT_NOMEM ? mlt_cli_fail(im->cli, MLT_EXIT_FAILED, "out of memory") : flush_when_full(im);
}

// -- transitions ------------------------------------------------------------------------------------------------------

struct move {
    const struct mlt_mlflow_held *held;
    struct mlt_bytes version, from, to;
    const char *kind;
    uint64_t after; // of an alias: the entry by which the trail has it otherwise; 0: it does not have it at all
};

// When the version was last changed is the latest that a move can have been. Of an alias MLflow keeps no time: where
// the trail knows an earlier move, this one was found now.
static void claimed_time(const struct move *m, char out[static MLT_TIME_TEXT_LEN + 1], struct mlt_env *env) {
    mlt_time_format(out, env->now(env));
    for (size_t i = 0; m->after == 0 && i < m->held->num_versions; i++) {
        const struct mlt_mlflow_held_version *v = &m->held->versions[i];
        struct mlt_json json = {0};
        if (v->in_mlflow && mlt_bytes_equal(v->version, m->version) && mlt_json_scan(&json, v->json, NULL) == MLT_OK) {
            (void)mlt_mlflow_time(&json, 0, "last_updated_timestamp", out);
        }
        mlt_json_clear(&json);
    }
}

static void put_move(struct importing *im, const struct move *m) {
    char at[MLT_TIME_TEXT_LEN + 1];
    struct mlt_buf id = {0};
    struct mlt_json_writer *w = mlt_capture_begin(&im->batch, "transition");
    claimed_time(m, at, im->cli->env);
    mlt_buf_printf(&id, "mlflow-import/%s/%.*s/%.*s/%s/%.*s/%.*s/%s", im->source.name, MLT_ARG(m->held->model),
                   MLT_ARG(m->version), m->kind, MLT_ARG(m->from), MLT_ARG(m->to), at);
    mlt_jw_member_bytes(w, "event_id", mlt_mlflow_clip(mlt_buf_bytes(&id)));
    mlt_buf_clear(&id);
    mlt_jw_member(w, "timestamp", at);
    mlt_jw_member_bytes(w, "model", m->held->model);
    mlt_jw_member_bytes(w, "model_version", m->version);
    if (m->from.len > 0) {
        mlt_jw_member_bytes(w, "from_stage", m->from);
    }
    mlt_jw_member_bytes(w, "to_stage", m->to);
    mlt_jw_member(w, "move", m->kind);
    mlt_jw_member(w, "imported_from", im->source.name);
    mlt_capture_end(&im->batch);
    im->transitions++;
}

static void put_stage(struct importing *im, const struct mlt_mlflow_held *h, const struct mlt_mlflow_held_version *v) {
    if (!mlt_bytes_equal(v->stage, v->trail_stage)) {
        // Where the trail knows of no move, where it stood before is not known.
        bool known = !mlt_bytes_is(v->trail_stage, "none");
        put_move(im, &(struct move){.held = h,
                                    .version = v->version,
                                    .from = known ? v->trail_stage : (struct mlt_bytes){0},
                                    .to = v->stage,
                                    .kind = "stage"});
    }
}

static void put_alias(struct importing *im, const struct mlt_mlflow_held *h, const struct mlt_mlflow_held_alias *a) {
    if (mlt_bytes_equal(a->version, a->trail_version)) {
        return;
    }
    if (a->trail_version.len > 0) {
        put_move(im, &(struct move){.held = h,
                                    .version = a->trail_version,
                                    .from = a->alias,
                                    .to = mlt_str("none"),
                                    .kind = "alias",
                                    .after = a->entry});
    }
    if (a->version.len > 0) {
        put_move(im,
                 &(struct move){.held = h, .version = a->version, .to = a->alias, .kind = "alias", .after = a->entry});
    }
}

static int import_model(void *arg, struct mlt_bytes model) {
    struct importing *im = arg;
    struct mlt_mlflow_held h;
    int code = mlt_mlflow_hold(&im->source, model, &h);
    for (size_t i = 0; code == 0 && i < h.num_versions; i++) {
        const struct mlt_mlflow_held_version *v = &h.versions[i];
        if (v->in_mlflow && (!v->in_trail || v->trail_hash.len == 0)) {
            code = put_version(im, &h, v);
        }
        if (code == 0 && v->in_mlflow) {
            put_stage(im, &h, v);
        }
    }
    for (size_t i = 0; code == 0 && i < h.num_aliases; i++) {
        put_alias(im, &h, &h.aliases[i]);
    }
    mlt_mlflow_held_clear(&h);
    return code != 0 ? code : flush_when_full(im);
}

// -- the command ------------------------------------------------------------------------------------------------------

static void tell(struct importing *im) {
    struct mlt_cli *cli = im->cli;
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    if (!cli->json) {
        mlt_cli_outf(cli,
                     "%" PRIu64 " runs, %" PRIu64 " versions, %" PRIu64 " transitions, %" PRIu64
                     " digests computed, %" PRIu64 " not\n",
                     im->runs, im->versions, im->transitions, im->digests, im->undigested);
        if (im->dry_run) {
            mlt_cli_outf(cli, "%" PRIu64 " records would be appended; those that the trail has would be known again\n",
                         im->records);
        } else {
            mlt_cli_outf(cli, "%" PRIu64 " accepted, %" PRIu64 " duplicate, %" PRIu64 " rejected\n", im->accepted,
                         im->duplicates, im->rejected);
        }
        return;
    }
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "server", im->source.name);
    mlt_jw_member_bool(&w, "dry_run", im->dry_run);
    mlt_jw_member_u64(&w, "runs", im->runs);
    mlt_jw_member_u64(&w, "versions", im->versions);
    mlt_jw_member_u64(&w, "transitions", im->transitions);
    mlt_jw_member_u64(&w, "digests", im->digests);
    mlt_jw_member_u64(&w, "without_digest", im->undigested);
    mlt_jw_member_u64(&w, "records", im->records);
    mlt_jw_member_u64(&w, "accepted", im->accepted);
    mlt_jw_member_u64(&w, "duplicates", im->duplicates);
    mlt_jw_member_u64(&w, "rejected", im->rejected);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

int mlt_import_mlflow(struct mlt_cli *cli) {
    struct importing im = {.cli = cli, .dry_run = mlt_cli_flag(cli, "dry-run")};
    int code = mlt_mlflow_open(cli, cli->args[1], &im.source);
    mlt_progress_init(&im.progress, cli, "records");
    code = code == 0 ? import_runs(&im) : code;
    code = code == 0 ? flush(&im) : code; // versions are looked up in the trail
    code = code == 0 ? mlt_mlflow_each_name(&im.source, import_model, &im) : code;
    code = code == 0 ? flush(&im) : code;
    mlt_progress_end(&im.progress);
    if (code == 0) {
        tell(&im);
        code = im.rejected > 0 ? MLT_EXIT_FALSE : MLT_EXIT_TRUE;
    }
    mlt_mlflow_close(&im.source);
    mlt_capture_clear(&im.batch);
    return code;
}
