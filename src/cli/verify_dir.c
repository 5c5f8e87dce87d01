// Checks a trail's directory, and goes on where an earlier run was interrupted.
#define _DEFAULT_SOURCE // realpath
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/anchor.h"
#include "cli/lines.h"
#include "cli/pin.h"
#include "cli/verify.h"
#include "record/json.h"
#include "segment/verify.h"
#include "trail/meta.h"
#include "trail/verify_state.h"

#define RECEIPT_MAX (64 * 1024) // a line of a receipts file
#define HEADS_MAX 100000        // distinct heads of one receipts file
#define THREADS_MAX 32          // what the verifier uses at most

struct heads {
    struct mlt_bytes *notes;
    size_t num;
};

// read_heads takes the distinct checkpoints of a receipts file; those of one batch follow each other.
static int read_heads(struct mlt_cli *cli, struct heads *out) {
    const char *path = mlt_cli_value(cli, "receipts");
    if (!path) {
        return 0;
    }
    struct mlt_lines lines = {.in = fopen(path, "re"), .max = RECEIPT_MAX};
    out->notes = mlt_arena_zero(&cli->arena, HEADS_MAX * sizeof *out->notes);
    if (!lines.in || !out->notes) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    int code = 0;
    struct mlt_json json = {0};
    while (code == 0 && mlt_lines_next(&lines)) {
        struct mlt_bytes note = {0};
        if (mlt_json_scan(&json, mlt_buf_bytes(&lines.line), NULL) == MLT_OK) {
            note = mlt_json_string(&json, mlt_json_get(&json, 0, "checkpoint"), &cli->arena);
        }
        if (note.len == 0 || out->num == HEADS_MAX) {
            code = mlt_cli_fail(cli, MLT_EXIT_USAGE,
                                note.len == 0 ? "%s line %" PRIu64 " is no receipt"
                                              : "%s line %" PRIu64 ": too many receipts in a file",
                                path, lines.number);
        } else if (out->num == 0 || !mlt_bytes_equal(out->notes[out->num - 1], note)) {
            out->notes[out->num++] = mlt_arena_copy(&cli->arena, note);
        }
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&lines.line);
    (void)fclose(lines.in);
    return code;
}

// SIGINT and SIGTERM ask for a stop; a second one ends the process as usual. Lock-free, hence allowed in a handler.
static atomic_bool stop_wanted;

static void want_stop(int signal_number) {
    (void)signal_number;
    atomic_store(&stop_wanted, true);
}

static bool go_on(void *arg, uint64_t bytes) {
    (void)arg;
    (void)bytes;
    return !atomic_load(&stop_wanted);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = want_stop, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void show_progress(void *arg, const char *what, uint64_t done, uint64_t total) {
    struct mlt_progress *p = arg;
    mlt_progress_phase(p, strcmp(what, "entries") == 0 ? "verifying entries" : "verifying payloads");
    mlt_progress_step(p, done, total);
}

// Where the state of an interrupted run lies: as given, else under the XDG state directory, by the trail's path.
static const char *place_of_state(struct mlt_cli *cli, const char *dir) {
    const char *given = mlt_cli_value(cli, "resume");
    uint8_t hash[MLT_HASH_LEN];
    char hex[2 * MLT_HASH_LEN + 1];
    char name[64];
    char *full = given ? NULL : realpath(dir, NULL);
    if (!full) {
        return given;
    }
    mlt_sha256_one(hash, mlt_str(full));
    free(full);
    mlt_hex_encode(hex, mlt_bytes_of(hash, sizeof hash));
    (void)snprintf(name, sizeof name, "verify-%.16s.json", hex);
    return mlt_cli_state_file(cli, name);
}

static int load_place(struct mlt_cli *cli, const char *path, struct mlt_verify_state *state) {
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (!path) {
        return 0;
    }
    enum mlt_status status = mlt_env_read_file(cli->env, path, MLT_VERIFY_STATE_LEN_MAX, &text, &err);
    if (status == MLT_OK) {
        status = mlt_verify_state_parse(state, mlt_buf_bytes(&text), &err);
    }
    mlt_buf_clear(&text);
    if (status == MLT_NOTFOUND) {
        return 0;
    }
    if (status != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s: %s", path, err.text);
    }
    mlt_cli_note(cli,
                 "goes on where %s says: entries below %" PRIu64 " were verified by an earlier run and are not read "
                 "again",
                 path, state->frontier.size);
    return 0;
}

static int save_place(struct mlt_cli *cli, const char *path, const struct mlt_verify_state *state) {
    struct mlt_buf text = {0};
    struct mlt_error err = {0};
    if (!path || state->frontier.size == 0) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED,
                            "stopped before the end; nothing was verified that a later run could "
                            "go on from");
    }
    mlt_cli_make_parents(cli, path);
    mlt_verify_state_format(&text, state);
    enum mlt_status status = text.failed ? mlt_fail(&err, MLT_NOMEM, "out of memory")
                                         : mlt_env_replace_file(cli->env, path, mlt_buf_bytes(&text), true, &err);
    mlt_buf_clear(&text);
    if (status != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "stopped before the end, and where is not remembered: %s", err.text);
    }
    return mlt_cli_fail(cli, MLT_EXIT_FAILED,
                        "stopped before the end: %" PRIu64 " entries and the payloads of %" PRIu64
                        " were verified, %" PRIu64 " faults so far; the same command goes on from there (%s)",
                        state->frontier.size, state->records, state->num_faults, path);
}

static int read_threads(struct mlt_cli *cli, unsigned *out) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t threads = processors > 0 ? (uint64_t)processors : 1;
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    if (!mlt_cli_number(cli, "threads", &threads)) {
        return MLT_EXIT_USAGE;
    }
    if (threads == 0 || threads > THREADS_MAX) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--threads is 1 to %d", THREADS_MAX);
    }
    *out = threads > 1 ? (unsigned)threads : 0; // one alone needs no other
    return 0;
}

// judge_published holds the checkpoint that a local trail has published against the policy. A policy that names an
// older key of the log names the log all the same.
static void judge_published(struct mlt_cli *cli, const char *dir, struct mlt_verify_trust *trust) {
    struct mlt_buf note = {0}, trail_json = {0};
    const char *path = mlt_arena_printf(&cli->arena, "%s/checkpoint", dir);
    const char *chain_path = mlt_arena_printf(&cli->arena, "%s/trail.json", dir);
    if (path && chain_path && trust->policy) {
        // A file that cannot be read is as good as none: the policy is not satisfied.
        bool there = mlt_env_read_file(cli->env, path, MLT_NOTE_MAX, &note, NULL) == MLT_OK;
        if (there && mlt_env_read_file(cli->env, chain_path, MLT_META_LEN_MAX, &trail_json, NULL) == MLT_OK) {
            (void)mlt_verify_trust_follow(trust, mlt_buf_bytes(&note),
                                          mlt_verify_chain_read(cli, mlt_buf_bytes(&trail_json), NULL));
        }
        mlt_verify_trust_judge(cli, trust, there ? mlt_buf_bytes(&note) : mlt_str(NULL));
    }
    mlt_buf_clear(&note);
    mlt_buf_clear(&trail_json);
}

static int verify(struct mlt_cli *cli, struct mlt_verify_options *opt, const char *place,
                  struct mlt_verify_report *report) {
    struct mlt_error err = {0};
    enum mlt_status status = mlt_verify_trail(cli->env, opt, report, &err);
    if (status == MLT_CONFLICT && !mlt_cli_value(cli, "resume")) {
        mlt_cli_note(cli, "begins at the first entry: %s", err.text); // nobody asked for that state
        mlt_verify_state_clear(opt->state);
        status = mlt_verify_trail(cli->env, opt, report, &err);
    }
    if (status == MLT_BUSY && atomic_load(&stop_wanted)) {
        return save_place(cli, place, opt->state);
    }
    if (status != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    if (place) {
        (void)cli->env->unlink(cli->env, place, NULL); // the next run begins at the first entry
    }
    if (report->live) {
        mlt_cli_note(cli, "the trail is being written: checked up to the head signed last, of size %" PRIu64,
                     report->size);
    }
    return 0;
}

int mlt_verify_dir(struct mlt_cli *cli, const char *dir, struct mlt_verify_trust *trust,
                   struct mlt_verify_report *report) {
    struct heads heads = {0};
    struct mlt_progress progress;
    struct mlt_verify_state state = {0};
    struct stat st;
    if (stat(dir, &st) != 0 && errno == ENOENT) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "there is no directory %s; give that of a trail, or a URL", dir);
    }
    const char *place = place_of_state(cli, dir);
    struct mlt_segment_further segments = {.env = cli->env, .scratch = getenv("TMPDIR")};
    mlt_progress_init(&progress, cli, "verifying");
    struct mlt_verify_options opt = {
        .dir = dir,
        .state_dir = mlt_cli_state(cli),
        .pin = mlt_cli_pin(cli),
        .further = mlt_segment_verify_further,
        .further_arg = &segments,
        .progress = show_progress,
        .progress_arg = &progress,
        .no_payloads = mlt_cli_flag(cli, "no-payloads"),
        .pace = go_on,
        .state = &state,
    };
    int code = read_threads(cli, &opt.threads);
    code = code ? code : read_heads(cli, &heads);
    code = code ? code : load_place(cli, place, &state);
    struct mlt_timestamp_roots *roots = NULL;
    if (code == 0 && mlt_cli_value(cli, "tsa-roots")) {
        code = mlt_anchor_roots(cli, "tsa-roots", &roots);
    }
    opt.tsa_roots = roots;
    segments.threads = opt.threads > 0 ? opt.threads - 1 : 0; // besides this one
    opt.heads = heads.notes;
    opt.num_heads = heads.num;
    if (code == 0) {
        judge_published(cli, dir, trust);
        opt.key = trust->have_key ? &trust->key : NULL;
        catch_signals();
        code = verify(cli, &opt, place, report);
        mlt_progress_end(&progress);
        report->commitments = segments.report.commitments;
        report->committed = segments.report.covered;
        mlt_verify_trust_report(trust, report);
    }
    mlt_timestamp_roots_free(roots);
    mlt_verify_state_clear(&state);
    return code;
}
