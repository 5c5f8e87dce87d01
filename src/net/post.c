#include "net/post.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define URL_MAX 2048             // what common servers take; it also goes into records
#define CONNECT_TIMEOUT_MS 10000 // a service that does not even accept in ten seconds is down

struct mlt_net_session {
    CURL *curl;
};

struct exchange {
    CURL *curl;
    const struct mlt_net_options *opt;
    struct mlt_buf *response;
    bool plain;    // http: the address must be loopback
    bool off_loop; // and was not
    bool too_long;
    char fault[CURL_ERROR_SIZE];
};

// -- the URL ----------------------------------------------------------------------------------------------------------

static bool loopback_name(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    size_t len = strlen(host);
    char bare[64];
    if (strcasecmp(host, "localhost") == 0) {
        return true;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (len > 2 && len < sizeof bare && host[0] == '[' && host[len - 1] == ']') {
        memcpy(bare, host + 1, len - 2);
        bare[len - 2] = '\0';
        return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return false;
}

// part takes one part of a parsed URL; NULL when it has none. To be freed with curl_free.
static char *part(CURLU *parsed, CURLUPart what) {
    char *text = NULL;
    return curl_url_get(parsed, what, &text, 0) == CURLUE_OK ? text : NULL;
}

enum plain { PLAIN_NEVER, PLAIN_LOOPBACK, PLAIN_ANYWHERE }; // where http may go

static enum mlt_status check_parts(const char *url, CURLU *parsed, enum plain plain, struct mlt_error *err) {
    char *scheme = part(parsed, CURLUPART_SCHEME);
    char *host = part(parsed, CURLUPART_HOST);
    char *user = part(parsed, CURLUPART_USER);
    char *password = part(parsed, CURLUPART_PASSWORD);
    bool https = scheme && strcmp(scheme, "https") == 0;
    bool http = scheme && strcmp(scheme, "http") == 0;
    enum mlt_status status = MLT_OK;
    if (!host || !host[0] || strstr(url, ":///")) { // curl takes ///path for a host
        status = mlt_fail(err, MLT_INVALID, "%s names no host; write it as https://host/path", url);
    } else if (user || password) {
        // The text leaves the URL out: what is refused here is a secret.
        status = mlt_fail(err, MLT_INVALID, "the URL carries credentials, which would be recorded; leave them out");
    } else if (!https && !http) {
        status = mlt_fail(err, MLT_INVALID, "%s is neither https:// nor http://", url);
    } else if (http && plain == PLAIN_NEVER) {
        status = mlt_fail(err, MLT_INVALID, "%s is not https://", url);
    } else if (http && plain == PLAIN_LOOPBACK && !loopback_name(host)) {
        status = mlt_fail(err, MLT_INVALID, "%s is plain HTTP to another machine; use https://", url);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    return status;
}

static enum mlt_status check_url(const char *url, enum plain plain, struct mlt_error *err) {
    if (strlen(url) > URL_MAX) {
        return mlt_fail(err, MLT_INVALID, "the URL has %zu bytes; at most %d are allowed", strlen(url), URL_MAX);
    }
    for (const char *c = url; *c; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
            return mlt_fail(err, MLT_INVALID, "the URL has a character that is no printable ASCII; percent-encode it");
        }
    }
    CURLU *parsed = curl_url();
    if (!parsed) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    enum mlt_status status = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
                                 ? check_parts(url, parsed, plain, err)
                                 : mlt_fail(err, MLT_INVALID, "this is no URL; write it as https://host/path");
    curl_url_cleanup(parsed);
    return status;
}

enum mlt_status mlt_net_url_check(const char *url, bool allow_http_loopback, struct mlt_error *err) {
    return check_url(url, allow_http_loopback ? PLAIN_LOOPBACK : PLAIN_NEVER, err);
}

enum mlt_status mlt_net_url_check_plain(const char *url, struct mlt_error *err) {
    return check_url(url, PLAIN_ANYWHERE, err);
}

// -- the exchange -----------------------------------------------------------------------------------------------------

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct exchange *ex = arg;
    size_t len = size * count;
    if (len > ex->opt->max_response - ex->response->len) {
        ex->too_long = true;
        return 0;
    }
    mlt_buf_put(ex->response, data, len);
    return ex->response->failed ? 0 : len;
}

static bool loopback_address(const struct curl_sockaddr *address) {
    if (address->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->addr, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->family == AF_INET6) {
        struct sockaddr_in6 v6;
        // curl keeps the whole address behind this member, whose declared type is shorter.
        memcpy(&v6, (const char *)address + offsetof(struct curl_sockaddr, addr), sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

// open_socket is asked with the resolved address: a name that says "localhost" may still lead elsewhere.
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
    struct exchange *ex = arg;
    (void)purpose;
    if (ex->plain && !ex->opt->allow_http && !loopback_address(address)) {
        ex->off_loop = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int watch(void *arg, curl_off_t dl_total, curl_off_t dl_now, curl_off_t ul_total, curl_off_t ul_now) {
    const struct exchange *ex = arg;
    (void)dl_total, (void)dl_now, (void)ul_total, (void)ul_now;
    return ex->opt->stopped && atomic_load(ex->opt->stopped) ? 1 : 0;
}

static void configure(struct exchange *ex, struct curl_slist *headers) {
    const struct mlt_net_options *opt = ex->opt;
    CURL *c = ex->curl;
    long timeout = opt->timeout_ms > INT32_MAX ? INT32_MAX : (long)opt->timeout_ms;
    (void)curl_easy_setopt(c, CURLOPT_URL, opt->url);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, ex->fault);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, ex->plain ? "http" : "https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout);
    (void)curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)opt->max_response);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "mltrail");
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, opt->body.len ? (const char *)opt->body.ptr : "");
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)opt->body.len);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, ex);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, ex);
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, ex);
    if (ex->plain) {
        (void)curl_easy_setopt(c, CURLOPT_PROXY, ""); // a proxy from the environment is another machine
    }
    if (opt->cacert) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, opt->cacert);
    }
}

static enum mlt_status explain(const struct exchange *ex, CURLcode code, struct mlt_error *err) {
    const struct mlt_net_options *opt = ex->opt;
    if (ex->too_long || code == CURLE_FILESIZE_EXCEEDED) {
        return mlt_fail(err, MLT_LIMIT, "%s answers with more than %zu bytes", opt->url, opt->max_response);
    }
    if (ex->response->failed || code == CURLE_OUT_OF_MEMORY) {
        return mlt_fail(err, MLT_NOMEM, "out of memory");
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return mlt_fail(err, MLT_BUSY, "stopped while waiting for %s", opt->url);
    }
    if (ex->off_loop) {
        return mlt_fail(err, MLT_INVALID, "%s leads to another machine over plain HTTP; use https://", opt->url);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return mlt_fail(err, MLT_IO, "%s gives no complete answer within %lld ms", opt->url,
                        (long long)opt->timeout_ms);
    }
    return mlt_fail(err, MLT_IO, "%s does not answer: %s", opt->url,
                    ex->fault[0] ? ex->fault : curl_easy_strerror(code));
}

// media_type copies up to the parameters, in lower case; one that does not fit stays empty.
static void media_type(char out[static MLT_NET_TYPE_LEN], const char *header) {
    size_t len = header ? strcspn(header, "; \t") : 0;
    out[0] = '\0';
    if (len >= MLT_NET_TYPE_LEN) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = header[i];
        if (header[i] >= 'A' && header[i] <= 'Z') {
            out[i] = (char)(header[i] - 'A' + 'a');
        }
    }
    out[len] = '\0';
}

static enum mlt_status perform(struct exchange *ex, struct curl_slist *headers, int *http_status,
                               char content_type[static MLT_NET_TYPE_LEN], struct mlt_error *err) {
    configure(ex, headers);
    CURLcode code = curl_easy_perform(ex->curl);
    if (code != CURLE_OK) {
        return explain(ex, code, err);
    }
    long answered = 0;
    char *type = NULL;
    (void)curl_easy_getinfo(ex->curl, CURLINFO_RESPONSE_CODE, &answered);
    (void)curl_easy_getinfo(ex->curl, CURLINFO_CONTENT_TYPE, &type);
    *http_status = (int)answered;
    if (ex->opt->retry_after_s) {
        curl_off_t seconds = 0;
        (void)curl_easy_getinfo(ex->curl, CURLINFO_RETRY_AFTER, &seconds);
        *ex->opt->retry_after_s = seconds > 0 ? (int64_t)seconds : 0;
    }
    media_type(content_type, type);
    return MLT_OK;
}

static void init_curl(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); // once a process: several threads may be first
}

static struct curl_slist *make_headers(const struct mlt_net_options *opt) {
    struct mlt_buf line = {0};
    mlt_buf_printf(&line, "Content-Type: %s", opt->content_type);
    const char *text = mlt_buf_cstr(&line);
    struct curl_slist *headers = text ? curl_slist_append(NULL, text) : NULL;
    mlt_buf_clear(&line);
    struct curl_slist *longer = headers ? curl_slist_append(headers, "Expect:") : NULL; // no round trip before a body
    for (size_t i = 0; longer && i < opt->num_headers; i++) {
        longer = curl_slist_append(headers, opt->headers[i]);
    }
    if (!longer) {
        curl_slist_free_all(headers);
    }
    return longer;
}

struct mlt_net_session *mlt_net_session_new(void) {
    return calloc(1, sizeof(struct mlt_net_session));
}

void mlt_net_session_free(struct mlt_net_session *session) {
    if (session) {
        curl_easy_cleanup(session->curl);
        free(session);
    }
}

enum mlt_status mlt_net_post(const struct mlt_net_options *opt, int *http_status, struct mlt_buf *response,
                             char content_type[static MLT_NET_TYPE_LEN], struct mlt_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *http_status = 0;
    content_type[0] = '\0';
    if (opt->retry_after_s) {
        *opt->retry_after_s = 0;
    }
    mlt_buf_reset(response);
    enum mlt_status status = opt->allow_http ? mlt_net_url_check_plain(opt->url, err)
                                             : mlt_net_url_check(opt->url, opt->allow_http_loopback, err);
    if (status != MLT_OK) {
        return status;
    }
    (void)pthread_once(&once, init_curl);
    struct mlt_net_session own = {0};
    struct mlt_net_session *session = opt->session ? opt->session : &own;
    struct exchange ex = {.opt = opt, .response = response, .plain = strncasecmp(opt->url, "http:", 5) == 0};
    struct curl_slist *headers = make_headers(opt);
    session->curl = session->curl ? session->curl : curl_easy_init();
    ex.curl = session->curl;
    status = ex.curl && headers ? perform(&ex, headers, http_status, content_type, err)
                                : mlt_fail(err, MLT_NOMEM, "out of memory");
    if (ex.curl) {
        curl_easy_reset(ex.curl); // what it points to ends here; connections stay
    }
    curl_easy_cleanup(own.curl);
    curl_slist_free_all(headers);
    return status;
}
