// Rows as NDJSON and CSV.
//
// Both go row by row over the columns. Room for a value is made before it is written, by its
// longest text, so that nothing inside checks for it.

#include "CSimdJSON.h"
#include "digits.h"
#include "number.h"
#include "store.h"

namespace weir {
namespace {

/// The end of a text that grows.
class Writer {
public:
    explicit Writer(weir_text *text) : text(text), at(text->bytes + text->count) {}
    ~Writer() { text->count = static_cast<size_t>(at - text->bytes); }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;

    void room(size_t more) {
        if (static_cast<size_t>(text->bytes + text->capacity - at) >= more) [[likely]]
            return;
        text->count = static_cast<size_t>(at - text->bytes);
        weir_text_reserve(text, more);
        at = text->bytes + text->count;
    }

    void raw(const uint8_t *bytes, size_t length) {
        std::memcpy(at, bytes, length);
        at += length;
    }
    void raw(const char *bytes, size_t length) { at = write_text(at, bytes, length); }

    /// Room for six bytes a byte and eight more must be there.
    void escaped(const uint8_t *p, size_t length);
    void json_string(const uint8_t *p, size_t length) {
        room(length * 6 + 16);
        *at++ = '"';
        escaped(p, length);
        *at++ = '"';
    }
    void csv_field(const uint8_t *p, size_t length);

    void base64(const uint8_t *p, size_t length);

    bool scalar(const weir_text_column &column, size_t row);
    void json_value(const weir_text_column &column, size_t row);
    void json_nested(const weir_text_column &column, size_t row);
    void json_members(const weir_text_column &entries, int32_t first, int32_t end);
    void csv_value(const weir_text_column &column, size_t row, weir_text &scratch);

private:
    weir_text *text;
    uint8_t *at;
    TimeWriter times;
};

/// For each of eight bytes its top bit, if it is a quote, a backslash or below 0x20; false
/// positives only in bytes behind a true one.
uint64_t escape_flags(uint64_t word) {
    constexpr uint64_t ones = 0x0101010101010101;
    const uint64_t quote = word ^ (ones * '"');
    const uint64_t backslash = word ^ (ones * '\\');
    return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote)
            | ((backslash - ones) & ~backslash))
        & 0x8080808080808080;
}

uint8_t *write_escape(uint8_t *to, uint8_t c) {
    static constexpr char hex[] = "0123456789abcdef";
    *to++ = '\\';
    switch (c) {
    case '"':
    case '\\': *to++ = c; return to;
    case '\b': *to++ = 'b'; return to;
    case '\f': *to++ = 'f'; return to;
    case '\n': *to++ = 'n'; return to;
    case '\r': *to++ = 'r'; return to;
    case '\t': *to++ = 't'; return to;
    default:
        to = write_text(to, "u00", 3);
        *to++ = static_cast<uint8_t>(hex[c >> 4]);
        *to++ = static_cast<uint8_t>(hex[c & 15]);
        return to;
    }
}

void Writer::escaped(const uint8_t *p, size_t length) {
    const uint8_t *end = p + length;
    while (end - p >= 8 && escape_flags(load8(p)) == 0) {
        std::memcpy(at, p, 8);
        at += 8;
        p += 8;
    }
    for (; p < end; ++p) {
        if (*p >= 0x20 && *p != '"' && *p != '\\') [[likely]] {
            *at++ = *p;
        } else {
            at = write_escape(at, *p);
        }
    }
}

void Writer::csv_field(const uint8_t *p, size_t length) {
    room(length * 2 + 2);
    bool must_quote = length == 0;
    for (size_t i = 0; i < length; ++i) {
        must_quote |= p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r';
    }
    if (!must_quote) return raw(p, length);
    *at++ = '"';
    for (size_t i = 0; i < length; ++i) {
        if (p[i] == '"') *at++ = '"';
        *at++ = p[i];
    }
    *at++ = '"';
}

void Writer::base64(const uint8_t *p, size_t length) {
    static constexpr char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    room(length / 3 * 4 + 8);
    for (size_t i = 0; i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t three = static_cast<uint32_t>(p[i]) << 16
            | (left > 1 ? static_cast<uint32_t>(p[i + 1]) << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        *at++ = static_cast<uint8_t>(letters[three >> 18]);
        *at++ = static_cast<uint8_t>(letters[three >> 12 & 63]);
        *at++ = left > 1 ? static_cast<uint8_t>(letters[three >> 6 & 63]) : '=';
        *at++ = left > 2 ? static_cast<uint8_t>(letters[three & 63]) : '=';
    }
}

/// Writes a value of a fixed-width kind; false for a double that is no number, of which nothing is
/// written.
inline bool Writer::scalar(const weir_text_column &column, size_t row) {
    switch (column.kind) {
    case WEIR_TEXT_BOOL:
        if (static_cast<const uint8_t *>(column.values)[row] != 0) {
            raw("true", 4);
        } else {
            raw("false", 5);
        }
        return true;
    case WEIR_TEXT_DOUBLE: {
        const double value = static_cast<const double *>(column.values)[row];
        if (!std::isfinite(value)) return false;
        at = write_double(at, value);
        return true;
    }
    case WEIR_TEXT_FLOAT: {
        const double value = static_cast<const double *>(column.values)[row];
        if (!std::isfinite(value)) return false;
        at = write_float(at, value);
        return true;
    }
    case WEIR_TEXT_DECIMAL:
        at = write_decimal(at, static_cast<const int64_t *>(column.values)[row], column.scale);
        return true;
    case WEIR_TEXT_WIDE_DECIMAL:
        at = write_decimal(at, static_cast<const __int128 *>(column.values)[row], column.scale);
        return true;
    case WEIR_TEXT_DATE:
        at = times.write_date(at, static_cast<const int64_t *>(column.values)[row]);
        return true;
    case WEIR_TEXT_TIME:
        at = TimeWriter::write_time(at, static_cast<const int64_t *>(column.values)[row]);
        return true;
    case WEIR_TEXT_TIMESTAMP:
    case WEIR_TEXT_TIMESTAMP_UTC:
        at = times.write(at, static_cast<const int64_t *>(column.values)[row]);
        if (column.kind == WEIR_TEXT_TIMESTAMP_UTC) *at++ = 'Z';
        return true;
    default: at = write_integer(at, static_cast<const int64_t *>(column.values)[row]); return true;
    }
}

inline bool is_nested(weir_text_kind kind) {
    return kind == WEIR_TEXT_ARRAY || kind >= WEIR_TEXT_BYTES;
}

inline bool is_quoted_in_json(weir_text_kind kind) {
    return kind == WEIR_TEXT_TIMESTAMP || kind == WEIR_TEXT_TIMESTAMP_UTC || kind == WEIR_TEXT_DATE
        || kind == WEIR_TEXT_TIME;
}

inline bool is_null_at(const weir_text_column &column, size_t row) {
    return column.validity != nullptr && column.validity[row] == 0;
}

void Writer::json_value(const weir_text_column &column, size_t row) {
    if (is_null_at(column, row)) return raw("null", 4);
    if (column.kind == WEIR_TEXT_STRING) {
        const int32_t *offsets = static_cast<const int32_t *>(column.values);
        return json_string(
            column.bytes + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row])
        );
    }
    if (is_nested(column.kind)) return json_nested(column, row);
    const bool is_quoted = is_quoted_in_json(column.kind);
    if (is_quoted) *at++ = '"';
    if (!scalar(column, row)) raw("null", 4);
    if (is_quoted) *at++ = '"';
}

/// The value of an array, a map, a row or bytes.
void Writer::json_nested(const weir_text_column &column, size_t row) {
    if (column.kind == WEIR_TEXT_ROW) {
        for (size_t i = 0; i < column.field_count; ++i) {
            const weir_text_column &field = column.fields[i];
            room(field.prefix_length + scalar_text_max);
            raw(field.prefix, field.prefix_length);
            json_value(field, row);
        }
        room(8);
        if (column.field_count == 0) *at++ = '{';
        *at++ = '}';
        return;
    }
    const int32_t *offsets = static_cast<const int32_t *>(column.values);
    if (column.kind == WEIR_TEXT_BYTES) {
        room(8);
        *at++ = '"';
        base64(column.bytes + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row]));
        *at++ = '"';
        return;
    }
    if (column.kind == WEIR_TEXT_MAP) {
        return json_members(*column.elements, offsets[row], offsets[row + 1]);
    }
    *at++ = '[';
    for (int32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
        room(scalar_text_max + 8);
        if (i > offsets[row]) *at++ = ',';
        json_value(*column.elements, static_cast<size_t>(i));
    }
    room(8);
    *at++ = ']';
}

/// The entries of a map. Keys that are no text stand in quotes, a NULL as "null".
void Writer::json_members(const weir_text_column &entries, int32_t first, int32_t end) {
    const weir_text_column &keys = entries.fields[0];
    *at++ = '{';
    for (int32_t i = first; i < end; ++i) {
        const size_t row = static_cast<size_t>(i);
        room(scalar_text_max + 16);
        if (i > first) *at++ = ',';
        const bool has_quotes = !is_null_at(keys, row)
            && (keys.kind == WEIR_TEXT_STRING || keys.kind == WEIR_TEXT_BYTES
                || is_quoted_in_json(keys.kind));
        if (!has_quotes) *at++ = '"';
        json_value(keys, row);
        room(scalar_text_max + 16);
        if (!has_quotes) *at++ = '"';
        *at++ = ':';
        json_value(entries.fields[1], row);
    }
    room(8);
    *at++ = '}';
}

void Writer::csv_value(const weir_text_column &column, size_t row, weir_text &scratch) {
    if (is_null_at(column, row)) return;
    if (column.kind == WEIR_TEXT_STRING) {
        const int32_t *offsets = static_cast<const int32_t *>(column.values);
        return csv_field(
            column.bytes + offsets[row], static_cast<size_t>(offsets[row + 1] - offsets[row])
        );
    }
    if (column.kind == WEIR_TEXT_BYTES) {
        const int32_t *offsets = static_cast<const int32_t *>(column.values);
        const size_t length = static_cast<size_t>(offsets[row + 1] - offsets[row]);
        return length == 0 ? raw("\"\"", 2) : base64(column.bytes + offsets[row], length);
    }
    if (is_nested(column.kind)) {
        scratch.count = 0;
        {
            Writer array(&scratch);
            array.room(scalar_text_max);
            array.json_value(column, row);
        }
        return csv_field(scratch.bytes, scratch.count);
    }
    if (scalar(column, row)) return;
    const double value = static_cast<const double *>(column.values)[row];
    if (std::isnan(value)) return raw("NaN", 3);
    value < 0 ? raw("-Infinity", 9) : raw("Infinity", 8);
}

}  // namespace
}  // namespace weir

using weir::Writer;

void weir_text_reserve(weir_text *text, size_t more) {
    if (text->capacity - text->count >= more) return;
    const size_t doubled = text->capacity * 2;
    const size_t needed = text->count + more;
    text->capacity = needed > doubled ? needed : doubled;
    text->bytes = static_cast<uint8_t *>(weir::resize(text->bytes, text->capacity));
}

void weir_text_append_escaped(weir_text *text, const uint8_t *bytes, size_t length) {
    Writer writer(text);
    writer.room(length * 6 + 8);
    writer.escaped(bytes, length);
}

void weir_text_append_ndjson(
    weir_text *text, const weir_text_column *columns, size_t column_count, size_t first,
    size_t count
) {
    Writer writer(text);
    for (size_t row = first; row < first + count; ++row) {
        for (size_t i = 0; i < column_count; ++i) {
            const weir_text_column &column = columns[i];
            writer.room(column.prefix_length + weir::scalar_text_max);
            writer.raw(column.prefix, column.prefix_length);
            writer.json_value(column, row);
        }
        writer.room(4);
        column_count == 0 ? writer.raw("{}\n", 3) : writer.raw("}\n", 2);
    }
}

void weir_text_append_csv(
    weir_text *text, const weir_text_column *columns, size_t column_count, size_t first,
    size_t count
) {
    Writer writer(text);
    weir_text scratch{};
    for (size_t row = first; row < first + count; ++row) {
        for (size_t i = 0; i < column_count; ++i) {
            const weir_text_column &column = columns[i];
            writer.room(column.prefix_length + weir::scalar_text_max);
            writer.raw(column.prefix, column.prefix_length);
            writer.csv_value(column, row, scratch);
        }
        writer.room(4);
        writer.raw("\r\n", 2);
    }
    std::free(scratch.bytes);
}

void weir_text_append_csv_field(weir_text *text, const uint8_t *bytes, size_t length) {
    Writer(text).csv_field(bytes, length);
}
