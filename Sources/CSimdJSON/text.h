// The inside of JSON strings.
//
// Stage 1 has already seen to UTF-8 and to raw control characters, so only escapes are left to
// check. A surrogate without its other half, which JSON's grammar allows and UTF-8 cannot hold,
// becomes U+FFFD: feeds that cut texts at a number of UTF-16 units send such halves, and the rest
// of the row is good.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

/// The value of four hexadecimal digits, or -1.
inline int32_t hex4(const uint8_t *p) {
    int32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        const uint8_t c = p[i];
        const uint8_t letter = static_cast<uint8_t>((c | 0x20) - 'a');
        if (static_cast<uint8_t>(c - '0') < 10) {
            value = value << 4 | (c - '0');
        } else if (letter < 6) {
            value = value << 4 | (letter + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/// What `\c` stands for, or 0 for what is no escape (or is `\u`).
inline uint8_t simple_escape(uint8_t c) {
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/// Writes a code point as UTF-8 (a surrogate as U+FFFD); returns the end.
inline uint8_t *append_scalar(uint32_t scalar, uint8_t *to) {
    if (scalar >= 0xD800 && scalar < 0xE000) scalar = 0xFFFD;
    if (scalar < 0x80) {
        *to++ = static_cast<uint8_t>(scalar);
    } else if (scalar < 0x800) {
        *to++ = static_cast<uint8_t>(0xC0 | scalar >> 6);
        *to++ = static_cast<uint8_t>(0x80 | (scalar & 0x3F));
    } else if (scalar < 0x10000) {
        *to++ = static_cast<uint8_t>(0xE0 | scalar >> 12);
        *to++ = static_cast<uint8_t>(0x80 | (scalar >> 6 & 0x3F));
        *to++ = static_cast<uint8_t>(0x80 | (scalar & 0x3F));
    } else {
        *to++ = static_cast<uint8_t>(0xF0 | scalar >> 18);
        *to++ = static_cast<uint8_t>(0x80 | (scalar >> 12 & 0x3F));
        *to++ = static_cast<uint8_t>(0x80 | (scalar >> 6 & 0x3F));
        *to++ = static_cast<uint8_t>(0x80 | (scalar & 0x3F));
    }
    return to;
}

/// Whether all escapes in `p ..< end` are JSON's.
inline bool are_escapes_valid(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        p = static_cast<const uint8_t *>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
        if (p == nullptr) return true;
        if (end - p < 2) return false;
        if (p[1] == 'u') {
            if (end - p < 6 || hex4(p + 2) < 0) return false;
            p += 6;
        } else {
            if (simple_escape(p[1]) == 0) return false;
            p += 2;
        }
    }
    return true;
}

/// Writes `p ..< end` without its escapes to `to`, which never needs more room; returns the end, or
/// nullptr for an escape that JSON does not have.
inline uint8_t *unescape(const uint8_t *p, const uint8_t *end, uint8_t *to) {
    while (p < end) {
        const void *next = std::memchr(p, '\\', static_cast<size_t>(end - p));
        const uint8_t *stop = next == nullptr ? end : static_cast<const uint8_t *>(next);
        std::memcpy(to, p, static_cast<size_t>(stop - p));
        to += stop - p;
        p = stop;
        if (p == end) break;
        if (end - p < 2) return nullptr;
        if (p[1] != 'u') {
            const uint8_t plain = simple_escape(p[1]);
            if (plain == 0) return nullptr;
            *to++ = plain;
            p += 2;
            continue;
        }
        int32_t scalar = end - p < 6 ? -1 : hex4(p + 2);
        if (scalar < 0) return nullptr;
        p += 6;
        if (scalar >= 0xD800 && scalar < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            const int32_t low = hex4(p + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
        }
        to = append_scalar(static_cast<uint32_t>(scalar), to);
    }
    return to;
}

}  // namespace weir
