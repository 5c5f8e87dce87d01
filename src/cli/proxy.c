#include <inttypes.h>
#include <stdio.h>

#include "cli/ending.h"
#include "cli/transport.h"
#include "mlflow/proxy.h"
#include "mlflow/sender.h"
#include "record/json.h"

static const struct mlt_cli_option options[] = {
    {"upstream", 'u', "URL", "The MLflow server that requests are passed on to.", NULL},
    {"listen", 'l', "ADDRESS", "Where to listen: HOST:PORT, [IPV6]:PORT or :PORT (default: 127.0.0.1:8472).", NULL},
    {"port-file", 0, "FILE", "Write the port there once connections are accepted (with --listen HOST:0).", "<file>"},
    {"insecure", 0, NULL, "Allow an address that is not loopback: something in front does TLS.", NULL},
    {"fail-closed", 0, NULL, "Pass on only what the trail has a durable record of (default).", NULL},
    {"fail-open", 0, NULL, "Pass requests on at once; exchanges wait in memory while the trail takes none.", NULL},
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
     "clients use http://127.0.0.1:8472 from now on"},
    {"mltrail proxy --upstream http://10.0.0.5:5000 --listen :8472 --insecure --trust-user-header X-Forwarded-User",
     "behind something that does TLS and knows the user"},
    {0},
};

#define LISTEN_DEFAULT "127.0.0.1:8472"
#define DIGEST_MB_DEFAULT 512
#define DIGEST_MB_MAX (UINT64_C(1) << 30)

struct proxying {
    struct mlt_cli *cli;
    struct mlt_proxy_options proxy;
    struct mlt_sender_options sender;
    struct mlt_sender *sending;
};

// -- what the proxy asks of the trail ---------------------------------------------------------------------------------

static enum mlt_status begin(void *arg, struct mlt_bytes line, struct mlt_error *err) {
    return mlt_sender_now(((struct proxying *)arg)->sending, line, err);
}

static bool end(void *arg, struct mlt_bytes line) {
    return mlt_sender_put(((struct proxying *)arg)->sending, line);
}

static bool ready(void *arg) {
    return !mlt_sender_is_full(((struct proxying *)arg)->sending);
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

// The trail is served by another process: at a URL, or at the socket of its directory.
static int read_trail(struct mlt_cli *cli, struct mlt_client_options *out) {
    struct mlt_error err = {0};
    const char *trail = mlt_cli_trail(cli);
    out->user_agent = "mltrail-proxy/" MLT_CLI_VERSION;
    if (!trail) {
        return MLT_EXIT_USAGE;
    }
    if (!mlt_cli_is_url(trail)) {
        out->base = "http://localhost";
        out->unix_socket = mlt_arena_printf(&cli->arena, "%s/sock", trail);
        return mlt_transport_served(trail)
                   ? 0
                   : mlt_cli_fail(cli, MLT_EXIT_FAILED, "nobody serves %s; \"mltrail serve %s\" does, or give its URL",
                                  trail, trail);
    }
    out->base = without_slash(cli, trail);
    out->cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert);
    out->cert = mlt_cli_setting(cli, "cert", NULL, cli->config.cert);
    out->key = mlt_cli_setting(cli, "key", NULL, cli->config.key);
    return mlt_cli_token(cli, &out->token, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

// -- running ----------------------------------------------------------------------------------------------------------

static void tell(struct mlt_cli *cli, const struct mlt_proxy_counts *p, const struct mlt_sender_counts *s) {
    struct mlt_buf out = {0};
    if (!cli->json) {
        mlt_cli_outf(cli,
                     "%" PRIu64 " requests, %" PRIu64 " exchanges recorded, %" PRIu64 " requests refused, %" PRIu64
                     " exchanges lost\n",
                     p->requests, p->exchanges, p->refused, s->lost + s->refused);
        return;
    }
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "requests", p->requests);
    mlt_jw_member_u64(&w, "exchanges", p->exchanges);
    mlt_jw_member_u64(&w, "refused_requests", p->refused);
    mlt_jw_member_u64(&w, "own_reads", p->own_reads);
    mlt_jw_member_u64(&w, "sent", s->sent);
    mlt_jw_member_u64(&w, "refused_by_trail", s->refused);
    mlt_jw_member_u64(&w, "lost", s->lost);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static int serve(struct proxying *p, const sigset_t *ending) {
    struct mlt_cli *cli = p->cli;
    struct mlt_proxy *proxy = NULL;
    struct mlt_error err = {0};
    struct mlt_proxy_counts counts = {0};
    struct mlt_sender_counts sent = {0};
    int code;
    if (mlt_sender_start(&p->sending, &p->sender, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    if (mlt_proxy_start(&proxy, &p->proxy, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        code = mlt_cli_serve_until(cli, ending,
                                   &(struct mlt_cli_place){.what = "proxy of",
                                                           .dir = p->proxy.upstream,
                                                           .scheme = "http",
                                                           .listen = p->proxy.listen,
                                                           .port = mlt_proxy_port(proxy)});
    }
    bool ran = proxy != NULL;
    mlt_proxy_stop(proxy, &counts);
    mlt_sender_stop(p->sending, &sent);
    if (ran) {
        tell(cli, &counts, &sent);
    }
    return code == MLT_EXIT_TRUE && sent.lost + sent.refused > 0 ? MLT_EXIT_FALSE : code;
}

static int run(struct mlt_cli *cli) {
    struct proxying p = {.cli = cli};
    p.proxy.begin = begin;
    p.proxy.end = end;
    p.proxy.ready = ready;
    p.proxy.arg = &p;
    int code = read_proxy(cli, &p.proxy);
    code = code == 0 ? read_trail(cli, &p.sender.trail) : code;
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
            "served. Ends with SIGTERM or SIGINT; the exit status is 1 when an exchange was lost.",
    .options = options,
    .examples = examples,
    .run = run,
};
