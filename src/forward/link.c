#include "forward/link.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/un.h>
#include <zlib.h>

#include "base/loopback.h"

#define URL_MAX 2048
#define CONNECT_TIMEOUT_MS 10000L
#define GZIP_MIN 1024         // shorter bodies fit a packet or two anyway
#define GZIP_LEVEL 1          // records are repetitive: the cheapest level takes most of it
#define GZIP_WINDOW (15 + 16) // zlib's way to ask for a gzip header
#define SOCKET_BASE "http://localhost"

struct mlt_link {
    CURL *curl;
    struct mlt_link_options opt;
    char *base;        // URL without a slash at its end
    char *shown;       // without credentials
    char *socket_path; // of unix://
    char *token, *cacert, *cert, *key;
    bool here; // on this machine
    bool gzip;
    char fault[CURL_ERROR_SIZE];
    struct mlt_buf packed, line;
};

void mlt_link_answer_clear(struct mlt_link_answer *a) {
    mlt_buf_clear(&a->body);
}

// -- the URL ----------------------------------------------------------------------------------------------------------

static enum mlt_status refuse_url(struct mlt_error *err) {
    // The text leaves the URL out: it may hold a token.
    return mlt_fail(err, MLT_INVALID,
                    "the URL of a server is http://HOST:PORT, https://HOST:PORT or unix:///PATH/TO/sock");
}

static char *without_credentials(CURLU *parsed) {
    char *text = NULL;
    (void)curl_url_set(parsed, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    char *copy = curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK ? strdup(text) : NULL;
    curl_free(text);
    return copy;
}

static enum mlt_status take_socket(struct mlt_link *link, const char *url, struct mlt_error *err) {
    const char *path = url + strlen("unix://");
    if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        return mlt_fail(err, MLT_INVALID, "%s: a socket is unix:///PATH/TO/sock, its path at most %zu bytes", url,
                        sizeof((struct sockaddr_un *)0)->sun_path - 1);
    }
    link->here = true;
    link->socket_path = strdup(path);
    link->base = strdup(SOCKET_BASE);
    link->shown = strdup(url);
    return MLT_OK;
}

static enum mlt_status take_url(struct mlt_link *link, const char *url, struct mlt_error *err) {
    if (!url || strlen(url) > URL_MAX || url[strcspn(url, " \t\r\n")] != '\0') {
        return refuse_url(err);
    }
    if (strncmp(url, "unix://", 7) == 0) {
        return take_socket(link, url, err);
    }
    CURLU *parsed = curl_url();
    if (!parsed) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    bool good = (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) && !strpbrk(url, "?#") &&
                curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK;
    if (good) {
        link->here = mlt_loopback_url(url);
        link->gzip = !link->here;
        link->shown = without_credentials(parsed);
        link->base = strdup(url);
        for (size_t len = link->base ? strlen(link->base) : 0; len > 0 && link->base[len - 1] == '/'; len--) {
            link->base[len - 1] = '\0';
        }
    }
    curl_url_cleanup(parsed);
    return good ? MLT_OK : refuse_url(err);
}

// -- the exchange -----------------------------------------------------------------------------------------------------

struct exchange {
    struct mlt_link *link;
    struct mlt_link_answer *answer;
    bool too_long;
};

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct exchange *ex = arg;
    size_t len = size * count;
    if (len > MLT_LINK_ANSWER_MAX - ex->answer->body.len) {
        ex->too_long = true;
        return 0;
    }
    mlt_buf_put(&ex->answer->body, data, len);
    return ex->answer->body.failed ? 0 : len;
}

static int watch(void *arg, curl_off_t dl_total, curl_off_t dl_now, curl_off_t ul_total, curl_off_t ul_now) {
    const struct mlt_link *link = arg;
    (void)dl_total, (void)dl_now, (void)ul_total, (void)ul_now;
    return link->opt.stopped && atomic_load(link->opt.stopped) ? 1 : 0;
}

static bool pack(struct mlt_link *link, struct mlt_bytes body) {
    z_stream z = {0};
    mlt_buf_reset(&link->packed);
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    uLong bound = deflateBound(&z, (uLong)body.len);
    bool done = mlt_buf_reserve(&link->packed, bound);
    if (done) {
        z.next_in = (Bytef *)(uintptr_t)body.ptr;
        z.avail_in = (uInt)body.len;
        z.next_out = link->packed.data;
        z.avail_out = (uInt)bound;
        done = deflate(&z, Z_FINISH) == Z_STREAM_END;
        link->packed.len = (size_t)z.total_out;
    }
    (void)deflateEnd(&z);
    return done && link->packed.len < body.len;
}

static bool add_header(struct mlt_link *link, struct curl_slist **list, const char *name, const char *before,
                       const char *value) {
    mlt_buf_reset(&link->line);
    mlt_buf_printf(&link->line, "%s: %s%s", name, before, value);
    const char *text = mlt_buf_cstr(&link->line);
    struct curl_slist *longer = text ? curl_slist_append(*list, text) : NULL;
    *list = longer ? longer : *list;
    return longer != NULL;
}

static bool encoded(const struct mlt_link_message *msg) {
    for (size_t i = 0; i < msg->num_headers; i++) {
        if (strcasecmp(msg->headers[i].name, "content-encoding") == 0) {
            return true;
        }
    }
    return false;
}

static bool make_headers(struct mlt_link *link, const struct mlt_link_message *msg, bool packed,
                         struct curl_slist **out) {
    *out = curl_slist_append(NULL, "Expect:"); // no round trip before a body
    bool whole = *out != NULL;
    for (size_t i = 0; i < msg->num_headers; i++) {
        whole = whole && add_header(link, out, msg->headers[i].name, "", msg->headers[i].value);
    }
    whole = whole && add_header(link, out, "Content-Type", "", msg->content_type);
    if (packed) {
        whole = whole && add_header(link, out, "Content-Encoding", "", "gzip");
    }
    if (link->token) {
        whole = whole && add_header(link, out, "Authorization", "Bearer ", link->token);
    }
    return whole;
}

static void configure(struct exchange *ex, const struct mlt_link_message *msg, struct mlt_bytes body) {
    struct mlt_link *link = ex->link;
    CURL *c = link->curl;
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, link->fault);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); // it would send the records where nobody pointed
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)MLT_LINK_TIMEOUT_MS);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, link->opt.user_agent);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, ex);
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, link);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.len ? (const char *)body.ptr : "");
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    if (strcmp(msg->method, "POST") != 0) {
        (void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, msg->method);
    }
    if (link->socket_path) {
        (void)curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, link->socket_path);
    }
    if (link->here) {
        (void)curl_easy_setopt(c, CURLOPT_PROXY, ""); // for one of the environment, localhost is another machine
    }
    if (link->cacert) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, link->cacert);
    }
    if (link->cert) {
        (void)curl_easy_setopt(c, CURLOPT_SSLCERT, link->cert);
        (void)curl_easy_setopt(c, CURLOPT_SSLKEY, link->key ? link->key : link->cert);
    }
}

static enum mlt_status explain(const struct exchange *ex, CURLcode code, struct mlt_error *err) {
    const struct mlt_link *link = ex->link;
    if (ex->answer->body.failed || code == CURLE_OUT_OF_MEMORY) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    if (ex->too_long) {
        return mlt_fail(err, MLT_IO, "%s answers with more than %zu bytes", link->shown, MLT_LINK_ANSWER_MAX);
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return mlt_fail(err, MLT_BUSY, "stopped while waiting for %s", link->shown);
    }
    return mlt_fail(err, MLT_IO, "%s does not answer: %s", link->shown,
                    link->fault[0] ? link->fault : curl_easy_strerror(code));
}

static enum mlt_status perform(struct exchange *ex, const struct mlt_link_message *msg, struct mlt_error *err) {
    struct mlt_link *link = ex->link;
    struct curl_slist *headers = NULL;
    struct mlt_buf url = {0};
    bool packed = link->gzip && msg->body.len >= GZIP_MIN && !encoded(msg) && pack(link, msg->body);
    mlt_buf_printf(&url, "%s%s", link->base, msg->path);
    const char *text = mlt_buf_cstr(&url);
    enum mlt_status status = MLT_OK;
    if (!text || !make_headers(link, msg, packed, &headers)) {
        status = mlt_fail(err, MLT_NOMEM, "out of memory");
        goto out;
    }
    configure(ex, msg, packed ? mlt_buf_bytes(&link->packed) : msg->body);
    (void)curl_easy_setopt(link->curl, CURLOPT_URL, text);
    (void)curl_easy_setopt(link->curl, CURLOPT_HTTPHEADER, headers);
    link->fault[0] = '\0';
    CURLcode code = curl_easy_perform(link->curl);
    if (code != CURLE_OK) {
        status = explain(ex, code, err);
        goto out;
    }
    long answered = 0;
    curl_off_t seconds = 0;
    (void)curl_easy_getinfo(link->curl, CURLINFO_RESPONSE_CODE, &answered);
    (void)curl_easy_getinfo(link->curl, CURLINFO_RETRY_AFTER, &seconds);
    ex->answer->status = (int)answered;
    ex->answer->retry_after_s = seconds > 0 ? (int64_t)seconds : 0;
out:
    curl_easy_reset(link->curl); // what it points to ends here; the connection stays
    curl_slist_free_all(headers);
    mlt_buf_clear(&url);
    return status;
}

enum mlt_status mlt_link_send(struct mlt_link *link, const struct mlt_link_message *msg, struct mlt_link_answer *out,
                              struct mlt_error *err) {
    struct exchange ex = {.link = link, .answer = out};
    mlt_buf_reset(&out->body);
    out->status = 0;
    out->retry_after_s = 0;
    return perform(&ex, msg, err);
}

// -- open and close ---------------------------------------------------------------------------------------------------

static void init_curl(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool copy_text(char **out, const char *text) {
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

enum mlt_status mlt_link_open(struct mlt_link **out, const struct mlt_link_options *opt, struct mlt_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    (void)pthread_once(&once, init_curl);
    struct mlt_link *link = calloc(1, sizeof *link);
    if (!link) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    link->opt = *opt;
    enum mlt_status status = take_url(link, opt->url, err);
    if (status == MLT_OK) {
        bool whole = copy_text(&link->token, opt->token && opt->token[0] ? opt->token : NULL) &&
                     copy_text(&link->cacert, opt->cacert) && copy_text(&link->cert, opt->cert) &&
                     copy_text(&link->key, opt->key) && link->base && link->shown &&
                     (link->curl = curl_easy_init()) != NULL;
        status = whole ? MLT_OK : mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    if (status == MLT_OK && link->token && link->token[strcspn(link->token, "\r\n \t")] != '\0') {
        status = mlt_fail(err, MLT_INVALID, "the token has white space in it; a token is one word");
    }
    link->gzip = opt->gzip == MLT_LINK_GZIP_AUTO ? link->gzip : opt->gzip == MLT_LINK_GZIP_ON;
    if (status != MLT_OK) {
        mlt_link_close(link);
        return status;
    }
    *out = link;
    return MLT_OK;
}

void mlt_link_close(struct mlt_link *link) {
    if (!link) {
        return;
    }
    curl_easy_cleanup(link->curl);
    mlt_buf_clear(&link->packed);
    mlt_buf_clear(&link->line);
    free(link->base);
    free(link->shown);
    free(link->socket_path);
    free(link->token);
    free(link->cacert);
    free(link->cert);
    free(link->key);
    free(link);
}

const char *mlt_link_shown(const struct mlt_link *link) {
    return link->shown;
}
