#define _DEFAULT_SOURCE // realpath
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/wait.h"
#include "cli/ending.h"
#include "cli/spooling.h"
#include "cli/transport.h"
#include "mlflow/outbox.h"
#include "mlflow/proxy.h"
#include "mlflow/sender.h"
#include "record/json.h"

static const struct mlt_cli_option options[] = {
    {"upstream", 'u', "URL", "The MLflow server that requests are passed on to.", NULL},
    {"listen", 'l', "ADDRESS", "Where to listen: HOST:PORT, [IPV6]:PORT or :PORT (default: 127.0.0.1:8473).", NULL},
    {"port-file", 0, "FILE", "Write the port there once connections are accepted (with --listen HOST:0).", "<file>"},
    {"insecure", 0, NULL, "Allow an address that is not loopback: something in front does TLS.", NULL},
    {"fail-closed", 0, NULL, "Pass on only what the trail has a durable record of (default).", NULL},
    {"fail-open", 0, NULL, "Pass requests on at once; exchanges wait in the spool while the trail takes none.", NULL},
    {"spool", 's', "DIR", "Where exchanges wait until the trail has them (default: see mltrail-proxy(1)).", "<dir>"},
    {"max-bytes", 0, "BYTES", "At most so much waits on disk, as in 2GB (default: 1GiB); the rest is lost and counted.",
     NULL},
    {"name", 'n', "NAME", "What the MLflow server is called in records (default: its host and port).", NULL},
    {"trust-user-header", 0, "HEADER", "Take the user from this header, which only what stands in front can set.",
     NULL},
    {"upstream-cacert", 0, "FILE", "PEM file of the authorities that the server's certificate is checked against.",
     "<file>"},
    {"digest-max", 0, "MB", "Hash the files of a model that is registered, up to this size; 0: not (default: 512).",
     NULL},
    {"record-all", 0, NULL, "Record also the files of the page, /health and /version.", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail proxy --upstream http://127.0.0.1:5000 --trail http://127.0.0.1:8470 --token-file mlflow.token",
     "clients use http://127.0.0.1:8473 from now on"},
    {"mltrail proxy --upstream http://10.0.0.5:5000 --listen :8473 --insecure --trust-user-header X-Forwarded-User",
     "behind something that does TLS and knows the user"},
    {0},
};

#define LISTEN_DEFAULT "127.0.0.1:8473"
#define DIGEST_MB_DEFAULT 512
#define DIGEST_MB_MAX (UINT64_C(1) << 30)
#define SPOOL_OF_ROOT "/var/lib/mltrail"
#define DRAIN_NS (5 * MLT_NS_PER_S) // at the end; what is left then stays in the spool

struct proxying {
    struct mlt_cli *cli;
    struct mlt_proxy_options proxy;
    struct mlt_client_options trail;
    struct mlt_outbox_options outbox;
    struct mlt_spool_log log;
    struct mlt_sender *sender; // of what has to be durable before a request goes on
    struct mlt_outbox *kept;   // of all else
};

// -- what the proxy asks of the trail ---------------------------------------------------------------------------------

static enum mlt_status begin(void *arg, struct mlt_bytes line, struct mlt_error *err) {
    return mlt_sender_now(((struct proxying *)arg)->sender, line, err);
}

static bool end(void *arg, struct mlt_bytes line) {
    return mlt_outbox_put(((struct proxying *)arg)->kept, line);
}

static bool ready(void *arg) {
    return !mlt_outbox_is_full(((struct proxying *)arg)->kept);
}

// -- options ----------------------------------------------------------------------------------------------------------

static char *without_slash(struct mlt_cli *cli, const char *url) {
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return mlt_arena_cstr(&cli->arena, mlt_bytes_of(url, len));
}

// The server as records name it: host and port, since a URL may be written in several ways.
static const char *host_and_port(struct mlt_cli *cli, const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return mlt_arena_cstr(&cli->arena, mlt_bytes_of(host, strcspn(host, "/")));
}

static int read_upstream(struct mlt_cli *cli, struct mlt_proxy_options *out) {
    const char *url = mlt_cli_value(cli, "upstream");
    if (!url) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--upstream URL is missing; name the MLflow server");
    }
    if (!mlt_cli_is_url(url) || strchr(url, '?') || strchr(url, '#')) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--upstream %s: write it as http://host:port or https://host", url);
    }
    if (strchr(url, '@')) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--upstream carries credentials, which every client would get; leave them out");
    }
    out->upstream = without_slash(cli, url);
    out->cacert = mlt_cli_value(cli, "upstream-cacert");
    out->name = mlt_cli_value(cli, "name");
    out->name = out->name ? out->name : host_and_port(cli, out->upstream);
    return out->upstream && out->name ? 0 : mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
}

static int read_proxy(struct mlt_cli *cli, struct mlt_proxy_options *out) {
    uint64_t digest_mb = DIGEST_MB_DEFAULT;
    bool open = mlt_cli_flag(cli, "fail-open");
    const char *listen = mlt_cli_value(cli, "listen");
    if (open && mlt_cli_flag(cli, "fail-closed")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--fail-open and --fail-closed contradict each other");
    }
    if (!mlt_cli_number(cli, "digest-max", &digest_mb)) {
        return MLT_EXIT_USAGE;
    }
    if (digest_mb > DIGEST_MB_MAX) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--digest-max is at most %" PRIu64, DIGEST_MB_MAX);
    }
    out->listen = listen ? listen : LISTEN_DEFAULT;
    out->allow_remote = mlt_cli_flag(cli, "insecure");
    out->user_header = mlt_cli_value(cli, "trust-user-header");
    out->fail_closed = !open;
    out->record_all = mlt_cli_flag(cli, "record-all");
    out->digest_max = digest_mb << 20;
    return read_upstream(cli, out);
}

// The trail is served by another process: at the socket of its directory, or at a URL.
static int read_directory(struct proxying *p, const char *trail) {
    struct mlt_cli *cli = p->cli;
    char *path = realpath(trail, NULL);
    bool served = path && mlt_transport_served(trail);
    p->trail.base = "http://localhost";
    p->trail.unix_socket = mlt_arena_printf(&cli->arena, "%s/sock", trail);
    p->outbox.link.url = path ? mlt_arena_printf(&cli->arena, "unix://%s/sock", path) : NULL;
    free(path);
    if (!p->outbox.link.url || (!served && p->proxy.fail_closed)) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "nobody serves %s; \"mltrail serve %s\" does, or give its URL", trail,
                            trail);
    }
    if (!served) {
        mlt_cli_note(cli, "nobody serves %s yet; exchanges wait in the spool", trail);
    }
    return 0;
}

static int read_trail(struct proxying *p) {
    struct mlt_cli *cli = p->cli;
    struct mlt_client_options *out = &p->trail;
    struct mlt_link_options *link = &p->outbox.link;
    struct mlt_error err = {0};
    const char *trail = mlt_cli_trail(cli);
    out->user_agent = link->user_agent = "mltrail-proxy/" MLT_CLI_VERSION;
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    if (!mlt_cli_is_url(trail)) {
        return read_directory(p, trail);
    }
    out->base = link->url = without_slash(cli, trail);
    out->cacert = link->cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert);
    out->cert = link->cert = mlt_cli_setting(cli, "cert", NULL, cli->config.cert);
    out->key = link->key = mlt_cli_setting(cli, "key", NULL, cli->config.key);
    int code = mlt_cli_token(cli, &out->token, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
    link->token = out->token;
    return code;
}

// A directory of its own for each MLflow server, among what programs keep from one run to the next.
static const char *usual_spool(struct mlt_cli *cli, const char *server) {
    const char *state = getenv("XDG_STATE_HOME");
    char *name = mlt_arena_printf(&cli->arena, "proxy-%s", server);
    for (char *c = name; c && *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '.' ||
                     *c == '-' || *c == '_';
        if (!plain) {
            *c = '_';
        }
    }
    if (!name) {
        return NULL;
    }
    return geteuid() == 0 && !(state && state[0]) ? mlt_arena_printf(&cli->arena, SPOOL_OF_ROOT "/%s", name)
                                                  : mlt_cli_state_file(cli, name);
}

static int read_spool(struct proxying *p) {
    struct mlt_cli *cli = p->cli;
    p->outbox.dir = mlt_cli_value(cli, "spool");
    if (!p->outbox.dir) {
        p->outbox.dir = usual_spool(cli, p->proxy.name);
        if (!p->outbox.dir) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "there is no home directory to keep a spool in; give --spool DIR");
        }
        mlt_cli_make_parents(cli, p->outbox.dir);
    }
    p->outbox.name = p->proxy.name;
    p->outbox.event = mlt_spool_log_tell;
    p->outbox.event_arg = &p->log;
    return mlt_cli_spool_bytes(cli, &p->outbox.bytes_max);
}

// -- running ----------------------------------------------------------------------------------------------------------

struct counts {
    struct mlt_proxy_counts proxy;
    struct mlt_sender_counts sender;
    struct mlt_outbox_counts outbox;
};

static uint64_t lost(const struct counts *c) {
    return c->outbox.lost + c->outbox.refused + c->sender.refused;
}

static void tell(struct mlt_cli *cli, const struct counts *c) {
    struct mlt_buf out = {0};
    if (!cli->json) {
        mlt_cli_outf(cli,
                     "%" PRIu64 " requests, %" PRIu64 " exchanges recorded, %" PRIu64 " requests refused, %" PRIu64
                     " exchanges lost, %" PRIu64 " waiting in the spool\n",
                     c->proxy.requests, c->proxy.exchanges, c->proxy.refused, lost(c), c->outbox.waiting);
        return;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "requests", c->proxy.requests);
    mlt_jw_member_u64(&w, "exchanges", c->proxy.exchanges);
    mlt_jw_member_u64(&w, "refused_requests", c->proxy.refused);
    mlt_jw_member_u64(&w, "own_reads", c->proxy.own_reads);
    mlt_jw_member_u64(&w, "sent", c->sender.sent + c->outbox.sent);
    mlt_jw_member_u64(&w, "refused_by_trail", c->sender.refused + c->outbox.refused);
    mlt_jw_member_u64(&w, "lost", c->outbox.lost);
    mlt_jw_member_u64(&w, "waiting", c->outbox.waiting);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int serve_proxy(struct proxying *p, const sigset_t *ending, struct counts *out) {
    struct mlt_proxy *proxy = NULL;
    struct mlt_error err = {0};
    if (mlt_proxy_start(&proxy, &p->proxy, &err) != MLT_OK) {
        return mlt_cli_fail_error(p->cli, &err);
    }
    int code = mlt_cli_serve_until(p->cli, ending,
                                   &(struct mlt_cli_place){.what = "proxy of",
                                                           .dir = p->proxy.upstream,
                                                           .scheme = "http",
                                                           .listen = p->proxy.listen,
                                                           .port = mlt_proxy_port(proxy)});
    mlt_proxy_stop(proxy, &out->proxy);
    return code;
}

static int serve(struct proxying *p, const sigset_t *ending) {
    struct mlt_cli *cli = p->cli;
    struct mlt_error err = {0};
    struct counts c = {0};
    enum mlt_status status = mlt_sender_open(&p->sender, &p->trail, &err);
    status = status == MLT_OK ? mlt_outbox_open(&p->kept, cli->env, &p->outbox, &err) : status;
    int code = status == MLT_OK ? serve_proxy(p, ending, &c) : mlt_cli_fail_error(cli, &err);
    mlt_outbox_close(p->kept, mlt_wait_now() + DRAIN_NS, &c.outbox);
    mlt_sender_close(p->sender, &c.sender);
    if (code == MLT_EXIT_TRUE) {
        if (c.outbox.waiting > 0) {
            mlt_cli_note(cli, "%" PRIu64 " exchanges stay in %s; the next proxy there sends them", c.outbox.waiting,
                         p->outbox.dir);
        }
        tell(cli, &c);
    }
    return code == MLT_EXIT_TRUE && lost(&c) > 0 ? MLT_EXIT_FALSE : code;
}

static int run(struct mlt_cli *cli) {
    struct proxying p = {.cli = cli, .log.cli = cli};
    p.proxy.begin = begin;
    p.proxy.end = end;
    p.proxy.ready = ready;
    p.proxy.arg = &p;
    int code = read_proxy(cli, &p.proxy);
    code = code == 0 ? read_trail(&p) : code;
    code = code == 0 ? read_spool(&p) : code;
    if (code != 0) {
        return code;
    }
    sigset_t ending;
    mlt_cli_hold_ending(&ending);
    return serve(&p, &ending);
}

const struct mlt_cli_command mlt_cmd_proxy = {
    .name = "proxy",
    .args = "",
    .summary = "stand before an MLflow server and record every request to it",
    .text = "Passes requests on to the MLflow server at --upstream and its answers back, and makes an access record of "
            "each, and of changes of the registry transitions, model versions and training runs. The trail has to be "
            "served; what it does not take at once waits in a spool. Ends with SIGTERM or SIGINT; the exit status is "
            "1 when an exchange was lost.",
    .options = options,
    .examples = examples,
    .run = run,
};
