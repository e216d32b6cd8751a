// The C functions of the reader, each a line or two over weir::Reader.

#include "reader.h"

using weir::Column;
using weir::Reader;

struct weir_json_reader {
    explicit weir_json_reader(const weir_json_limits &limits) : reader(limits) {}
    Reader reader;
};

weir_json_reader *weir_json_create(
    const weir_json_column *columns, size_t count, weir_json_limits limits
) {
    if (limits.depth_max < 1 || limits.depth_max > 1024 || limits.chunk_bytes == 0) return nullptr;
    auto handle = std::make_unique<weir_json_reader>(limits);
    weir::Walk &walk = handle->reader.walk;
    for (size_t i = 0; i < count; ++i) {
        walk.columns.push_back(std::make_unique<Column>());
        if (!weir::add_to_plan(walk.root, columns[i], *walk.columns.back())) return nullptr;
    }
    weir::finish_plan(walk.root);
    walk.root.slots.resize(weir::Node::slot_count);
    return handle.release();
}

void weir_json_destroy(weir_json_reader *reader) { delete reader; }

void weir_json_begin(weir_json_reader *reader, const weir_json_messages *messages) {
    reader->reader.begin(*messages);
}

bool weir_json_next(weir_json_reader *reader, size_t rows_max) {
    return reader->reader.next(rows_max);
}

size_t weir_json_row_count(const weir_json_reader *reader) { return reader->reader.row_count; }

size_t weir_json_nulled_count(const weir_json_reader *reader) {
    return reader->reader.nulled_count;
}

const uint32_t *weir_json_row_messages(const weir_json_reader *reader) {
    return reader->reader.row_messages.data();
}

const weir_json_extent *weir_json_row_extents(const weir_json_reader *reader) {
    return reader->reader.row_extents.data();
}

const weir_json_rejection *weir_json_rejections(const weir_json_reader *reader, size_t *count) {
    *count = reader->reader.rejections.size();
    return reader->reader.rejections.data();
}

void weir_json_take(
    weir_json_reader *reader, size_t column, weir_json_values *rows, weir_json_values *elements
) {
    reader->reader.take(column, *rows, *elements);
}

void weir_json_take_parts(weir_json_reader *reader, size_t column, weir_json_values *values) {
    reader->reader.take_parts(column, values);
}
