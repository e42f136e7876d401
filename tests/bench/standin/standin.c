/* Many hosts in one process: each an address of its own on loopback, at which it speaks libvirt's
 * remote protocol as libvirtd does over TCP, with so many running domains of real size.
 *
 *   libvirtd_standin FOLDER HOSTS DOMAINS_EACH
 *
 * FOLDER holds the documents (capabilities.xml, domain.xml, pool.xml). Host i is at 127.1.X.Y with
 * X i/250 and Y i%250+1; the port, the same for all, is printed when all listen. Runs until a
 * signal ends it, or its input does. */
#include "tests/bench/standin/answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What is to be measured is the collector with libvirt's own client library, its connections, and
 * its decoding of what comes over the wire. So the stand-in is a process of its own behind sockets,
 * and replaces nothing in the daemon. It does no more than the collector asks for: a procedure that
 * it does not know is answered with an error and told on stderr. */

enum {
    PROGRAM_REMOTE = 0x20008086,
    PROGRAM_KEEPALIVE = 0x6b656570,
    KEEPALIVE_PING = 1,
    KEEPALIVE_PONG = 2,
    CALL = 0,
    REPLY = 1,
    MESSAGE = 2,
    STATUS_ERROR = 1,
    ERROR_NO_SUPPORT = 3,
    ERROR_LEVEL = 2,
    HEAD_BYTES = 28,
    MOST_BYTES = 32 * 1024 * 1024,
    READ_BYTES = 64 * 1024,
    HOSTS_PER_NET = 250,
    EVENTS = 256,
    SWEEP_MS = 1000,
    KEEPALIVE_MS = 5000, /* libvirtd.conf's default: who is silent for so long is pinged */
};

struct head {
    uint32_t program, version, procedure, type, serial, status;
};

/* A socket that listens for a host's connections, or one of these. */
struct peer {
    int fd;
    bool listens;
    bool writes; /* waits until more can be written */
    struct host *host;
    int64_t heard_ms; /* or pinged */
    struct wire in;
    struct wire out;
    size_t sent;
    struct peer *next; /* of the connections */
};

struct server {
    int epoll;
    struct documents documents;
    struct host *hosts;
    struct peer *connections;
};

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "standin: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void watch(struct server *server, struct peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};

    if (epoll_ctl(server->epoll, operation, peer->fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

static void head_append(struct wire *out, const struct head *head)
{
    wire_u32(out, 0); /* its length, when it is known */
    wire_u32(out, head->program);
    wire_u32(out, head->version);
    wire_u32(out, head->procedure);
    wire_u32(out, head->type);
    wire_u32(out, head->serial);
    wire_u32(out, head->status);
}

/* "Not supported", as libvirt's remote_error: most of its members may be absent. */
static void error_append(struct wire *out, const char *message)
{
    wire_u32(out, ERROR_NO_SUPPORT);
    wire_u32(out, 0);
    wire_u32(out, 1);
    wire_text(out, message);
    wire_u32(out, ERROR_LEVEL);
    for (int i = 0; i < 7; i++) {
        wire_u32(out, 0); /* domain, three texts, two numbers, network */
    }
}

static void take_call(struct server *server, struct peer *peer, struct head head,
                      struct wire *message)
{
    struct wire *out = &peer->out;
    size_t begin = out->size;

    head.type = REPLY;
    head_append(out, &head);
    if (!answer(&server->documents, peer->host, head.procedure, message, out)) {
        (void)fprintf(stderr, "standin: no answer to a call of procedure %u\n", head.procedure);
        out->size = begin;
        head.status = STATUS_ERROR;
        head_append(out, &head);
        error_append(out, "the stand-in does not know this call");
    }
    wire_patch(out, begin, (uint32_t)(out->size - begin));
}

static void keepalive(struct peer *peer, uint32_t procedure)
{
    const struct head head = {PROGRAM_KEEPALIVE, 1, procedure, MESSAGE, 0, 0};
    size_t begin = peer->out.size;

    head_append(&peer->out, &head);
    wire_patch(&peer->out, begin, HEAD_BYTES);
}

static void take_message(struct server *server, struct peer *peer, struct wire *message)
{
    struct head head;

    (void)wire_take_u32(message);
    head.program = wire_take_u32(message);
    head.version = wire_take_u32(message);
    head.procedure = wire_take_u32(message);
    head.type = wire_take_u32(message);
    head.serial = wire_take_u32(message);
    head.status = wire_take_u32(message);
    if (head.program == PROGRAM_KEEPALIVE) {
        if (head.procedure == KEEPALIVE_PING) {
            keepalive(peer, KEEPALIVE_PONG);
        }
    } else if (head.program == PROGRAM_REMOTE && head.type == CALL) {
        take_call(server, peer, head, message);
    }
}

/* All messages that are complete; false: what came is no message. */
static bool take_messages(struct server *server, struct peer *peer)
{
    size_t done = 0;

    for (;;) {
        struct wire rest = {.bytes = peer->in.bytes + done, .size = peer->in.size - done};
        uint32_t size = rest.size < HEAD_BYTES ? 0 : wire_take_u32(&rest);
        if (size == 0 || size > rest.size) {
            wire_drop(&peer->in, done);
            return size <= MOST_BYTES;
        }
        if (size < HEAD_BYTES) {
            return false;
        }
        rest.at = 0;
        rest.size = size;
        take_message(server, peer, &rest);
        done += size;
    }
}

/* What can be written now; the rest when the peer has read. */
static bool flush(struct server *server, struct peer *peer)
{
    while (peer->sent < peer->out.size) {
        ssize_t sent =
            send(peer->fd, peer->out.bytes + peer->sent, peer->out.size - peer->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        if (sent < 0) {
            break;
        }
        peer->sent += (size_t)sent;
    }
    bool more = peer->sent < peer->out.size;
    if (!more) {
        peer->sent = peer->out.size = 0;
    }
    if (more != peer->writes) {
        peer->writes = more;
        watch(server, peer, EPOLL_CTL_MOD, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
}

/* Returns whether the connection is still good. */
static bool serve(struct server *server, struct peer *peer, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t got = recv(peer->fd, wire_reserve(&peer->in, READ_BYTES), READ_BYTES, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            return false;
        }
        peer->in.size += got > 0 ? (size_t)got : 0;
        peer->heard_ms = now_ms();
        if (!take_messages(server, peer)) {
            return false;
        }
    }
    return flush(server, peer);
}

static void drop(struct server *server, struct peer *peer)
{
    struct peer **link = &server->connections;

    while (*link != peer) {
        link = &(*link)->next;
    }
    *link = peer->next;
    (void)close(peer->fd);
    free(peer->in.bytes);
    free(peer->out.bytes);
    free(peer);
}

static void admit(struct server *server, const struct peer *listener)
{
    int yes = 1;
    int fd = accept(listener->fd, NULL, NULL);
    struct peer *peer = calloc(1, sizeof(*peer));

    if (fd < 0 || peer == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        fail("accept");
    }
    /* As libvirtd: an answer is not kept back for the next one. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    *peer = (struct peer){
        .fd = fd, .host = listener->host, .heard_ms = now_ms(), .next = server->connections};
    server->connections = peer;
    watch(server, peer, EPOLL_CTL_ADD, EPOLLIN);
}

static void sweep(struct server *server, int64_t at_ms)
{
    struct peer *next = NULL;

    for (struct peer *peer = server->connections; peer != NULL; peer = next) {
        next = peer->next;
        if (at_ms - peer->heard_ms >= KEEPALIVE_MS) {
            peer->heard_ms = at_ms;
            keepalive(peer, KEEPALIVE_PING);
            if (!flush(server, peer)) {
                drop(server, peer);
            }
        }
    }
}

/* Port 0 takes any; the port is told back. */
static void listen_for(struct server *server, struct peer *peer, unsigned int number,
                       in_port_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = *port};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr =
        htonl(UINT32_C(127) << 24 | UINT32_C(1) << 16 | (uint32_t)(number / HOSTS_PER_NET) << 8 |
              (uint32_t)(number % HOSTS_PER_NET + 1));
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (peer->fd < 0 || bind(peer->fd, (struct sockaddr *)&address, length) != 0 ||
        listen(peer->fd, 16) != 0 ||
        getsockname(peer->fd, (struct sockaddr *)&address, &length) != 0) {
        fail("cannot listen");
    }
    *port = address.sin_port;
    peer->listens = true;
    peer->host = &server->hosts[number];
    watch(server, peer, EPOLL_CTL_ADD, EPOLLIN);
}

/* Two descriptors a host, and those of the program. */
static void allow_descriptors(unsigned int hosts)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail("getrlimit");
    }
    limit.rlim_cur = 2 * (rlim_t)hosts + 64;
    if (limit.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail("too many hosts for this machine's limit of descriptors");
    }
}

static void run(struct server *server)
{
    int64_t swept_ms = now_ms();

    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(server->epoll, events, EVENTS, SWEEP_MS);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL) {
                return; /* the input ended: whoever started this is gone */
            }
            if (peer->listens) {
                admit(server, peer);
            } else if (!serve(server, peer, events[i].events)) {
                drop(server, peer);
            }
        }
        int64_t at_ms = now_ms();
        if (at_ms - swept_ms >= SWEEP_MS) {
            swept_ms = at_ms;
            sweep(server, at_ms);
        }
    }
}

static unsigned int number_of(const char *text, unsigned int most)
{
    unsigned long value = strtoul(text, NULL, 10);

    if (value < 1 || value > most) {
        (void)fprintf(stderr, "standin: found %s, expected 1 to %u\n", text, most);
        exit(2);
    }
    return (unsigned int)value;
}

int main(int argc, char **argv)
{
    struct server server = {.epoll = epoll_create1(0)};
    struct epoll_event input = {.events = EPOLLIN | EPOLLHUP};
    in_port_t port = 0;

    if (argc != 4 || server.epoll < 0) {
        (void)fprintf(stderr, "usage: libvirtd_standin FOLDER HOSTS DOMAINS_EACH\n");
        return 2;
    }
    unsigned int hosts = number_of(argv[2], 10000);
    allow_descriptors(hosts);
    documents_read(&server.documents, argv[1]);
    server.hosts = hosts_create(hosts, number_of(argv[3], 1000));
    struct peer *listeners = calloc(hosts, sizeof(*listeners));
    if (server.hosts == NULL || listeners == NULL) {
        fail("out of memory");
    }
    for (unsigned int i = 0; i < hosts; i++) {
        listen_for(&server, &listeners[i], i, &port);
    }
    if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
        fail("cannot watch the input, expected a pipe");
    }
    (void)printf("%u\n", (unsigned int)ntohs(port));
    (void)fflush(stdout);
    run(&server);
    while (server.connections != NULL) {
        drop(&server, server.connections);
    }
    hosts_destroy(server.hosts, hosts);
    documents_finish(&server.documents);
    free(listeners);
    return 0;
}
