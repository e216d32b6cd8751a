// Reading the rarer kinds of scalars: small integers, floats, decimals, days, times of day and
// bytes. They stand apart from the walk, so that it stays small enough to be inlined.

#include "read.h"

#include <cmath>

namespace weir {
namespace {

/// The digits of a number as a whole number of 10^-scale, rounded half away from zero; false when
/// that has more than `precision` digits.
bool to_decimal(const Number &number, int32_t precision, int32_t scale, __int128 &value) {
    unsigned __int128 limit = 1;
    for (int32_t i = 0; i < precision; ++i) limit *= 10;
    const uint8_t *p = number.start + number.negative;
    unsigned __int128 units = 0;
    // Digits behind the point that are still to come, the written exponent included.
    int64_t places = scale;
    const uint8_t *mantissa_end = p;
    while (mantissa_end < number.end && (*mantissa_end | 0x20) != 'e') ++mantissa_end;
    if (mantissa_end < number.end) {
        int64_t written = 0;
        const uint8_t *digit = mantissa_end + 1;
        const bool is_negative = *digit == '-';
        digit += *digit == '-' || *digit == '+';
        for (; digit < number.end; ++digit)
            if (written < exponent_bound) written = written * 10 + (*digit - '0');
        places += is_negative ? -written : written;
    }
    bool behind_point = false;
    for (const uint8_t *q = p; q < mantissa_end; ++q) {
        if (*q == '.') {
            behind_point = true;
            continue;
        }
        places -= behind_point;
    }
    // Now 10^places times the digits is the value in units; the first -places digits from the right
    // are rounded away.
    int64_t left = 0;
    for (const uint8_t *q = p; q < mantissa_end; ++q) left += *q != '.';
    int64_t kept = places < 0 ? left + places : left;
    for (const uint8_t *q = p; q < mantissa_end; ++q) {
        if (*q == '.') continue;
        const unsigned digit = static_cast<unsigned>(*q - '0');
        if (kept <= 0) {
            if (kept == 0 && digit >= 5) ++units;
            break;
        }
        --kept;
        if (units > (limit - 1 - digit) / 10) return false;
        units = units * 10 + digit;
    }
    if (units != 0) {
        for (; places > 0; --places) {
            if (units > (limit - 1) / 10) return false;
            units *= 10;
        }
    }
    if (units >= limit) return false;
    value = number.negative ? -static_cast<__int128>(units) : static_cast<__int128>(units);
    return true;
}

int base64_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/// Decodes base64 (padding may be missing) to `to`; returns the end, or nullptr when it is none.
uint8_t *decode_base64(const uint8_t *p, const uint8_t *end, uint8_t *to) {
    for (int padding = 0; padding < 2 && end > p && end[-1] == '='; ++padding) --end;
    if ((end - p) % 4 == 1) return nullptr;
    uint32_t bits = 0;
    int count = 0;
    for (; p < end; ++p) {
        const int value = base64_value(*p);
        if (value < 0) return nullptr;
        bits = bits << 6 | static_cast<uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = static_cast<uint8_t>(bits >> count);
        }
    }
    return to;
}

/// `2026-11-21` as days since the epoch.
bool parse_date(const uint8_t *p, size_t length, int64_t &days) {
    if (length != 10 || p[4] != '-' || p[7] != '-') return false;
    const int year = digits_at(p, 4), month = digits_at(p + 5, 2), day = digits_at(p + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1
        || day > static_cast<int>(days_of_month(year, month))) {
        return false;
    }
    days = days_of_date(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
    return true;
}

/// `13:00`, `13:00:00` or `13:00:00.250` as milliseconds since midnight; a Z behind it is passed
/// over.
bool parse_time_of_day(const uint8_t *p, size_t length, int64_t &milliseconds) {
    if (length > 0 && (p[length - 1] | 0x20) == 'z') --length;
    if (length < 5 || p[2] != ':') return false;
    const int hour = digits_at(p, 2), minute = digits_at(p + 3, 2);
    int second = 0;
    if (length > 5) {
        if (length < 8 || p[5] != ':') return false;
        second = digits_at(p + 6, 2);
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    int fraction = 0;
    if (length > 8) {
        if (p[8] != '.' || length == 9) return false;
        size_t places = 0;
        for (size_t i = 9; i < length; ++i, ++places) {
            if (!is_digit(p[i])) return false;
            if (places < 3) fraction = fraction * 10 + (p[i] - '0');
        }
        for (; places < 3; ++places) fraction *= 10;
    }
    milliseconds = (hour * 3600 + minute * 60 + second) * 1000 + fraction;
    return true;
}

}  // namespace

void Walk::put_decimal(Leaf &leaf, const Number &number, weir_json_found found) {
    __int128 value;
    if (!to_decimal(number, leaf.precision, leaf.scale, value))
        return misfit(leaf, WEIR_JSON_OUT_OF_RANGE, found);
    if (leaf.kind == WEIR_JSON_DECIMAL) {
        leaf.store->put_int(static_cast<int64_t>(value));
    } else {
        leaf.store->put_wide(value);
    }
    filled(leaf);
}

const Token *Walk::read_special_number(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    if (!is_number_start(*p)) return read_misfit(leaf, t, depth);
    Number number;
    if (!scan_number(p, number) || !ends_scalar(*number.end)) return fail(WEIR_JSON_MALFORMED);
    if (leaf.kind == WEIR_JSON_DECIMAL || leaf.kind == WEIR_JSON_WIDE_DECIMAL) {
        put_decimal(leaf, number, WEIR_JSON_FOUND_NUMBER);
        return t;
    }
    if (leaf.kind == WEIR_JSON_FLOAT) {
        double value;
        if (!to_double(number, value) || std::isinf(static_cast<float>(value))) {
            misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_NUMBER);
        } else {
            leaf.store->put_real(static_cast<float>(value));
            filled(leaf);
        }
        return t;
    }
    int64_t value;
    switch (to_integer(number, leaf.kind == WEIR_JSON_INT8 ? INT8_MAX : INT16_MAX, value)) {
    case Exactness::exact:
        leaf.store->put_int(value);
        filled(leaf);
        break;
    case Exactness::fraction: misfit(leaf, WEIR_JSON_FRACTION, WEIR_JSON_FOUND_NUMBER); break;
    case Exactness::out_of_range:
        misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_NUMBER);
        break;
    }
    return t;
}

/// Puts what stands in a string, escapes already undone.
void Walk::put_special_text(Leaf &leaf, const uint8_t *p, const uint8_t *end) {
    const size_t length = static_cast<size_t>(end - p);
    int64_t value = 0;
    bool is_fine = false;
    switch (leaf.kind) {
    case WEIR_JSON_DATE: is_fine = parse_date(p, length, value); break;
    case WEIR_JSON_TIME_OF_DAY: is_fine = parse_time_of_day(p, length, value); break;
    case WEIR_JSON_BYTES: {
        uint8_t *written = decode_base64(p, end, leaf.store->begin_text(length));
        if (written == nullptr) break;
        leaf.store->end_text(written);
        return filled(leaf);
    }
    default: {
        Number number;
        if (!scan_number(p, number) || number.end != end) break;
        return put_decimal(leaf, number, WEIR_JSON_FOUND_STRING);
    }
    }
    if (!is_fine) return misfit(leaf, WEIR_JSON_NOT_A_TIME, WEIR_JSON_FOUND_STRING);
    leaf.store->put_int(value);
    filled(leaf);
}

const Token *Walk::read_special(Leaf &leaf, const Token *t, uint32_t depth) {
    const bool is_text = leaf.kind >= WEIR_JSON_DECIMAL;
    if (text[*t] != '"' || !is_text) {
        const bool is_number = leaf.kind <= WEIR_JSON_WIDE_DECIMAL;
        return is_number ? read_special_number(leaf, t, depth) : read_misfit(leaf, t, depth);
    }
    if (skip_string(t) == last) return last;
    const uint8_t *p = text + *t + 1;
    const uint8_t *end = string_end(t);
    const size_t length = static_cast<size_t>(end - p);
    if (!has_escapes || std::memchr(p, '\\', length) == nullptr) {
        put_special_text(leaf, p, end);
        return t;
    }
    // Sixteen bytes behind the text may be read.
    std::string plain(length + 16, '\0');
    uint8_t *start = reinterpret_cast<uint8_t *>(plain.data());
    const uint8_t *written = unescape(p, end, start);
    if (written == nullptr) return fail(WEIR_JSON_MALFORMED);
    put_special_text(leaf, start, written);
    return t;
}

}  // namespace weir
