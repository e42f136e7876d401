/* The calendar of a policy: the windows in which balancing may begin, and the blackouts in which
 * it, or everything, may not. Pure: whoever has a clock says what time it is, and how far local
 * time is from UTC. */
#ifndef EK_CORE_CALENDAR_H
#define EK_CORE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EK_DAYS = 7, EK_DAY_MIN = 24 * 60, EK_WEEK_MIN = EK_DAYS * EK_DAY_MIN };
enum { EK_WINDOWS_MAX = 32, EK_BLACKOUTS_MAX = 64, EK_BLACKOUT_REASON_SIZE = 64 };

/* Each week on these days; one that ends at or before its beginning ends on the next day. */
struct ek_window {
    unsigned int days; /* bit 1 << 0: Monday */
    int from_min;      /* 0..1439, of the day */
    int to_min;        /* 1..1440, not equal to from_min */
};

struct ek_blackout {
    bool weekly;
    struct ek_window week; /* if weekly ... */
    int64_t from_ms;       /* ... else from then on ... */
    int64_t to_ms;         /* ... until then */
    bool evacuations;      /* hosts are emptied meanwhile */
    char reason[EK_BLACKOUT_REASON_SIZE];
};

/* Which time windows are written in. */
enum ek_timezone { EK_TIMEZONE_UTC, EK_TIMEZONE_LOCAL, EK_TIMEZONE_OFFSET };

struct ek_calendar {
    enum ek_timezone timezone;
    int offset_min; /* of OFFSET: ahead of UTC */
    struct ek_window windows[EK_WINDOWS_MAX];
    size_t window_count; /* 0: balancing may always begin */
    struct ek_blackout blackouts[EK_BLACKOUTS_MAX];
    size_t blackout_count;
};

/* What is closed at a time, and why: "outside the window until Mon 22:00 UTC". */
struct ek_closing {
    bool balancing;
    bool evacuations; /* then balancing, too */
    char why[160];    /* "": nothing is closed */
};

/* `local_offset_min` is what LOCAL means: how far that time is ahead of UTC. */
struct ek_closing ek_calendar_at(const struct ek_calendar *calendar, int64_t now_ms,
                                 int local_offset_min);

/* "mon-fri", "sat,sun", "mon", "all"; false: it is no such text. */
bool ek_days_parse(const char *text, unsigned int *days);

/* "22:00", up to "24:00". */
bool ek_minute_parse(const char *text, int *minute);

/* "UTC", "local", "+02:00". */
bool ek_timezone_parse(const char *text, enum ek_timezone *timezone, int *offset_min);

/* An RFC 3339 time in UTC, whole seconds count: "2026-12-01T18:00:00Z" in Unix milliseconds. False
 * for anything else, other offsets and years before 1970 included. */
bool ek_time_parse(const char *text, int64_t *time_ms);

/* What the parsers above read back; `size` of at least 40 bytes. */
void ek_days_print(unsigned int days, char *out, size_t size);
void ek_time_print(int64_t time_ms, char *out, size_t size);

#endif
