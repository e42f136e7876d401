/* The embedded Redis: lock, configuration, child, readiness, end. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "balancer/store/embedded.h"

#include "balancer/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SOCKET_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
    /* Short beside a start of the server, long beside what a look costs. */
    POLL_MS = 20,
    /* For the last fsync of a busy disk; then SIGKILL, which an append-only file survives. */
    STOP_MS = 10000,
    PING_MS = 1000,
};

struct ek_embedded {
    char dir[PATH_MAX];
    char socket[SOCKET_PATH_SIZE];
    int lock_fd; /* -1: none; the server holds the same lock through a descriptor of its own */
    pid_t pid;   /* 0: no child */
    bool ended;  /* the child has been waited for */
    int status;  /* of waitpid, once ended */
};

/* ---- time -------------------------------------------------------------------------------------
 */

static int64_t now_ms(void)
{
    struct timespec now;

    /* Deadlines must not move when somebody sets the clock. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks at a condition. */
static void pause_briefly(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

/* ---- the directory ----------------------------------------------------------------------------
 */

/* A path that was cut would point at another file. */
static bool join(char *out, size_t size, const char *dir, const char *name, struct ek_error *err)
{
    int length = snprintf(out, size, "%s/%s", dir, name);

    return (length > 0 && (size_t)length < size) ||
           ek_error_set(err, EK_ERR_INVALID, "%s/%s: the path has %d bytes, at most %zu fit", dir,
                        name, length, size - 1);
}

bool ek_embedded_socket_path(const char *state_dir, char *path, int size, struct ek_error *err)
{
    size_t room = (size_t)size < SOCKET_PATH_SIZE ? (size_t)size : SOCKET_PATH_SIZE;

    /* The kernel's limit of 107 bytes: a clear word here instead of "Invalid argument" from
     * everyone. */
    return join(path, room, state_dir, "redis.sock", err) ||
           ek_error_wrap(err, "the state directory's name is too long for a unix socket");
}

static bool prepare_dir(struct ek_embedded *embedded, const char *state_dir, struct ek_error *err)
{
    struct stat status;
    bool made = mkdir(state_dir, 0750) == 0;

    /* mkdir's mode is cut by the umask, which is not meant for this directory. */
    if ((!made && errno != EEXIST) || (made && chmod(state_dir, 0750) != 0) ||
        stat(state_dir, &status) != 0) {
        return ek_error_set(err, EK_ERR_IO, "the state directory %s cannot be made: %s", state_dir,
                            strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return ek_error_set(err, EK_ERR_IO,
                            "the state directory %s: found a file, expected a directory",
                            state_dir);
    }
    if (access(state_dir, W_OK | X_OK) != 0) {
        return ek_error_set(err, EK_ERR_DENIED,
                            "the state directory %s: found one of user %ld that user %ld may not "
                            "write, expected one that the daemon may write",
                            state_dir, (long)status.st_uid, (long)geteuid());
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return ek_error_set(err, EK_ERR_INVALID,
                            "%s: found mode %04o, expected a directory that others cannot write",
                            state_dir, (unsigned int)status.st_mode & 07777);
    }
    /* The server changes into its directory, so that a relative path would mean another one
     * there. */
    return realpath(state_dir, embedded->dir) != NULL ||
           ek_error_set(err, EK_ERR_IO, "%s: %s", state_dir, strerror(errno));
}

/* ---- the lock ---------------------------------------------------------------------------------
 */

/* The pid that the lock file holds, 0 when there is none in it. */
static long read_owner(int fd)
{
    char text[24] = "";

    if (pread(fd, text, sizeof(text) - 1, 0) <= 0) {
        return 0;
    }
    return strtol(text, NULL, 10);
}

static bool write_owner(int fd, const char *path, struct ek_error *err)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    return (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) == length) ||
           ek_error_set(err, EK_ERR_IO, "%s: %s", path, strerror(errno));
}

/* A daemon that was killed leaves its server ending, which holds the lock until its file is
 * written: that is waited for. A living owner is refused at once. */
static bool take_lock(struct ek_embedded *embedded, int64_t deadline_ms, struct ek_error *err)
{
    char path[PATH_MAX];

    if (!join(path, sizeof(path), embedded->dir, "lock", err)) {
        return false;
    }
    embedded->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (embedded->lock_fd < 0) {
        return ek_error_set(err, EK_ERR_IO, "%s: %s", path, strerror(errno));
    }
    while (flock(embedded->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return ek_error_set(err, EK_ERR_IO, "%s: %s", path, strerror(errno));
        }
        long owner = read_owner(embedded->lock_fd);
        bool gone = owner > 0 && kill((pid_t)owner, 0) != 0 && errno == ESRCH;
        if (!gone || now_ms() > deadline_ms) {
            return ek_error_set(err, EK_ERR_CONFLICT, "%s is in use by %s process %ld",
                                embedded->dir, gone ? "the Redis server of the ended" : "the",
                                owner);
        }
        pause_briefly();
    }
    return write_owner(embedded->lock_fd, path, err);
}

/* ---- the configuration ------------------------------------------------------------------------
 */

/* A path as redis.conf quotes it. */
static void write_quoted(FILE *file, const char *text)
{
    (void)fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
        (void)fprintf(file, plain ? "%c" : "\\x%02x", byte);
    }
    (void)fputc('"', file);
}

static bool write_config(const struct ek_embedded *embedded, const char *path, struct ek_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        (void)ek_error_set(err, EK_ERR_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    /* No port: the unix socket's mode is the whole access control. appendfsync always: a state is
     * journalled before the call that it announces, and must survive a power cut. */
    (void)fputs("# Written by evenkeeld at each start: changes are lost.\n"
                "port 0\n"
                "daemonize no\n"
                "unixsocketperm 770\n"
                "appendonly yes\n"
                "appendfsync always\n"
                "save \"\"\n"
                "notify-keyspace-events Kg$x\n"
                "unixsocket ",
                file);
    write_quoted(file, embedded->socket);
    (void)fputs("\ndir ", file);
    write_quoted(file, embedded->dir);
    (void)fputs("\nlogfile redis.log\n", file); /* in `dir` */
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    return !failed || ek_error_set(err, EK_ERR_IO, "%s: cannot write it", path);
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool no_server(struct ek_error *err)
{
    return ek_error_set(err, EK_ERR_NOT_FOUND,
                        "there is no redis-server on PATH; install it or set redis.mode: external");
}

bool ek_embedded_find_server(struct ek_error *err)
{
    const char *path = getenv("PATH");
    char file[PATH_MAX];

    for (const char *dir = path == NULL ? "" : path; *dir != '\0';) {
        size_t length = strcspn(dir, ":");
        (void)snprintf(file, sizeof(file), "%.*s/redis-server", (int)length, dir);
        if (access(file, X_OK) == 0) {
            return true;
        }
        dir += length + (dir[length] == ':' ? 1 : 0);
    }
    return no_server(err);
}

/* ---- the child --------------------------------------------------------------------------------
 */

/* In the child, between fork and exec: async-signal-safe calls only. `report` gets errno of what
 * failed. */
static void become_server(const struct ek_embedded *embedded, const char *config, pid_t parent,
                          int report, int null_fd, int log_fd)
{
    sigset_t none;
    char *const words[] = {"redis-server", (char *)config, NULL};

    sigemptyset(&none);
    /* A group of its own: the terminal's Ctrl-C is for the daemon, which then ends the server in
     * order. The parent may have ended before PR_SET_PDEATHSIG was set: then nobody would ever
     * signal us. */
    if (setpgid(0, 0) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        fcntl(embedded->lock_fd, F_SETFD, 0) == 0 && dup2(null_fd, 0) >= 0 &&
        dup2(log_fd, 1) >= 0 && dup2(log_fd, 2) >= 0) {
        (void)execvp(words[0], words);
    }
    int reason = errno;
    ssize_t written = write(report, &reason, sizeof(reason));
    _exit(written == sizeof(reason) ? 127 : 126);
}

/* What the exec said: true when it came about (the pipe closed without a word). */
static bool read_report(int report, struct ek_error *err)
{
    int reason = 0;
    ssize_t size;

    do {
        size = read(report, &reason, sizeof(reason));
    } while (size < 0 && errno == EINTR);
    if (size == 0) {
        return true;
    }
    if (reason == ENOENT) {
        return no_server(err);
    }
    return ek_error_set(err, EK_ERR_IO, "cannot run redis-server: %s", strerror(reason));
}

static bool spawn(struct ek_embedded *embedded, const char *config, const char *log,
                  struct ek_error *err)
{
    /* The classic pipe that closes itself on exec: silence means success, errno comes through
     * otherwise. */
    int report[2] = {-1, -1};
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    pid_t parent = getpid();
    bool done = false;

    if (null_fd < 0 || log_fd < 0 || pipe(report) != 0 ||
        fcntl(report[0], F_SETFD, FD_CLOEXEC) != 0 || fcntl(report[1], F_SETFD, FD_CLOEXEC) != 0) {
        (void)ek_error_set(err, EK_ERR_IO, "%s: %s", log, strerror(errno));
        goto cleanup;
    }
    embedded->pid = fork();
    if (embedded->pid < 0) {
        embedded->pid = 0;
        (void)ek_error_set(err, EK_ERR_IO, "cannot fork: %s", strerror(errno));
        goto cleanup;
    }
    if (embedded->pid == 0) {
        become_server(embedded, config, parent, report[1], null_fd, log_fd);
    }
    /* Ours, or the pipe would never end and the read below would wait for ever. */
    (void)close(report[1]);
    report[1] = -1;
    done = read_report(report[0], err);

cleanup:
    for (int i = 0; i < 2; i++) {
        if (report[i] >= 0) {
            (void)close(report[i]);
        }
    }
    if (null_fd >= 0) {
        (void)close(null_fd);
    }
    if (log_fd >= 0) {
        (void)close(log_fd);
    }
    return done;
}

bool ek_embedded_alive(struct ek_embedded *embedded, struct ek_error *err)
{
    if (!embedded->ended) {
        pid_t waited = waitpid(embedded->pid, &embedded->status, WNOHANG);
        /* ECHILD: somebody else reaped it, or SIGCHLD is ignored; it has ended all the same. */
        embedded->ended = waited == embedded->pid || (waited < 0 && errno == ECHILD);
    }
    if (!embedded->ended) {
        return true;
    }
    bool signaled = WIFSIGNALED(embedded->status);
    return ek_error_set(err, EK_ERR_UNAVAILABLE, "redis-server (process %ld) ended by %s %d",
                        (long)embedded->pid, signaled ? "signal" : "itself with status",
                        signaled ? WTERMSIG(embedded->status) : WEXITSTATUS(embedded->status));
}

/* ---- readiness --------------------------------------------------------------------------------
 */

/* The last line of the log, at most as much of it as `size` takes; "" when there is none. */
static void read_last_line(const char *log, char *line, size_t size)
{
    FILE *file = fopen(log, "re");
    char text[300];

    line[0] = '\0';
    while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] != '\0') {
            (void)snprintf(line, size, "%s", text);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* PING is answered with LOADING until the data is in memory: a PONG means ready. */
static bool wait_ready(struct ek_embedded *embedded, int64_t deadline_ms, struct ek_error *err)
{
    struct ek_store *store =
        ek_store_create(&(struct ek_store_options){.unix_socket = embedded->socket,
                                                   .key_prefix = "",
                                                   .connect_timeout_ms = PING_MS,
                                                   .command_timeout_ms = PING_MS});
    if (store == NULL) {
        return ek_error_set(err, EK_ERR_NOMEM, "redis-server: out of memory");
    }
    bool ready = false;
    bool alive = true;
    while (alive && !ready && now_ms() < deadline_ms) {
        struct ek_error not_yet;
        alive = ek_embedded_alive(embedded, err);
        ready = alive && ek_store_ping(store, &not_yet);
        if (!ready) {
            pause_briefly();
        }
    }
    ek_store_destroy(store);
    if (alive && !ready) {
        (void)ek_error_set(err, EK_ERR_TIMEOUT, "redis-server (process %ld) is not ready in time",
                           (long)embedded->pid);
    }
    return ready;
}

/* The lock before anything is written or started: a second daemon must not touch the first one's
 * files. */
static bool start(struct ek_embedded *embedded, const char *state_dir, int timeout_ms,
                  struct ek_error *err)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    char config[PATH_MAX];
    char log[PATH_MAX];
    char line[200];

    if (!prepare_dir(embedded, state_dir, err) ||
        !ek_embedded_socket_path(embedded->dir, embedded->socket, SOCKET_PATH_SIZE, err) ||
        !join(config, sizeof(config), embedded->dir, "redis.conf", err) ||
        !join(log, sizeof(log), embedded->dir, "redis.log", err) ||
        !take_lock(embedded, deadline_ms, err) || !write_config(embedded, config, err) ||
        !spawn(embedded, config, log, err)) {
        return false;
    }
    if (wait_ready(embedded, deadline_ms, err)) {
        return true;
    }
    /* What Redis itself says of its failure is in its log only. */
    read_last_line(log, line, sizeof(line));
    struct ek_error cause = *err;
    return ek_error_set(err, cause.code, "%s; %s ends with: %s", cause.message, log, line);
}

struct ek_embedded *ek_embedded_start(const char *state_dir, int timeout_ms, struct ek_error *err)
{
    struct ek_embedded *embedded = calloc(1, sizeof(*embedded));

    if (embedded == NULL) {
        (void)ek_error_set(err, EK_ERR_NOMEM, "redis-server: out of memory");
        return NULL;
    }
    embedded->lock_fd = -1;
    if (!start(embedded, state_dir, timeout_ms, err)) {
        ek_embedded_destroy(embedded);
        return NULL;
    }
    return embedded;
}

long ek_embedded_pid(const struct ek_embedded *embedded)
{
    return (long)embedded->pid;
}

void ek_embedded_destroy(struct ek_embedded *embedded)
{
    struct ek_error err;

    if (embedded == NULL) {
        return;
    }
    if (embedded->pid > 0 && ek_embedded_alive(embedded, &err)) {
        int64_t deadline_ms = now_ms() + STOP_MS;
        /* Redis flushes its file and ends in order on SIGTERM. */
        (void)kill(embedded->pid, SIGTERM);
        while (ek_embedded_alive(embedded, &err) && now_ms() < deadline_ms) {
            pause_briefly();
        }
        if (!embedded->ended) {
            (void)kill(embedded->pid, SIGKILL);
            (void)waitpid(embedded->pid, &embedded->status, 0);
        }
    }
    /* Last: whoever waits for the lock may start as soon as it is free. */
    if (embedded->lock_fd >= 0) {
        (void)close(embedded->lock_fd);
    }
    free(embedded);
}
