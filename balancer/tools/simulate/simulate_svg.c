/* A picture of simulations over time: panels above one another, a colour for each run. Plain SVG
 * without scripts, which every browser shows. */
#include "balancer/tools/simulate/simulate.h"

#include <math.h>

enum {
    LEFT = 60,
    WIDTH = 900,
    RIGHT = 20,
    TOP = 30,
    LINE = 16,
    HEIGHT = 120,
    GAP = 40,
    COLUMNS = 450
};

/* Told apart by the colour-blind, too (Okabe and Ito), as many as are ever compared. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#999999"};

enum { COLOURS = sizeof(colours) / sizeof(colours[0]) };

/* What is drawn of a reading, and what stands for several of them. */
struct panel {
    const char *title;
    double (*of)(const struct ek_meter_point *point);
    enum { MEAN, MOST, MOVES } kind; /* MOVES: those done so far, no figure of a reading */
    double unit;                     /* figures are drawn in times of it */
};

static double cpu_mean(const struct ek_meter_point *point)
{
    return point->cpu_mean;
}

static double cpu_most(const struct ek_meter_point *point)
{
    return point->cpu_most;
}

static double cpu_imbalance(const struct ek_meter_point *point)
{
    return point->cpu_imbalance;
}

static double memory_imbalance(const struct ek_meter_point *point)
{
    return point->memory_imbalance;
}

static double overloaded(const struct ek_meter_point *point)
{
    return point->overloaded;
}

static double used(const struct ek_meter_point *point)
{
    return point->used;
}

static const struct panel panels[] = {
    {"CPU in use, mean of the hosts, %", cpu_mean, MEAN, 0.01},
    {"CPU wanted on the fullest host, %", cpu_most, MOST, 0.01},
    {"imbalance of CPU", cpu_imbalance, MEAN, 1},
    {"imbalance of memory", memory_imbalance, MEAN, 1},
    {"hosts overloaded", overloaded, MEAN, 1},
    {"hosts with domains", used, MEAN, 1},
    {"moves so far", NULL, MOVES, 1},
};

enum { PANELS = sizeof(panels) / sizeof(panels[0]) };

/* ---- figures ------------------------------------------------------------------------------- */

/* Moves stand in the order of their ends. */
static double moves_until(const struct ek_simulation_result *result, int64_t at_ms)
{
    size_t low = 0;
    size_t high = result->move_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (result->moves[middle].at_ms <= at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (double)low;
}

/* The figure of one column of the picture; NAN: no reading falls into it. */
static double column_of(const struct panel *panel, const struct ek_simulation_result *result,
                        size_t column, size_t columns)
{
    size_t first = column * result->point_count / columns;
    size_t end = (column + 1) * result->point_count / columns;
    double sum = 0;
    double most = 0;

    if (first == end) {
        return NAN;
    }
    if (panel->kind == MOVES) {
        return moves_until(result, result->points[end - 1].at_ms);
    }
    for (size_t i = first; i < end; i++) {
        double value = panel->of(&result->points[i]) / panel->unit;
        sum += value;
        most = fmax(most, value);
    }
    return panel->kind == MOST ? most : sum / (double)(end - first);
}

static size_t columns_of(const struct ek_simulation_result *result)
{
    return result->point_count < COLUMNS ? result->point_count : COLUMNS;
}

/* The next of 1, 2, 5, 10, 20, ... so that the axis has a round end; of nothing 1. */
static double round_up(double value)
{
    double power = 1e-3;

    if (!(value > 0)) {
        return 1;
    }
    while (power * 10 < value) {
        power *= 10;
    }
    return value <= power       ? power
           : value <= 2 * power ? 2 * power
           : value <= 5 * power ? 5 * power
                                : 10 * power;
}

static double top_of(const struct panel *panel, const struct ek_simulate_run *runs, size_t count)
{
    double most = 0;

    for (size_t r = 0; r < count; r++) {
        size_t columns = columns_of(runs[r].result);
        for (size_t c = 0; c < columns; c++) {
            most = fmax(most, column_of(panel, runs[r].result, c, columns));
        }
    }
    return round_up(most);
}

/* ---- drawing ------------------------------------------------------------------------------- */

/* Names come from paths and may hold anything. */
static void print_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '>' || *text == '&') {
            (void)fprintf(out, "&#%d;", *text);
        } else {
            (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

static void draw_line(const struct panel *panel, const struct ek_simulate_run *run, size_t index,
                      double y, double top, FILE *out)
{
    size_t columns = columns_of(run->result);

    /* Where runs are alike the first still shows between the dashes of the next. */
    (void)fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\"%s points=\"",
                  colours[index % COLOURS], index == 0 ? "" : " stroke-dasharray=\"5 3\"");
    for (size_t c = 0; c < columns; c++) {
        double value = column_of(panel, run->result, c, columns);
        (void)fprintf(out, "%.1f,%.1f ", LEFT + WIDTH * ((double)c + 0.5) / (double)columns,
                      y + HEIGHT * (1 - value / top));
    }
    (void)fputs("\"/>\n", out);
}

/* How many hours lie between two lines: whole days, below two days what gives some ten lines. */
static double step_of(double hours)
{
    static const double steps[] = {0.1, 0.25, 0.5, 1, 2, 3, 6};
    size_t i = 0;

    while (i + 1 < sizeof(steps) / sizeof(steps[0]) && hours > 10 * steps[i]) {
        i++;
    }
    return hours >= 48 ? 24 * ceil(hours / 24 / 14) : steps[i];
}

static void draw_grid(double days, double y, double top, FILE *out)
{
    double hours = 24 * days;
    double step = step_of(hours);
    bool by_days = step >= 24;

    (void)fprintf(out,
                  "<rect x=\"%d\" y=\"%.0f\" width=\"%d\" height=\"%d\" fill=\"none\" "
                  "stroke=\"#888\"/>\n"
                  "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.7g</text>\n"
                  "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">0</text>\n",
                  LEFT, y, WIDTH, HEIGHT, LEFT - 6, y + 10, top, LEFT - 6, y + HEIGHT);
    for (int line = 0; line * step < hours * (1 + 1e-9); line++) {
        double hour = line * step;
        double x = LEFT + WIDTH * hour / hours;
        (void)fprintf(out,
                      "<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"#ddd\"/>\n"
                      "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.4g %s</text>\n",
                      x, y, x, y + HEIGHT, x, y + HEIGHT + 14, by_days ? hour / 24 : hour,
                      by_days ? "d" : "h");
    }
}

static void draw_legend(const struct ek_simulate_run *runs, size_t count, FILE *out)
{
    char terms[EK_SIMULATE_TERMS_SIZE];
    int y = LINE;

    /* Below one another: names are paths, and may be long. */
    for (size_t r = 0; r < count; r++, y += LINE) {
        (void)fprintf(out,
                      "<rect x=\"%d\" y=\"%d\" width=\"14\" height=\"10\" fill=\"%s\"/>\n"
                      "<text x=\"%d\" y=\"%d\">",
                      LEFT, y - 9, colours[r % COLOURS], LEFT + 20, y);
        print_escaped(runs[r].name, out);
        (void)fputs("</text>\n", out);
    }
    (void)fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT, y,
                  ek_simulate_terms(&runs[0], terms));
}

void ek_simulate_draw(const struct ek_simulate_run *runs, size_t count, FILE *out)
{
    int head = TOP + ((int)count + 1) * LINE;
    int height = head + PANELS * (HEIGHT + GAP);

    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"11\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                  LEFT + WIDTH + RIGHT, height);
    draw_legend(runs, count, out);
    for (size_t p = 0; p < PANELS; p++) {
        double y = head + (double)p * (HEIGHT + GAP);
        double top = top_of(&panels[p], runs, count);
        (void)fprintf(out, "<text x=\"%d\" y=\"%.0f\">%s</text>\n", LEFT, y - 5, panels[p].title);
        draw_grid(runs[0].result->days, y, top, out);
        for (size_t r = 0; r < count; r++) {
            draw_line(&panels[p], &runs[r], r, y, top, out);
        }
    }
    (void)fputs("</svg>\n", out);
}
