// The compiled decode plan: the columns' JSON pointers as one trie, which a walk over a document
// descends in step with it, so that each object is read once and in the order in which it comes.
//
// Documents of one feed mostly have the same keys in the same order. Each object node therefore
// keeps the keys of the last document by position; a key is first compared with what stood at its
// position before, and looked up only when that fails.

#pragma once

#include "CSimdJSON.h"
#include "store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir {

struct Nested;

/// One column and what went wrong with it in the current row.
struct Column {
    Column();
    ~Column();
    Store rows;
    /// The elements of an array column.
    Store elements;
    bool is_array = false;
    bool null_on_error = false;
    /// The type of a column with parts; nullptr for others.
    std::unique_ptr<Nested> nested;
    /// For arrays: the scope (row) in which it was last filled.
    uint64_t filled_in = 0;
    uint32_t error_count = 0;
    weir_json_fault fault = WEIR_JSON_OK;
    weir_json_found found = WEIR_JSON_FOUND_STRING;
};

/// A place where scalars are read into a column's rows or elements.
struct Leaf {
    Column *column;
    Store *store;
    weir_json_kind kind;
    weir_json_time time;
    int32_t precision = 0;
    int32_t scale = 0;
    /// The scope (row or array element) in which it was last filled, and last failed.
    uint64_t filled_in = 0;
    uint64_t failed_in = 0;
};

/// A value with parts, or one of its parts; a column's, or below another one.
struct Nested {
    weir_json_kind kind;
    Column *column;
    /// The member that it is, of a row.
    std::string name;
    Store own;
    /// Where values go: the column's rows for the outermost one, else `own`.
    Store *store;
    /// How single values are read; nullptr for what has parts.
    std::unique_ptr<Leaf> leaf;
    std::vector<std::unique_ptr<Nested>> parts;
    /// The row of a column, or the object of a member, in which it was last filled.
    uint64_t filled_in = 0;
    /// The errors in the member when it was last read.
    uint32_t error_count = 0;

    /// Goes to a row of its values.
    void enter(size_t row) {
        store->row = row;
        store->reserve(row + 1);
    }
    /// Makes the current row NULL, with all members.
    void put_null();
    Nested *member(const uint8_t *key, size_t length) const;
};

struct Node;

/// What stood at one position of an object in an earlier document: the raw key with its closing
/// quote.
struct Slot {
    static constexpr size_t key_bytes_max = 64;

    uint64_t low = 0, high = 0;
    uint64_t low_mask = ~uint64_t(0), high_mask = ~uint64_t(0);
    /// The child for this key, or nullptr for a key that no column needs.
    Node *child = nullptr;
    size_t length = 0;
    uint8_t rest[key_bytes_max];

    /// Whether the text at `key` (behind the opening quote) is this key; reads 16 bytes or more.
    bool matches(const uint8_t *key) const {
        uint64_t words[2];
        std::memcpy(words, key, 16);
        if ((((words[0] ^ low) & low_mask) | ((words[1] ^ high) & high_mask)) != 0) return false;
        return length <= 16 || std::memcmp(key + 16, rest, length - 16) == 0;
    }

    /// Remembers a key of `length` bytes, closing quote included; too long a one is not remembered.
    void remember(const uint8_t *key, size_t key_length, Node *node);
};

/// How a node's value is read.
enum class Way : uint8_t { boolean, int32, int64, real, string, time, special, object, other };

/// A place in a document that some column needs.
struct Node {
    static constexpr size_t slot_count = 48;

    std::string name;
    /// The name as an array index, or -1.
    int64_t index = -1;
    Way way = Way::other;
    std::vector<std::unique_ptr<Node>> children;
    /// The elements, where a pointer has a `*` here.
    std::unique_ptr<Node> star;
    std::vector<std::unique_ptr<Leaf>> leaves;
    /// The columns with parts that are read here.
    std::vector<Nested *> nested;
    /// The array columns and leaves below `star`.
    std::vector<Column *> star_columns;
    std::vector<Leaf *> star_leaves;
    /// The object (by number) in which this member was last seen.
    uint64_t seen_in = 0;
    std::vector<Slot> slots;

    Node *child(const uint8_t *key, size_t length) const;
    Node *child(int64_t element) const;
};

/// Adds `column` to the trie; false when its pointer is none.
bool add_to_plan(Node &root, const weir_json_column &declared, Column &column);
/// Chooses each node's way, once all columns are added.
void finish_plan(Node &node);

}  // namespace weir
