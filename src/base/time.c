#include "base/time.h"

// Days of the proleptic Gregorian calendar, counted with years that begin in March: the leap day comes last, so
// month lengths follow one formula and no table is needed.
#define DAYS_PER_ERA 146097  // 400 years
#define DAYS_TO_EPOCH 719468 // from 0000-03-01 to 1970-01-01
#define S_PER_DAY 86400

static int64_t days_from_date(int64_t year, unsigned month, unsigned day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400; // years here are 0..9999, so y is -1 at least: handled by the caller's range check
    int64_t year_of_era = y - era * 400;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day) {
    int64_t z = days + DAYS_TO_EPOCH; // positive for every instant that 64 bits of nanoseconds can hold
    int64_t era = z / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static unsigned days_in_month(unsigned year, unsigned month) {
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month == 2) {
        return leap ? 29 : 28;
    }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static char *put_digits(char *out, uint64_t v, unsigned width) {
    for (unsigned i = width; i > 0; i--) {
        out[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    return out + width;
}

void mlt_time_format(char out[MLT_TIME_TEXT_LEN + 1], int64_t ns) {
    int64_t seconds = ns / MLT_NS_PER_S;
    int64_t fraction = ns % MLT_NS_PER_S;
    if (fraction < 0) {
        fraction += MLT_NS_PER_S;
        seconds -= 1;
    }
    int64_t days = seconds / S_PER_DAY;
    int64_t of_day = seconds % S_PER_DAY;
    if (of_day < 0) {
        of_day += S_PER_DAY;
        days -= 1;
    }
    int64_t year;
    unsigned month;
    unsigned day;
    date_from_days(days, &year, &month, &day);

    char *p = put_digits(out, (uint64_t)year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, (uint64_t)of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, (uint64_t)of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, (uint64_t)of_day % 60, 2);
    *p++ = '.';
    p = put_digits(p, (uint64_t)fraction, 9);
    *p++ = 'Z';
    *p = '\0';
}

// Exactly `width` digits; on anything else the cursor has failed.
static unsigned take_digits(struct mlt_cursor *c, unsigned width) {
    unsigned v = 0;
    for (unsigned i = 0; i < width; i++) {
        unsigned digit = (unsigned)mlt_cursor_u8(c) - '0';
        if (digit > 9) {
            c->failed = true;
            return 0;
        }
        v = v * 10 + digit;
    }
    return v;
}

static void expect(struct mlt_cursor *c, char want) {
    if (mlt_cursor_u8(c) != (uint8_t)want) {
        c->failed = true;
    }
}

static bool parse_date(struct mlt_cursor *c, int64_t *days) {
    unsigned year = take_digits(c, 4);
    expect(c, '-');
    unsigned month = take_digits(c, 2);
    expect(c, '-');
    unsigned day = take_digits(c, 2);
    // Year 0 would need a negative year above; no instant of ours is near it.
    if (c->failed || year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *days = days_from_date(year, month, day);
    return true;
}

static bool parse_clock(struct mlt_cursor *c, int64_t *of_day) {
    unsigned hour = take_digits(c, 2);
    expect(c, ':');
    unsigned minute = take_digits(c, 2);
    expect(c, ':');
    unsigned second = take_digits(c, 2);
    if (c->failed || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *of_day = hour * 3600 + minute * 60 + second;
    return true;
}

// The digits after a '.', at least one; those beyond nanoseconds are cut off, not rounded.
static bool parse_fraction(struct mlt_cursor *c, int64_t *ns) {
    int64_t v = 0;
    unsigned num_digits = 0;
    while (mlt_cursor_left(c) > 0 && c->at[0] >= '0' && c->at[0] <= '9') {
        unsigned digit = (unsigned)mlt_cursor_u8(c) - '0';
        if (num_digits < 9) {
            v = v * 10 + digit;
        }
        num_digits += num_digits < 10;
    }
    for (unsigned i = num_digits; i < 9; i++) {
        v *= 10;
    }
    *ns = v;
    return num_digits > 0;
}

static bool parse_zone(struct mlt_cursor *c, int64_t *offset_s) {
    uint8_t sign = mlt_cursor_u8(c);
    *offset_s = 0;
    if (c->failed || sign == 'Z' || sign == 'z') {
        return !c->failed;
    }
    if (sign != '+' && sign != '-') {
        return false;
    }
    unsigned hour = take_digits(c, 2);
    expect(c, ':');
    unsigned minute = take_digits(c, 2);
    if (c->failed || hour > 23 || minute > 59) {
        return false;
    }
    int64_t offset = hour * 3600 + minute * 60;
    *offset_s = sign == '-' ? -offset : offset;
    return true;
}

static bool to_ns(int64_t *out, int64_t seconds, int64_t fraction) {
    // One second is kept free on either side, so that the sum cannot overflow.
    const int64_t max_s = INT64_MAX / MLT_NS_PER_S - 1;
    if (seconds < -max_s || seconds > max_s) {
        return false;
    }
    *out = seconds * MLT_NS_PER_S + fraction;
    return true;
}

bool mlt_time_parse(int64_t *out_ns, struct mlt_bytes text) {
    struct mlt_cursor c = mlt_cursor_of(text);
    int64_t days;
    int64_t of_day;
    int64_t fraction = 0;
    int64_t offset_s;
    if (!parse_date(&c, &days)) {
        return false;
    }
    uint8_t separator = mlt_cursor_u8(&c);
    if (separator != 'T' && separator != 't' && separator != ' ') {
        return false;
    }
    if (!parse_clock(&c, &of_day)) {
        return false;
    }
    if (mlt_cursor_left(&c) > 0 && c.at[0] == '.') {
        c.at++;
        if (!parse_fraction(&c, &fraction)) {
            return false;
        }
    }
    if (!parse_zone(&c, &offset_s) || mlt_cursor_left(&c) > 0) {
        return false;
    }
    return to_ns(out_ns, days * S_PER_DAY + of_day - offset_s, fraction);
}

bool mlt_date_parse(int64_t *out_ns, struct mlt_bytes text) {
    struct mlt_cursor c = mlt_cursor_of(text);
    int64_t days;
    if (parse_date(&c, &days) && mlt_cursor_left(&c) == 0) {
        return to_ns(out_ns, days * S_PER_DAY, 0);
    }
    return mlt_time_parse(out_ns, text);
}
