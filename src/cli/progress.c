#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "cli/cli.h"

#define REDRAW_NS (MLT_NS_PER_S / 10)
#define BAR_WIDTH 30
#define RATE_AFTER_NS (MLT_NS_PER_S / 2) // before, it jumps about

void mlt_progress_init(struct mlt_progress *p, struct mlt_cli *cli, const char *what) {
    *p = (struct mlt_progress){.cli = cli, .what = what};
}

void mlt_progress_phase(struct mlt_progress *p, const char *what) {
    if (p->what != what && strcmp(p->what, what) != 0) {
        p->what = what;
        p->begin_ns = 0;
        p->next_ns = 0;
    }
}

// What is done in a second, since the beginning; 0: too early to say.
static uint64_t rate(const struct mlt_progress *p, uint64_t done, int64_t now) {
    int64_t elapsed = now - p->begin_ns;
    return elapsed < RATE_AFTER_NS || done < p->begin ? 0
                                                      : (uint64_t)((double)(done - p->begin) * 1e9 / (double)elapsed);
}

void mlt_progress_step(void *progress, uint64_t done, uint64_t total) {
    struct mlt_progress *p = progress;
    if (p->cli->quiet || !p->cli->err_terminal) {
        return;
    }
    int64_t now = p->cli->env->monotonic(p->cli->env);
    if (p->begin_ns == 0) {
        p->begin_ns = now;
        p->begin = done;
    }
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
    uint64_t per_second = rate(p, done, now);
    if (per_second > 0) {
        (void)fprintf(stderr, " %" PRIu64 "/s", per_second);
    }
}

void mlt_progress_end(struct mlt_progress *p) {
    if (p->drawn) {
        (void)fputs("\r\x1b[K", stderr);
        p->drawn = false;
    }
}
