#include "index/index.h"

#include <inttypes.h>

#include "cli/json_text.h"
#include "cli/pin.h"
#include "cli/transport.h"

static const struct mlt_cli_option options[] = {{0}};
static const struct mlt_cli_example examples[] = {
    {"mltrail index status", "how far the index has come"},
    {"mltrail index rebuild", "remove the index and derive it again from the entries"},
    {0},
};

static void tell(struct mlt_cli *cli, const struct mlt_index_stats *stats, uint64_t size) {
    if (cli->json) {
        struct mlt_buf out = {0};
        struct mlt_json_writer w;
        mlt_jw_init(&w, &out);
        mlt_jw_object(&w);
        mlt_jw_member_u64(&w, "tree_size", size);
        mlt_jw_member_u64(&w, "watermark", stats->watermark);
        mlt_jw_member_u64(&w, "in_memory", stats->in_memory);
        mlt_jw_member_u64(&w, "runs", stats->runs);
        mlt_jw_member_u64(&w, "lists", stats->lists);
        mlt_jw_end_object(&w);
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
        mlt_buf_clear(&out);
        return;
    }
    mlt_cli_outf(cli,
                 "entries    %" PRIu64 "\nin files   %" PRIu64 "\nin memory  %" PRIu64 "\nruns       %" PRIu64
                 "\nlists      %" PRIu64 "\n",
                 size, stats->watermark, stats->in_memory, stats->runs, stats->lists);
}

// with_index opens the index over an open trail, lets it catch up, and closes it.
static enum mlt_status with_index(struct mlt_cli *cli, struct mlt_trail *trail, bool read_only,
                                  struct mlt_index_stats *stats, struct mlt_error *err) {
    struct mlt_progress progress;
    mlt_progress_init(&progress, cli, "indexing");
    struct mlt_index_options opt = {.read_only = read_only, .progress = mlt_progress_step, .progress_arg = &progress};
    struct mlt_index *index = NULL;
    enum mlt_status status = mlt_index_open(&index, trail, &opt, err);
    mlt_progress_end(&progress);
    if (status == MLT_OK) {
        mlt_index_get_stats(index, stats);
        status = mlt_index_close(index, err);
    }
    return status;
}

static int work(struct mlt_cli *cli, const char *dir, bool rebuild) {
    struct mlt_trail_options opt = {
        .dir = dir, .state_dir = mlt_cli_state(cli), .read_only = !rebuild, .pin = mlt_cli_pin(cli)};
    struct mlt_trail *trail = NULL;
    struct mlt_index_stats stats = {0};
    struct mlt_head head = {0};
    struct mlt_error err = {0};
    enum mlt_status status = mlt_trail_open(&trail, cli->env, &opt, &err);
    if (status != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    // The trail's lock is held from here on, so nobody has the index open.
    if (rebuild) {
        status = mlt_index_destroy(cli->env, dir, &err);
    }
    mlt_trail_head(trail, &head);
    if (status == MLT_OK) {
        status = with_index(cli, trail, !rebuild, &stats, &err);
    }
    struct mlt_error close_err = {0};
    enum mlt_status closed = mlt_trail_close(trail, &close_err);
    if (status != MLT_OK || closed != MLT_OK) {
        return mlt_cli_fail_error(cli, status != MLT_OK ? &err : &close_err);
    }
    tell(cli, &stats, head.size);
    return MLT_EXIT_TRUE;
}

static int run(struct mlt_cli *cli) {
    bool rebuild = strcmp(cli->args[0], "rebuild") == 0;
    if (!rebuild && strcmp(cli->args[0], "status") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "usage: mltrail index status, or mltrail index rebuild");
    }
    const char *dir = mlt_cli_trail(cli);
    if (!dir) {
        return MLT_EXIT_USAGE;
    }
    if (mlt_cli_is_url(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "the index is where the trail is; give --trail DIR instead of a URL");
    }
    if (mlt_transport_served(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "%s is being served; stop the server first", dir);
    }
    return work(cli, dir, rebuild);
}

const struct mlt_cli_command mlt_cmd_index = {
    .name = "index",
    .args = "status|rebuild",
    .summary = "look at the index, or rebuild it",
    .text =
        "The index is derived from the entries and can always be made again. Neither works while the trail is being "
        "served.",
    .words = "status rebuild",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
