#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/duration.h"
#include "cli/ending.h"
#include "cli/policy_file.h"
#include "cli/transport.h"
#include "cli/verify.h"
#include "monitor/monitor.h"
#include "net/post.h"
#include "record/json.h"

static const struct mlt_cli_option options[] = {
    {"key", 'k', "VKEY|FILE", "The log's verifier key, from somebody other than the log.", "<file>"},
    {"policy", 'p', "FILE", "Policy (C2SP tlog-policy): which logs and witnesses must have signed a checkpoint.",
     "<file>"},
    {"state", 's', "DIR", "Where the monitor keeps what it saw, and the evidence of alarms.", "<dir>"},
    {"mirror", 'm', "DIR", "Keep bundles, tiles and checkpoint there as flat files, for other tools.", "<dir>"},
    {"once", '1', NULL, "One round; exit with 1 when it raised an alarm.", NULL},
    {"interval", 'i', "TIME", "From one round to the next, 1s or more (default: 30s).", NULL},
    {"max-age", 'a', "TIME", "Alarm when nothing new was signed for so long (default: never).", NULL},
    {"alarm-findings", 0, "WHICH", "Findings that are alarms when they are new: none, high or all (default: high).",
     "none high all"},
    {"webhook", 'w', "URL", "POST each alarm there as JSON (https, or http to loopback).", NULL},
    {"exec", 'x', "COMMAND", "Run by the shell for each alarm, with alarm.json on its standard input.", NULL},
    {"reread", 0, "N", "Bundles of entries seen before that are read again in each round, at random (default: 1).",
     NULL},
    {"raw", 0, NULL, "Entries are no records: only the tree is checked.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail monitor https://trail.example.com --key trail.vkey --state monitor", "follow a log until SIGTERM"},
    {"mltrail monitor https://trail.example.com --key trail.vkey --state monitor --once", "one round, from cron"},
    {"mltrail monitor /srv/copy --policy policy --state monitor --mirror mine", "follow flat files and keep a mirror"},
    {0},
};

#define INTERVAL_DEFAULT_NS (30 * MLT_NS_PER_S)
#define WEBHOOK_TIMEOUT_MS 10000 // an alarm must not hold up the next round for long
#define WEBHOOK_ANSWER_MAX 4096
#define REREAD_DEFAULT 1
#define REREAD_MAX 100000      // 25 million entries a round: a whole log, if need be
#define EXEC_TIMEOUT_S 60      // a mail or a page is sent within seconds; the next round waits meanwhile
#define EXEC_POLL_NS 50000000L // whether it has ended

extern char **environ;

struct monitoring {
    struct mlt_cli *cli;
    struct mlt_vkey key;
    struct mlt_policy policy;
    struct mlt_mirror_dir dir;
    struct mlt_progress progress;
    struct mlt_monitor_options opt;
    const char *webhook, *command;
    int64_t interval_ns;
    sigset_t ending;
    uint64_t num_alarms;
};

// --- telling an alarm ---

static void write_alarm(struct mlt_buf *out, struct mlt_cli *cli, const struct mlt_alarm *a, const char *evidence) {
    struct mlt_json_writer w;
    char when[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(when, cli->env->now(cli->env));
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "alarm", mlt_alarm_name(a->kind));
    mlt_jw_member(&w, "time", when);
    mlt_jw_member(&w, "log", cli->args[0]);
    mlt_jw_member(&w, "text", a->text);
    mlt_jw_name(&w, "entry");
    a->has_index ? mlt_jw_u64(&w, a->index) : mlt_jw_null(&w);
    mlt_jw_member(&w, "evidence", evidence[0] ? evidence : NULL);
    mlt_jw_member_bytes(&w, "checkpoint_remembered", a->before);
    mlt_jw_member_bytes(&w, "checkpoint_served", a->now);
    mlt_jw_end_object(&w);
}

static void post_alarm(struct monitoring *m, const struct mlt_alarm *a, const char *evidence) {
    struct mlt_buf body = {0};
    struct mlt_buf answer = {0};
    struct mlt_error err = {0};
    char type[MLT_NET_TYPE_LEN];
    int http_status = 0;
    write_alarm(&body, m->cli, a, evidence);
    const struct mlt_net_options opt = {
        .url = m->webhook,
        .content_type = "application/json",
        .body = mlt_buf_bytes(&body),
        .timeout_ms = WEBHOOK_TIMEOUT_MS,
        .max_response = WEBHOOK_ANSWER_MAX,
        .allow_http_loopback = true,
    };
    enum mlt_status status = body.failed ? mlt_fail(&err, MLT_NOMEM, "out of memory")
                                         : mlt_net_post(&opt, &http_status, &answer, type, &err);
    if (status != MLT_OK) {
        (void)mlt_cli_fail(m->cli, 0, "the webhook was not told: %s", err.text);
    } else if (http_status < 200 || http_status > 299) {
        (void)mlt_cli_fail(m->cli, 0, "the webhook answered %d", http_status);
    }
    mlt_buf_clear(&body);
    mlt_buf_clear(&answer);
}

static void wait_for(struct monitoring *m, pid_t pid) {
    const struct timespec pause = {.tv_nsec = EXEC_POLL_NS};
    int ended = 0;
    int64_t until = m->cli->env->monotonic(m->cli->env) + EXEC_TIMEOUT_S * MLT_NS_PER_S;
    while (waitpid(pid, &ended, WNOHANG) == 0) {
        if (m->cli->env->monotonic(m->cli->env) > until) {
            (void)kill(-pid, SIGKILL); // with all that the shell has started: its group is its own
            (void)waitpid(pid, &ended, 0);
            (void)mlt_cli_fail(m->cli, 0, "the command was ended after %d seconds", EXEC_TIMEOUT_S);
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        (void)mlt_cli_fail(m->cli, 0, "the command failed");
    }
}

static void run_command(struct monitoring *m, const char *evidence) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    char *report = mlt_arena_printf(&m->cli->arena, "%s/alarm.json", evidence);
    char shell[] = "/bin/sh";
    char flag[] = "-c";
    char *argv[] = {shell, flag, (char *)(uintptr_t)m->command, NULL};
    if (!report || posix_spawn_file_actions_init(&actions) != 0) {
        (void)mlt_cli_fail(m->cli, 0, "the command could not be run: out of memory");
        return;
    }
    (void)posix_spawnattr_init(&attributes);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(&attributes, &none); // ours are blocked
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    (void)posix_spawn_file_actions_addopen(&actions, 0, report, O_RDONLY, 0);
    int failed = posix_spawn(&pid, argv[0], &actions, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        (void)mlt_cli_fail(m->cli, 0, "the command could not be run: %s", strerror(failed));
    } else {
        wait_for(m, pid);
    }
}

static void tell(void *arg, const struct mlt_alarm *alarm, const char *evidence) {
    struct monitoring *m = arg;
    mlt_progress_end(&m->progress);
    (void)mlt_cli_fail(m->cli, 0, "ALARM %s: %s (evidence in %s)", mlt_alarm_name(alarm->kind), alarm->text,
                       evidence[0] ? evidence : "no place: it could not be written");
    if (m->webhook) {
        post_alarm(m, alarm, evidence);
    }
    if (m->command && evidence[0]) {
        run_command(m, evidence);
    }
}

// --- options ---

static int read_policy(struct monitoring *m) {
    const char *path = mlt_cli_value(m->cli, "policy");
    m->opt.policy = path ? &m->policy : NULL;
    return path ? mlt_cli_policy(m->cli, path, &m->policy, NULL) : 0;
}

static int read_time(struct monitoring *m, const char *name, int64_t *out) {
    const char *text = mlt_cli_value(m->cli, name);
    if (text && (!mlt_duration_parse(out, text) || *out < MLT_NS_PER_S)) {
        return mlt_cli_fail(m->cli, MLT_EXIT_USAGE, "--%s %s is no time of 1s or more; write it as 30s, 15m or 12h",
                            name, text);
    }
    return 0;
}

static int read_findings(struct monitoring *m) {
    static const char *const names[] = {
        [MLT_FINDINGS_NONE] = "none", [MLT_FINDINGS_HIGH] = "high", [MLT_FINDINGS_ALL] = "all"};
    const char *wanted = mlt_cli_value(m->cli, "alarm-findings");
    m->opt.findings = MLT_FINDINGS_HIGH;
    for (size_t i = 0; wanted && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(wanted, names[i]) == 0) {
            m->opt.findings = (enum mlt_findings_wanted)i;
            return 0;
        }
    }
    return wanted ? mlt_cli_fail(m->cli, MLT_EXIT_USAGE, "--alarm-findings is none, high or all, not \"%s\"", wanted)
                  : 0;
}

static int read_options(struct monitoring *m) {
    struct mlt_cli *cli = m->cli;
    struct mlt_error err = {0};
    bool have_key;
    m->webhook = mlt_cli_value(cli, "webhook");
    m->command = mlt_cli_value(cli, "exec");
    m->interval_ns = INTERVAL_DEFAULT_NS;
    m->opt.state_dir = mlt_cli_value(cli, "state");
    m->opt.mirror_dir = mlt_cli_value(cli, "mirror");
    m->opt.raw = mlt_cli_flag(cli, "raw");
    if (!mlt_verify_key_given(cli, &m->key, &have_key)) {
        return MLT_EXIT_USAGE;
    }
    m->opt.key = have_key ? &m->key : NULL;
    if (!m->opt.state_dir) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "a monitor remembers what it saw; give --state DIR, a directory of its own");
    }
    if (!have_key && !mlt_cli_value(cli, "policy")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "a log is followed by its key; give --key VKEY or FILE, or --policy FILE");
    }
    if (m->webhook && mlt_net_url_check(m->webhook, true, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--webhook: %s", err.text);
    }
    uint64_t again = REREAD_DEFAULT;
    if (!mlt_cli_number(cli, "reread", &again)) {
        return MLT_EXIT_USAGE;
    }
    if (again > REREAD_MAX) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--reread is at most %d", REREAD_MAX);
    }
    m->opt.num_again = (unsigned)again;
    int code = read_policy(m);
    code = code ? code : read_time(m, "interval", &m->interval_ns);
    code = code ? code : read_time(m, "max-age", &m->opt.max_age_ns);
    return code ? code : read_findings(m);
}

static int open_log(struct monitoring *m) {
    struct mlt_cli *cli = m->cli;
    struct mlt_error err = {0};
    enum mlt_status status;
    if (mlt_cli_is_url(cli->args[0])) {
        status = mlt_transport_open(&cli->transport, cli, cli->args[0], &err);
        m->opt.fetch = mlt_cli_mirror_fetch(cli);
    } else {
        status = mlt_mirror_dir_init(&m->dir, cli->env, cli->args[0], &err);
        m->opt.fetch = mlt_mirror_dir_fetch(&m->dir);
    }
    return status ? mlt_cli_fail_error(cli, &err) : 0;
}

// --- rounds ---

static bool go_on(void *arg) {
    (void)arg;
    sigset_t pending;
    return sigpending(&pending) != 0 || (!sigismember(&pending, SIGINT) && !sigismember(&pending, SIGTERM));
}

static void print_round(struct monitoring *m, const struct mlt_monitor_round *r) {
    struct mlt_cli *cli = m->cli;
    char root[2 * MLT_HASH_LEN + 1];
    mlt_hex_encode(root, mlt_bytes_of(r->root, sizeof r->root));
    if (!cli->json) {
        mlt_cli_outf(cli,
                     "%s: size %" PRIu64 " after %" PRIu64 ", root %s; %" PRIu64 " new entries, %" PRIu64
                     " segments, %" PRIu64 " alarms\n",
                     r->num_alarms > 0 ? "ALARM" : "good", r->size, r->size_before, root, r->num_new, r->num_segments,
                     r->num_alarms);
        (void)mlt_cli_flush(cli);
        return;
    }
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "verdict", r->num_alarms == 0);
    mlt_jw_member_u64(&w, "size", r->size);
    mlt_jw_member_u64(&w, "size_before", r->size_before);
    mlt_jw_member(&w, "root", root);
    mlt_jw_member_u64(&w, "new_entries", r->num_new);
    mlt_jw_member_u64(&w, "segments", r->num_segments);
    mlt_jw_member_u64(&w, "segments_unchecked", r->num_unchecked);
    mlt_jw_member_u64(&w, "versions_untold", r->num_untold);
    mlt_jw_member_u64(&w, "alarms", r->num_alarms);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    (void)mlt_cli_flush(cli);
    mlt_buf_clear(&out);
}

// True when a signal said to end.
static bool wait_for_next(const struct monitoring *m) {
    const struct timespec timeout = {.tv_sec = m->interval_ns / MLT_NS_PER_S, .tv_nsec = m->interval_ns % MLT_NS_PER_S};
    int got;
    do {
        got = sigtimedwait(&m->ending, NULL, &timeout);
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

// A log that cannot be reached is asked again: that is no evidence against it. --max-age tells when it lasts.
static int rounds(struct monitoring *m, struct mlt_monitor *monitor) {
    struct mlt_cli *cli = m->cli;
    bool once = mlt_cli_flag(cli, "once");
    for (;;) {
        struct mlt_monitor_round round;
        struct mlt_error err = {0};
        enum mlt_status status = mlt_monitor_step(monitor, &round, &err);
        mlt_progress_end(&m->progress);
        m->num_alarms += round.num_alarms;
        if (status == MLT_BUSY && !go_on(m)) {
            break;
        }
        if (status != MLT_OK) {
            (void)mlt_cli_fail_error(cli, &err);
        } else if (once || round.num_new > 0 || round.num_alarms > 0) {
            print_round(m, &round);
        }
        if (once && status != MLT_OK) {
            return round.num_alarms > 0 ? MLT_EXIT_FALSE : MLT_EXIT_FAILED;
        }
        if (once || wait_for_next(m)) {
            break;
        }
    }
    return m->num_alarms > 0 ? MLT_EXIT_FALSE : MLT_EXIT_TRUE;
}

static int run(struct mlt_cli *cli) {
    struct monitoring *m = mlt_arena_zero(&cli->arena, sizeof *m);
    struct mlt_monitor *monitor = NULL;
    struct mlt_error err = {0};
    if (!m) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    m->cli = cli;
    mlt_progress_init(&m->progress, cli, "reading");
    int code = read_options(m);
    code = code ? code : open_log(m);
    if (code == 0) {
        mlt_cli_hold_ending(&m->ending);
        m->opt.env = cli->env;
        m->opt.alarm = tell;
        m->opt.alarm_arg = m;
        m->opt.progress = mlt_progress_step;
        m->opt.progress_arg = &m->progress;
        m->opt.go_on = go_on;
        m->opt.go_on_arg = m;
        code = mlt_monitor_open(&monitor, &m->opt, &err) == MLT_OK ? rounds(m, monitor) : mlt_cli_fail_error(cli, &err);
    }
    mlt_monitor_close(monitor);
    mlt_policy_clear(&m->policy);
    return code;
}

const struct mlt_cli_command mlt_cmd_monitor = {
    .name = "monitor",
    .args = "URL|DIR",
    .summary = "follow a log from afar and raise an alarm when it changes its story",
    .text =
        "Fetches the checkpoint, holds it against the one remembered (signature, policy, size, consistency), fetches "
        "what is new, computes every hash, tile and root again, reads the entries, and recomputes what the log commits "
        "to. Whatever does not fit is an alarm: a line on standard error, and a directory of evidence under "
        "STATE/alarms. A checkpoint that contradicts what was seen is never taken for the next state. Needs a token "
        "with the right mirror, or a public trail; DIR is a mirror as flat files.",
    .words = "<dir>",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
