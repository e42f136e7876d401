/*
 * init.c - the only program of a lab guest, its PID 1.
 *
 * The guest is a measuring instrument: it proves that it runs (a heartbeat line every 50 ms on
 * the first serial line), and it makes load on demand (CPU, dirtied memory, memory held), as
 * told by the kernel command line (ek.burn=, ek.dirty=, ek.footprint=) and later by command
 * lines on the second serial line. Kernel messages go to the second line too.
 *
 * Heartbeat: "HB <boot-id> <seq> <clock_ms>". The boot-id is random per boot, so that a restart
 * is seen; seq grows by one per line; clock_ms is the guest's own monotonic clock. It is written
 * to the UART's ports without the kernel's driver, whose interrupts would cost a third more of
 * an idle guest's emulated CPU.
 *
 * Threads: the main thread (real-time priority, so that load does not delay the heartbeat) polls
 * a timer, the command line and the power button; one burner per CPU; one thread that owns all
 * held memory. Settings are atomics; a changed generation wakes the sleepers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    HEARTBEAT_MS = 50,
    BURN_PERIOD_MS = 100,
    DIRTY_PERIOD_MS = 50,
    PAGE_BYTES = 4096,
    PAGES_PER_MIB = 256,
    MAX_BUTTONS = 8,
    /* The dirtied range covers this many seconds of dirtying, as far as memory allows: a dirty
     * rate calculated over a longer time saturates at range / time. */
    DIRTY_RANGE_SECONDS = 2,
    SPARE_MIB = 16 /* never held, so that the kernel keeps room to work */
};

/* The first serial line: a 16550 at its usual place. */
enum {
    UART_DATA = 0x3f8,
    UART_FIFO = UART_DATA + 2,
    UART_STATUS = UART_DATA + 5,
    UART_PORTS = 8,
    UART_FIFO_ON = 0x01,
    UART_SENT = 0x20, /* in UART_STATUS: the FIFO is empty */
    UART_FIFO_BYTES = 16
};

static struct {
    atomic_uint burn_milli;    /* CPU to burn, in thousandths of a core */
    atomic_uint dirty_mib_s;   /* memory to dirty, MiB per second */
    atomic_uint footprint_mib; /* memory to hold, as asked for */
    atomic_uint held_mib;      /* memory held in fact */
    atomic_bool deaf;          /* the power button is not heard */
    pthread_mutex_t lock;
    pthread_cond_t changed;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void sleep_until_ns(int64_t when)
{
    struct timespec ts = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}

static _Noreturn void power_off(void)
{
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

/* ---- burning CPU ---------------------------------------------------------------------- */

/* The share of burner `index`, in thousandths: earlier burners are filled first. */
static unsigned burn_share(unsigned index)
{
    unsigned total = atomic_load(&g.burn_milli);

    if (total <= index * 1000)
        return 0;
    return total - index * 1000 > 1000 ? 1000 : total - index * 1000;
}

static void spin_for_ns(int64_t cpu_ns)
{
    int64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 2000; i++)
            ;
}

static void *burner(void *arg)
{
    unsigned index = (unsigned)(uintptr_t)arg;
    const int64_t period = BURN_PERIOD_MS * INT64_C(1000000);
    int64_t next = clock_ns(CLOCK_MONOTONIC);

    for (;;) {
        pthread_mutex_lock(&g.lock);
        while (burn_share(index) == 0)
            pthread_cond_wait(&g.changed, &g.lock);
        pthread_mutex_unlock(&g.lock);

        spin_for_ns(period * burn_share(index) / 1000);
        next += period;
        if (next < clock_ns(CLOCK_MONOTONIC))
            next = clock_ns(CLOCK_MONOTONIC); /* late: what was missed is not made up for */
        else
            sleep_until_ns(next);
    }
    return NULL;
}

/* ---- holding and dirtying memory ------------------------------------------------------- */

struct held {
    uint64_t *base;     /* reserved range as large as the guest; touched up to `mib` */
    unsigned limit_mib; /* never hold more than this */
    unsigned mib;
    size_t cursor; /* next page to dirty */
    uint64_t noise;
};

/* Write a never repeating word, so that neither compression nor zero pages hide the write. */
static void touch_page(struct held *held, size_t page)
{
    held->noise = held->noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    held->base[page * (PAGE_BYTES / sizeof(uint64_t))] = held->noise;
}

static void fill_page(struct held *held, size_t page)
{
    uint64_t *words = held->base + page * (PAGE_BYTES / sizeof(uint64_t));

    for (size_t i = 0; i < PAGE_BYTES / sizeof(uint64_t); i += 8) {
        held->noise = held->noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        words[i] = held->noise;
    }
}

static unsigned wanted_mib(const struct held *held)
{
    unsigned dirty = atomic_load(&g.dirty_mib_s) * DIRTY_RANGE_SECONDS;
    unsigned wanted = atomic_load(&g.footprint_mib);

    if (wanted < dirty)
        wanted = dirty;
    return wanted < held->limit_mib ? wanted : held->limit_mib;
}

static void resize_held(struct held *held, unsigned mib)
{
    if (mib < held->mib)
        madvise(held->base + (size_t)mib * PAGES_PER_MIB * (PAGE_BYTES / sizeof(uint64_t)),
                (size_t)(held->mib - mib) << 20, MADV_DONTNEED);
    for (size_t p = (size_t)held->mib * PAGES_PER_MIB; p < (size_t)mib * PAGES_PER_MIB; p++)
        fill_page(held, p);
    held->mib = mib;
    atomic_store(&g.held_mib, mib);
}

static void dirty_pages(struct held *held, size_t count)
{
    size_t pages = (size_t)held->mib * PAGES_PER_MIB;

    for (; count > 0 && pages > 0; count--) {
        held->cursor = (held->cursor + 1) % pages;
        touch_page(held, held->cursor);
    }
}

static unsigned available_mib(void)
{
    struct sysinfo info;

    if (sysinfo(&info) != 0)
        return 0;
    return (unsigned)((uint64_t)info.freeram * info.mem_unit >> 20);
}

static void *memory_keeper(void *arg)
{
    const int64_t period = DIRTY_PERIOD_MS * INT64_C(1000000);
    unsigned room = available_mib();
    struct held held = {.limit_mib = room > SPARE_MIB ? room - SPARE_MIB : 0, .noise = 1};
    int64_t next = clock_ns(CLOCK_MONOTONIC);

    (void)arg;
    held.base = mmap(NULL, (size_t)room << 20, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (held.base == MAP_FAILED)
        return NULL;
    for (;;) {
        pthread_mutex_lock(&g.lock);
        while (atomic_load(&g.dirty_mib_s) == 0 && wanted_mib(&held) == held.mib)
            pthread_cond_wait(&g.changed, &g.lock);
        pthread_mutex_unlock(&g.lock);

        if (wanted_mib(&held) != held.mib)
            resize_held(&held, wanted_mib(&held));
        dirty_pages(&held,
                    (size_t)atomic_load(&g.dirty_mib_s) * PAGES_PER_MIB * DIRTY_PERIOD_MS / 1000);
        next += period;
        if (next < clock_ns(CLOCK_MONOTONIC))
            next = clock_ns(CLOCK_MONOTONIC);
        else
            sleep_until_ns(next);
    }
    return NULL;
}

/* ---- settings ---------------------------------------------------------------------------- */

/* Take one setting by name; false when there is no such setting. */
static bool take_setting(const char *name, const char *value)
{
    if (strcmp(name, "burn") == 0)
        atomic_store(&g.burn_milli, (unsigned)(strtod(value, NULL) * 1000 + 0.5));
    else if (strcmp(name, "dirty") == 0)
        atomic_store(&g.dirty_mib_s, (unsigned)strtoul(value, NULL, 10));
    else if (strcmp(name, "footprint") == 0)
        atomic_store(&g.footprint_mib, (unsigned)strtoul(value, NULL, 10));
    else if (strcmp(name, "deaf") == 0)
        atomic_store(&g.deaf, strcmp(value, "1") == 0);
    else
        return false;
    pthread_mutex_lock(&g.lock);
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    return true;
}

static void take_kernel_command_line(void)
{
    char text[2048], *save = NULL;
    int fd = open("/proc/cmdline", O_RDONLY);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        char *equals = strchr(word, '=');

        if (strncmp(word, "ek.", 3) == 0 && equals) {
            *equals = '\0';
            take_setting(word + 3, equals + 1);
        }
    }
}

/* Obey one command line such as "burn 0.35", and say what holds now. */
static void obey(int line, char *text)
{
    char *save = NULL;
    char *name = strtok_r(text, " \t\r", &save);
    char *value = strtok_r(NULL, " \t\r", &save);

    if (!name)
        return;
    if (strcmp(name, "poweroff") == 0)
        power_off();
    if (value && take_setting(name, value))
        dprintf(line, "OK %s %s\n", name, value);
    else
        dprintf(line, "ERROR %s\n", name);
}

static void read_commands(int line)
{
    static char text[256];
    static size_t used;
    ssize_t got = read(line, text + used, sizeof(text) - 1 - used);
    char *end;

    if (got <= 0)
        return;
    used += (size_t)got;
    text[used] = '\0';
    while ((end = strchr(text, '\n'))) {
        size_t rest = used - (size_t)(end + 1 - text);

        *end = '\0';
        obey(line, text);
        memmove(text, end + 1, rest + 1);
        used = rest;
    }
    if (used == sizeof(text) - 1)
        used = 0; /* no command is that long */
}

/* ---- start ------------------------------------------------------------------------------- */

static int open_serial(const char *path)
{
    struct termios mode;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && tcgetattr(fd, &mode) == 0) {
        cfmakeraw(&mode);
        cfsetspeed(&mode, B115200);
        mode.c_cflag |= CLOCAL;
        tcsetattr(fd, TCSANOW, &mode);
    }
    return fd;
}

/* Load the modules named in /modules/order, one per line, in that order. */
static void load_modules(void)
{
    char name[128];
    FILE *order = fopen("/modules/order", "re");

    while (order && fgets(name, sizeof(name), order)) {
        char path[160];
        int fd;

        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof(path), "/modules/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
            fprintf(stderr, "init: %s: %s\n", name, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    if (order)
        fclose(order);
}

static void mount_basics(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
}

static void start_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct sched_param urgent = {.sched_priority = 10};
    pthread_t thread;

    pthread_create(&thread, NULL, memory_keeper, NULL);
    for (long i = 0; i < cpus; i++)
        pthread_create(&thread, NULL, burner, (void *)(uintptr_t)i);
    sched_setscheduler(0, SCHED_FIFO, &urgent); /* this thread alone; the others exist already */
}

static int start_heartbeat_timer(void)
{
    const struct timespec period = {.tv_nsec = HEARTBEAT_MS * 1000000L};
    const struct itimerspec spec = {.it_interval = period, .it_value = period};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    timerfd_settime(fd, 0, &spec, NULL);
    return fd;
}

/* Input devices, of which one is the ACPI power button; returns how many were opened. */
static unsigned open_buttons(struct pollfd *fds)
{
    unsigned count = 0;

    for (int i = 0; i < MAX_BUTTONS; i++) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/dev/input/event%d", i);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    return count;
}

static void read_button(int fd)
{
    struct input_event event;

    while (read(fd, &event, sizeof(event)) == (ssize_t)sizeof(event))
        if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1 &&
            !atomic_load(&g.deaf))
            power_off();
}

static void write_uart(const char *text, int length)
{
    for (int i = 0; i < length; i++) {
        if (i % UART_FIFO_BYTES == 0)
            while ((inb(UART_STATUS) & UART_SENT) == 0)
                ;
        outb((unsigned char)text[i], UART_DATA);
    }
}

static void open_uart(void)
{
    if (ioperm(UART_DATA, UART_PORTS, 1) != 0)
        power_off(); /* without a heartbeat this guest is of no use */
    outb(UART_FIFO_ON, UART_FIFO);
}

static void beat(int timer, uint32_t boot_id)
{
    static unsigned long long seq;
    uint64_t missed; /* beats that fell into a pause are not made up for */
    char line[64];

    if (read(timer, &missed, sizeof(missed)) == (ssize_t)sizeof(missed))
        write_uart(line, snprintf(line, sizeof(line), "HB %08x %llu %lld\n", (unsigned)boot_id,
                                  ++seq, (long long)(clock_ns(CLOCK_MONOTONIC) / 1000000)));
}

int main(void)
{
    struct pollfd fds[2 + MAX_BUTTONS];
    unsigned count;
    uint32_t boot_id = 0;

    mount_basics();
    load_modules();
    if (getrandom(&boot_id, sizeof(boot_id), GRND_INSECURE) != (ssize_t)sizeof(boot_id))
        boot_id = (uint32_t)clock_ns(CLOCK_REALTIME);
    open_uart();
    fds[1] = (struct pollfd){.fd = open_serial("/dev/ttyS1"), .events = POLLIN};
    count = 2 + open_buttons(fds + 2);
    take_kernel_command_line();
    start_threads();
    fds[0] = (struct pollfd){.fd = start_heartbeat_timer(), .events = POLLIN};
    for (;;) {
        if (poll(fds, count, -1) <= 0)
            continue;
        if (fds[0].revents)
            beat(fds[0].fd, boot_id);
        if (fds[1].revents)
            read_commands(fds[1].fd);
        for (unsigned i = 2; i < count; i++)
            if (fds[i].revents)
                read_button(fds[i].fd);
    }
}
