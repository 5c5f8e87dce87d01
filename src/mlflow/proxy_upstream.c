// The way to the upstream and back: libcurl's multi interface, driven by the thread of the client's connection. What
// arrives on one side is passed on before more is taken from it, so nothing grows with the length of a file.
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "mlflow/proxy_private.h"

#define CONNECT_TIMEOUT_S 10L
#define DOWN_MAX ((size_t)256 * 1024) // of an answer that waits for its client
#define POLL_MS 1000                  // how soon a client that went away is noticed
#define NO_BYTES_S ((long)MLT_PROXY_STALLED_MAX_S)

static const char *const HOP_BY_HOP[] = {
    "Connection",        "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade"};

static bool lists(const char *list, const char *name) {
    size_t len = strlen(name);
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t word = strcspn(list, ", \t");
        if (word == len && strncasecmp(list, name, len) == 0) {
            return true;
        }
        list += word;
    }
    return false;
}

bool mlt_proxy_hop_by_hop(const char *name, const char *connection) {
    for (size_t i = 0; i < sizeof HOP_BY_HOP / sizeof HOP_BY_HOP[0]; i++) {
        if (strcasecmp(name, HOP_BY_HOP[i]) == 0) {
            return true;
        }
    }
    return lists(connection, name);
}

// -- libcurl's callbacks ----------------------------------------------------------------------------------------------

static size_t give_request(char *out, size_t size, size_t count, void *arg) {
    struct mlt_proxy_request *r = arg;
    size_t max = size * count, left = r->body.len - r->body_sent;
    if (left > 0) { // what was buffered goes first
        size_t len = left < max ? left : max;
        memcpy(out, r->body.data + r->body_sent, len);
        r->body_sent += len;
        return len;
    }
    if (r->up.len > 0) {
        size_t len = r->up.len < max ? r->up.len : max;
        memcpy(out, r->up.ptr, len);
        r->up = mlt_bytes_of(r->up.ptr + len, r->up.len - len);
        return len;
    }
    if (r->up_end || r->body_mode != MLT_PROXY_STREAM) {
        return 0;
    }
    r->up_paused = true;
    return CURL_READFUNC_PAUSE;
}

// A connection of the pool may turn out to be closed: the body is sent again, as long as it is all there.
static int rewind_request(void *arg, curl_off_t offset, int origin) {
    struct mlt_proxy_request *r = arg;
    if (origin != SEEK_SET || offset != 0 || r->body_mode == MLT_PROXY_STREAM) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    r->body_sent = 0;
    return CURL_SEEKFUNC_OK;
}

static struct mlt_bytes trimmed(const char *text, size_t len) {
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    return mlt_bytes_of(text, len);
}

static void begin_answer(struct mlt_proxy_request *r) {
    r->answer_headers = NULL;
    r->last_header = &r->answer_headers;
    r->has_answer_length = false;
}

static bool named(struct mlt_bytes name, const char *want) {
    return name.len == strlen(want) && strncasecmp((const char *)name.ptr, want, name.len) == 0;
}

static bool keep_header(struct mlt_proxy_request *r, struct mlt_bytes line) {
    const uint8_t *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    struct mlt_proxy_header *h = colon ? mlt_arena_zero(&r->arena, sizeof *h) : NULL;
    if (!h) {
        return !colon;
    }
    size_t name_len = (size_t)(colon - line.ptr);
    struct mlt_bytes name = mlt_bytes_of(line.ptr, name_len);
    struct mlt_bytes value = trimmed((const char *)colon + 1, line.len - name_len - 1);
    char *kept_name = mlt_arena_cstr(&r->arena, name), *kept_value = mlt_arena_cstr(&r->arena, value);
    if (!kept_name || !kept_value) {
        return false;
    }
    h->name = mlt_str(kept_name);
    h->value = mlt_str(kept_value);
    *r->last_header = h;
    r->last_header = &h->next;
    if (named(name, "Content-Length")) {
        r->has_answer_length = mlt_decimal_decode(&r->answer_length, value);
    }
    return true;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg) {
    struct mlt_proxy_request *r = arg;
    size_t len = size * count;
    struct mlt_bytes line = trimmed(data, len);
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        begin_answer(r); // an interim answer has come before this one
    } else if (line.len > 0) {
        return keep_header(r, line) ? len : 0;
    } else {
        (void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &r->status);
        r->answer_begun = r->status >= 200;
    }
    return len;
}

static void copy_answer(struct mlt_proxy_request *r, const char *data, size_t len) {
    if (!(r->match.route->flags & MLT_MLFLOW_ANSWER) || r->answer_too_long) {
        return;
    }
    if (len > MLT_PROXY_JSON_MAX - r->answer.len) {
        r->answer_too_long = true;
        mlt_buf_clear(&r->answer);
        return;
    }
    mlt_buf_put(&r->answer, data, len);
}

static size_t take_answer(char *data, size_t size, size_t count, void *arg) {
    struct mlt_proxy_request *r = arg;
    size_t len = size * count;
    if (r->hold && r->down.len + len > MLT_PROXY_JSON_MAX) {
        r->hold = false; // too long to be looked into
    }
    if (!r->hold && r->down.len - r->down_taken >= DOWN_MAX) {
        r->down_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    copy_answer(r, data, len);
    mlt_buf_put(&r->down, data, len);
    r->bytes += len;
    return r->down.failed ? 0 : len;
}

// -- driving ----------------------------------------------------------------------------------------------------------

static bool client_gone(const struct mlt_proxy_request *r) {
    char byte;
    return r->link->fd >= 0 && recv(r->link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void fail(struct mlt_proxy_request *r, CURLcode code, const char *says) {
    r->done = true;
    r->result = code;
    r->error = r->error ? r->error : says;
}

// drive lets the exchange go on, and waits at most a second for that.
static void drive(struct mlt_proxy_request *r) {
    int running = 0, num = 0;
    if (curl_multi_perform(r->link->multi, &running) != CURLM_OK) {
        fail(r, CURLE_FAILED_INIT, "the exchange with the server cannot go on");
        return;
    }
    for (CURLMsg *m = curl_multi_info_read(r->link->multi, &num); m; m = curl_multi_info_read(r->link->multi, &num)) {
        if (m->msg == CURLMSG_DONE && m->easy_handle == r->curl) {
            r->done = true;
            r->result = m->data.result;
            if (r->result != CURLE_OK && !r->error) {
                r->error = mlt_arena_cstr(&r->arena, mlt_str(r->fault[0] ? r->fault : curl_easy_strerror(r->result)));
            }
        }
    }
}

static void wait_upstream(struct mlt_proxy_request *r) {
    if (!r->done) {
        (void)curl_multi_poll(r->link->multi, NULL, 0, POLL_MS, NULL);
        if (client_gone(r)) {
            fail(r, CURLE_ABORTED_BY_CALLBACK, "the client went away");
        }
    }
}

void mlt_proxy_push(struct mlt_proxy_request *r, const void *data, size_t len) {
    r->up = mlt_bytes_of(data, len);
    while (!r->done && r->up.len > 0) {
        if (r->up_paused) {
            r->up_paused = false;
            (void)curl_easy_pause(r->curl, r->down_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
        }
        drive(r);
        if (!r->done && r->up.len > 0 && !r->up_paused) {
            wait_upstream(r);
        }
    }
    r->up = (struct mlt_bytes){0}; // what an answer came before is not wanted any more
}

void mlt_proxy_push_end(struct mlt_proxy_request *r) {
    r->up_end = true;
    if (r->up_paused && !r->done) {
        r->up_paused = false;
        (void)curl_easy_pause(r->curl, r->down_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
    }
}

void mlt_proxy_await(struct mlt_proxy_request *r) {
    while (!r->done && (!r->answer_begun || r->hold)) {
        drive(r);
        if (!r->done && (!r->answer_begun || r->hold)) {
            wait_upstream(r);
        }
    }
}

ssize_t mlt_proxy_pull(struct mlt_proxy_request *r, char *out, size_t max) {
    while (!r->done && r->down_taken == r->down.len) {
        mlt_buf_reset(&r->down);
        r->down_taken = 0;
        if (r->down_paused) {
            r->down_paused = false;
            (void)curl_easy_pause(r->curl, CURLPAUSE_CONT);
        }
        drive(r);
        if (!r->done && r->down.len == 0) {
            wait_upstream(r);
        }
    }
    size_t left = r->down.len - r->down_taken;
    size_t len = left < max ? left : max;
    if (len > 0) {
        memcpy(out, r->down.data + r->down_taken, len);
        r->down_taken += len;
        return (ssize_t)len;
    }
    return r->result == CURLE_OK ? 0 : -1;
}

// -- beginning --------------------------------------------------------------------------------------------------------

static bool add_header(struct curl_slist **list, const char *name, const char *value) {
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, value[0] ? "%s: %s" : "%s;", name, value); // a header without a value, as libcurl wants it
    const char *text = mlt_buf_cstr(&line);
    struct curl_slist *longer = text ? curl_slist_append(*list, text) : NULL;
    *list = longer ? longer : *list;
    mlt_buf_clear(&line);
    return longer != NULL;
}

struct collecting {
    struct mlt_proxy_request *r;
    const char *connection;
    bool failed;
};

static enum MHD_Result collect(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    static const char *const own[] = {
        "Host", "Content-Length", "Expect", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"};
    struct collecting *c = arg;
    (void)kind;
    bool skipped = mlt_proxy_hop_by_hop(name, c->connection);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        skipped = skipped || strcasecmp(name, own[i]) == 0;
    }
    // An answer that is looked into comes as it is.
    skipped = skipped || (c->r->match.route->flags & MLT_MLFLOW_ANSWER && strcasecmp(name, "Accept-Encoding") == 0);
    if (!skipped && !add_header(&c->r->headers, name, value ? value : "")) {
        c->failed = true;
    }
    return c->failed ? MHD_NO : MHD_YES;
}

static const char *header(const struct mlt_proxy_request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static bool add_forwarded(struct mlt_proxy_request *r) {
    struct mlt_buf value = {0};
    const char *before = header(r, "X-Forwarded-For"), *host = header(r, "Host");
    const char *proto = header(r, "X-Forwarded-Proto"), *outer_host = header(r, "X-Forwarded-Host");
    mlt_buf_printf(&value, "%s%s%s", before ? before : "", before ? ", " : "", r->link->address);
    const char *text = mlt_buf_cstr(&value);
    bool complete = text && add_header(&r->headers, "X-Forwarded-For", text) &&
                    add_header(&r->headers, "X-Forwarded-Proto", proto ? proto : "http");
    if (outer_host || host) {
        complete = complete && add_header(&r->headers, "X-Forwarded-Host", outer_host ? outer_host : host);
    }
    mlt_buf_clear(&value);
    return complete;
}

static bool collect_headers(struct mlt_proxy_request *r) {
    struct collecting c = {.r = r, .connection = header(r, "Connection")};
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, collect, &c);
    bool complete = !c.failed && add_forwarded(r);
    if (!header(r, "Accept")) { // libcurl would say that it takes anything
        struct curl_slist *none = curl_slist_append(r->headers, "Accept:");
        r->headers = none ? none : r->headers;
    }
    struct curl_slist *no_expect = complete ? curl_slist_append(r->headers, "Expect:") : NULL;
    r->headers = no_expect ? no_expect : r->headers;
    return no_expect != NULL;
}

static void set_body(struct mlt_proxy_request *r) {
    CURL *c = r->curl;
    if (r->body_mode == MLT_PROXY_NO_BODY) {
        if (strcmp(r->method, "HEAD") == 0) {
            (void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        } else {
            (void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
        }
    } else {
        bool known = r->has_length || r->body_mode == MLT_PROXY_WHOLE;
        uint64_t length = r->has_length ? r->length : r->body.len;
        (void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(c, CURLOPT_READFUNCTION, give_request);
        (void)curl_easy_setopt(c, CURLOPT_READDATA, r);
        (void)curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_request);
        (void)curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
        (void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, known ? (curl_off_t)length : (curl_off_t)-1);
    }
    (void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static bool set_url(struct mlt_proxy_request *r) {
    struct mlt_buf url = {0};
    mlt_buf_put_str(&url, r->proxy->opt.upstream);
    mlt_buf_put_str(&url, r->path);
    if (r->query.len > 0) {
        mlt_buf_put_u8(&url, '?');
        mlt_buf_put_bytes(&url, r->query);
    }
    const char *text = mlt_buf_cstr(&url);
    bool set = text && curl_easy_setopt(r->curl, CURLOPT_URL, text) == CURLE_OK;
    mlt_buf_clear(&url);
    return set;
}

static void configure(struct mlt_proxy_request *r) {
    CURL *c = r->curl;
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->fault);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_PROXY, ""); // one from the environment is not what --upstream says
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, NO_BYTES_S);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_TRANSFER_DECODING, 1L);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
    if (r->proxy->opt.cacert) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, r->proxy->opt.cacert);
    }
}

bool mlt_proxy_forward(struct mlt_proxy_request *r) {
    begin_answer(r);
    r->curl = curl_easy_init();
    if (!r->curl || !collect_headers(r) || !set_url(r)) {
        return false;
    }
    configure(r);
    set_body(r);
    r->in_multi = curl_multi_add_handle(r->link->multi, r->curl) == CURLM_OK;
    return r->in_multi;
}

void mlt_proxy_detach(struct mlt_proxy_request *r) {
    if (r->in_multi) {
        (void)curl_multi_remove_handle(r->link->multi, r->curl);
        r->in_multi = false;
    }
    curl_easy_cleanup(r->curl);
    curl_slist_free_all(r->headers);
    r->curl = NULL;
    r->headers = NULL;
}
