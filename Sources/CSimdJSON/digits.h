// Numbers and times as text, as short as they can be and still be read back unchanged.
//
// A double is always written with a point or an exponent, so that a reader that guesses types takes
// 21.0 for what it is. Between 1e-4 and 2^53 there is no exponent.

#pragma once

#include "instant.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace weir {

/// The longest text of a number or a time (a double of 17 digits; a year beyond 9999).
constexpr size_t scalar_text_max = 48;

inline uint8_t *write_text(uint8_t *to, const char *text, size_t length) {
    std::memcpy(to, text, length);
    return to + length;
}

inline uint8_t *write_integer(uint8_t *to, int64_t value) {
    char *start = reinterpret_cast<char *>(to);
    return reinterpret_cast<uint8_t *>(std::to_chars(start, start + scalar_text_max, value).ptr);
}

/// Writes `scaled` / 10^places, at least one place and no zeros at the end.
inline uint8_t *write_scaled(uint8_t *to, uint64_t scaled, int places) {
    while (places > 1 && scaled % 10 == 0) {
        scaled /= 10;
        --places;
    }
    uint64_t power = 10;
    for (int i = 1; i < places; ++i) power *= 10;
    to = write_integer(to, static_cast<int64_t>(scaled / power));
    *to++ = '.';
    uint64_t rest = scaled % power;
    for (int i = places; i-- > 0; rest /= 10) to[i] = static_cast<uint8_t>('0' + rest % 10);
    return to + places;
}

/// Writes a finite double. Measured values have few decimals: when value × 10^4 is a whole number
/// below 10^15 whose quotient is the value again, its digits are the shortest text, because no two
/// texts of up to 15 digits are the same double.
inline uint8_t *write_double(uint8_t *to, double value) {
    double magnitude = value;
    if (std::signbit(value)) {
        *to++ = '-';
        magnitude = -value;
    }
    const double product = magnitude * 1e4;
    if (product < 1e15) {
        const uint64_t scaled = static_cast<uint64_t>(product + 0.5);
        if (static_cast<double>(scaled) / 1e4 == magnitude) return write_scaled(to, scaled, 4);
    }
    char *start = reinterpret_cast<char *>(to);
    const bool is_plain = magnitude >= 1e-4 && magnitude < 0x1p53;
    const auto written = std::to_chars(
        start, start + scalar_text_max - 4, magnitude,
        is_plain ? std::chars_format::fixed : std::chars_format::scientific
    );
    char *end = written.ptr;
    if (is_plain && std::memchr(start, '.', static_cast<size_t>(end - start)) == nullptr) {
        *end++ = '.';
        *end++ = '0';
    }
    return reinterpret_cast<uint8_t *>(end);
}

inline uint8_t *write_digits(uint8_t *to, unsigned value, int count) {
    for (int i = count; i-- > 0; value /= 10) to[i] = static_cast<uint8_t>('0' + value % 10);
    return to + count;
}

/// Writes a whole number with `scale` digits behind the point.
inline uint8_t *write_decimal(uint8_t *to, __int128 value, int scale) {
    unsigned __int128 rest = value < 0 ? -static_cast<unsigned __int128>(value)
                                       : static_cast<unsigned __int128>(value);
    if (value < 0) *to++ = '-';
    uint8_t digits[40];
    int count = 0;
    for (; rest > UINT64_MAX; rest /= 10) digits[count++] = static_cast<uint8_t>(rest % 10);
    for (uint64_t low = static_cast<uint64_t>(rest); low != 0; low /= 10)
        digits[count++] = static_cast<uint8_t>(low % 10);
    while (count <= scale) digits[count++] = 0;
    while (count-- > 0) {
        *to++ = static_cast<uint8_t>('0' + digits[count]);
        if (count == scale && scale > 0) *to++ = '.';
    }
    return to;
}

/// Writes a finite double that a float can hold with the fewest digits that read back as the float.
inline uint8_t *write_float(uint8_t *to, double value) {
    const float narrow = static_cast<float>(value);
    char *start = reinterpret_cast<char *>(to);
    const float magnitude = std::fabs(narrow);
    const bool is_plain = magnitude == 0 || (magnitude >= 1e-4f && magnitude < 0x1p24f);
    char *end = std::to_chars(
                    start, start + scalar_text_max - 4, narrow,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific
    )
                    .ptr;
    const size_t length = static_cast<size_t>(end - start);
    if (is_plain && std::memchr(start, '.', length) == nullptr) {
        *end++ = '.';
        *end++ = '0';
    }
    return reinterpret_cast<uint8_t *>(end);
}

/// Writes times; remembers the last date, which successive rows mostly share.
class TimeWriter {
public:
    /// Writes `2026-11-21`.
    uint8_t *write_date(uint8_t *to, int64_t day) {
        if (day != known_day) remember(day);
        std::memcpy(to, date, date_length);
        return to + date_length;
    }

    /// Writes `13:00:00`, or `13:00:00.25`.
    static uint8_t *write_time(uint8_t *to, int64_t milliseconds) {
        const unsigned second = static_cast<unsigned>(milliseconds / 1000);
        to = write_digits(to, second / 3600, 2);
        *to++ = ':';
        to = write_digits(to, second / 60 % 60, 2);
        *to++ = ':';
        to = write_digits(to, second % 60, 2);
        if (milliseconds % 1000 == 0) return to;
        *to++ = '.';
        to = write_digits(to, static_cast<unsigned>(milliseconds % 1000), 3);
        while (to[-1] == '0') --to;
        return to;
    }

    /// Writes `2026-11-21T13:00:00.000`. Years beyond 9999 or before 0 get a sign, as in ISO 8601.
    uint8_t *write(uint8_t *to, int64_t milliseconds) {
        constexpr int64_t day_ms = 86'400'000;
        int64_t day = milliseconds / day_ms;
        int64_t rest = milliseconds % day_ms;
        if (rest < 0) {
            rest += day_ms;
            --day;
        }
        if (day != known_day) remember(day);
        std::memcpy(to, date, date_length);
        to += date_length;
        const unsigned second = static_cast<unsigned>(rest / 1000);
        *to++ = 'T';
        to = write_digits(to, second / 3600, 2);
        *to++ = ':';
        to = write_digits(to, second / 60 % 60, 2);
        *to++ = ':';
        to = write_digits(to, second % 60, 2);
        *to++ = '.';
        return write_digits(to, static_cast<unsigned>(rest % 1000), 3);
    }

private:
    int64_t known_day = INT64_MIN;
    uint8_t date[24];
    size_t date_length = 0;

    void remember(int64_t day) {
        int64_t year;
        unsigned month, of_month;
        date_of_days(day, year, month, of_month);
        uint8_t *to = date;
        if (year < 0 || year > 9999) *to++ = year < 0 ? '-' : '+';
        const unsigned absolute = static_cast<unsigned>(year < 0 ? -year : year);
        int places = 4;
        for (unsigned left = absolute / 10'000; left != 0; left /= 10) ++places;
        to = write_digits(to, absolute, places);
        *to++ = '-';
        to = write_digits(to, month, 2);
        *to++ = '-';
        to = write_digits(to, of_month, 2);
        date_length = static_cast<size_t>(to - date);
        known_day = day;
    }
};

}  // namespace weir
