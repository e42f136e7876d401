/* A picture of simulations over time: panels above one another, a colour for each run. Plain SVG
 * without scripts, which every browser shows. */
#include "balancer/tools/simulate.h"

#include <math.h>

enum { LEFT = 60, WIDTH = 900, RIGHT = 20, TOP = 40, HEIGHT = 120, GAP = 40, COLUMNS = 450 };

/* Told apart by the colour-blind, too (Okabe and Ito). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7"};

enum { COLOURS = sizeof(colours) / sizeof(colours[0]) };

/* What is drawn of a reading, and what stands for several of them. */
struct panel {
    const char *title;
    double (*of)(const struct ek_meter_point *point);
    enum { MEAN, MOST, SUM } kind;
    double unit; /* figures are drawn in times of it */
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

static double moves(const struct ek_meter_point *point)
{
    return point->moves;
}

static const struct panel panels[] = {
    {"CPU in use, mean of the hosts, %", cpu_mean, MEAN, 0.01},
    {"CPU wanted on the fullest host, %", cpu_most, MOST, 0.01},
    {"imbalance of CPU", cpu_imbalance, MEAN, 1},
    {"imbalance of memory", memory_imbalance, MEAN, 1},
    {"hosts above target_max", overloaded, MEAN, 1},
    {"hosts with domains", used, MEAN, 1},
    {"moves", moves, SUM, 1},
};

enum { PANELS = sizeof(panels) / sizeof(panels[0]) };

/* ---- figures ------------------------------------------------------------------------------- */

/* The figure of one column of the picture; NAN: no reading falls into it. */
static double column_of(const struct panel *panel, const struct ek_simulation_result *result,
                        size_t column, size_t columns)
{
    size_t first = column * result->point_count / columns;
    size_t end = (column + 1) * result->point_count / columns;
    double sum = 0;
    double most = 0;

    for (size_t i = first; i < end; i++) {
        double value = panel->of(&result->points[i]) / panel->unit;
        sum += value;
        most = fmax(most, value);
    }
    if (first == end) {
        return NAN;
    }
    return panel->kind == MOST ? most : panel->kind == SUM ? sum : sum / (double)(end - first);
}

static size_t columns_of(const struct ek_simulation_result *result)
{
    return result->point_count < COLUMNS ? result->point_count : COLUMNS;
}

/* The next of 1, 2, 5, 10, 20, ... so that the axis has a round end. */
static double round_up(double value)
{
    double power = 1e-3;

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

    (void)fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\" points=\"",
                  colours[index % COLOURS]);
    for (size_t c = 0; c < columns; c++) {
        double value = column_of(panel, run->result, c, columns);
        (void)fprintf(out, "%.1f,%.1f ", LEFT + WIDTH * ((double)c + 0.5) / (double)columns,
                      y + HEIGHT * (1 - value / top));
    }
    (void)fputs("\"/>\n", out);
}

/* A line for each day, or for each quarter of a shorter time. */
static void draw_grid(double days, double y, double top, FILE *out)
{
    double step = days >= 2 ? ceil(days / 14) : days / 4;

    (void)fprintf(out,
                  "<rect x=\"%d\" y=\"%.0f\" width=\"%d\" height=\"%d\" fill=\"none\" "
                  "stroke=\"#888\"/>\n"
                  "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.3g</text>\n"
                  "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">0</text>\n",
                  LEFT, y, WIDTH, HEIGHT, LEFT - 6, y + 10, top, LEFT - 6, y + HEIGHT);
    for (double day = 0; day < days * (1 + 1e-9); day += step) {
        double x = LEFT + WIDTH * day / days;
        (void)fprintf(out,
                      "<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"#ddd\"/>\n"
                      "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.3g d</text>\n",
                      x, y, x, y + HEIGHT, x, y + HEIGHT + 14, day);
    }
}

static void draw_legend(const struct ek_simulate_run *runs, size_t count, FILE *out)
{
    for (size_t r = 0; r < count; r++) {
        double x = LEFT + WIDTH * (double)r / (double)count;
        (void)fprintf(out,
                      "<rect x=\"%.0f\" y=\"10\" width=\"14\" height=\"10\" fill=\"%s\"/>\n"
                      "<text x=\"%.0f\" y=\"19\">",
                      x, colours[r % COLOURS], x + 20);
        print_escaped(runs[r].name, out);
        (void)fputs("</text>\n", out);
    }
}

void ek_simulate_draw(const struct ek_simulate_run *runs, size_t count, FILE *out)
{
    int height = TOP + PANELS * (HEIGHT + GAP);

    (void)fprintf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"11\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                  LEFT + WIDTH + RIGHT, height);
    draw_legend(runs, count, out);
    for (size_t p = 0; p < PANELS; p++) {
        double y = TOP + (double)p * (HEIGHT + GAP);
        double top = top_of(&panels[p], runs, count);
        (void)fprintf(out, "<text x=\"%d\" y=\"%.0f\">%s</text>\n", LEFT, y - 5, panels[p].title);
        draw_grid(runs[0].result->days, y, top, out);
        for (size_t r = 0; r < count; r++) {
            draw_line(&panels[p], &runs[r], r, y, top, out);
        }
    }
    (void)fputs("</svg>\n", out);
}
