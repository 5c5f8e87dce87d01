// A process that logs may fork. The child has none of the threads, and the streams are the parent's: in the child each
// client forgets them, and begins a stream of its own when it is used.
#include "base/wait.h"
#include "client/private.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mltrail_client *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered;

static void prepare(void) {
    pthread_mutex_lock(&list_lock);
    for (struct mltrail_client *c = list; c; c = c->next) {
        pthread_mutex_lock(&c->lock);
        if (c->courier) {
            mlt_courier_fork_prepare(c->courier);
        }
    }
}

static void in_parent(void) {
    for (struct mltrail_client *c = list; c; c = c->next) {
        if (c->courier) {
            mlt_courier_fork_parent(c->courier);
        }
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&list_lock);
}

// Memory of the parent's courier stays as it is: its threads may have been in the middle of it.
static void in_child(void) {
    for (struct mltrail_client *c = list; c; c = c->next) {
        if (c->courier) {
            mlt_courier_fork_child(c->courier);
        }
        c->courier = NULL;
        c->writer = NULL;
        c->memory = NULL;
        c->waiters = NULL;
        c->logged = 0;
        // A condition remembers who waits, and would be destroyed when threads that are not here have left.
        (void)mlt_wait_init(&c->settled);
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&list_lock);
}

static void register_once(void) {
    registered = pthread_atfork(prepare, in_parent, in_child);
}

bool mlt_client_list(struct mltrail_client *c) {
    (void)pthread_once(&once, register_once);
    if (registered != 0) {
        return false;
    }
    pthread_mutex_lock(&list_lock);
    c->next = list;
    list = c;
    pthread_mutex_unlock(&list_lock);
    return true;
}

void mlt_client_unlist(struct mltrail_client *c) {
    pthread_mutex_lock(&list_lock);
    for (struct mltrail_client **at = &list; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    pthread_mutex_unlock(&list_lock);
}
