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

static Layout layout_of(weir_json_kind kind) {
    switch (kind) {
    case WEIR_JSON_BOOL: return Layout::boolean;
    case WEIR_JSON_DOUBLE:
    case WEIR_JSON_FLOAT: return Layout::real;
    case WEIR_JSON_STRING:
    case WEIR_JSON_BYTES: return Layout::string;
    case WEIR_JSON_WIDE_DECIMAL: return Layout::wide;
    default: return Layout::int64;
    }
}

bool add_to_plan(Node &root, const weir_json_column &declared, Column &column) {
    std::vector<std::string> segments;
    if (!split_pointer(std::string(declared.pointer, declared.pointer_length), segments))
        return false;
    size_t stars = 0;
    for (const auto &segment : segments) stars += segment == "*";
    if (stars > 1 || (stars == 1 && !declared.is_array)) return false;
    if (stars == 0 && declared.is_array) segments.emplace_back("*");

    column.is_array = declared.is_array;
    column.null_on_error = declared.null_on_error;
    Store &store = declared.is_array ? column.elements : column.rows;
    if (declared.is_array) column.rows.layout = Layout::array;
    store.layout = layout_of(declared.kind);
    auto leaf = std::make_unique<Leaf>(Leaf{&column, &store, declared.kind, declared.time});
    leaf->precision = declared.precision;
    leaf->scale = declared.scale;

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
    node->leaves.push_back(std::move(leaf));
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
    if (node.leaves.size() == 1 && node.children.empty() && node.star == nullptr) {
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
