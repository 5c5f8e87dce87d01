#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#include "base/loopback.h"
#include "cli/transport.h"

#define CONNECT_TIMEOUT_S 10L
#define STALLED_S 60L                          // no byte for a minute: the server is gone
#define REPLY_MAX ((size_t)1024 * 1024 * 1024) // a dossier or a page of an export is far smaller
#define SOCKET_BASE "http://localhost"         // over a unix socket the name says nothing

struct mlt_http {
    CURL *curl;
    struct mlt_http_options opt;
    struct curl_slist *headers;
    char fault[CURL_ERROR_SIZE];
    struct mlt_buf url;
};

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct mlt_reply *reply = arg;
    if (reply->body.len + size * count > REPLY_MAX) {
        return 0;
    }
    mlt_buf_put(&reply->body, data, size * count);
    return reply->body.failed ? 0 : size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg) {
    static const char name[] = "mltrail-next-cursor:";
    struct mlt_reply *reply = arg;
    size_t len = size * count;
    if (len > sizeof name - 1 && strncasecmp(data, name, sizeof name - 1) == 0) {
        size_t out = 0;
        for (size_t i = sizeof name - 1; i < len && out + 1 < sizeof reply->next_cursor; i++) {
            if (data[i] > ' ') {
                reply->next_cursor[out++] = data[i];
            }
        }
        reply->next_cursor[out] = '\0';
    }
    return len;
}

static void configure(struct mlt_http *http) {
    CURL *c = http->curl;
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, http->fault);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); // names may be ".."
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALLED_S);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "mltrail/" MLT_CLI_VERSION);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    if (http->opt.unix_socket) {
        (void)curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, http->opt.unix_socket);
    }
    if (http->opt.unix_socket || mlt_loopback_url(http->opt.base)) {
        (void)curl_easy_setopt(c, CURLOPT_PROXY, ""); // for one of the environment, localhost is another machine
    }
    if (http->opt.cacert) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, http->opt.cacert);
    }
    if (http->opt.cert) {
        (void)curl_easy_setopt(c, CURLOPT_SSLCERT, http->opt.cert);
        (void)curl_easy_setopt(c, CURLOPT_SSLKEY, http->opt.key ? http->opt.key : http->opt.cert);
    }
}

enum mlt_status mlt_http_open(struct mlt_http **out, const struct mlt_http_options *opt, struct mlt_error *err) {
    struct mlt_http *http = calloc(1, sizeof *http);
    if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(http);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    http->opt = *opt;
    http->curl = curl_easy_init();
    if (!http->curl) {
        mlt_http_close(http);
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    configure(http);
    *out = http;
    return MLT_OK;
}

static bool put_header(struct curl_slist **list, const char *name, const char *value) {
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, "%s: %s", name, value);
    const char *text = mlt_buf_cstr(&line);
    struct curl_slist *longer = text ? curl_slist_append(*list, text) : NULL;
    mlt_buf_clear(&line);
    if (longer) {
        *list = longer;
    }
    return longer != NULL;
}

static enum mlt_status perform(struct mlt_http *http, const struct mlt_call *call, struct curl_slist *headers,
                               struct mlt_reply *reply, struct mlt_error *err) {
    CURL *c = http->curl;
    mlt_buf_reset(&http->url);
    mlt_buf_printf(&http->url, "%s%s", http->opt.unix_socket ? SOCKET_BASE : http->opt.base, call->path);
    if (call->query && call->query[0]) {
        mlt_buf_printf(&http->url, "?%s", call->query);
    }
    const char *url = mlt_buf_cstr(&http->url);
    if (!url) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, reply);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, reply);
    if (strcmp(call->method, "POST") == 0) {
        (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body.len ? (const char *)call->body.ptr : "");
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    } else {
        (void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    }
    http->fault[0] = '\0';
    CURLcode code = curl_easy_perform(c);
    if (code != CURLE_OK) {
        return mlt_fail(err, MLT_IO, "%s does not answer: %s",
                        http->opt.unix_socket ? http->opt.unix_socket : http->opt.base,
                        http->fault[0] ? http->fault : curl_easy_strerror(code));
    }
    long status = 0;
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    return MLT_OK;
}

enum mlt_status mlt_http_send(struct mlt_http *http, const struct mlt_call *call, struct mlt_reply *reply,
                              struct mlt_error *err) {
    struct curl_slist *headers = NULL;
    bool complete = put_header(&headers, "Expect", ""); // no round trip before a body
    if (http->opt.token) {
        struct mlt_buf value = {0};
        mlt_buf_printf(&value, "Bearer %s", http->opt.token);
        const char *text = mlt_buf_cstr(&value);
        complete = complete && text && put_header(&headers, "Authorization", text);
        mlt_buf_clear(&value);
    }
    if (call->content_type) {
        complete = complete && put_header(&headers, "Content-Type", call->content_type);
    }
    enum mlt_status status =
        complete ? perform(http, call, headers, reply, err) : mlt_fail(err, MLT_NOMEM, "out of memory");
    curl_slist_free_all(headers);
    return status;
}

void mlt_http_close(struct mlt_http *http) {
    if (!http) {
        return;
    }
    curl_easy_cleanup(http->curl);
    mlt_buf_clear(&http->url);
    free(http);
    curl_global_cleanup();
}
