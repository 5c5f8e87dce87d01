// A load generator for POST /v1/records: raw sockets, keep-alive, a thread per connection.
//
//   load --port N --token-file F [--connections C] [--batch B] [--seconds S] [--bytes R]
//
// Batch 1 sends single records as application/json, more send NDJSON. Every record has a request_id of its own. Prints
// one line: records/s, requests/s, and the median and 99th percentile of the time from the first byte sent to the
// answer.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define BATCH_MAX 20000
#define RECORD_BYTES_MAX 16384
#define SAMPLES_MAX 200000 // latencies kept per connection; further ones are not looked at
#define HEAD_MAX 512
#define ANSWER_MAX 16384 // an answer without problems is far shorter

struct options {
    unsigned port, connections, batch, bytes;
    double seconds;
    char token[128];
};

struct client {
    const struct options *opt;
    unsigned number;
    int64_t until;
    uint64_t records, requests, refused;
    uint32_t *samples; // microseconds
    size_t num_samples;
    pthread_t thread;
};

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(3);
}

static int connect_to(unsigned port) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            die("send");
        }
        data += n;
        len -= (size_t)n;
    }
}

// Reads one answer and returns its status.
static int read_answer(int fd, char *buf) {
    size_t len = 0;
    size_t want = 0;
    for (;;) {
        ssize_t n = recv(fd, buf + len, ANSWER_MAX - 1 - len, 0);
        if (n <= 0) {
            die("receive");
        }
        len += (size_t)n;
        buf[len] = '\0';
        char *end = strstr(buf, "\r\n\r\n");
        if (end && want == 0) {
            char *length = strstr(buf, "Content-Length: ");
            want = (size_t)(end - buf) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
        if ((want > 0 && len >= want) || len == ANSWER_MAX - 1) {
            return atoi(buf + 9);
        }
    }
}

// A record whose request_id has a fixed width, so that only those digits change from one to the next.
#define ID_DIGITS 20
static const char record_start[] = "{\"kind\":\"prediction\",\"request_id\":\"";
static size_t make_record(char *out, unsigned bytes, unsigned client) {
    int n = snprintf(
        out, RECORD_BYTES_MAX,
        "%s%0*d\",\"timestamp\":\"2026-11-23T10:00:00.123456Z\",\"model\":\"credit-risk\",\"model_version\":\"%u\","
        "\"model_artifact_hash\":\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\","
        "\"serving_node\":\"node-%u\",\"prediction\":{\"label\":\"good\",\"score\":0.8731},\"feature_values\":{"
        "\"age\":41,\"income\":52300.5,\"housing\":\"own\",\"pad\":\"",
        record_start, ID_DIGITS, 0, 1 + client % 3, client % 8);
    while (n < (int)bytes - 3) {
        out[n] = (char)('a' + n % 26);
        n++;
    }
    n += snprintf(out + n, 8, "\"}}");
    return (size_t)n;
}

static void put_id(char *at, uint64_t id) {
    for (int i = ID_DIGITS - 1; i >= 0; i--) {
        at[i] = (char)('0' + id % 10);
        id /= 10;
    }
}

static void *client_run(void *arg) {
    struct client *c = arg;
    const struct options *o = c->opt;
    char *record = malloc(RECORD_BYTES_MAX);
    size_t record_len = record ? make_record(record, o->bytes, c->number) : 0;
    size_t body_len = o->batch * (record_len + 1);
    char *message = malloc(HEAD_MAX + body_len);
    char *answer = malloc(ANSWER_MAX);
    if (!record || !message || !answer) {
        die("memory");
    }
    int head =
        snprintf(message, HEAD_MAX,
                 "POST /v1/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 o->token, o->batch > 1 ? "application/x-ndjson" : "application/json", body_len);
    for (unsigned i = 0; i < o->batch; i++) {
        char *at = message + head + i * (record_len + 1);
        memcpy(at, record, record_len);
        at[record_len] = '\n';
    }
    // Ids of different runs against one trail must differ, or the second run would only send duplicates.
    uint64_t id = (uint64_t)time(NULL) * 1000000000 + (uint64_t)c->number * 1000000000 * 100;
    int fd = connect_to(o->port);
    while (now_ns() < c->until) {
        for (unsigned i = 0; i < o->batch; i++) {
            put_id(message + head + i * (record_len + 1) + sizeof record_start - 1, id++);
        }
        int64_t began = now_ns();
        send_all(fd, message, (size_t)head + body_len);
        int status = read_answer(fd, answer);
        if (c->num_samples < SAMPLES_MAX) {
            c->samples[c->num_samples++] = (uint32_t)((now_ns() - began) / 1000);
        }
        c->requests++;
        if (status == 200 || status == 201) {
            c->records += o->batch;
        } else {
            c->refused++;
        }
    }
    close(fd);
    free(record);
    free(message);
    free(answer);
    return NULL;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(const struct options *o, struct client *clients, double elapsed) {
    uint64_t records = 0;
    uint64_t requests = 0;
    uint64_t refused = 0;
    size_t num = 0;
    for (unsigned i = 0; i < o->connections; i++) {
        records += clients[i].records;
        requests += clients[i].requests;
        refused += clients[i].refused;
        num += clients[i].num_samples;
    }
    uint32_t *all = malloc((num + 1) * sizeof *all);
    if (!all) {
        die("memory");
    }
    size_t at = 0;
    for (unsigned i = 0; i < o->connections; i++) {
        memcpy(all + at, clients[i].samples, clients[i].num_samples * sizeof *all);
        at += clients[i].num_samples;
    }
    qsort(all, num, sizeof *all, by_value);
    printf("%.0f records/s  %.0f requests/s  p50 %.2f ms  p99 %.2f ms  connections %u  batch %u  refused %" PRIu64 "\n",
           (double)records / elapsed, (double)requests / elapsed, num ? all[num / 2] / 1e3 : 0,
           num ? all[num * 99 / 100] / 1e3 : 0, o->connections, o->batch, refused);
    free(all);
}

static void read_token(struct options *o, const char *path) {
    FILE *f = fopen(path, "r");
    if (!f || !fgets(o->token, sizeof o->token, f)) {
        die(path);
    }
    o->token[strcspn(o->token, "\r\n")] = '\0';
    fclose(f);
}

static unsigned number(const char *text, unsigned min, unsigned max) {
    unsigned long v = strtoul(text, NULL, 10);
    return v < min ? min : v > max ? max : (unsigned)v;
}

int main(int argc, char **argv) {
    struct options o = {.connections = 4, .batch = 1000, .bytes = 700, .seconds = 5};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *v = argv[i + 1];
        if (strcmp(argv[i], "--port") == 0) {
            o.port = number(v, 1, 65535);
        } else if (strcmp(argv[i], "--token-file") == 0) {
            read_token(&o, v);
        } else if (strcmp(argv[i], "--connections") == 0) {
            o.connections = number(v, 1, CONNECTIONS_MAX);
        } else if (strcmp(argv[i], "--batch") == 0) {
            o.batch = number(v, 1, BATCH_MAX);
        } else if (strcmp(argv[i], "--bytes") == 0) {
            o.bytes = number(v, 500, RECORD_BYTES_MAX - 16);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            o.seconds = strtod(v, NULL);
        } else {
            o.port = 0;
            break;
        }
    }
    if (o.port == 0 || !o.token[0]) {
        fprintf(stderr,
                "usage: load --port N --token-file F [--connections C] [--batch B] [--seconds S] [--bytes R]\n");
        return 2;
    }
    static struct client clients[CONNECTIONS_MAX];
    int64_t began = now_ns();
    for (unsigned i = 0; i < o.connections; i++) {
        clients[i] = (struct client){.opt = &o, .number = i, .until = began + (int64_t)(o.seconds * 1e9)};
        clients[i].samples = malloc(SAMPLES_MAX * sizeof(uint32_t));
        if (!clients[i].samples || pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0) {
            die("start");
        }
    }
    for (unsigned i = 0; i < o.connections; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    report(&o, clients, (double)(now_ns() - began) / 1e9);
    for (unsigned i = 0; i < o.connections; i++) {
        free(clients[i].samples);
    }
    return 0;
}
