#include "cli/spooling.h"

#include "base/wait.h"
#include "cli/duration.h"

#define REFUSED_EVERY_NS MLT_NS_PER_S // a producer that is wrong all day must not fill the log

static void tell_refused(struct mlt_spool_log *log, const struct mlt_courier_event *e) {
    int64_t now = mlt_wait_now();
    if (log->refused_told != 0 && now - log->refused_told < REFUSED_EVERY_NS) {
        log->refused_silent++;
        return;
    }
    mlt_cli_note(log->cli,
                 "refused by the server, kept in %s/rejected.ndjson: stream %s, %s; %llu more since the last line",
                 e->dir, e->stream, e->text, (unsigned long long)log->refused_silent);
    log->refused_told = now;
    log->refused_silent = 0;
}

void mlt_spool_log_tell(void *arg, const struct mlt_courier_event *e) {
    struct mlt_spool_log *log = arg;
    struct mlt_cli *cli = log->cli;
    switch (e->kind) {
    case MLT_COURIER_BEGUN:
        mlt_cli_note(cli, "stream %s is that of %s", e->stream, e->text);
        break;
    case MLT_COURIER_UP:
        mlt_cli_note(cli, "the server answers again: %s", e->text);
        break;
    case MLT_COURIER_DOWN:
        mlt_cli_note(cli, "%s; records wait in the spool", e->text);
        break;
    case MLT_COURIER_ADOPTED:
        mlt_cli_note(cli, "stream %s in %s was left by a process that died; sending the rest, %s", e->stream, e->dir,
                     e->text);
        break;
    case MLT_COURIER_ENDED:
        break;
    case MLT_COURIER_DAMAGE:
        (void)mlt_cli_fail(cli, 0, "stream %s in %s is damaged: %s; the segment is kept", e->stream, e->dir, e->text);
        break;
    case MLT_COURIER_REFUSED:
        tell_refused(log, e);
        break;
    case MLT_COURIER_TROUBLE:
        (void)mlt_cli_fail(cli, 0, "%s%s%s", e->stream, e->stream[0] ? ": " : "", e->text);
        break;
    }
}

int mlt_cli_spool_bytes(struct mlt_cli *cli, uint64_t *out) {
    const char *max = mlt_cli_value(cli, "max-bytes");
    if (max && (!mlt_byte_rate_parse(out, max) || *out < MLT_SPOOL_BYTES_MIN)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--max-bytes %s is no number of bytes, %llu or more; write it as 500MB or 2GB", max,
                            (unsigned long long)MLT_SPOOL_BYTES_MIN);
    }
    return 0;
}
