// JSON numbers: the grammar, and exact conversion to what the columns hold.
//
// A number is scanned once into up to 19 decimal digits and a power of ten. Integers and times come
// from these exactly, without a detour through binary fractions; a double comes from them when both
// fit (below 2^53 and 10^22 the one multiplication or division rounds correctly: W. D. Clinger,
// "How to Read Floating Point Numbers Accurately", 1990), else from std::from_chars.

#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>

namespace weir {

inline bool is_digit(uint8_t c) { return static_cast<uint8_t>(c - '0') < 10; }

inline uint64_t load8(const uint8_t *p) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    return word;
}

/// Whether the next eight bytes are digits.
inline bool are_eight_digits(const uint8_t *p) {
    const uint64_t word = load8(p);
    return ((word & 0xF0F0F0F0F0F0F0F0) | (((word + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0) >> 4))
        == 0x3333333333333333;
}

/// The value of eight digits, by pairs: 8 × 1, 4 × 2, 2 × 4 places at a time.
inline uint64_t eight_digits(const uint8_t *p) {
    uint64_t word = load8(p) - 0x3030303030303030;
    word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FF;
    word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFF;
    return (word * 10000 + (word >> 32)) & 0xFFFFFFFF;
}

/// A number as written: (negative ? -1 : 1) × digits × 10^exponent, and a little more if
/// `has_rest`.
struct Number {
    uint64_t digits;
    int32_t exponent;
    bool negative;
    /// Whether digits other than 0 were left out behind the 19th significant one.
    bool has_rest;
    const uint8_t *start;
    const uint8_t *end;
};

constexpr int32_t exponent_bound = 1'000'000;

/// Counts again a number whose digits do not fit: the first 19 significant ones are kept.
inline void keep_leading_digits(Number &number) {
    const uint8_t *p = number.start + number.negative;
    uint64_t digits = 0;
    int kept = 0;
    int64_t exponent = 0;
    bool behind_point = false;
    bool has_rest = false;
    for (; is_digit(*p) || *p == '.'; ++p) {
        if (*p == '.') {
            behind_point = true;
            continue;
        }
        if (kept < 19) {
            digits = digits * 10 + (*p - '0');
            kept += digits != 0;
            exponent -= behind_point;
        } else {
            has_rest |= *p != '0';
            exponent += !behind_point;
        }
    }
    number.digits = digits;
    number.has_rest = has_rest;
    exponent += number.exponent;
    number.exponent = static_cast<int32_t>(
        exponent > exponent_bound        ? exponent_bound
            : exponent < -exponent_bound ? -exponent_bound
                                         : exponent
    );
}

/// Scans a JSON number; false when the text is none. What follows it is the caller's to check.
inline bool scan_number(const uint8_t *p, Number &number) {
    number.start = p;
    number.negative = *p == '-';
    p += number.negative;
    const uint8_t *first = p;
    uint64_t digits = 0;
    while (are_eight_digits(p)) {
        digits = digits * 100'000'000 + eight_digits(p);
        p += 8;
    }
    while (is_digit(*p)) digits = digits * 10 + (*p++ - '0');
    if (p == first || (*first == '0' && p - first > 1)) return false;
    int64_t places = p - first;
    int32_t written_exponent = 0;
    int64_t fraction = 0;
    if (*p == '.') {
        const uint8_t *point = ++p;
        while (is_digit(*p)) digits = digits * 10 + (*p++ - '0');
        fraction = p - point;
        if (fraction == 0) return false;
        places += fraction;
    }
    if ((*p | 0x20) == 'e') {
        ++p;
        const bool is_negative = *p == '-';
        p += *p == '-' || *p == '+';
        if (!is_digit(*p)) return false;
        for (; is_digit(*p); ++p) {
            if (written_exponent < exponent_bound)
                written_exponent = written_exponent * 10 + (*p - '0');
        }
        if (written_exponent > exponent_bound) written_exponent = exponent_bound;
        if (is_negative) written_exponent = -written_exponent;
    }
    number.end = p;
    number.has_rest = false;
    if (places <= 19) [[likely]] {
        number.digits = digits;
        number.exponent = written_exponent - static_cast<int32_t>(fraction);
    } else {
        number.exponent = written_exponent;
        keep_leading_digits(number);
    }
    return true;
}

/// The nearest double; false when that would be an infinity. Too small a number is 0.
inline bool to_double(const Number &number, double &value) {
    static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int32_t exponent = number.exponent;
    if (!number.has_rest && number.digits <= (uint64_t(1) << 53) && exponent >= -22
        && exponent <= 22) [[likely]] {
        const double digits = static_cast<double>(number.digits);
        const double magnitude =
            exponent < 0 ? digits / powers[-exponent] : digits * powers[exponent];
        value = number.negative ? -magnitude : magnitude;
        return true;
    }
    const auto result = std::from_chars(
        reinterpret_cast<const char *>(number.start), reinterpret_cast<const char *>(number.end),
        value
    );
    if (result.ec == std::errc()) return true;
    // Out of range at either end of the scale; 19 digits never bridge the two.
    if (number.digits != 0 && exponent > 0) return false;
    value = number.negative ? -0.0 : 0.0;
    return true;
}

/// How an exact conversion ended.
enum class Exactness { exact, fraction, out_of_range };

/// digits × 10^exponent as an unsigned integer, where it is one.
inline Exactness to_magnitude(const Number &number, uint64_t &magnitude) {
    magnitude = number.digits;
    int32_t exponent = number.exponent;
    if (exponent == 0 && !number.has_rest) [[likely]]
        return Exactness::exact;
    if (magnitude == 0) return Exactness::exact;
    if (number.has_rest) return exponent >= 0 ? Exactness::out_of_range : Exactness::fraction;
    for (; exponent < 0; ++exponent) {
        if (magnitude % 10 != 0) return Exactness::fraction;
        magnitude /= 10;
    }
    for (; exponent > 0; --exponent) {
        if (__builtin_mul_overflow(magnitude, uint64_t(10), &magnitude))
            return Exactness::out_of_range;
    }
    return Exactness::exact;
}

/// The number as an integer from -bound-1 to bound; 1.0 and 1e3 are integers too.
inline Exactness to_integer(const Number &number, int64_t bound, int64_t &value) {
    uint64_t magnitude;
    const Exactness exactness = to_magnitude(number, magnitude);
    if (exactness != Exactness::exact) return exactness;
    if (magnitude > static_cast<uint64_t>(bound) + number.negative) return Exactness::out_of_range;
    value = static_cast<int64_t>(number.negative ? 0 - magnitude : magnitude);
    return Exactness::exact;
}

/// The number × 10^shift, cut to an integer towards minus infinity; false when it does not fit.
inline bool to_floor(const Number &number, int32_t shift, int64_t &value) {
    uint64_t magnitude = number.digits;
    int32_t exponent = number.exponent + shift;
    bool has_rest = number.has_rest;
    for (; exponent < 0 && magnitude != 0; ++exponent) {
        has_rest |= magnitude % 10 != 0;
        magnitude /= 10;
    }
    for (; exponent > 0 && magnitude != 0; --exponent) {
        if (__builtin_mul_overflow(magnitude, uint64_t(10), &magnitude)) return false;
    }
    if (number.negative) magnitude += has_rest;
    if (magnitude > INT64_MAX) return false;
    value = number.negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
    return true;
}

}  // namespace weir
