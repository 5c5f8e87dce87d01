#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/anchor.h"
#include "cli/pin.h"
#include "cli/transport.h"
#include "net/client.h"
#include "server/api.h"

#define TOKEN_FILE_MAX 4096
#define REPLY_MAX ((size_t)1024 * 1024 * 1024) // a dossier or a page of an export is far smaller
#define USER_AGENT "mltrail/" MLT_CLI_VERSION
#define STARTING_TRIES 20 // a server that has the lock opens its socket soon: wait two seconds for it
#define STARTING_WAIT_NS 100000000L

struct mlt_transport {
    struct mlt_cli *cli;
    struct mlt_client *http; // NULL: in this process
    struct mlt_api *api;
    struct mlt_principal principal;
    int dir_fd; // -1, or the directory through which a long socket path is shortened
    char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];
};

void mlt_reply_clear(struct mlt_reply *reply) {
    mlt_buf_clear(&reply->body);
    *reply = (struct mlt_reply){0};
}

// socket_path names <dir>/sock; where that is too long for a socket address, through an open descriptor of `dir`.
static bool socket_path(const char *dir, char *out, size_t cap, int *dir_fd) {
    *dir_fd = -1;
    int len = snprintf(out, cap, "%s/sock", dir);
    if (len >= 0 && (size_t)len < cap) {
        return true;
    }
    *dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0) {
        return false;
    }
    (void)snprintf(out, cap, "/proc/self/fd/%d/sock", *dir_fd);
    return true;
}

static bool accepts(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return connected;
}

bool mlt_transport_served(const char *dir) {
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int dir_fd;
    bool served = socket_path(dir, path, sizeof path, &dir_fd) && accepts(path);
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    return served;
}

enum mlt_status mlt_cli_token(struct mlt_cli *cli, const char **out, struct mlt_error *err) {
    const char *file = mlt_cli_value(cli, "token-file");
    const char *token = getenv("MLTRAIL_TOKEN");
    *out = NULL;
    if (!file && token && token[0]) {
        *out = token;
        return MLT_OK;
    }
    // The SDK reads this variable as well: one environment serves both.
    const char *named = getenv("MLTRAIL_TOKEN_FILE");
    file = file ? file : named && named[0] ? named : cli->config.token_file;
    if (!file) {
        return MLT_OK;
    }
    struct mlt_buf text = {0};
    enum mlt_status status = mlt_env_read_file(cli->env, file, TOKEN_FILE_MAX, &text, err);
    if (status != MLT_OK) {
        mlt_buf_clear(&text);
        return mlt_context(err, status, "token file %s", file);
    }
    while (text.len > 0 && text.data[text.len - 1] <= ' ') {
        text.len--;
    }
    *out = mlt_arena_cstr(&cli->arena, mlt_buf_bytes(&text));
    mlt_wipe(text.data, text.len);
    mlt_buf_clear(&text);
    if (!*out || strpbrk(*out, " \t\r\n")) {
        return mlt_fail(err, MLT_INVALID, "token file %s holds more than one token; it should be one line", file);
    }
    return MLT_OK;
}

static enum mlt_status open_url(struct mlt_transport *t, const char *url, struct mlt_error *err) {
    struct mlt_cli *cli = t->cli;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    // A command with an option --key of its own (verify) means another key by it.
    bool own_key = false;
    for (const struct mlt_cli_option *o = cli->command->options; o && o->name; o++) {
        own_key = own_key || strcmp(o->name, "key") == 0;
    }
    struct mlt_client_options opt = {
        .answer_max = REPLY_MAX,
        .user_agent = USER_AGENT,
        .base = mlt_arena_cstr(&cli->arena, mlt_bytes_of(url, len)),
        .cacert = mlt_cli_setting(cli, "cacert", NULL, cli->config.cacert),
        .cert = mlt_cli_setting(cli, "cert", NULL, cli->config.cert),
        .key = own_key ? cli->config.key : mlt_cli_setting(cli, "key", NULL, cli->config.key),
    };
    if (!opt.base) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    enum mlt_status status = mlt_cli_token(cli, &opt.token, err);
    return status == MLT_OK ? mlt_client_open(&t->http, &opt, err) : status;
}

static enum mlt_status open_socket(struct mlt_transport *t, struct mlt_error *err) {
    struct mlt_client_options opt = {
        .base = "http://localhost", .unix_socket = t->socket_path, .answer_max = REPLY_MAX, .user_agent = USER_AGENT};
    return mlt_client_open(&t->http, &opt, err);
}

static enum mlt_status open_dir(struct mlt_transport *t, const char *dir, struct mlt_error *err) {
    if (!socket_path(dir, t->socket_path, sizeof t->socket_path, &t->dir_fd)) {
        return mlt_fail(err, MLT_NOTFOUND, "there is no trail at %s; \"mltrail init %s\" makes one", dir, dir);
    }
    struct mlt_api_options opt = {
        .trail = {.dir = dir, .state_dir = mlt_cli_state(t->cli), .pin = mlt_cli_pin(t->cli)}};
    opt.witnessing.cacert = mlt_cli_setting(t->cli, "cacert", NULL, t->cli->config.cacert);
    if (mlt_anchor_authorities(t->cli, "roots", &opt.anchoring) != 0) {
        return mlt_fail(err, MLT_INVALID, "nothing was done");
    }
    enum mlt_status status = MLT_BUSY;
    for (int i = 0; status == MLT_BUSY && i < STARTING_TRIES; i++) {
        if (accepts(t->socket_path)) {
            return open_socket(t, err);
        }
        if (i > 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = STARTING_WAIT_NS}, NULL);
        }
        status = mlt_api_open(&t->api, t->cli->env, &opt, err);
    }
    if (status == MLT_BUSY) {
        return mlt_context(err, status, "another process has %s and does not answer on its socket", dir);
    }
    mlt_principal_local(&t->principal, (unsigned)geteuid());
    return status;
}

enum mlt_status mlt_transport_open(struct mlt_transport **out, struct mlt_cli *cli, const char *trail,
                                   struct mlt_error *err) {
    struct mlt_transport *t = calloc(1, sizeof *t);
    if (!t) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    t->cli = cli;
    t->dir_fd = -1;
    enum mlt_status status = mlt_cli_is_url(trail) ? open_url(t, trail, err) : open_dir(t, trail, err);
    if (status != MLT_OK) {
        (void)mlt_transport_close(t, NULL);
        return status;
    }
    *out = t;
    return MLT_OK;
}

static enum mlt_status send_in_process(struct mlt_transport *t, const struct mlt_call *call, struct mlt_reply *reply,
                                       struct mlt_error *err) {
    struct mlt_response res = {0};
    const struct mlt_request req = {
        .method = call->method,
        .path = call->path,
        .query = call->query ? call->query : "",
        .content_type = call->content_type ? call->content_type : "",
        .body = call->body,
        .principal = &t->principal,
    };
    mlt_api_handle(t->api, &req, &res);
    reply->status = res.status;
    memcpy(reply->next_cursor, res.next_cursor, sizeof reply->next_cursor);
    mlt_buf_clear(&reply->body);
    reply->body = res.body; // the reply owns it from here
    res.body = (struct mlt_buf){0};
    mlt_response_clear(&res);
    return reply->body.failed ? mlt_fail(err, MLT_NOMEM, "out of memory") : MLT_OK;
}

static enum mlt_status send_over_http(struct mlt_client *http, const struct mlt_call *call, struct mlt_reply *reply,
                                      struct mlt_error *err) {
    struct mlt_buf target = {0};
    bool asks = call->query && call->query[0];
    mlt_buf_printf(&target, "%s%s%s", call->path, asks ? "?" : "", asks ? call->query : "");
    const char *text = mlt_buf_cstr(&target);
    const struct mlt_client_call sent = {.method = call->method,
                                         .target = text,
                                         .content_type = call->content_type,
                                         .body = call->body,
                                         .wanted = "mltrail-next-cursor:",
                                         .value = reply->next_cursor,
                                         .value_size = sizeof reply->next_cursor};
    enum mlt_status status = text ? mlt_client_send(http, &sent, &reply->status, &reply->body, err)
                                  : mlt_fail(err, MLT_NOMEM, "out of memory");
    mlt_buf_clear(&target);
    return status;
}

enum mlt_status mlt_transport_send(struct mlt_transport *t, const struct mlt_call *call, struct mlt_reply *reply,
                                   struct mlt_error *err) {
    mlt_buf_reset(&reply->body);
    reply->status = 0;
    reply->next_cursor[0] = '\0';
    return t->http ? send_over_http(t->http, call, reply, err) : send_in_process(t, call, reply, err);
}

enum mlt_status mlt_transport_close(struct mlt_transport *t, struct mlt_error *err) {
    enum mlt_status status = MLT_OK;
    if (t) {
        mlt_client_close(t->http);
        if (t->api) {
            status = mlt_api_close(t->api, err);
        }
        if (t->dir_fd >= 0) {
            (void)close(t->dir_fd);
        }
        free(t);
    }
    return status;
}
