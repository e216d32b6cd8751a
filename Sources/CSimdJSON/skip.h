// Checking values that nobody needs (part of walk.cpp, where it must be inlined).
//
// What is skipped is checked as strictly as what is read: words, numbers, escapes, the nesting of
// brackets and its depth.

#pragma once

#include "number.h"
#include "text.h"
#include "walk.h"

namespace weir {

/// The characters that may follow a number or a word: whitespace and brackets, comma, colon. (What
/// of these is out of place there is a token, and fails as one.)
constexpr struct EndTable {
    bool ends[256] = {};
    constexpr EndTable() {
        for (const char c : {' ', '\t', '\n', '\r', ',', ':', '[', ']', '{', '}'}) {
            ends[static_cast<uint8_t>(c)] = true;
        }
    }
} end_table;

inline bool ends_scalar(uint8_t c) { return end_table.ends[c]; }

inline bool is_word(const uint8_t *p, const char *word, size_t length) {
    return std::memcmp(p, word, length) == 0 && ends_scalar(p[length]);
}
inline bool is_null(const uint8_t *p) { return is_word(p, "null", 4); }
inline bool is_true(const uint8_t *p) { return is_word(p, "true", 4); }
inline bool is_false(const uint8_t *p) { return is_word(p, "false", 5); }

inline const Token *Walk::skip_string(const Token *t) {
    if (!has_escapes) return t;
    return are_escapes_valid(text + *t + 1, string_end(t)) ? t : fail(WEIR_JSON_MALFORMED);
}

/// For each of eight bytes 0x80 if it is a digit.
inline uint64_t digit_flags(uint64_t word) {
    const uint64_t distance = word ^ 0x3030303030303030;
    const uint64_t above = ((distance & 0x7F7F7F7F7F7F7F7F) + 0x7676767676767676) | distance;
    return ~above & 0x8080808080808080;
}

/// Whether the next eight bytes hold a whole number such as 7, -50.1 or 21.25 (no exponent), which
/// starts with no superfluous 0 and ends before the eighth byte: nearly all numbers that are
/// skipped.
inline bool is_short_number(const uint8_t *p) {
    p += *p == '-';
    const uint64_t flags = ~digit_flags(load8(p)) & 0x8080808080808080;
    if (flags == 0 || (flags & 0x80) != 0) return false;
    const unsigned whole = static_cast<unsigned>(__builtin_ctzll(flags)) / 8;
    if (whole > 1 && *p == '0') return false;
    if (p[whole] != '.') return ends_scalar(p[whole]);
    const uint64_t behind = flags & (flags - 1);
    if (behind == 0) return false;
    const unsigned end = static_cast<unsigned>(__builtin_ctzll(behind)) / 8;
    return end > whole + 1 && ends_scalar(p[end]);
}

inline const Token *Walk::skip_number(const Token *t) {
    const uint8_t *p = text + *t;
    if (is_short_number(p)) [[likely]]
        return t;
    Number number;
    if (!scan_number(p, number) || !ends_scalar(*number.end)) return fail(WEIR_JSON_MALFORMED);
    return t;
}

inline const Token *Walk::skip_word(const Token *t) {
    const uint8_t *p = text + *t;
    return is_null(p) || is_true(p) || is_false(p) ? t : fail(WEIR_JSON_MALFORMED);
}

inline const Token *Walk::skip_scalar(const Token *t) {
    switch (text[*t]) {
    case '"': return skip_string(t);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return skip_number(t);
    case 't':
    case 'f':
    case 'n': return skip_word(t);
    default: return fail(WEIR_JSON_MALFORMED);
    }
}

inline const Token *Walk::skip_value(const Token *t, uint32_t depth) {
    const uint8_t c = text[*t];
    return c == '{' || c == '[' ? skip_container(t, depth) : skip_scalar(t);
}

}  // namespace weir
