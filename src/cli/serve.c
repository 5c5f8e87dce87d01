#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/anchor.h"
#include "cli/duration.h"
#include "cli/ending.h"
#include "cli/pin.h"
#include "cli/policy_file.h"
#include "server/anchoring.h"
#include "server/forwarding.h"
#include "server/server.h"

static const struct mlt_cli_option options[] = {
    {"listen", 'l', "ADDRESS", "Where to listen: HOST:PORT, [IPV6]:PORT or :PORT (default: 127.0.0.1:8470).", NULL},
    {"port-file", 0, "FILE", "Write the port there once connections are accepted (with --listen HOST:0).", "<file>"},
    {"socket-only", 0, NULL, "Listen on TRAIL/sock alone.", NULL},
    {"tls-cert", 0, "FILE", "PEM file with the server's certificate chain.", "<file>"},
    {"tls-key", 0, "FILE", "PEM file with the certificate's key.", "<file>"},
    {"tls-client-ca", 0, "FILE", "PEM file with the authorities of client certificates, which are then asked for.",
     "<file>"},
    {"insecure", 0, NULL, "Allow plain HTTP on an address that is not loopback.", NULL},
    {"threads", 0, "N", "Threads that answer requests (default: one per processor).", NULL},
    {"segment-entries", 0, "N", "Entries of a segment commitment, a power of two from 16 on (default: 1048576).", NULL},
    {"policy", 0, "FILE|none",
     "Have checkpoints cosigned by the witnesses of this policy (C2SP tlog-policy); it is kept until another is given.",
     "<file>"},
    {"witness-mode", 0, "MODE",
     "prefer: publish self-attested when the quorum is missing (default); require: publish only with the quorum.",
     "prefer require"},
    {"publish-interval", 0, "TIME", "At most how often a checkpoint is published, 100ms or more (default: 1s).", NULL},
    {"tsa", 0, "URLS", "Time-stamping authorities (RFC 3161) that stamp the checkpoint on a schedule.", NULL},
    {"tsa-interval", 0, "TIME", "At most how often they are asked, 1s or more (default: 1h).", NULL},
    {"tsa-roots", 0, "FILE", "PEM file of the certificates that their tokens must lead to.", "<file>"},
    {"forward-cloudevents", 0, "URL", "Send CloudEvents on, as they came, to this URL too; may be given several times.",
     NULL},
    {"scrub-interval", 0, "TIME",
     "How long between two readings of the whole trail, 1s or more, or off (default: 24h).", "off"},
    {"scrub-rate", 0, "BYTES", "At most how much of the trail is read in a second, as in 20MB (default: 20MB).", NULL},
    {"mlflow-webhook-secret-file", 0, "FILE",
     "The secret of MLflow's webhooks (default: mlflow-webhook.secret beside the keys).", "<file>"},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail serve trail", "serve on 127.0.0.1:8470 until SIGTERM or SIGINT"},
    {"mltrail serve /srv/trail --listen :8470 --tls-cert cert.pem --tls-key key.pem", "serve everybody, over TLS"},
    {"mltrail serve trail --policy witnesses.policy --witness-mode require", "publish what the witnesses cosigned"},
    {"mltrail serve trail --tsa https://tsa.example.com/ --tsa-roots tsa-root.pem", "have it time-stamped every hour"},
    {"mltrail serve trail --listen 127.0.0.1:0 --port-file port", "let the system choose a port"},
    {0},
};

#define LISTEN_DEFAULT "127.0.0.1:8470"
#define PUBLISH_MIN_NS (MLT_NS_PER_S / 10)
#define THREADS_MAX 1024
#define SCRUB_INTERVAL_DEFAULT_NS (24 * 3600 * MLT_NS_PER_S)

struct serving {
    struct mlt_api_options api;
    struct mlt_server_options server;
    struct mlt_buf policy;
};

static int read_witnessing(struct mlt_cli *cli, struct serving *s) {
    const char *path = mlt_cli_value(cli, "policy");
    const char *mode = mlt_cli_value(cli, "witness-mode");
    struct mlt_witnessing_options *w = &s->api.witnessing;
    if (mode && strcmp(mode, "prefer") != 0 && strcmp(mode, "require") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--witness-mode %s: there are prefer and require", mode);
    }
    w->mode = !mode ? MLT_WITNESS_AS_KEPT : strcmp(mode, "require") == 0 ? MLT_WITNESS_REQUIRE : MLT_WITNESS_PREFER;
    w->cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert);
    w->forget = path && strcmp(path, "none") == 0;
    if (!path || w->forget) {
        return 0;
    }
    struct mlt_policy policy;
    int code = mlt_cli_policy(cli, path, &policy, &s->policy);
    if (code == 0 && policy.num_witnesses == 0) {
        code = mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "the policy %s has no witness; \"witness NAME VKEY URL\" lines would be right", path);
    }
    mlt_policy_clear(&policy);
    w->policy = mlt_buf_bytes(&s->policy);
    return code;
}

static int read_anchoring(struct mlt_cli *cli, struct mlt_anchoring_options *out) {
    const char *interval = mlt_cli_value(cli, "tsa-interval");
    if (!mlt_cli_value(cli, "tsa") && (interval || mlt_cli_value(cli, "tsa-roots"))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tsa-interval and --tsa-roots go with --tsa URL");
    }
    out->interval_ns = MLT_ANCHORING_INTERVAL_DEFAULT;
    if (interval &&
        (!mlt_duration_parse(&out->interval_ns, interval) || out->interval_ns < MLT_ANCHORING_INTERVAL_MIN)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tsa-interval %s is no time of 1s or more; write it as 15m or 1h",
                            interval);
    }
    return mlt_anchor_authorities(cli, "tsa-roots", out);
}

static int read_forwarding(struct mlt_cli *cli, struct mlt_forwarding_options *out) {
    const char **urls = mlt_arena_zero(&cli->arena, (MLT_FORWARDING_MAX + 1) * sizeof *urls);
    struct mlt_error err = {0};
    size_t at = 0;
    if (!urls) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    for (const char *url;
         (url = mlt_cli_next(cli, "forward-cloudevents", &at)) && out->num_urls <= MLT_FORWARDING_MAX;) {
        urls[out->num_urls++] = url;
    }
    out->urls = urls;
    out->cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert);
    if (mlt_forwarding_check(out, &err) != MLT_OK) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--forward-cloudevents: %s", err.text);
    }
    return 0;
}

static int read_scrub(struct mlt_cli *cli, struct mlt_scrub_options *out) {
    const char *interval = mlt_cli_value(cli, "scrub-interval");
    const char *rate = mlt_cli_value(cli, "scrub-rate");
    out->interval_ns = SCRUB_INTERVAL_DEFAULT_NS;
    out->scratch = getenv("TMPDIR");
    if (interval && strcmp(interval, "off") == 0) {
        out->interval_ns = 0;
    } else if (interval && (!mlt_duration_parse(&out->interval_ns, interval) || out->interval_ns < MLT_NS_PER_S)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--scrub-interval %s is no time of 1s or more, nor off; write it as "
                            "12h or 7d",
                            interval);
    }
    if (rate && (!mlt_byte_rate_parse(&out->rate, rate) || out->rate < MLT_SCRUB_RATE_MIN)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--scrub-rate %s is no number of bytes a second, 65536 or more; write "
                            "it as 500kB, 20MB or 1GB",
                            rate);
    }
    return 0;
}

static int read_options(struct mlt_cli *cli, struct serving *s) {
    uint64_t threads = 0;
    const char *interval = mlt_cli_value(cli, "publish-interval");
    if (!mlt_cli_number(cli, "threads", &threads)) {
        return MLT_EXIT_USAGE;
    }
    if (threads > THREADS_MAX) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--threads is at most %d", THREADS_MAX);
    }
    if (interval && (!mlt_duration_parse(&s->api.trail.publish_interval_ns, interval) ||
                     s->api.trail.publish_interval_ns < PUBLISH_MIN_NS)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--publish-interval %s is no time of 100ms or more; write it as 500ms, 1s or 1m", interval);
    }
    const char *listen = mlt_cli_value(cli, "listen");
    s->api.segments = true;
    s->api.mlflow_webhook_secret = mlt_cli_value(cli, "mlflow-webhook-secret-file");
    if (!mlt_cli_number(cli, "segment-entries", &s->api.segment_entries)) {
        return MLT_EXIT_USAGE;
    }
    int code = read_anchoring(cli, &s->api.anchoring);
    code = code != 0 ? code : read_forwarding(cli, &s->api.forwarding);
    code = code != 0 ? code : read_scrub(cli, &s->api.scrub);
    if (code != 0) {
        return code;
    }
    s->server = (struct mlt_server_options){
        .listen = mlt_cli_flag(cli, "socket-only") ? NULL
                  : listen                         ? listen
                                                   : LISTEN_DEFAULT,
        .tls_cert = mlt_cli_value(cli, "tls-cert"),
        .tls_key = mlt_cli_value(cli, "tls-key"),
        .tls_client_ca = mlt_cli_value(cli, "tls-client-ca"),
        .insecure = mlt_cli_flag(cli, "insecure"),
        .threads = (unsigned)threads,
    };
    if (!s->server.tls_cert != !s->server.tls_key) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tls-cert and --tls-key go together; give both");
    }
    if (s->server.tls_client_ca && !s->server.tls_cert) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--tls-client-ca needs --tls-cert and --tls-key");
    }
    return 0;
}

static int serve(struct mlt_cli *cli, const struct serving *s, const sigset_t *ending) {
    struct mlt_api *api = NULL;
    struct mlt_server *server = NULL;
    struct mlt_error err = {0};
    int code;
    if (mlt_api_open(&api, cli->env, &s->api, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    if (mlt_server_start(&server, api, &s->server, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        code = mlt_cli_serve_until(cli, ending,
                                   &(struct mlt_cli_place){.what = "serving",
                                                           .dir = s->api.trail.dir,
                                                           .scheme = s->server.tls_cert ? "https" : "http",
                                                           .listen = s->server.listen,
                                                           .port = mlt_server_port(server)});
        mlt_server_stop(server);
    }
    if (mlt_api_close(api, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    }
    return code;
}

static int run(struct mlt_cli *cli) {
    const char *dir = cli->num_args > 0 ? cli->args[0] : mlt_cli_trail(cli);
    if (!dir) {
        return MLT_EXIT_USAGE;
    }
    if (mlt_cli_is_url(dir)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "%s is a URL; give the directory of the trail", dir);
    }
    struct mlt_progress progress;
    mlt_progress_init(&progress, cli, "indexing");
    struct serving s = {.api = {.trail = {.dir = dir, .state_dir = mlt_cli_state(cli), .pin = mlt_cli_pin(cli)},
                                .progress = mlt_progress_step,
                                .progress_arg = &progress}};
    int code = read_options(cli, &s);
    code = code == 0 ? read_witnessing(cli, &s) : code;
    if (code != 0) {
        mlt_buf_clear(&s.policy);
        return code;
    }
    sigset_t ending;
    mlt_cli_hold_ending(&ending);
    code = serve(cli, &s, &ending);
    mlt_progress_end(&progress);
    mlt_buf_clear(&s.policy);
    return code;
}

const struct mlt_cli_command mlt_cmd_serve = {
    .name = "serve",
    .args = "[DIR]",
    .summary = "serve the HTTP API of a trail",
    .text =
        "Serves the trail until SIGTERM or SIGINT, then finishes what runs and closes the trail. Commands on the same "
        "directory go through DIR/sock meanwhile.",
    .words = "<dir>",
    .max_args = 1,
    .options = options,
    .examples = examples,
    .run = run,
};
