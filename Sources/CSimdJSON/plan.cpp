// Building the trie from JSON pointers (RFC 6901: segments behind slashes, ~1 for a slash, ~0 for a
// tilde). A segment `*` is ours: every element of an array.

#include "plan.h"

namespace weir {

void Slot::remember(const uint8_t *key, size_t key_length, Node *node) {
    if (key_length > key_bytes_max) return;
    uint8_t words[16] = {};
    std::memcpy(words, key, key_length < 16 ? key_length : 16);
    std::memcpy(&low, words, 8);
    std::memcpy(&high, words + 8, 8);
    uint8_t masks[16] = {};
    std::memset(masks, 0xFF, key_length < 16 ? key_length : 16);
    std::memcpy(&low_mask, masks, 8);
    std::memcpy(&high_mask, masks + 8, 8);
    if (key_length > 16) std::memcpy(rest, key + 16, key_length - 16);
    length = key_length;
    child = node;
}

Node *Node::child(const uint8_t *key, size_t length) const {
    for (const auto &node : children) {
        if (node->name.size() == length && std::memcmp(node->name.data(), key, length) == 0) {
            return node.get();
        }
    }
    return nullptr;
}

Node *Node::child(int64_t element) const {
    for (const auto &node : children) {
        if (node->index == element) return node.get();
    }
    return nullptr;
}

/// An array index as RFC 6901 writes it, or -1.
static int64_t index_of(const std::string &segment) {
    if (segment.empty() || segment.size() > 9 || (segment.size() > 1 && segment[0] == '0'))
        return -1;
    int64_t value = 0;
    for (const char c : segment) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

static bool split_pointer(const std::string &pointer, std::vector<std::string> &segments) {
    if (pointer.empty() || pointer[0] != '/') return false;
    for (size_t i = 0; i < pointer.size(); ++i) {
        if (pointer[i] == '/') {
            segments.emplace_back();
        } else if (pointer[i] == '~') {
            if (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1'))
                return false;
            segments.back() += pointer[++i] == '0' ? '~' : '/';
        } else {
            segments.back() += pointer[i];
        }
    }
    return true;
}

Column::Column() = default;
Column::~Column() = default;

void Nested::put_null() {
    store->put_null();
    if (kind != WEIR_JSON_ROW) return;
    for (const auto &part : parts) {
        part->enter(store->row);
        part->put_null();
    }
}

Nested *Nested::member(const uint8_t *key, size_t length) const {
    for (const auto &part : parts) {
        if (part->name.size() == length && std::memcmp(part->name.data(), key, length) == 0)
            return part.get();
    }
    return nullptr;
}

static Layout layout_of(weir_json_kind kind) {
    switch (kind) {
    case WEIR_JSON_BOOL: return Layout::boolean;
    case WEIR_JSON_DOUBLE:
    case WEIR_JSON_FLOAT: return Layout::real;
    case WEIR_JSON_STRING:
    case WEIR_JSON_BYTES: return Layout::string;
    case WEIR_JSON_WIDE_DECIMAL: return Layout::wide;
    case WEIR_JSON_ARRAY:
    case WEIR_JSON_MAP: return Layout::array;
    case WEIR_JSON_ROW: return Layout::row;
    default: return Layout::int64;
    }
}

/// The type at `part`, with all its parts; moves behind them.
static std::unique_ptr<Nested> nested_at(
    const weir_json_part *&part, Column &column, Store *rows
) {
    auto nested = std::make_unique<Nested>();
    nested->kind = part->kind;
    nested->column = &column;
    nested->name = std::string(part->name == nullptr ? "" : part->name, part->name_length);
    nested->store = rows == nullptr ? &nested->own : rows;
    nested->store->layout = layout_of(part->kind);
    if (part->kind < WEIR_JSON_ARRAY) {
        nested->leaf =
            std::make_unique<Leaf>(Leaf{&column, nested->store, part->kind, part->time});
        nested->leaf->precision = part->precision;
        nested->leaf->scale = part->scale;
    }
    const size_t count = part->part_count;
    ++part;
    for (size_t i = 0; i < count; ++i) nested->parts.push_back(nested_at(part, column, nullptr));
    return nested;
}

bool add_to_plan(Node &root, const weir_json_column &declared, Column &column) {
    std::vector<std::string> segments;
    if (!split_pointer(std::string(declared.pointer, declared.pointer_length), segments))
        return false;
    size_t stars = 0;
    for (const auto &segment : segments) stars += segment == "*";
    const bool has_parts = declared.parts != nullptr;
    const bool is_array = declared.is_array && !has_parts;
    if (stars > 1 || (stars == 1 && !is_array)) return false;
    if (stars == 0 && is_array) segments.emplace_back("*");

    column.is_array = is_array;
    column.null_on_error = declared.null_on_error;
    std::unique_ptr<Leaf> leaf;
    if (has_parts) {
        const weir_json_part *part = declared.parts;
        column.nested = nested_at(part, column, &column.rows);
    } else {
        Store &store = is_array ? column.elements : column.rows;
        if (is_array) column.rows.layout = Layout::array;
        store.layout = layout_of(declared.kind);
        leaf = std::make_unique<Leaf>(Leaf{&column, &store, declared.kind, declared.time});
        leaf->precision = declared.precision;
        leaf->scale = declared.scale;
    }

    Node *node = &root;
    for (const auto &segment : segments) {
        if (segment == "*") {
            node->star_columns.push_back(&column);
            node->star_leaves.push_back(leaf.get());
            if (node->star == nullptr) node->star = std::make_unique<Node>();
            node = node->star.get();
            continue;
        }
        Node *next = node->child(reinterpret_cast<const uint8_t *>(segment.data()), segment.size());
        if (next == nullptr) {
            node->children.push_back(std::make_unique<Node>());
            next = node->children.back().get();
            next->name = segment;
            next->index = index_of(segment);
        }
        node = next;
    }
    if (has_parts) {
        node->nested.push_back(column.nested.get());
    } else {
        node->leaves.push_back(std::move(leaf));
    }
    return true;
}

void finish_plan(Node &node) {
    bool has_index = false;
    for (const auto &child : node.children) {
        finish_plan(*child);
        has_index |= child->index >= 0;
    }
    if (node.star != nullptr) finish_plan(*node.star);
    if (!node.children.empty()) node.slots.resize(Node::slot_count);
    if (!node.nested.empty()) {
        node.way = Way::other;
    } else if (node.leaves.size() == 1 && node.children.empty() && node.star == nullptr) {
        switch (node.leaves[0]->kind) {
        case WEIR_JSON_BOOL: node.way = Way::boolean; break;
        case WEIR_JSON_INT32: node.way = Way::int32; break;
        case WEIR_JSON_INT64: node.way = Way::int64; break;
        case WEIR_JSON_DOUBLE: node.way = Way::real; break;
        case WEIR_JSON_STRING: node.way = Way::string; break;
        case WEIR_JSON_TIME: node.way = Way::time; break;
        default: node.way = Way::special; break;
        }
    } else if (node.leaves.empty() && node.star == nullptr && !has_index) {
        node.way = Way::object;
    }
}

}  // namespace weir
