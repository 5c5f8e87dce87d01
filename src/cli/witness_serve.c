// The witness on a socket: two routes.
//
//   POST /add-checkpoint                                          C2SP tlog-witness
//   GET  /<SHA-256 of the origin, hexadecimal>/checkpoint         the head cosigned last
#include <stdio.h>

#include "cli/ending.h"
#include "cli/witness.h"
#include "http/service.h"
#include "witness/witness.h"

#define LISTEN_DEFAULT "127.0.0.1:8471"

static const char CHECKPOINT[] = "/checkpoint";

static void no_method(struct mlt_service_answer *out, const char *allow) {
    out->status = 405;
    out->allow = allow;
    mlt_buf_printf(&out->body, "%s is possible here\n", allow);
}

static void handle(void *arg, const struct mlt_service_request *req, struct mlt_service_answer *out) {
    struct mlt_witness *w = arg;
    struct mlt_witness_answer answer = {0};
    const size_t id_end = 1 + MLT_WITNESS_ID_LEN;
    if (strcmp(req->path, "/add-checkpoint") == 0) {
        if (strcmp(req->method, "POST") != 0) {
            no_method(out, "POST");
            return;
        }
        mlt_witness_add_checkpoint(w, req->body, &answer);
    } else if (strlen(req->path) == id_end + strlen(CHECKPOINT) && strcmp(req->path + id_end, CHECKPOINT) == 0) {
        if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
            no_method(out, "GET, HEAD");
            return;
        }
        mlt_witness_get_checkpoint(w, mlt_bytes_of(req->path + 1, MLT_WITNESS_ID_LEN), &answer);
        out->cache_control = "no-cache";
    } else {
        answer.status = 404;
        mlt_buf_put_str(&answer.body, "there are POST /add-checkpoint and GET /<SHA-256 of the origin>/checkpoint\n");
    }
    if (answer.status == 500) {
        (void)fprintf(stderr, "mltrail: witness: %s\n", answer.fault.text);
    }
    out->status = answer.status;
    out->content_type = answer.content_type;
    out->body = answer.body;
}

int mlt_witness_serve(struct mlt_cli *cli, const char *dir) {
    struct mlt_witness *w = NULL;
    struct mlt_service *service = NULL;
    struct mlt_error err = {0};
    const char *listen = mlt_cli_value(cli, "listen");
    listen = listen ? listen : LISTEN_DEFAULT;
    sigset_t ending;
    mlt_cli_hold_ending(&ending);
    if (mlt_witness_open(&w, cli->env, dir, false, &err) != MLT_OK) {
        return mlt_cli_fail_error(cli, &err);
    }
    const struct mlt_service_options opt = {.listen = listen,
                                            .allow_remote = mlt_cli_flag(cli, "insecure"),
                                            .body_max = MLT_ADD_CHECKPOINT_MAX,
                                            .handle = handle,
                                            .arg = w};
    int code;
    if (mlt_service_start(&service, &opt, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else {
        code = mlt_cli_serve_until(
            cli, &ending,
            &(struct mlt_cli_place){
                .what = "witness", .dir = dir, .scheme = "http", .listen = listen, .port = mlt_service_port(service)});
        mlt_service_stop(service);
    }
    mlt_witness_close(w);
    return code;
}
