// The walk over objects and arrays; reading and skipping of scalars are in read.h and skip.h.

#include "read.h"

namespace weir {

static bool is_end(const Token *t, const Token *last) { return t >= last; }

const Token *Walk::object(Node &node, const Token *t, uint32_t depth) {
    if (depth > depth_max) return fail(WEIR_JSON_TOO_DEEP);
    const uint64_t number = ++clock;
    ++t;
    if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
    if (text[*t] == '}') return t;
    Slot *slot = node.slots.data();
    Slot *const last_slot = slot + (Node::slot_count - 1);
    for (;;) {
        // A member takes at least a key, a colon and a value, and a comma or bracket follows it.
        if (last - t < 4) return fail(WEIR_JSON_ENDS_EARLY);
        const uint8_t *key = text + *t;
        if (*key != '"' || text[t[1]] != ':') return fail(WEIR_JSON_MALFORMED);
        Node *child = slot->child;
        if (!slot->matches(key + 1)) [[unlikely]] {
            if (!find(node, slot, t, child)) return fail(WEIR_JSON_MALFORMED);
        }
        t += 2;
        if (child == nullptr) {
            t = skip_value(t, depth + 1);
        } else {
            if (child->seen_in == number) [[unlikely]]
                forget(*child);
            child->seen_in = number;
            t = value(*child, t, depth + 1);
        }
        if (t == last) return last;
        ++t;
        if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
        const uint8_t c = text[*t];
        if (c == '}') return t;
        if (c != ',') return fail(WEIR_JSON_MALFORMED);
        ++t;
        slot += slot != last_slot;
    }
}

/// Looks up the key at `t`, at the next position first (where a member is missing), and remembers
/// it. False when the key has a bad escape.
bool Walk::find(Node &node, Slot *&slot, const Token *t, Node *&child) {
    const uint8_t *key = text + *t + 1;
    Slot *const end = node.slots.data() + Node::slot_count;
    for (Slot *ahead = slot + 1; ahead < end && ahead <= slot + 3; ++ahead) {
        if (ahead->matches(key)) {
            slot = ahead;
            child = slot->child;
            return true;
        }
    }
    const uint8_t *key_end = string_end(t);
    const size_t length = static_cast<size_t>(key_end - key);
    child = nullptr;
    if (has_escapes && std::memchr(key, '\\', length) != nullptr) {
        key_text.resize(length);
        uint8_t *plain = reinterpret_cast<uint8_t *>(key_text.data());
        const uint8_t *plain_end = unescape(key, key_end, plain);
        if (plain_end == nullptr) return false;
        child = node.child(plain, static_cast<size_t>(plain_end - plain));
    } else {
        child = node.child(key, length);
    }
    slot->remember(key, length + 1, child);
    return true;
}

inline const Token *Walk::value(Node &node, const Token *t, uint32_t depth) {
    switch (node.way) {
    case Way::boolean: return read_bool(*node.leaves[0], t, depth);
    case Way::int32: return read_integer<true>(*node.leaves[0], t, depth);
    case Way::int64: return read_integer<false>(*node.leaves[0], t, depth);
    case Way::real: return read_double(*node.leaves[0], t, depth);
    case Way::string: return read_string(*node.leaves[0], t, depth);
    case Way::time: return read_time(*node.leaves[0], t, depth);
    case Way::special: return read_special(*node.leaves[0], t, depth);
    case Way::object:
        if (text[*t] == '{') return object(node, t, depth);
        return skip_value(t, depth);
    case Way::other: break;
    }
    return other_value(node, t, depth);
}

/// A value that several columns or both an array and its elements are read from.
const Token *Walk::other_value(Node &node, const Token *t, uint32_t depth) {
    const Token *end = t;
    for (const auto &leaf : node.leaves) {
        end = read(*leaf, t, depth);
        if (end == last) return last;
    }
    for (Nested *nested : node.nested) {
        end = read_nested(*nested, t, depth);
        if (end == last) return last;
    }
    const uint8_t c = text[*t];
    if (c == '[' && (node.star != nullptr || !node.children.empty())) return array(node, t, depth);
    if (node.star != nullptr) {
        end = misfit_array(node, t, depth);
        if (end == last) return last;
    }
    if (c == '{' && !node.children.empty()) return object(node, t, depth);
    const bool is_read = !node.leaves.empty() || !node.nested.empty() || node.star != nullptr;
    return is_read ? end : skip_value(t, depth);
}

/// null, or anything else that is no array, where array columns are read from.
const Token *Walk::misfit_array(Node &node, const Token *t, uint32_t depth) {
    const Token *end = skip_value(t, depth);
    if (end == last) return last;
    const uint8_t c = text[*t];
    for (Column *column : node.star_columns) {
        column->rows.put_null();
        column->filled_in = scope;
        ++filled_count;
        if (c != 'n') misfit(*column, WEIR_JSON_WRONG_TYPE, found_at(c));
    }
    return end;
}

const Token *Walk::array(Node &node, const Token *t, uint32_t depth) {
    if (depth > depth_max) return fail(WEIR_JSON_TOO_DEEP);
    size_t count = 0;
    ++t;
    if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
    if (text[*t] != ']') {
        for (;;) {
            for (Column *column : node.star_columns) {
                column->elements.row =
                    static_cast<size_t>(column->rows.offsets()[column->rows.row]) + count;
                column->elements.reserve(column->elements.row + 1);
            }
            const Token *end = last;
            if (Node *child = node.child(static_cast<int64_t>(count))) {
                end = value(*child, t, depth + 1);
            } else if (node.star == nullptr) {
                end = skip_value(t, depth + 1);
            }
            if (node.star != nullptr) end = element(node, t, depth + 1);
            if (end == last) return last;
            ++count;
            t = end + 1;
            if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
            const uint8_t c = text[*t];
            if (c == ']') break;
            if (c != ',') return fail(WEIR_JSON_MALFORMED);
            ++t;
            if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
        }
    }
    for (Column *column : node.star_columns) {
        column->rows.put_array(count);
        column->filled_in = scope;
        ++filled_count;
    }
    return t;
}

/// Reads one element of a `*`: its leaves are a scope of their own.
const Token *Walk::element(Node &node, const Token *t, uint32_t depth) {
    const uint64_t outer_scope = scope;
    const size_t outer_count = filled_count;
    scope = ++clock;
    filled_count = 0;
    const Token *end = value(*node.star, t, depth);
    if (filled_count != node.star_leaves.size()) {
        for (Leaf *leaf : node.star_leaves) {
            if (leaf->filled_in != scope) leaf->store->put_null();
        }
    }
    scope = outer_scope;
    filled_count = outer_count;
    return end;
}

/// A member came again: what its first coming filled is unfilled.
void Walk::forget(Node &node) {
    for (const auto &leaf : node.leaves) {
        if (leaf->filled_in != scope) continue;
        leaf->filled_in = 0;
        --filled_count;
        if (leaf->failed_in != scope) continue;
        leaf->failed_in = 0;
        --leaf->column->error_count;
        --failures(*leaf->column);
    }
    for (Column *column : node.star_columns) {
        if (column->filled_in != scope) continue;
        column->filled_in = 0;
        --filled_count;
        failures(*column) -= column->error_count;
        column->error_count = 0;
    }
    for (Nested *nested : node.nested) {
        if (nested->filled_in != scope) continue;
        nested->filled_in = 0;
        --filled_count;
        failures(*nested->column) -= nested->column->error_count;
        nested->column->error_count = 0;
    }
    for (const auto &child : node.children) forget(*child);
}

void Walk::fill_row(Node &node) {
    for (const auto &leaf : node.leaves) {
        if (leaf->filled_in != scope) leaf->store->put_null();
    }
    for (Column *column : node.star_columns) {
        if (column->filled_in != scope) column->rows.put_null();
    }
    for (Nested *nested : node.nested) {
        if (nested->filled_in != scope) nested->put_null();
    }
    for (const auto &child : node.children) fill_row(*child);
}

int32_t Walk::first_failed() {
    int32_t first = -1;
    for (size_t i = columns.size(); i-- > 0;) {
        if (columns[i]->error_count != 0 && !columns[i]->null_on_error)
            first = static_cast<int32_t>(i);
        columns[i]->error_count = 0;
    }
    return first;
}

const Token *Walk::skip_key(const Token *t) {
    if (last - t < 3) return fail(WEIR_JSON_ENDS_EARLY);
    if (text[*t] != '"' || text[t[1]] != ':') return fail(WEIR_JSON_MALFORMED);
    return skip_string(t) == last ? last : t + 2;
}

const Token *Walk::skip_container(const Token *t, uint32_t depth) {
    // `open` counts the brackets opened here; the walk ends when all are closed. A bracket's code
    // point plus 2 closes it.
    uint32_t open = 0;
    for (;;) {
        const uint8_t c = text[*t];
        const bool opens = c == '{' || c == '[';
        if (opens) {
            if (depth + open > depth_max) return fail(WEIR_JSON_TOO_DEEP);
            nesting[open++] = c;
            ++t;
            if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
        } else if (skip_scalar(t) == last) {
            return last;
        }
        if (!opens || text[*t] == c + 2) {
            // A value has ended: close what closes behind it, then go on behind a comma.
            if (opens) --open;
            for (;; --open) {
                if (open == 0) return t;
                ++t;
                if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
                if (text[*t] != nesting[open - 1] + 2) break;
            }
            if (text[*t] != ',') return fail(WEIR_JSON_MALFORMED);
            ++t;
            if (is_end(t, last)) return fail(WEIR_JSON_ENDS_EARLY);
        }
        if (nesting[open - 1] == '{') {
            t = skip_key(t);
            if (t == last) return last;
        }
    }
}

}  // namespace weir
