// Points in time as text: RFC 3339 in, and the range that all of weir's times keep to.
//
// Dates are the proleptic Gregorian calendar's. Fractions of a second are cut to milliseconds,
// towards the past. A time must lie in the years 0001 to 9999, so that it can always be written
// again.

#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
constexpr int64_t instant_min = -62'135'596'800'000;
constexpr int64_t instant_max = 253'402'300'799'999;

inline bool is_instant(int64_t milliseconds) {
    return milliseconds >= instant_min && milliseconds <= instant_max;
}

/// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
inline int64_t days_of_date(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const unsigned year_of_era = static_cast<unsigned>(year - era * 400);
    const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const unsigned day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + static_cast<int64_t>(day_of_era) - 719'468;
}

/// The date of a day counted from 1970-01-01 (same source).
inline void date_of_days(int64_t days, int64_t &year, unsigned &month, unsigned &day) {
    days += 719'468;
    const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const unsigned day_of_era = static_cast<unsigned>(days - era * 146'097);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned shifted = (5 * day_of_year + 2) / 153;
    day = day_of_year - (153 * shifted + 2) / 5 + 1;
    month = shifted < 10 ? shifted + 3 : shifted - 9;
    year = static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2);
}

/// How a text was understood.
enum class TimeText { time, not_a_time, out_of_range };

/// `count` digits at `p` as a number, or -1.
inline int digits_at(const uint8_t *p, int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
        const uint8_t digit = static_cast<uint8_t>(p[i] - '0');
        if (digit > 9) return -1;
        value = value * 10 + digit;
    }
    return value;
}

inline unsigned days_of_month(int year, int month) {
    static constexpr uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/// The offset at the end of a time ("Z", "+02:00", "-0330") in minutes; false when it is none.
inline bool parse_zone(const uint8_t *p, size_t length, int &minutes) {
    if (length == 1 && (*p | 0x20) == 'z') {
        minutes = 0;
        return true;
    }
    if ((length != 6 && length != 5) || (*p != '+' && *p != '-')) return false;
    if (length == 6 && p[3] != ':') return false;
    const int hour = digits_at(p + 1, 2);
    const int minute = digits_at(p + length - 2, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    minutes = (hour * 60 + minute) * (*p == '-' ? -1 : 1);
    return true;
}

/// Reads `2026-11-21T13:00:00.123Z` (a space may stand for the T; without a zone if `is_local`,
/// though many writers put a Z behind any time, which is then passed over) as milliseconds. Second
/// 60 is the first of the next minute.
inline TimeText parse_time(const uint8_t *p, size_t length, bool is_local, int64_t &milliseconds) {
    if (length < 19 || p[4] != '-' || p[7] != '-' || p[13] != ':' || p[16] != ':') {
        return TimeText::not_a_time;
    }
    if ((p[10] | 0x20) != 't' && p[10] != ' ') return TimeText::not_a_time;
    const int year = digits_at(p, 4), month = digits_at(p + 5, 2), day = digits_at(p + 8, 2);
    const int hour = digits_at(p + 11, 2), minute = digits_at(p + 14, 2),
              second = digits_at(p + 17, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0
        || minute > 59 || second < 0 || second > 60
        || day > static_cast<int>(days_of_month(year, month))) {
        return TimeText::not_a_time;
    }
    size_t at = 19;
    int fraction = 0;
    if (at < length && p[at] == '.') {
        size_t places = 0;
        for (++at; at < length && p[at] >= '0' && p[at] <= '9'; ++at, ++places) {
            if (places < 3) fraction = fraction * 10 + (p[at] - '0');
        }
        if (places == 0) return TimeText::not_a_time;
        for (; places < 3; ++places) fraction *= 10;
    }
    int zone = 0;
    const bool is_utc = at + 1 == length && (p[at] | 0x20) == 'z';
    if (is_local ? at != length && !is_utc : !parse_zone(p + at, length - at, zone))
        return TimeText::not_a_time;
    const int64_t days =
        days_of_date(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
    milliseconds =
        (days * 86'400 + hour * 3600 + minute * 60 + second - zone * 60) * 1000 + fraction;
    return is_instant(milliseconds) ? TimeText::time : TimeText::out_of_range;
}

}  // namespace weir
