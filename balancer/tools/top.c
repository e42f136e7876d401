/* evenkeel top: the terminal. It is put into another screen without echo while frames are shown,
 * and is left as it was, however the program is told to end. */
#include "balancer/tools/top.h"

#include "balancer/tools/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { PERIOD_MS = 1000, COLUMNS = 80, ROWS = 24 };

/* The alternate screen, no cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

struct screen {
    struct termios before;
    bool keys; /* standard input is a terminal, whose keys come one by one */
    int signals;
};

/* ---- frames --------------------------------------------------------------------------------- */

/* The frame as text, with the first complaint of its making; NULL: out of memory. Whether the
 * cluster could be read is told by tool->exit_status. */
static char *make_frame(struct ek_tool *tool, bool colours, char *notice, size_t notice_size)
{
    struct ek_top top;
    char *text = NULL;
    char *said = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    FILE *complaints = open_memstream(&said, &size);

    tool->exit_status = EK_EXIT_DONE;
    ek_tool_complain_to(complaints);
    if (out != NULL && ek_top_read(&top, tool)) {
        ek_top_print(&top, colours, out);
        ek_top_finish(&top);
    }
    ek_tool_complain_to(NULL);
    if (complaints != NULL) {
        (void)fclose(complaints);
    }
    if (out != NULL) {
        (void)fclose(out);
    }
    (void)snprintf(notice, notice_size, "%s", said == NULL ? "" : said);
    free(said);
    return text;
}

static void find_size(int *columns, int *rows)
{
    struct winsize size;

    *columns = COLUMNS;
    *rows = ROWS;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

/* From the top left corner on, each line cleared behind its text: nothing flickers and nothing of
 * an earlier frame stays. */
static bool draw(struct ek_tool *tool, bool colours)
{
    char notice[512];
    int columns = 0;
    int rows = 0;
    char *text = make_frame(tool, colours, notice, sizeof(notice));

    if (text == NULL) {
        return false;
    }
    find_size(&columns, &rows);
    notice[strcspn(notice, "\n")] = '\0';
    ek_terminal_clean(notice);
    (void)fputs("\033[H", stdout);
    ek_top_print_cut(text, columns, notice[0] == '\0' ? rows - 1 : rows - 2, "\033[K\n", stdout);
    if (notice[0] != '\0') {
        (void)snprintf(notice + strlen(notice), sizeof(notice) - strlen(notice), "\n");
        ek_top_print_cut(notice, columns, 1, "\033[K\n", stdout);
    }
    (void)fputs("\033[J", stdout);
    (void)fflush(stdout);
    free(text);
    return true;
}

static int print_once(struct ek_tool *tool)
{
    struct ek_top top;

    if (!ek_top_read(&top, tool)) {
        return tool->exit_status;
    }
    ek_top_print(&top, ek_terminal_colours(stdout), stdout);
    ek_top_finish(&top);
    return EK_EXIT_DONE;
}

/* ---- the screen ----------------------------------------------------------------------------- */

static bool enter(struct screen *screen)
{
    struct termios raw;
    sigset_t wanted;

    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGHUP);
    (void)sigaddset(&wanted, SIGWINCH);
    screen->signals = signalfd(-1, &wanted, SFD_CLOEXEC);
    if (screen->signals < 0 || sigprocmask(SIG_BLOCK, &wanted, NULL) != 0) {
        return false;
    }
    screen->keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (screen->keys) {
        raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        /* Stopped, the program would leave the shell on its own screen. */
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        screen->keys = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    }
    (void)fputs(ENTER, stdout);
    return true;
}

static void leave(const struct screen *screen)
{
    if (screen->keys) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
    }
    (void)fputs(LEAVE, stdout);
    (void)fflush(stdout);
    (void)close(screen->signals);
}

/* Whether the signal that came ends the program; a new size of the terminal only ends the wait. */
static bool is_ending(const struct screen *screen)
{
    struct signalfd_siginfo info;

    return read(screen->signals, &info, sizeof(info)) != (ssize_t)sizeof(info) ||
           info.ssi_signo != SIGWINCH;
}

/* Waits until the next frame is due; true: the program is to end. */
static bool ended_before_next_frame(const struct screen *screen)
{
    struct pollfd ready[2] = {{.fd = screen->signals, .events = POLLIN},
                              {.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN}};
    char key = '\0';

    if (poll(ready, 2, PERIOD_MS) <= 0) {
        return false;
    }
    if (ready[0].revents != 0) {
        return is_ending(screen);
    }
    /* End of input: the terminal has gone. Other keys make a frame at once. */
    return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
}

static int run_live(struct ek_tool *tool)
{
    struct screen screen;
    bool colours = ek_terminal_colours(stdout);
    bool drawn = true;

    if (!enter(&screen)) {
        return ek_tool_complain(EK_EXIT_FAILED, "cannot listen to signals: %s", strerror(errno));
    }
    do {
        drawn = draw(tool, colours);
    } while (drawn && !ended_before_next_frame(&screen));
    leave(&screen);
    return drawn ? EK_EXIT_DONE : ek_tool_complain(EK_EXIT_FAILED, "out of memory for a frame");
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int run(struct ek_tool *tool, int argc, char **argv)
{
    static const struct option options[] = {{"once", no_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
    bool once = false;
    int option = 0;

    while ((option = ek_tool_option(tool, argc, argv, "", options)) > 0) {
        once = true;
    }
    if (option == EK_OPTION_STOP || !ek_tool_words(tool, argc, argv, 0)) {
        return tool->exit_status;
    }
    if (tool->json) {
        char *words[] = {argv[0], NULL};
        optind = 0; /* getopt begins anew */
        return ek_verb_status.run(tool, 1, words);
    }
    if (!ek_tool_open(tool)) {
        return tool->exit_status;
    }
    return once || !ek_terminal_is(stdout) ? print_once(tool) : run_live(tool);
}

const struct ek_verb ek_verb_top = {
    .name = "top",
    .arguments = " [--once]",
    .help = "a live view: hosts, moves with their progress, what waits and why",
    .details =
        "Refreshed every second; q or Ctrl-C ends it. Without a terminal one frame is printed;\n"
        "with --json what `status --json` prints.\n"
        "  --once   print one frame and end\n",
    .run = run,
};
