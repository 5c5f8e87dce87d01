// "Send this request": over HTTP(S) for a URL, over <dir>/sock when the directory is being served, else in this
// process.
#ifndef MLT_CLI_TRANSPORT_H
#define MLT_CLI_TRANSPORT_H

#include "cli/cli.h"
#include "monitor/mirror.h"

struct mlt_call {
    const char *method;
    const char *path;  // percent-encoded
    const char *query; // without '?'; NULL: none
    const char *content_type;
    struct mlt_bytes body;
};

struct mlt_reply {
    int status;
    struct mlt_buf body;
    char next_cursor[24];
};
void mlt_reply_clear(struct mlt_reply *reply);

enum mlt_status mlt_transport_open(struct mlt_transport **out, struct mlt_cli *cli, const char *trail,
                                   struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_transport_send(struct mlt_transport *t, const struct mlt_call *call, struct mlt_reply *reply,
                                   struct mlt_error *err) MLT_MUST_USE;
enum mlt_status mlt_transport_close(struct mlt_transport *t, struct mlt_error *err);
// mlt_transport_served says whether somebody answers on <dir>/sock.
bool mlt_transport_served(const char *dir);

// mlt_cli_token finds the token for a URL (--token-file, $MLTRAIL_TOKEN, the configuration); NULL: none.
enum mlt_status mlt_cli_token(struct mlt_cli *cli, const char **out, struct mlt_error *err) MLT_MUST_USE;

// ask_api.c: what nearly every command does.
// mlt_cli_open opens the trail unless it is open; 0, or the exit status after saying what is wrong.
int mlt_cli_open(struct mlt_cli *cli);
// mlt_cli_send opens the trail at first use, sends, and reports what went wrong. 0: `reply` is a 2xx answer. Otherwise
// the exit status, already explained: 1 not found, 2 a value the server refused, 3 anything else.
int mlt_cli_send(struct mlt_cli *cli, const struct mlt_call *call, struct mlt_reply *reply);
int mlt_cli_get(struct mlt_cli *cli, const char *path, const char *query, struct mlt_reply *reply);
// mlt_cli_scan scans an answer; 0, or the exit status after saying that it is no JSON. The caller clears `json`.
struct mlt_json;
int mlt_cli_scan(struct mlt_cli *cli, struct mlt_json *json, struct mlt_bytes answer);
// mlt_cli_explain prints a refused answer (a problem document) and returns the exit status.
int mlt_cli_explain(struct mlt_cli *cli, const struct mlt_reply *reply);
// mlt_cli_mirror_fetch fetches from the transport that is open. mirror_http.c
struct mlt_mirror_fetch mlt_cli_mirror_fetch(struct mlt_cli *cli);
void mlt_query_add(struct mlt_buf *query, const char *name, const char *value); // NULL value: nothing
void mlt_path_add(struct mlt_buf *path, struct mlt_bytes segment);              // '/' and the segment, encoded

#endif
