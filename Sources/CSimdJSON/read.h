// Reading scalars into columns (part of walk.cpp, where it must be inlined).

#pragma once

#include "instant.h"
#include "skip.h"

namespace weir {

inline bool is_number_start(uint8_t c) { return is_digit(c) || c == '-'; }

inline weir_json_found found_at(uint8_t c) {
    switch (c) {
    case '"': return WEIR_JSON_FOUND_STRING;
    case '{': return WEIR_JSON_FOUND_OBJECT;
    case '[': return WEIR_JSON_FOUND_ARRAY;
    case 't':
    case 'f': return WEIR_JSON_FOUND_BOOLEAN;
    default: return WEIR_JSON_FOUND_NUMBER;
    }
}

inline void Walk::misfit(Column &column, weir_json_fault why, weir_json_found found) {
    if (column.error_count++ == 0) {
        column.fault = why;
        column.found = found;
    }
    ++failures(column);
}

inline void Walk::misfit(Leaf &leaf, weir_json_fault why, weir_json_found found) {
    put_null(leaf);
    leaf.failed_in = scope;
    misfit(*leaf.column, why, found);
}

inline const Token *Walk::read_misfit(Leaf &leaf, const Token *t, uint32_t depth) {
    const Token *end = skip_value(t, depth);
    if (end == last) return last;
    const uint8_t c = text[*t];
    if (c == 'n') {
        put_null(leaf);
    } else {
        misfit(leaf, WEIR_JSON_WRONG_TYPE, found_at(c));
    }
    return end;
}

inline const Token *Walk::read_bool(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    const bool yes = is_true(p);
    if (!yes && !is_false(p)) return read_misfit(leaf, t, depth);
    leaf.store->put_bool(yes);
    filled(leaf);
    return t;
}

template <bool is_int32>
inline const Token *Walk::read_integer(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    if (!is_number_start(*p)) return read_misfit(leaf, t, depth);
    Number number;
    if (!scan_number(p, number) || !ends_scalar(*number.end)) return fail(WEIR_JSON_MALFORMED);
    int64_t value;
    switch (to_integer(number, is_int32 ? INT32_MAX : INT64_MAX, value)) {
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

inline const Token *Walk::read_double(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    if (!is_number_start(*p)) return read_misfit(leaf, t, depth);
    Number number;
    if (!scan_number(p, number) || !ends_scalar(*number.end)) return fail(WEIR_JSON_MALFORMED);
    double value;
    if (to_double(number, value)) [[likely]] {
        leaf.store->put_real(value);
        filled(leaf);
    } else {
        misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_NUMBER);
    }
    return t;
}

inline const Token *Walk::read_string(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    if (*p != '"') return read_misfit(leaf, t, depth);
    ++p;
    const uint8_t *end = string_end(t);
    const size_t length = static_cast<size_t>(end - p);
    if (!has_escapes || std::memchr(p, '\\', length) == nullptr) [[likely]] {
        leaf.store->put_text(p, length);
    } else {
        const uint8_t *written = unescape(p, end, leaf.store->begin_text(length));
        if (written == nullptr) return fail(WEIR_JSON_MALFORMED);
        leaf.store->end_text(written);
    }
    filled(leaf);
    return t;
}

inline bool Walk::put_epoch(Leaf &leaf, const Number &number) {
    const int32_t shift = leaf.time == WEIR_JSON_EPOCH_S ? 3
        : leaf.time == WEIR_JSON_EPOCH_MS                ? 0
                                                         : -3;
    int64_t value;
    if (!to_floor(number, shift, value) || !is_instant(value)) return false;
    leaf.store->put_int(value);
    filled(leaf);
    return true;
}

inline const Token *Walk::read_time(Leaf &leaf, const Token *t, uint32_t depth) {
    const uint8_t *p = text + *t;
    if (*p == '"') return read_time_text(leaf, t);
    if (!is_number_start(*p) || leaf.time >= WEIR_JSON_RFC3339) return read_misfit(leaf, t, depth);
    Number number;
    if (!scan_number(p, number) || !ends_scalar(*number.end)) return fail(WEIR_JSON_MALFORMED);
    if (!put_epoch(leaf, number)) misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_NUMBER);
    return t;
}

/// A time in a string: RFC 3339, or where an epoch is declared, a number in quotes.
inline const Token *Walk::read_time_text(Leaf &leaf, const Token *t) {
    if (skip_string(t) == last) return last;
    const uint8_t *p = text + *t + 1;
    const uint8_t *end = string_end(t);
    uint8_t plain[64] = {};
    if (has_escapes && end - p < 64
        && std::memchr(p, '\\', static_cast<size_t>(end - p)) != nullptr) {
        end = unescape(p, end, plain);
        p = plain;
    }
    if (leaf.time < WEIR_JSON_RFC3339) {
        Number number;
        if (!scan_number(p, number) || number.end != end) {
            misfit(leaf, WEIR_JSON_WRONG_TYPE, WEIR_JSON_FOUND_STRING);
        } else if (!put_epoch(leaf, number)) {
            misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_STRING);
        }
        return t;
    }
    int64_t value;
    switch (
        parse_time(p, static_cast<size_t>(end - p), leaf.time == WEIR_JSON_RFC3339_LOCAL, value)) {
    case TimeText::time:
        leaf.store->put_int(value);
        filled(leaf);
        break;
    case TimeText::not_a_time: misfit(leaf, WEIR_JSON_NOT_A_TIME, WEIR_JSON_FOUND_STRING); break;
    case TimeText::out_of_range:
        misfit(leaf, WEIR_JSON_OUT_OF_RANGE, WEIR_JSON_FOUND_STRING);
        break;
    }
    return t;
}

inline const Token *Walk::read(Leaf &leaf, const Token *t, uint32_t depth) {
    switch (leaf.kind) {
    case WEIR_JSON_BOOL: return read_bool(leaf, t, depth);
    case WEIR_JSON_INT32: return read_integer<true>(leaf, t, depth);
    case WEIR_JSON_INT64: return read_integer<false>(leaf, t, depth);
    case WEIR_JSON_DOUBLE: return read_double(leaf, t, depth);
    case WEIR_JSON_STRING: return read_string(leaf, t, depth);
    case WEIR_JSON_TIME: return read_time(leaf, t, depth);
    default: return read_special(leaf, t, depth);
    }
}

}  // namespace weir
