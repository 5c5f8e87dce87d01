#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/wait.h"
#include "cli/duration.h"
#include "cli/ending.h"
#include "cli/spooling.h"
#include "cli/transport.h"

static const struct mlt_cli_option options[] = {
    {"spool", 's', "DIR", "Where records wait until the server has them; made if it is not there.", "<dir>"},
    {"to", 0, "URL", "The server: https://HOST:PORT, http://HOST:PORT or unix:///PATH/TO/sock.", NULL},
    {"listen", 'l', "ADDRESS", "Where to listen on loopback: HOST:PORT, or none (default: 127.0.0.1:8472).", "none"},
    {"socket", 0, "PATH", "Listen on a Unix socket as well.", "<file>"},
    {"socket-mode", 0, "MODE", "Who may connect to it: 0600, this user (default); 0660, its group too.", "0600 0660"},
    {"port-file", 0, "FILE", "Write the port there once connections are accepted (with --listen HOST:0).", "<file>"},
    {"serving-node", 'n', "NAME", "Name of this node in predictions that have none (default: the host's).", NULL},
    {"adopt", 'a', "DIR", "Send what dead processes left in this spool too; may be given several times.", "<dir>"},
    {"max-bytes", 0, "BYTES", "At most so much of one service waits on disk, as in 2GB (default: 1GiB).", NULL},
    {"on-full", 0, "WHAT", "When it does: block for a moment, then error (default); error; drop and count.",
     "block error drop"},
    {"sync", 0, "TIME", "What a power loss may take, 1ms or more (default: 100ms).", NULL},
    {"gzip", 0, "WHEN", "Compress on the way: auto, but not to this machine (default); on; off.", "auto on off"},
    {"drain", 0, "TIME", "How long to go on sending after SIGTERM (default: 5s).", NULL},
    {0},
};
static const struct mlt_cli_example examples[] = {
    {"mltrail agent --spool /var/spool/mltrail --to https://trail.example.com:8470 --token-file node.token",
     "serve this node's services until SIGTERM"},
    {"mltrail agent --spool spool --to http://127.0.0.1:8470 --listen none --socket agent.sock", "over a socket alone"},
    {"mltrail agent --spool spool --to https://trail.example.com --adopt /srv/app/spool",
     "and send what processes of the SDK left there when they died"},
    {0},
};

#define LISTEN_DEFAULT "127.0.0.1:8472"
#define DRAIN_DEFAULT_NS (5 * MLT_NS_PER_S)
#define SYNC_MAX_NS (60 * MLT_NS_PER_S)
#define LINGER_MS 50
#define NODE_LEN 256

struct agenting {
    struct mlt_agent_options opt;
    const char *dirs[MLT_COURIER_DIRS_MAX];
    char node[NODE_LEN];
    const char *listen, *socket;
    unsigned socket_mode;
    int64_t drain_ns;
    struct mlt_spool_log log;
};

// -- options ----------------------------------------------------------------------------------------------------------

static int read_limits(struct mlt_cli *cli, struct agenting *g) {
    const char *sync = mlt_cli_value(cli, "sync");
    const char *drain = mlt_cli_value(cli, "drain"), *full = mlt_cli_value(cli, "on-full");
    int64_t sync_ns = (int64_t)MLT_COURIER_SYNC_MS_DEFAULT * 1000000;
    if (sync && (!mlt_duration_parse(&sync_ns, sync) || sync_ns < 1000000 || sync_ns > SYNC_MAX_NS)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--sync %s is no time from 1ms to 1m; write it as 100ms or 1s", sync);
    }
    g->drain_ns = DRAIN_DEFAULT_NS;
    if (drain && !mlt_duration_parse(&g->drain_ns, drain)) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--drain %s is no time; write it as 5s or 1m", drain);
    }
    if (full && strcmp(full, "block") != 0 && strcmp(full, "error") != 0 && strcmp(full, "drop") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--on-full %s: there are block, error and drop", full);
    }
    g->opt.on_full = full && strcmp(full, "error") == 0  ? MLT_AGENT_ERROR
                     : full && strcmp(full, "drop") == 0 ? MLT_AGENT_DROP
                                                         : MLT_AGENT_BLOCK;
    g->opt.courier.sync_ms = (unsigned)(sync_ns / 1000000);
    return 0;
}

static int read_place(struct mlt_cli *cli, struct agenting *g) {
    const char *mode = mlt_cli_value(cli, "socket-mode");
    g->listen = mlt_cli_value(cli, "listen") ? mlt_cli_value(cli, "listen") : LISTEN_DEFAULT;
    g->listen = strcmp(g->listen, "none") == 0 ? NULL : g->listen;
    g->socket = mlt_cli_value(cli, "socket");
    if (mode && strcmp(mode, "0600") != 0 && strcmp(mode, "0660") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--socket-mode %s: there are 0600 and 0660", mode);
    }
    g->socket_mode = mode && strcmp(mode, "0660") == 0 ? 0660 : 0600;
    if (!g->listen && !g->socket) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--listen none needs --socket PATH");
    }
    return 0;
}

static int read_dirs(struct mlt_cli *cli, struct agenting *g) {
    size_t at = 0;
    const char *dir;
    g->dirs[g->opt.courier.num_dirs++] = g->opt.spool_dir;
    while ((dir = mlt_cli_next(cli, "adopt", &at)) != NULL) {
        if (g->opt.courier.num_dirs == MLT_COURIER_DIRS_MAX) {
            return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--adopt is taken %d times at most", MLT_COURIER_DIRS_MAX - 1);
        }
        g->dirs[g->opt.courier.num_dirs++] = dir;
    }
    g->opt.courier.dirs = g->dirs;
    return 0;
}

static int read_link(struct mlt_cli *cli, struct agenting *g) {
    const char *gzip = mlt_cli_value(cli, "gzip");
    struct mlt_link_options *link = &g->opt.courier.link;
    struct mlt_error err = {0};
    link->url = mlt_cli_value(cli, "to");
    link->user_agent = "mltrail-agent/" MLT_CLI_VERSION;
    link->cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert);
    link->cert = mlt_cli_setting(cli, "cert", NULL, cli->config.cert);
    link->key = mlt_cli_setting(cli, "key", NULL, cli->config.key);
    if (gzip && strcmp(gzip, "auto") != 0 && strcmp(gzip, "on") != 0 && strcmp(gzip, "off") != 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--gzip %s: there are auto, on and off", gzip);
    }
    link->gzip = gzip && strcmp(gzip, "on") == 0    ? MLT_LINK_GZIP_ON
                 : gzip && strcmp(gzip, "off") == 0 ? MLT_LINK_GZIP_OFF
                                                    : MLT_LINK_GZIP_AUTO;
    return mlt_cli_token(cli, &link->token, &err) == MLT_OK ? 0 : mlt_cli_fail_error(cli, &err);
}

static int read_options(struct mlt_cli *cli, struct agenting *g) {
    const char *node = mlt_cli_value(cli, "serving-node");
    g->opt.spool_dir = mlt_cli_value(cli, "spool");
    if (!g->opt.spool_dir || !mlt_cli_value(cli, "to")) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--spool DIR and --to URL are needed");
    }
    if (!node) {
        (void)gethostname(g->node, sizeof g->node - 1);
        node = g->node;
    }
    g->opt.serving_node = node;
    g->opt.courier.linger_ms = LINGER_MS;
    g->opt.courier.event = mlt_spool_log_tell;
    g->opt.courier.arg = &g->log;
    int code = mlt_cli_spool_bytes(cli, &g->opt.bytes_max);
    code = code == 0 ? read_limits(cli, g) : code;
    code = code == 0 ? read_place(cli, g) : code;
    code = code == 0 ? read_dirs(cli, g) : code;
    return code == 0 ? read_link(cli, g) : code;
}

// -- serving ----------------------------------------------------------------------------------------------------------

static int serve(struct mlt_cli *cli, struct agenting *g, struct mlt_agent *a, const sigset_t *ending) {
    struct mlt_service *tcp = NULL, *local = NULL;
    struct mlt_error err = {0};
    int code;
    struct mlt_service_options opt = {.body_max = MLT_AGENT_BODY_MAX, .handle = mlt_agent_handle, .arg = a};
    enum mlt_status status = MLT_OK;
    if (g->listen) {
        opt.listen = g->listen;
        status = mlt_service_start(&tcp, &opt, &err);
    }
    if (status == MLT_OK && g->socket) {
        opt.listen = NULL;
        opt.socket = g->socket;
        opt.socket_mode = g->socket_mode;
        status = mlt_service_start(&local, &opt, &err);
    }
    if (status != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        code = mlt_cli_serve_until(cli, ending,
                                   &(struct mlt_cli_place){.what = "agent",
                                                           .dir = g->opt.spool_dir,
                                                           .scheme = "http",
                                                           .listen = g->listen,
                                                           .socket = g->socket,
                                                           .port = tcp ? mlt_service_port(tcp) : 0});
    }
    mlt_service_stop(tcp);
    mlt_service_stop(local);
    return code;
}

static int run(struct mlt_cli *cli) {
    struct agenting g = {.log.cli = cli};
    struct mlt_agent *a = NULL;
    struct mlt_error err = {0};
    sigset_t ending;
    int code = read_options(cli, &g);
    if (code != 0) {
        return code;
    }
    mlt_cli_hold_ending(&ending);
    if (mlt_agent_open(&a, cli->env, &g.opt, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    code = serve(cli, &g, a, &ending);
    uint64_t left = mlt_agent_close(a, mlt_wait_now() + g.drain_ns);
    if (left > 0) {
        mlt_cli_note(cli, "%llu records stay in %s; the next agent there sends them", (unsigned long long)left,
                     g.opt.spool_dir);
    }
    return code;
}

const struct mlt_cli_command mlt_cmd_agent = {
    .name = "agent",
    .args = "--spool DIR --to URL",
    .summary = "take records from this node's services, and forward them",
    .text = "Takes records and messages of other systems from services on this machine, has them on disk before it "
            "answers, "
            "and sends them when the server is there. SIGTERM ends it; what is not sent by then stays in the spool.",
    .words = NULL,
    .max_args = 0,
    .options = options,
    .examples = examples,
    .run = run,
};
