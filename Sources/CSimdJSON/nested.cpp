// Reading values with parts: arrays of anything, maps and rows, as deep as their type is.
//
// Each part has memory of its own, written at a row that follows from that of the value around it: the
// members of a row at the row's own, elements and entries behind those of the row before. So a value that
// comes again (a member twice, a row given up) overwrites what it wrote, as single values do.
//
// The parts of a value are a scope of their own: to the row they are one column.

#include "read.h"

namespace weir {

const Token *Walk::read_nested(Nested &nested, const Token *t, uint32_t depth) {
    const uint64_t outer_scope = scope;
    const size_t outer_count = filled_count;
    scope = ++clock;
    const Token *end = nested_value(nested, t, depth);
    scope = outer_scope;
    filled_count = outer_count + 1;
    nested.filled_in = scope;
    return end;
}

const Token *Walk::nested_value(Nested &nested, const Token *t, uint32_t depth) {
    if (nested.leaf != nullptr) return read(*nested.leaf, t, depth);
    const uint8_t c = text[*t];
    if (c != (nested.kind == WEIR_JSON_ARRAY ? '[' : '{')) {
        const Token *end = skip_value(t, depth);
        if (end == last) return last;
        nested.put_null();
        if (c != 'n') misfit(*nested.column, WEIR_JSON_WRONG_TYPE, found_at(c));
        return end;
    }
    if (depth > depth_max) return fail(WEIR_JSON_TOO_DEEP);
    switch (nested.kind) {
    case WEIR_JSON_ARRAY: return nested_array(nested, t, depth);
    case WEIR_JSON_MAP: return nested_map(nested, t, depth);
    default: return nested_row(nested, t, depth);
    }
}

const Token *Walk::nested_array(Nested &array, const Token *t, uint32_t depth) {
    Nested &element = *array.parts[0];
    const size_t first = static_cast<size_t>(array.store->offsets()[array.store->row]);
    size_t count = 0;
    ++t;
    if (t >= last) return fail(WEIR_JSON_ENDS_EARLY);
    while (text[*t] != ']') {
        element.enter(first + count);
        t = nested_value(element, t, depth + 1);
        if (t == last) return last;
        ++count;
        ++t;
        if (t >= last) return fail(WEIR_JSON_ENDS_EARLY);
        if (text[*t] == ']') break;
        if (text[*t] != ',') return fail(WEIR_JSON_MALFORMED);
        ++t;
        if (t >= last) return fail(WEIR_JSON_ENDS_EARLY);
        if (text[*t] == ']') return fail(WEIR_JSON_MALFORMED);
    }
    array.store->put_array(count);
    return t;
}

/// The plain text of the key at `t`; false when it has a bad escape.
bool Walk::read_key(const Token *t, std::string &key) {
    const uint8_t *start = text + *t + 1;
    const uint8_t *end = string_end(t);
    const size_t length = static_cast<size_t>(end - start);
    key.resize(length);
    uint8_t *plain = reinterpret_cast<uint8_t *>(key.data());
    if (!has_escapes || std::memchr(start, '\\', length) == nullptr) {
        std::memcpy(plain, start, length);
        return true;
    }
    const uint8_t *plain_end = unescape(start, end, plain);
    if (plain_end == nullptr) return false;
    key.resize(static_cast<size_t>(plain_end - plain));
    return true;
}

/// Goes over an object whose bracket is at `t` and notes where each key comes last; false when it is no
/// JSON.
bool Walk::last_places(const Token *t, uint32_t depth, Places &places) {
    std::string key;
    ++t;
    if (t >= last) return fail(WEIR_JSON_ENDS_EARLY) != last;
    if (text[*t] == '}') return true;
    for (;;) {
        if (last - t < 4) return fail(WEIR_JSON_ENDS_EARLY) != last;
        if (text[*t] != '"' || text[t[1]] != ':' || !read_key(t, key))
            return fail(WEIR_JSON_MALFORMED) != last;
        places.last[key] = places.count++;
        t = skip_value(t + 2, depth + 1);
        if (t == last) return false;
        ++t;
        if (t >= last) return fail(WEIR_JSON_ENDS_EARLY) != last;
        if (text[*t] == '}') return true;
        if (text[*t] != ',') return fail(WEIR_JSON_MALFORMED) != last;
        ++t;
    }
}

const Token *Walk::nested_map(Nested &map, const Token *t, uint32_t depth) {
    Places places;
    if (!last_places(t, depth, places)) return last;
    Nested &key = *map.parts[0];
    Nested &value = *map.parts[1];
    const size_t first = static_cast<size_t>(map.store->offsets()[map.store->row]);
    const bool has_doubles = places.last.size() != places.count;
    size_t count = 0;
    std::string name;
    ++t;
    for (size_t member = 0; member < places.count; ++member) {
        if (!read_key(t, name)) return fail(WEIR_JSON_MALFORMED);
        t += 2;
        if (has_doubles && places.last[name] != member) {
            t = skip_value(t, depth + 1);
        } else {
            key.enter(first + count);
            uint8_t *written = key.store->begin_text(name.size());
            std::memcpy(written, name.data(), name.size());
            key.store->end_text(written + name.size());
            value.enter(first + count);
            t = nested_value(value, t, depth + 1);
            ++count;
        }
        if (t == last) return last;
        // Behind it is a comma, or the bracket behind the last one.
        t += member + 1 < places.count ? 2 : 1;
    }
    map.store->put_array(count);
    return t;
}

const Token *Walk::nested_row(Nested &row, const Token *t, uint32_t depth) {
    const uint64_t object = ++clock;
    for (const auto &part : row.parts) part->enter(row.store->row);
    ++t;
    if (t >= last) return fail(WEIR_JSON_ENDS_EARLY);
    if (text[*t] != '}') {
        for (;;) {
            if (last - t < 4) return fail(WEIR_JSON_ENDS_EARLY);
            if (text[*t] != '"' || text[t[1]] != ':') return fail(WEIR_JSON_MALFORMED);
            t = nested_member(row, t, depth, object);
            if (t == last) return last;
            ++t;
            if (t >= last) return fail(WEIR_JSON_ENDS_EARLY);
            if (text[*t] == '}') break;
            if (text[*t] != ',') return fail(WEIR_JSON_MALFORMED);
            ++t;
        }
    }
    for (const auto &part : row.parts) {
        if (part->filled_in != object) part->put_null();
    }
    row.store->put_row();
    return t;
}

/// The member whose key is at `t`. One that comes again takes back what was wrong with it before.
const Token *Walk::nested_member(Nested &row, const Token *t, uint32_t depth, uint64_t object) {
    std::string key;
    if (!read_key(t, key)) return fail(WEIR_JSON_MALFORMED);
    Nested *part = row.member(reinterpret_cast<const uint8_t *>(key.data()), key.size());
    if (part == nullptr) return skip_value(t + 2, depth + 1);
    Column &column = *row.column;
    if (part->filled_in == object) {
        column.error_count -= part->error_count;
        failures(column) -= part->error_count;
    }
    const uint32_t before = column.error_count;
    t = nested_value(*part, t + 2, depth + 1);
    part->error_count = column.error_count - before;
    part->filled_in = object;
    return t;
}

}  // namespace weir
