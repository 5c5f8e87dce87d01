#include "net/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "base/loopback.h"

#define CONNECT_TIMEOUT_S 10L
#define STALLED_S 60L // no byte for a minute: the server is gone
#define HEADERS_MAX 64

struct mlt_client {
    CURL *curl;
    struct mlt_client_options opt;
    char fault[CURL_ERROR_SIZE];
    struct mlt_buf url;
    // Of the exchange under way.
    struct mlt_buf *answer;
    bool too_long;
    bool (*take)(void *arg, struct mlt_bytes piece);
    void *take_arg;
    bool stopped;
    const struct mlt_client_call *call;
};

static size_t answer_max(const struct mlt_client *c) {
    return c->opt.answer_max > 0 ? c->opt.answer_max : MLT_CLIENT_ANSWER_MAX;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct mlt_client *c = arg;
    size_t len = size * count;
    if (c->take) {
        long status = 0;
        (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300 && !c->take(c->take_arg, mlt_bytes_of(data, len))) {
            c->stopped = true;
            return 0;
        }
        return len;
    }
    if (len > answer_max(c) - c->answer->len) {
        c->too_long = true;
        return 0;
    }
    mlt_buf_put(c->answer, data, len);
    return c->answer->failed ? 0 : len;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg) {
    const struct mlt_client_call *call = ((struct mlt_client *)arg)->call;
    size_t len = size * count, name_len = call->wanted ? strlen(call->wanted) : 0, out = 0;
    if (name_len > 0 && len > name_len && strncasecmp(data, call->wanted, name_len) == 0) {
        for (size_t i = name_len; i < len && out + 1 < call->value_size; i++) {
            if (data[i] > ' ') {
                call->value[out++] = data[i];
            }
        }
        call->value[out] = '\0';
    }
    return len;
}

static void init_curl(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); // once a process: several threads may be first
}

enum mlt_status mlt_client_open(struct mlt_client **out, const struct mlt_client_options *opt, struct mlt_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    struct mlt_client *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c) {
        c->opt = *opt;
        c->curl = curl_easy_init();
    }
    if (!c || !c->curl) {
        free(c);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    *out = c;
    return MLT_OK;
}

void mlt_client_set_base(struct mlt_client *c, const char *base) {
    c->opt.base = base;
}

void mlt_client_close(struct mlt_client *c) {
    if (c) {
        curl_easy_cleanup(c->curl);
        mlt_buf_clear(&c->url);
        free(c);
    }
}

static void configure(struct mlt_client *c) {
    const struct mlt_client_options *o = &c->opt;
    CURL *h = c->curl;
    (void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->fault);
    (void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L); // names may be ".."
    (void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, o->timeout_s > 0 ? o->timeout_s : STALLED_S);
    (void)curl_easy_setopt(h, CURLOPT_USERAGENT, o->user_agent ? o->user_agent : "mltrail");
    (void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
    (void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
    if (o->user) {
        (void)curl_easy_setopt(h, CURLOPT_USERNAME, o->user);
        (void)curl_easy_setopt(h, CURLOPT_PASSWORD, o->password ? o->password : "");
        (void)curl_easy_setopt(h, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    }
    if (o->unix_socket) {
        (void)curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
    }
    if (o->unix_socket || o->direct || mlt_loopback_url(o->base)) {
        (void)curl_easy_setopt(h, CURLOPT_PROXY, ""); // for one of the environment, localhost is another machine
    }
    if (o->cacert) {
        (void)curl_easy_setopt(h, CURLOPT_CAINFO, o->cacert);
    }
    if (o->cert) {
        (void)curl_easy_setopt(h, CURLOPT_SSLCERT, o->cert);
        (void)curl_easy_setopt(h, CURLOPT_SSLKEY, o->key ? o->key : o->cert);
    }
}

static bool add_header(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
    *list = longer ? longer : *list;
    return longer != NULL;
}

static bool add_named(struct curl_slist **list, const char *name, const char *value) {
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, "%s: %s", name, value);
    bool added = add_header(list, mlt_buf_cstr(&line));
    mlt_buf_clear(&line);
    return added;
}

static bool add_headers(struct curl_slist **list, const struct mlt_client *c, const struct mlt_client_call *call) {
    bool complete = add_header(list, "Expect:"); // no round trip before a body
    if (c->opt.token) {
        struct mlt_buf value = {0};
        mlt_buf_printf(&value, "Bearer %s", c->opt.token);
        const char *text = mlt_buf_cstr(&value);
        complete = complete && text && add_named(list, "Authorization", text);
        mlt_buf_clear(&value);
    }
    if (call->content_type) {
        complete = complete && add_named(list, "Content-Type", call->content_type);
    }
    for (size_t i = 0; i < call->num_headers && i < HEADERS_MAX; i++) {
        complete = complete && add_header(list, call->headers[i]);
    }
    return complete;
}

static void set_method(CURL *h, const struct mlt_client_call *call) {
    if (call->content_type || strcmp(call->method, "POST") == 0) {
        (void)curl_easy_setopt(h, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body.len ? (const char *)call->body.ptr : "");
        (void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    } else {
        (void)curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
    }
    (void)curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
}

static enum mlt_status explain(const struct mlt_client *c, CURLcode code, struct mlt_error *err) {
    const char *where = c->opt.unix_socket ? c->opt.unix_socket : c->opt.base;
    if (c->too_long) {
        return mlt_fail(err, MLT_LIMIT, "%s answers with more than %zu bytes", where, answer_max(c));
    }
    if (c->stopped) {
        return mlt_fail(err, MLT_LIMIT, "stopped reading from %s", where);
    }
    if (code == CURLE_OUT_OF_MEMORY || (c->answer && c->answer->failed)) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    return mlt_fail(err, MLT_IO, "%s does not answer: %s", where, c->fault[0] ? c->fault : curl_easy_strerror(code));
}

static enum mlt_status perform(struct mlt_client *c, const struct mlt_client_call *call, int *status,
                               struct mlt_error *err) {
    struct curl_slist *headers = NULL;
    mlt_buf_reset(&c->url);
    mlt_buf_printf(&c->url, "%s%s", c->opt.unix_socket ? "http://localhost" : c->opt.base, call->target);
    const char *url = mlt_buf_cstr(&c->url);
    c->too_long = c->stopped = false;
    c->fault[0] = '\0';
    if (!url || !add_headers(&headers, c, call)) {
        curl_slist_free_all(headers);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    c->call = call;
    configure(c);
    set_method(c->curl, call);
    (void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(c->curl);
    long answered = 0;
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &answered);
    curl_easy_reset(c->curl); // what it points to ends here; connections stay
    curl_slist_free_all(headers);
    *status = (int)answered;
    return code == CURLE_OK ? MLT_OK : explain(c, code, err);
}

enum mlt_status mlt_client_send(struct mlt_client *c, const struct mlt_client_call *call, int *status,
                                struct mlt_buf *answer, struct mlt_error *err) {
    mlt_buf_reset(answer);
    c->answer = answer;
    c->take = NULL;
    return perform(c, call, status, err);
}

enum mlt_status mlt_client_stream(struct mlt_client *c, const char *target, int *status,
                                  bool (*take)(void *arg, struct mlt_bytes piece), void *arg, struct mlt_error *err) {
    c->answer = NULL;
    c->take = take;
    c->take_arg = arg;
    return perform(c, &(struct mlt_client_call){.method = "GET", .target = target}, status, err);
}

static void put_encoded(struct mlt_buf *out, struct mlt_bytes text, const char *kept) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t b = text.ptr[i];
        bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
                     (b != 0 && strchr(kept, b) != NULL);
        if (plain) {
            mlt_buf_put_u8(out, b);
        } else {
            mlt_buf_put_u8(out, '%');
            mlt_buf_put_u8(out, (uint8_t)digits[b >> 4]);
            mlt_buf_put_u8(out, (uint8_t)digits[b & 15]);
        }
    }
}

void mlt_url_put_encoded(struct mlt_buf *out, struct mlt_bytes text) {
    put_encoded(out, text, "-._~");
}

void mlt_url_put_path(struct mlt_buf *out, struct mlt_bytes path) {
    put_encoded(out, path, "-._~/");
}
