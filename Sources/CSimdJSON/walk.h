// The second stage: one pass over a document's tokens that checks the whole grammar and writes the
// values that the plan needs.
//
// Every function takes the token that begins a value and returns the token that ends it (for a
// scalar the same), or `last`, which is behind all tokens, on failure; `fault` then says why. A
// document is good only if its end lies inside its own bytes, which the caller checks: tokens rise,
// so then all of it did. Whether a document is JSON never depends on the columns that are read from
// it.
//
// Of a key that comes twice, the last one counts, as in Flink and in most JSON libraries.

#pragma once

#include "plan.h"
#include "tokens.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir {

struct Number;

/// For each key of an object the number of the last member that has it, and how many members there are.
struct Places {
    std::unordered_map<std::string, size_t> last;
    size_t count = 0;
};

class Walk {
public:
    explicit Walk(uint32_t depth_max) : depth_max(depth_max), nesting(depth_max + 1) {}

    /// The columns, in the order in which they were declared.
    std::vector<std::unique_ptr<Column>> columns;
    Node root;

    /// Why the last failing walk failed.
    weir_json_fault fault = WEIR_JSON_OK;
    /// Values of the current row that were of a wrong type and became NULL.
    size_t row_nulled_count = 0;

    /// Sets the text that tokens refer to.
    void enter(const uint8_t *text, const Token *last, bool has_escapes) {
        this->text = text;
        this->last = last;
        this->has_escapes = has_escapes;
    }

    /// Begins a row: all columns unfilled.
    void begin_row() {
        if ((failed_count | row_nulled_count) != 0) first_failed();
        scope = ++clock;
        filled_count = 0;
        failed_count = 0;
        row_nulled_count = 0;
    }

    /// Walks a row's object.
    const Token *row(const Token *t, uint32_t depth) { return object(root, t, depth); }

    /// Ends a row: what was not filled is NULL. Returns the first column at fault, or -1.
    int32_t end_row() {
        if (filled_count != columns.size()) fill_row(root);
        return failed_count == 0 ? -1 : first_failed();
    }

    /// Checks an object or array without reading it.
    const Token *check(const Token *t, uint32_t depth) { return skip_container(t, depth); }

private:
    const uint8_t *text = nullptr;
    const Token *last = nullptr;
    bool has_escapes = true;
    const uint32_t depth_max;
    /// For each open bracket whether it is an object's; of `skip_container`.
    std::vector<uint8_t> nesting;
    /// Counts objects, rows and elements; never falls, so that marks of earlier ones never match.
    uint64_t clock = 0;
    /// The row or array element whose leaves are being filled, and how many are.
    uint64_t scope = 0;
    size_t filled_count = 0;
    /// Values that are at fault in the current row and reject it.
    size_t failed_count = 0;
    std::string key_text;

    const Token *fail(weir_json_fault why) {
        fault = why;
        return last;
    }

    const Token *object(Node &node, const Token *t, uint32_t depth);
    const Token *array(Node &node, const Token *t, uint32_t depth);
    const Token *value(Node &node, const Token *t, uint32_t depth);
    const Token *other_value(Node &node, const Token *t, uint32_t depth);
    bool find(Node &node, Slot *&slot, const Token *t, Node *&child);
    const Token *read_nested(Nested &nested, const Token *t, uint32_t depth);
    const Token *nested_value(Nested &nested, const Token *t, uint32_t depth);
    const Token *nested_array(Nested &array, const Token *t, uint32_t depth);
    const Token *nested_map(Nested &map, const Token *t, uint32_t depth);
    const Token *nested_row(Nested &row, const Token *t, uint32_t depth);
    const Token *nested_member(Nested &row, const Token *t, uint32_t depth, uint64_t object);
    bool last_places(const Token *t, uint32_t depth, Places &places);
    bool read_key(const Token *t, std::string &key);

    const Token *read(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_bool(Leaf &leaf, const Token *t, uint32_t depth);
    template <bool is_int32> const Token *read_integer(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_double(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_string(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_time(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_time_text(Leaf &leaf, const Token *t);
    const Token *read_special(Leaf &leaf, const Token *t, uint32_t depth);
    const Token *read_special_number(Leaf &leaf, const Token *t, uint32_t depth);
    void put_decimal(Leaf &leaf, const Number &number, weir_json_found found);
    void put_special_text(Leaf &leaf, const uint8_t *p, const uint8_t *end);
    bool put_epoch(Leaf &leaf, const Number &number);
    /// A null, or a value of a wrong type.
    const Token *read_misfit(Leaf &leaf, const Token *t, uint32_t depth);

    void filled(Leaf &leaf) {
        leaf.filled_in = scope;
        ++filled_count;
    }
    void put_null(Leaf &leaf) {
        leaf.store->put_null();
        filled(leaf);
    }
    /// What counts a column's errors in the current row.
    size_t &failures(const Column &column) {
        return column.null_on_error ? row_nulled_count : failed_count;
    }
    void misfit(Leaf &leaf, weir_json_fault why, weir_json_found found);
    void misfit(Column &column, weir_json_fault why, weir_json_found found);
    const Token *misfit_array(Node &node, const Token *t, uint32_t depth);
    const Token *element(Node &node, const Token *t, uint32_t depth);
    void forget(Node &node);
    void fill_row(Node &node);
    /// The first column that rejects the row, or -1; the columns' errors are then forgotten.
    int32_t first_failed();

    const Token *skip_string(const Token *t);
    const Token *skip_number(const Token *t);
    const Token *skip_word(const Token *t);
    const Token *skip_scalar(const Token *t);
    const Token *skip_value(const Token *t, uint32_t depth);
    const Token *skip_container(const Token *t, uint32_t depth);
    /// The key and the colon of a member at `t`; returns the value's token.
    const Token *skip_key(const Token *t);

    /// Behind the last character of the string that begins at `t`: where its closing quote is.
    /// Between that and the next token there is only whitespace.
    const uint8_t *string_end(const Token *t) const {
        const uint8_t *end = text + t[1] - 1;
        while (*end != '"') --end;
        return end;
    }
};

}  // namespace weir
