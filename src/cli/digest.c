// The digests of a model on disk, and whether it is the one that a manifest describes.
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/digest_manifest.h"
#include "mlflow/folder.h"

static const struct mlt_cli_option options[] = {
    {"manifest", 'm', NULL, "Also print each file with its digest; as text, in the form that sha256sum -c reads.",
     NULL},
    {"check", 'c', "FILE",
     "Compare with a manifest: a Model Signing signature (model.sig) or statement, a model.version record, or what "
     "--manifest --json printed.",
     "<file>"},
    {"ignore", 'i', "PATH", "Leave out a file or folder, relative to the model; may be given several times.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail digest model/", "the root digest that OpenSSF Model Signing signs, and the dirHash"},
    {"mltrail digest model/ --manifest --json > model.json", "the same for a model.version record, with each file"},
    {"mltrail digest model/ --check model/model.sig", "whether the files are those that were signed"},
    {0},
};

#define FILES_MAX ((size_t)1 << 24) // a gigabyte of names
#define IGNORED_MAX MLT_CLI_GIVEN_MAX
#define HEX_LEN (2 * (size_t)MLT_HASH_LEN)

// A model: zero-initialised but for `cli` and `top`.
struct model {
    struct mlt_cli *cli;
    const char *top;
    const char *ignored[IGNORED_MAX]; // relative paths that count for nothing
    size_t num_ignored;
    bool has_own; // a manifest, which counts for nothing wherever it lies
    struct stat own;
    bool single; // a file, not a folder
    struct mlt_manifest all;
    uint8_t oms[MLT_HASH_LEN], dir_hash[MLT_HASH_LEN];
};

static void to_hex(char out[static HEX_LEN + 1], const uint8_t hash[static MLT_HASH_LEN]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < MLT_HASH_LEN; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[HEX_LEN] = '\0';
}

// Comparing -------------------------------------------------------------------------------------------------------

struct differences {
    size_t changed, missing, added;
    bool root_differs;
    struct mlt_buf text; // a line each
    struct mlt_json_writer json;
    struct mlt_buf json_text;
};

static void difference(struct differences *diff, size_t *count, const char *what, struct mlt_bytes name) {
    (*count)++;
    mlt_buf_printf(&diff->text, "%-8s %.*s\n", what, MLT_ARG(name));
    mlt_jw_object(&diff->json);
    mlt_jw_member(&diff->json, "difference", what);
    mlt_jw_member_bytes(&diff->json, "name", name);
    mlt_jw_end_object(&diff->json);
}

static int by_name(const void *key, const void *file) {
    return mlt_bytes_compare(*(const struct mlt_bytes *)key, ((const struct mlt_manifest_file *)file)->path);
}

// compare_one holds one resource against the files, which are in byte order here.
static enum mlt_status compare_one(struct model *d, const struct mlt_digest_manifest *m, mlt_json_at resource,
                                   bool *seen, struct differences *diff, struct mlt_error *err) {
    struct mlt_arena *arena = &d->cli->arena;
    struct mlt_bytes name = mlt_json_string(&m->json, mlt_json_get(&m->json, resource, "name"), arena);
    struct mlt_bytes digest = mlt_json_string(&m->json, mlt_json_get(&m->json, resource, "digest"), arena);
    struct mlt_bytes algorithm = mlt_json_string(&m->json, mlt_json_get(&m->json, resource, "algorithm"), arena);
    if (name.len == 0 || digest.len == 0) {
        return mlt_fail(err, MLT_INVALID, "an item of the manifest has no \"name\" or no \"digest\"");
    }
    if (algorithm.len > 0 && !mlt_bytes_is(algorithm, "sha256")) {
        return mlt_fail(err, MLT_INVALID, "%.*s has a digest by %.*s; only sha256 can be compared here", MLT_ARG(name),
                        MLT_ARG(algorithm));
    }
    const struct mlt_manifest_file *file = bsearch(&name, d->all.files, d->all.num, sizeof *d->all.files, by_name);
    if (!file) {
        difference(diff, &diff->missing, "missing", name);
        return MLT_OK;
    }
    char hex[HEX_LEN + 1];
    to_hex(hex, file->sha256);
    bool *before = &seen[file - d->all.files];
    if (*before) {
        return mlt_fail(err, MLT_INVALID, "the manifest has %.*s twice", MLT_ARG(name));
    }
    *before = true;
    if (!mlt_bytes_is(digest, hex)) {
        difference(diff, &diff->changed, "changed", name);
    }
    return MLT_OK;
}

static enum mlt_status compare(struct model *d, const struct mlt_digest_manifest *m, struct differences *diff,
                               struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    bool *seen = calloc(d->all.num, sizeof *seen);
    if (!seen) {
        return mlt_fail(err, MLT_NOMEM, "no memory to compare %zu files", d->all.num);
    }
    mlt_manifest_sort_by_name(&d->all);
    for (mlt_json_at at = mlt_json_first(&m->json, m->resources); at != MLT_JSON_NONE && !status;
         at = mlt_json_next(&m->json, m->resources, at)) {
        status = compare_one(d, m, at, seen, diff, err);
    }
    for (size_t i = 0; i < d->all.num && !status; i++) {
        if (!seen[i] && d->all.files[i].in_oms) {
            difference(diff, &diff->added, "added", d->all.files[i].path);
        }
    }
    char root[HEX_LEN + 1];
    to_hex(root, d->oms);
    diff->root_differs = m->root.len > 0 && !mlt_bytes_is(m->root, root);
    free(seen);
    return status;
}

// leave_out is false when there are too many.
static bool leave_out(struct model *d, struct mlt_bytes path) {
    while (path.len >= 2 && memcmp(path.ptr, "./", 2) == 0) {
        path = mlt_bytes_of(path.ptr + 2, path.len - 2);
    }
    while (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    if (path.len == 0 || d->num_ignored == IGNORED_MAX) {
        return path.len == 0;
    }
    const char *kept = mlt_arena_cstr(&d->cli->arena, path);
    if (kept) {
        d->ignored[d->num_ignored++] = kept;
    }
    return kept != NULL;
}

// A manifest inside the model describes the others, not itself. A signature names what it left out.
static enum mlt_status ignore_manifest(struct model *d, const struct mlt_digest_manifest *m, const char *file,
                                       struct mlt_error *err) {
    for (mlt_json_at at = mlt_json_first(&m->json, m->ignored); at != MLT_JSON_NONE;
         at = mlt_json_next(&m->json, m->ignored, at)) {
        struct mlt_bytes path = mlt_json_string(&m->json, at, &d->cli->arena);
        if (!leave_out(d, path)) {
            return mlt_fail(err, MLT_LIMIT, "%s leaves out more than %d paths", file, IGNORED_MAX);
        }
    }
    d->has_own = stat(file, &d->own) == 0;
    return MLT_OK;
}

// Printing --------------------------------------------------------------------------------------------------------

static void print_manifest(struct mlt_cli *cli, const struct model *d) {
    struct mlt_buf line = {0};
    for (size_t i = 0; i < d->all.num; i++) {
        mlt_buf_reset(&line);
        mlt_buf_put_hex(&line, mlt_bytes_of(d->all.files[i].sha256, MLT_HASH_LEN));
        mlt_buf_printf(&line, "  %s\n", d->single ? d->top : (const char *)d->all.files[i].path.ptr);
        mlt_cli_out_text(cli, mlt_buf_bytes(&line)); // sha256sum wants the names as they are
    }
    mlt_buf_clear(&line);
}

static void print_text(struct mlt_cli *cli, const struct model *d) {
    char hex[HEX_LEN + 1];
    to_hex(hex, d->oms);
    mlt_cli_outf(cli, "oms      %s\n", hex);
    to_hex(hex, d->single ? d->all.files[0].sha256 : d->dir_hash);
    mlt_cli_outf(cli, "%s %s\n", d->single ? "sha256  " : "dirHash ", hex);
    mlt_cli_outf(cli, "files    %zu (%" PRIu64 " bytes)\n", d->all.num, d->all.bytes);
}

static void put_hex(struct mlt_json_writer *w, const char *name, const uint8_t hash[static MLT_HASH_LEN]) {
    mlt_jw_name(w, name);
    mlt_jw_hex(w, mlt_bytes_of(hash, MLT_HASH_LEN));
}

// A signature may leave out what it likes, and files there would go unseen: so it is said.
static void print_left_out(struct mlt_cli *cli, const struct model *d) {
    for (size_t i = 0; i < d->num_ignored; i++) {
        if (mlt_manifest_in_oms(mlt_str(d->ignored[i]))) {
            mlt_cli_out_line(cli, "left out %s", d->ignored[i]);
        }
    }
}

static void put_left_out(struct mlt_json_writer *w, const struct model *d) {
    mlt_jw_name(w, "left_out");
    mlt_jw_array(w);
    for (size_t i = 0; i < d->num_ignored; i++) {
        if (mlt_manifest_in_oms(mlt_str(d->ignored[i]))) {
            mlt_jw_cstr(w, d->ignored[i]);
        }
    }
    mlt_jw_end_array(w);
}

static bool agrees(const struct differences *diff) {
    return diff->changed + diff->missing + diff->added == 0 && !diff->root_differs;
}

static int print_json(struct mlt_cli *cli, const struct model *d, struct differences *diff) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "path", d->top);
    put_hex(&w, "oms", d->oms);
    put_hex(&w, d->single ? "sha256" : "dirHash", d->single ? d->all.files[0].sha256 : d->dir_hash);
    mlt_jw_member_u64(&w, "files", d->all.num);
    mlt_jw_member_u64(&w, "bytes", d->all.bytes);
    if (diff) {
        mlt_jw_end_array(&diff->json);
        mlt_jw_member_bool(&w, "same", agrees(diff));
        mlt_jw_member_bool(&w, "root_differs", diff->root_differs);
        mlt_jw_member_raw(&w, "differences", mlt_buf_bytes(&diff->json_text));
        put_left_out(&w, d);
    }
    if (mlt_cli_flag(cli, "manifest")) {
        mlt_jw_name(&w, "manifest");
        mlt_manifest_put_files(&d->all, true, &w);
    }
    mlt_jw_end_object(&w);
    bool failed = out.failed || (diff && diff->json_text.failed);
    if (!failed) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    }
    mlt_buf_clear(&out);
    return failed ? mlt_cli_fail(cli, MLT_EXIT_FAILED, "no memory for the manifest") : MLT_EXIT_TRUE;
}

static void print_differences(struct mlt_cli *cli, const struct model *d, const struct differences *diff,
                              const char *file) {
    mlt_cli_out_text(cli, mlt_buf_bytes(&diff->text));
    print_left_out(cli, d);
    if (agrees(diff)) {
        mlt_cli_out_line(cli, "the files are those of %s", file);
        mlt_cli_note(cli, "files were compared; who signed %s was not checked", file);
    } else if (diff->root_differs && diff->changed + diff->missing + diff->added == 0) {
        mlt_cli_out_line(cli, "the files are those of %s, but its root digest is not theirs", file);
    } else {
        mlt_cli_out_line(cli, "the files differ from %s: %zu changed, %zu missing, %zu added", file, diff->changed,
                         diff->missing, diff->added);
    }
}

static int print_all(struct mlt_cli *cli, const struct model *d, struct differences *diff, const char *file) {
    if (cli->json) {
        return print_json(cli, d, diff);
    }
    if (mlt_cli_flag(cli, "manifest")) {
        print_manifest(cli, d);
        return MLT_EXIT_TRUE;
    }
    print_text(cli, d);
    if (diff) {
        print_differences(cli, d, diff, file);
    }
    return MLT_EXIT_TRUE;
}

static enum mlt_status read_files(struct model *d, struct mlt_error *err) {
    struct mlt_progress progress;
    const struct mlt_folder_options opt = {.ignored = d->ignored,
                                           .num_ignored = d->num_ignored,
                                           .own = d->has_own ? &d->own : NULL,
                                           .advice = ": leave it out with --ignore",
                                           .progress = mlt_progress_step,
                                           .progress_arg = &progress};
    d->all.files_max = FILES_MAX;
    mlt_progress_init(&progress, d->cli, "bytes");
    enum mlt_status status = mlt_folder_read(d->top, &opt, &d->all, err);
    mlt_progress_end(&progress);
    status = status ? status : mlt_manifest_roots(&d->all, d->oms, d->dir_hash, err);
    d->single = !status && mlt_bytes_is(d->all.files[0].path, ".");
    return status;
}

// The command -----------------------------------------------------------------------------------------------------

static enum mlt_status make(struct mlt_cli *cli, struct model *d, struct mlt_digest_manifest *m, const char *file,
                            struct differences *diff, struct mlt_error *err) {
    const char *path;
    for (size_t at = 0; (path = mlt_cli_next(cli, "ignore", &at)) != NULL;) {
        if (!leave_out(d, mlt_str(path))) {
            return mlt_fail(err, MLT_LIMIT, "more than %d paths are left out", IGNORED_MAX);
        }
    }
    enum mlt_status status = file ? mlt_digest_manifest_read(cli, m, file, err) : MLT_OK;
    status = !status && file ? ignore_manifest(d, m, file, err) : status;
    status = status ? status : read_files(d, err);
    return !status && file ? compare(d, m, diff, err) : status;
}

static int run(struct mlt_cli *cli) {
    const char *file = mlt_cli_value(cli, "check");
    struct model digest = {.cli = cli, .top = cli->args[0]};
    struct mlt_digest_manifest manifest = {0};
    struct differences diff = {0};
    struct mlt_error err = {0};
    if (file && mlt_cli_flag(cli, "manifest") && !cli->json) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--check and --manifest print lines of their own; give one, or --json");
    }
    mlt_jw_init(&diff.json, &diff.json_text);
    mlt_jw_array(&diff.json);
    enum mlt_status status = make(cli, &digest, &manifest, file, &diff, &err);
    int code = status ? mlt_cli_fail_error(cli, &err) : print_all(cli, &digest, file ? &diff : NULL, file);
    if (code == MLT_EXIT_TRUE && file && !agrees(&diff)) {
        code = MLT_EXIT_FALSE;
    }
    mlt_digest_manifest_clear(&manifest);
    mlt_manifest_clear(&digest.all);
    mlt_buf_clear(&diff.text);
    mlt_buf_clear(&diff.json_text);
    return code;
}

const struct mlt_cli_command mlt_cmd_digest = {
    .name = "digest",
    .args = "PATH",
    .summary = "digests of a model's files",
    .text =
        "Prints the digests of a model, a file or a folder, as records hold them: \"oms\", the root digest of OpenSSF "
        "Model Signing, and \"dirHash\", which also binds the names (for a file: its \"sha256\"). Symbolic links are "
        "refused. With --check, says whether the files are those of a manifest; whose signature it bears is not "
        "checked.",
    .words = "<dir>",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
