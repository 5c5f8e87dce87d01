#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "cli/cli.h"

#define REDRAW_NS (MLT_NS_PER_S / 10)
#define BAR_WIDTH 30

void mlt_progress_init(struct mlt_progress *p, struct mlt_cli *cli, const char *what) {
    *p = (struct mlt_progress){.cli = cli, .what = what};
}

void mlt_progress_step(void *progress, uint64_t done, uint64_t total) {
    struct mlt_progress *p = progress;
    if (p->cli->quiet || !p->cli->err_terminal) {
        return;
    }
    int64_t now = p->cli->env->monotonic(p->cli->env);
    if (now < p->next_ns && (total == 0 || done < total)) {
        return;
    }
    p->next_ns = now + REDRAW_NS;
    p->drawn = true;
    if (total == 0) {
        (void)fprintf(stderr, "\r\x1b[K%s %" PRIu64, p->what, done);
        return;
    }
    int filled = (int)((double)(done < total ? done : total) * BAR_WIDTH / (double)total);
    (void)fprintf(stderr, "\r\x1b[K%s [%.*s%*s] %" PRIu64 "/%" PRIu64, p->what, filled,
                  "##############################", BAR_WIDTH - filled, "", done, total);
}

void mlt_progress_end(struct mlt_progress *p) {
    if (p->drawn) {
        (void)fputs("\r\x1b[K", stderr);
        p->drawn = false;
    }
}
