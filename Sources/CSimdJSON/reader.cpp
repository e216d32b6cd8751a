// Reading documents, rows and elements; how messages become chunks is in chunks.cpp.

#include "reader.h"

#include <cstring>

namespace weir {

/// Input that one `next` takes before it stops, whatever the number of rows: a batch's memory is
/// bounded by this and the largest document, and its text stays far below 2 GiB.
constexpr size_t batch_bytes_max = size_t(64) << 20;

Reader::Reader(const weir_json_limits &limits)
    : walk(limits.depth_max), limits(limits), bulk(limits.chunk_bytes), alone(16 << 10) {}

void Reader::begin(const weir_json_messages &messages) {
    bytes = messages.bytes;
    are_lines = messages.are_lines;
    spans.resize(messages.count);
    for (size_t i = 0; i < messages.count; ++i) {
        const size_t start = static_cast<size_t>(messages.starts[i]);
        spans[i] =
            Span{start, start + static_cast<size_t>(messages.lengths[i]), static_cast<uint32_t>(i)};
    }
    refused.clear();
    if (messages.refused != nullptr)
        refused.assign(messages.refused, messages.refused + messages.count);
    message = 0;
    lines = Span{};
    chunk = Chunk{};
    elements = Elements{};
}

static void drop(Store &store) {
    std::free(store.values);
    std::free(store.validity);
    std::free(store.bytes);
    store.release();
}

static void drop_parts(Nested &nested) {
    for (const auto &part : nested.parts) {
        drop(part->own);
        drop_parts(*part);
    }
}

bool Reader::next(size_t rows_max) {
    for (const auto &column : walk.columns) {
        drop(column->rows);
        drop(column->elements);
        if (column->nested != nullptr) drop_parts(*column->nested);
    }
    last_row_count = row_count;
    row_count = nulled_count = row_capacity = 0;
    rejections.clear();
    bytes_left = batch_bytes_max;
    while (!is_full(rows_max)) {
        if (elements.is_open) {
            read_elements(rows_max);
        } else if (chunk.at < chunk.end) {
            chunk.is_lines ? read_lines(rows_max) : read_messages(rows_max);
        } else if (!open_chunk()) {
            alone.shrink();
            return false;
        }
    }
    return true;
}

void Reader::read_lines(size_t rows_max) {
    enter(chunk.view);
    while (chunk.at < chunk.end && !is_full(rows_max) && !elements.is_open) {
        const uint8_t *start = bytes + chunk.at;
        const void *feed = std::memchr(start, '\n', chunk.end - chunk.at);
        Span line{chunk.at, chunk.end, chunk.message};
        if (feed != nullptr)
            line.end = static_cast<size_t>(static_cast<const uint8_t *>(feed) - bytes);
        chunk.at = line.end + (feed != nullptr);
        took(chunk.at - line.start);
        if (line.end - line.start > limits.document_bytes_max) {
            reject(line, WEIR_JSON_TOO_LARGE);
        } else if (!chunk.has_tokens) {
            document_alone(line);
            continue;
        } else if (*chunk.t >= line.end - chunk.view.start) {
            continue;
        } else {
            const Token *close = document(chunk.view, chunk.t, line);
            if (close != chunk.view.last) [[likely]] {
                chunk.t = close + 1;
                continue;
            }
            document_alone(line);
            enter(chunk.view);
        }
        // A bad line's tokens are stepped over; they cannot reach into the next line.
        while (chunk.t < chunk.view.last && *chunk.t < chunk.at - chunk.view.start) ++chunk.t;
    }
}

void Reader::read_messages(size_t rows_max) {
    enter(chunk.view);
    while (chunk.at < chunk.end && !is_full(rows_max) && !elements.is_open) {
        const Span span = spans[chunk.message++];
        chunk.at = span.end;
        took(span.end - span.start);
        if (chunk.has_tokens) {
            const Token *close = document(chunk.view, chunk.t, span);
            if (close != chunk.view.last) [[likely]] {
                chunk.t = close + 1;
                continue;
            }
            chunk.has_tokens = false;
        }
        document_alone(span);
    }
}

void Reader::read_elements(size_t rows_max) {
    const View view = elements.view;
    enter(view);
    const Token *t = elements.t;
    while (view.text[*t] != ']' && !is_full(rows_max)) {
        Span span{view.start + *t, 0, elements.message};
        const uint8_t c = view.text[*t];
        const Token *close = t;
        if (c == '{') {
            begin_row();
            close = walk.row(t, 2);
        } else if (c == '[') {
            close = walk.check(t, 2);
        }
        // The array was checked as a whole, so no element fails.
        if (close == view.last) std::abort();
        span.end = view.start + (c == '{' || c == '[' ? *close + 1 : close[1]);
        if (c == '{') {
            end_row(span);
        } else {
            reject(span, WEIR_JSON_ELEMENT_NOT_OBJECT);
        }
        t = close + 1;
        if (view.text[*t] == ',') ++t;
    }
    elements.t = t;
    elements.is_open = view.text[*t] != ']';
}

const Token *Reader::document(const View &view, const Token *t, Span span) {
    const uint8_t c = view.text[*t];
    if (c == '{') {
        begin_row();
        const Token *close = walk.row(t, 1);
        if (!ends_with(view, close, span)) return view.last;
        // From bracket to bracket, so that what is kept of it does not depend on how it was read.
        end_row(Span{view.start + *t, view.start + *close + 1, span.message});
        return close;
    }
    if (c == '[') {
        const Token *close = walk.check(t, 1);
        if (!ends_with(view, close, span)) return view.last;
        elements = Elements{true, view, t + 1, span.message};
        return close;
    }
    walk.fault = WEIR_JSON_NOT_OBJECT;
    return view.last;
}

bool Reader::ends_with(const View &view, const Token *close, Span span) {
    if (close == view.last) return false;
    const size_t end = span.end - view.start;
    if (*close >= end) {
        walk.fault = WEIR_JSON_ENDS_EARLY;
        return false;
    }
    if (close[1] < end) {
        walk.fault = WEIR_JSON_TRAILING;
        return false;
    }
    return true;
}

/// Whether as many brackets close as open.
static bool is_balanced(const uint8_t *text, const Token *t, const Token *last) {
    int64_t open = 0;
    for (; t < last; ++t) {
        const uint8_t c = text[*t];
        open += c == '{' || c == '[';
        open -= c == '}' || c == ']';
    }
    return open <= 0;
}

void Reader::document_alone(Span span) {
    View view;
    const weir_json_fault fault = scan_alone(span, view);
    if (fault == WEIR_JSON_EMPTY && chunk.is_lines) return;
    if (fault != WEIR_JSON_OK) return reject(span, fault);
    enter(view);
    const Token *t = alone.begin();
    if (document(view, t, span) != view.last) return;
    if (walk.fault == WEIR_JSON_ENDS_EARLY && is_balanced(view.text, t, view.last)) {
        walk.fault = WEIR_JSON_MALFORMED;
    }
    reject(span, walk.fault);
}

weir_json_fault Reader::scan_alone(Span &span, View &view) {
    const auto is_space = [](uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    if (span.end - span.start >= 3 && std::memcmp(bytes + span.start, "\xEF\xBB\xBF", 3) == 0)
        span.start += 3;
    while (span.start < span.end && is_space(bytes[span.start])) ++span.start;
    while (span.start < span.end && is_space(bytes[span.end - 1])) --span.end;
    if (span.start == span.end) return WEIR_JSON_EMPTY;
    const size_t length = span.end - span.start;
    const uint8_t *text = bytes + span.start;
    const auto code = alone.scan(text, length);
    view = View{text, span.start, alone.end(), std::memchr(text, '\\', length) != nullptr};
    if (code == simdjson::SUCCESS) return WEIR_JSON_OK;
    if (!simdjson::validate_utf8(reinterpret_cast<const char *>(text), length))
        return WEIR_JSON_INVALID_UTF8;
    switch (code) {
    case simdjson::UNCLOSED_STRING: return WEIR_JSON_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS: return WEIR_JSON_CONTROL_CHARACTER;
    default: return WEIR_JSON_MALFORMED;
    }
}

bool Reader::is_document(Span span) {
    View view;
    if (scan_alone(span, view) != WEIR_JSON_OK) return false;
    const Token *t = alone.begin();
    if (view.text[*t] != '{' && view.text[*t] != '[') return false;
    enter(view);
    return ends_with(view, walk.check(t, 1), span);
}

void Reader::begin_row() {
    if (row_count == row_capacity) [[unlikely]] {
        const size_t wanted = row_capacity == 0 ? last_row_count : row_capacity * 2;
        row_capacity = wanted < 64 ? 64 : wanted;
        for (const auto &column : walk.columns) column->rows.reserve(row_capacity);
        if (row_messages.size() < row_capacity) {
            row_messages.resize(row_capacity);
            row_extents.resize(row_capacity);
        }
    }
    walk.begin_row();
}

void Reader::end_row(Span span) {
    const int32_t column = walk.end_row();
    if (column >= 0) [[unlikely]] {
        const Column &failed = *walk.columns[static_cast<size_t>(column)];
        rejections.push_back(
            weir_json_rejection{
                span.start, span.end - span.start, span.message, column, failed.fault, failed.found
            }
        );
        return;
    }
    nulled_count += walk.row_nulled_count;
    row_messages[row_count] = span.message;
    row_extents[row_count++] = weir_json_extent{span.start, span.end - span.start};
    for (const auto &filled : walk.columns) ++filled->rows.row;
}

void Reader::reject(Span span, weir_json_fault fault) {
    rejections.push_back(
        weir_json_rejection{
            span.start, span.end - span.start, span.message, -1, fault, WEIR_JSON_FOUND_STRING
        }
    );
}

static weir_json_values give(Store &store, size_t count) {
    store.reserve(1);
    if (store.validity != nullptr && std::memchr(store.validity, 0, count) == nullptr) {
        std::free(store.validity);
        store.validity = nullptr;
    }
    const size_t byte_count =
        store.layout == Layout::string ? static_cast<size_t>(store.offsets()[count]) : 0;
    const weir_json_values given{store.values, store.validity, store.bytes, byte_count, count};
    store.release();
    return given;
}

void Reader::take(size_t index, weir_json_values &rows, weir_json_values &elements) {
    Column &column = *walk.columns[index];
    rows = give(column.rows, row_count);
    if (!column.is_array) return;
    elements =
        give(column.elements, static_cast<size_t>(static_cast<int32_t *>(rows.values)[row_count]));
}

static void give_all(Nested &nested, size_t count, weir_json_values *&next) {
    const weir_json_values given = give(*nested.store, count);
    *next++ = given;
    const bool has_offsets = nested.kind == WEIR_JSON_ARRAY || nested.kind == WEIR_JSON_MAP;
    const size_t below =
        has_offsets ? static_cast<size_t>(static_cast<int32_t *>(given.values)[count]) : count;
    for (const auto &part : nested.parts) give_all(*part, below, next);
}

void Reader::take_parts(size_t index, weir_json_values *values) {
    give_all(*walk.columns[index]->nested, row_count, values);
}

}  // namespace weir
