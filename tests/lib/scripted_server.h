// A server on loopback that answers each request with the next line of a script, and keeps the bodies.
#ifndef MLT_TEST_SCRIPTED_SERVER_H
#define MLT_TEST_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRIPT_MAX 16
#define SCRIPT_WAIT_MS 100 // how soon it sees that it is to stop

struct scripted_server {
    const int *statuses; // the last one is for all that come after it
    size_t num_statuses;
    atomic_size_t num; // requests that were answered
    char bodies[SCRIPT_MAX][1024];
    char url[64];
    pthread_t thread;
    int listening;
    atomic_bool stopped;
};

static void scripted_answer(struct scripted_server *s, int fd) {
    char request[8192] = "", answer[128];
    size_t len = 0, n = atomic_load(&s->num);
    const char *body = NULL, *length = NULL;
    while (len + 1 < sizeof request) {
        ssize_t got = read(fd, request + len, sizeof request - 1 - len);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        body = strstr(request, "\r\n\r\n");
        length = strstr(request, "Content-Length: ");
        if (body && length && len >= (size_t)(body + 4 - request) + strtoul(length + 16, NULL, 10)) {
            break;
        }
    }
    if (body && n < SCRIPT_MAX) {
        (void)snprintf(s->bodies[n], sizeof s->bodies[n], "%.*s", (int)sizeof s->bodies[n] - 1, body + 4);
    }
    int status = s->statuses[n < s->num_statuses ? n : s->num_statuses - 1];
    int size = snprintf(answer, sizeof answer, "HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n%s",
                        status, "{}");
    (void)!send(fd, answer, (size_t)size, MSG_NOSIGNAL);
    atomic_fetch_add(&s->num, 1);
}

static void *scripted_run(void *arg) {
    struct scripted_server *s = arg;
    struct pollfd waiting = {.fd = s->listening, .events = POLLIN};
    while (!atomic_load(&s->stopped)) {
        int fd = poll(&waiting, 1, SCRIPT_WAIT_MS) == 1 ? accept(s->listening, NULL, NULL) : -1;
        if (fd >= 0) {
            scripted_answer(s, fd);
            close(fd);
        }
    }
    return NULL;
}

static inline void scripted_start(struct scripted_server *s, const int *statuses, size_t num) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    memset(s, 0, sizeof *s);
    s->statuses = statuses;
    s->num_statuses = num;
    s->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listening, SCRIPT_MAX), 0);
    assert_int_equal(getsockname(s->listening, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, scripted_run, s), 0);
}

static inline void scripted_stop(struct scripted_server *s) {
    atomic_store(&s->stopped, true);
    pthread_join(s->thread, NULL);
    close(s->listening);
}

#endif
