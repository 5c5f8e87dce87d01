// `verify FILE` of an evidence bundle: offline, and with trust from outside.
#include <inttypes.h>
#include <stdio.h>

#include "bundle/extract.h"
#include "cli/anchor.h"
#include "cli/verify.h"
#include "server/api_state.h"
#include "trail/meta.h"

static const char *plural(uint64_t n) {
    return n == 1 ? "" : "s";
}

// Nothing is proved to somebody whose key or policy did not sign it: it only fits together.
static void print_proved(struct mlt_cli *cli, const struct mlt_bundle_report *r, const char *proved) {
    char root[2 * MLT_HASH_LEN + 1];
    mlt_hex_encode(root, mlt_bytes_of(r->root, sizeof r->root));
    mlt_cli_out_line(cli, "dossier of request %s, as of the first %" PRIu64 " entries of %s", r->request_id, r->size,
                     r->origin);
    mlt_cli_out_line(cli, "made again from the entries: %s",
                     r->same_build ? "the same bytes" : "the same content, by another build");
    mlt_cli_out_line(cli, "%s: %" PRIu64 " entr%s in the log of %" PRIu64 ", root %s", proved, r->entries,
                     r->entries == 1 ? "y" : "ies", r->checkpoint_size, root);
    mlt_cli_out_line(cli, "%s: %" PRIu64 " payload member%s shown, %" PRIu64 " masked; %" PRIu64 " detail%s", proved,
                     r->shown, plural(r->shown), r->masked, r->details, plural(r->details));
    mlt_cli_out_line(cli,
                     "%s: %" PRIu64 " look-up%s left nothing out of the first %" PRIu64 " entries (%" PRIu64
                     " segment commitment%s)",
                     proved, r->links, plural(r->links), r->size, r->segments, plural(r->segments));
}

static struct mlt_verify_evidence evidence_of(const struct mlt_bundle_report *r) {
    return (struct mlt_verify_evidence){r->verdict, r->signed_by_key, &r->key, r->faults, r->num_faults};
}

static void print_stamps(struct mlt_cli *cli, const struct mlt_bundle_report *r, const char *proved,
                         bool stamps_checked) {
    if (r->num_stamps == 0) {
        mlt_cli_out_line(cli, "asserted: when it was logged, by the server's own clock alone (no time stamps)");
        return;
    }
    if (r->not_before[0] || r->not_after[0]) {
        mlt_cli_out_line(cli, "%s: the prediction was logged%s%s%s%s", stamps_checked ? proved : "asserted",
                         r->not_before[0] ? " at or after " : "", r->not_before,
                         r->not_after[0] ? ", and existed at " : "", r->not_after);
    }
    mlt_cli_out_line(cli, "%s: %zu time stamp%s%s", stamps_checked ? proved : "asserted", r->num_stamps,
                     plural(r->num_stamps),
                     stamps_checked ? ", by the certificates given"
                                    : ": not checked; give the authority's certificates with --tsa-roots");
}

static void print_text(struct mlt_cli *cli, const struct mlt_bundle_report *r, const struct mlt_verify_trust *trust,
                       bool trusted, bool stamps_checked) {
    if (!mlt_verify_evidence_print(cli, evidence_of(r), trust)) {
        return;
    }
    const char *proved = trusted ? "proved" : "consistent";
    if (trust->have_key && !mlt_vkey_equal(&trust->key, &r->key)) {
        mlt_cli_out_line(cli, "%s: the key that was given vouches for this one, which took its place (trail.json)",
                         proved);
    }
    print_proved(cli, r, proved);
    if (r->signed_by_key) {
        mlt_verify_trust_print(cli, trust);
    }
    print_stamps(cli, r, proved, stamps_checked);
    for (size_t i = 0; i < r->num_asserted && i < MLT_BUNDLE_ASSERTED_MAX; i++) {
        mlt_cli_out_line(cli, "asserted: %s", r->asserted[i]);
    }
    if (r->num_asserted > MLT_BUNDLE_ASSERTED_MAX) {
        mlt_cli_out_line(cli, "asserted: %" PRIu64 " further answers", r->num_asserted - MLT_BUNDLE_ASSERTED_MAX);
    }
    const char *one = mlt_verify_trust_one_log(trust);
    if (one) {
        mlt_cli_out_line(cli, "asserted: %s", one);
    }
}

static void put_asserted(struct mlt_json_writer *w, const struct mlt_bundle_report *r, const char *one_log) {
    mlt_jw_name(w, "asserted");
    mlt_jw_array(w);
    for (size_t i = 0; i < r->num_asserted && i < MLT_BUNDLE_ASSERTED_MAX; i++) {
        mlt_jw_cstr(w, r->asserted[i]);
    }
    if (one_log) {
        mlt_jw_cstr(w, one_log);
    }
    mlt_jw_end_array(w);
    mlt_jw_member_u64(w, "num_asserted", r->num_asserted);
}

static void print_json(struct mlt_cli *cli, const struct mlt_bundle_report *r, const struct mlt_verify_trust *trust,
                       bool stamps_checked) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_verify_evidence_json_head(&w, "evidence bundle", evidence_of(r), trust);
    mlt_jw_member(&w, "origin", r->origin);
    mlt_jw_member(&w, "request_id", r->request_id);
    mlt_jw_member(&w, "build", r->build);
    mlt_jw_member_bool(&w, "same_build", r->same_build);
    mlt_jw_member_u64(&w, "tree_size", r->size);
    mlt_jw_member_u64(&w, "checkpoint_size", r->checkpoint_size);
    mlt_jw_name(&w, "root");
    mlt_jw_hex(&w, mlt_bytes_of(r->root, sizeof r->root));
    mlt_jw_member_u64(&w, "entries", r->entries);
    mlt_jw_member_u64(&w, "details", r->details);
    mlt_jw_member_u64(&w, "payloads", r->payloads);
    mlt_jw_member_u64(&w, "members_shown", r->shown);
    mlt_jw_member_u64(&w, "members_masked", r->masked);
    mlt_jw_member_u64(&w, "segments", r->segments);
    mlt_jw_member_u64(&w, "links", r->links);
    mlt_jw_member_u64(&w, "time_stamps", r->num_stamps);
    mlt_jw_member_bool(&w, "time_stamps_checked", stamps_checked);
    mlt_jw_member(&w, "not_before", r->not_before[0] ? r->not_before : NULL);
    mlt_jw_member(&w, "not_after", r->not_after[0] ? r->not_after : NULL);
    mlt_verify_trust_json(&w, trust);
    put_asserted(&w, r, mlt_verify_trust_one_log(trust));
    mlt_verify_evidence_json_faults(&w, evidence_of(r));
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

// Each stamp against certificates from outside; one that is false is a fault.
static enum mlt_status judge_stamps(struct mlt_bundle_report *r, const struct mlt_timestamp_roots *roots,
                                    struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    for (size_t i = 0; roots && !status && i < r->num_stamps; i++) {
        struct mlt_timestamp_verdict verdict;
        status = mlt_anchor_judge(&r->stamps[i].anchor, NULL, roots, &verdict, err);
        if (!status && !verdict.good && r->num_faults < MLT_BUNDLE_FAULTS_MAX) {
            struct mlt_bundle_fault *f = &r->faults[r->num_faults++];
            (void)snprintf(f->where, sizeof f->where, "anchors/%" PRIu64 ".tst", r->stamps[i].entry);
            (void)snprintf(f->text, sizeof f->text, "%s", verdict.why);
            r->verdict = false;
        }
    }
    return status;
}

static int verify_evidence(struct mlt_cli *cli, const char *path, const struct mlt_verify_trust *trust) {
    struct mlt_buf zip = {0};
    struct mlt_timestamp_roots *roots = NULL;
    struct mlt_error err = {0};
    struct mlt_bundle_report *report = mlt_arena_zero(&cli->arena, sizeof *report);
    if (!report) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    const int code = mlt_cli_value(cli, "tsa-roots") ? mlt_anchor_roots(cli, "tsa-roots", &roots) : 0;
    if (code != 0) {
        return code;
    }
    enum mlt_status status = mlt_env_read_file(cli->env, path, MLT_BUNDLE_BYTES_MAX, &zip, &err);
    if (status == MLT_OK) {
        status = mlt_bundle_verify(mlt_buf_bytes(&zip), trust->have_key ? &trust->key : NULL, MLT_BUILD, &cli->arena,
                                   report, &err);
    }
    status = status ? status : judge_stamps(report, roots, &err);
    const bool stamps_checked = roots != NULL;
    mlt_timestamp_roots_free(roots);
    if (status != MLT_OK) {
        mlt_buf_clear(&zip);
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s could not be checked: %s", path, err.text);
    }
    const bool trusted = mlt_verify_trust_holds(trust, report->signed_by_key);
    if (cli->json) {
        print_json(cli, report, trust, stamps_checked);
    } else {
        print_text(cli, report, trust, trusted, stamps_checked);
    }
    mlt_buf_clear(&zip);
    return report->verdict && trusted ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
}

int mlt_verify_bundle(struct mlt_cli *cli, const char *path, struct mlt_verify_trust *trust) {
    struct mlt_archive a;
    struct mlt_bytes checkpoint = {0};
    struct mlt_bytes trail_json = {0};
    int code;
    // An archive that cannot be opened is judged as evidence: the report then says what is wrong with it.
    const bool open = mlt_archive_open_file(&a, path, &mlt_extract_limits, NULL) == MLT_OK;
    if (open) {
        (void)mlt_bundle_small_member(&a, "checkpoint", MLT_NOTE_MAX, &cli->arena, &checkpoint);
        (void)mlt_bundle_small_member(&a, "trail.json", MLT_META_LEN_MAX, &cli->arena, &trail_json);
    }
    mlt_verify_trust_find(cli, checkpoint, trail_json, trust);
    if (open && mlt_archive_find(&a, "extract.json") != SIZE_MAX) {
        code = mlt_verify_extract_archive(cli, path, &a, trust);
    } else {
        code = verify_evidence(cli, path, trust);
    }
    if (open) {
        mlt_archive_close(&a);
    }
    return code;
}
