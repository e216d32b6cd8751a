// The C face of the JSON reader and of the row writers.
//
// The reader takes messages (payloads back to back in one run of bytes) and fills columns; the
// writers take columns and append text. Both work on whole batches, so that Swift calls once a
// batch and never once a row. Memory that changes hands comes from malloc. Nothing here is
// thread-safe: one reader or buffer has one owner. Running out of memory ends the process, as it
// does in Swift.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Reading JSON

/// What a column (or an element of an array column) holds.
typedef enum weir_json_kind {
    WEIR_JSON_BOOL = 0,
    WEIR_JSON_INT32 = 1,
    WEIR_JSON_INT64 = 2,
    WEIR_JSON_DOUBLE = 3,
    WEIR_JSON_STRING = 4,
    WEIR_JSON_TIME = 5,
    WEIR_JSON_INT8 = 6,
    WEIR_JSON_INT16 = 7,
    /// A double that a float can hold.
    WEIR_JSON_FLOAT = 8,
    /// A number, or one in a string, as an Int64 of `scale` places; up to 18 digits.
    WEIR_JSON_DECIMAL = 9,
    /// The same as an Int128.
    WEIR_JSON_WIDE_DECIMAL = 10,
    /// `2026-11-21` as days since the epoch.
    WEIR_JSON_DATE = 11,
    /// `13:00:00.250` as milliseconds since midnight.
    WEIR_JSON_TIME_OF_DAY = 12,
    /// Base64.
    WEIR_JSON_BYTES = 13,
    /// Values with parts, described by `weir_json_part`s: an element; a key (a string) and a value; any
    /// number of members.
    WEIR_JSON_ARRAY = 14,
    WEIR_JSON_MAP = 15,
    WEIR_JSON_ROW = 16,
} weir_json_kind;

/// How a WEIR_JSON_TIME is written in the payload; the column gets milliseconds since the epoch.
typedef enum weir_json_time {
    WEIR_JSON_EPOCH_S = 0,
    WEIR_JSON_EPOCH_MS = 1,
    WEIR_JSON_EPOCH_US = 2,
    /// RFC 3339 with its zone.
    WEIR_JSON_RFC3339 = 3,
    /// The same without a zone (a Z is allowed for): a wall clock's time.
    WEIR_JSON_RFC3339_LOCAL = 4,
} weir_json_time;

/// Why a document was not decoded. From WEIR_JSON_WRONG_TYPE on it is one column's fault.
typedef enum weir_json_fault {
    WEIR_JSON_OK = 0,
    WEIR_JSON_REFUSED,
    WEIR_JSON_EMPTY,
    WEIR_JSON_TOO_LARGE,
    WEIR_JSON_INVALID_UTF8,
    WEIR_JSON_CONTROL_CHARACTER,
    WEIR_JSON_UNCLOSED_STRING,
    WEIR_JSON_ENDS_EARLY,
    WEIR_JSON_MALFORMED,
    WEIR_JSON_TRAILING,
    WEIR_JSON_TOO_DEEP,
    WEIR_JSON_NOT_OBJECT,
    WEIR_JSON_ELEMENT_NOT_OBJECT,
    WEIR_JSON_WRONG_TYPE,
    WEIR_JSON_FRACTION,
    WEIR_JSON_OUT_OF_RANGE,
    /// A text that is not what the column holds.
    WEIR_JSON_NOT_A_TIME,
} weir_json_fault;

/// What was found where another type was expected.
typedef enum weir_json_found {
    WEIR_JSON_FOUND_STRING = 0,
    WEIR_JSON_FOUND_NUMBER,
    WEIR_JSON_FOUND_BOOLEAN,
    WEIR_JSON_FOUND_OBJECT,
    WEIR_JSON_FOUND_ARRAY,
} weir_json_found;

/// A type inside of another one. Parts stand behind the type that they are parts of, each followed by its
/// own.
typedef struct weir_json_part {
    weir_json_kind kind;
    weir_json_time time;
    int32_t precision;
    int32_t scale;
    size_t part_count;
    /// The member, where it is one of a row.
    const char *name;
    size_t name_length;
} weir_json_part;

/// One column to fill.
typedef struct weir_json_column {
    /// An RFC 6901 pointer into the object; one segment may be `*`, which makes it an array column.
    const char *pointer;
    size_t pointer_length;
    weir_json_kind kind;
    weir_json_time time;
    /// Digits of a decimal, and how many of them stand behind the point.
    int32_t precision;
    int32_t scale;
    /// Whether the column is an array of `kind`; without a `*`, the pointer names the array.
    bool is_array;
    /// Whether a value of a wrong type becomes NULL instead of rejecting the row.
    bool null_on_error;
    /// The type of a column with parts, all parts behind it; NULL for other columns. Then `kind` and
    /// `is_array` say nothing.
    const weir_json_part *parts;
    size_t part_count;
} weir_json_column;

/// The bounds of one reader.
typedef struct weir_json_limits {
    /// A document nested deeper is rejected; at most 1024.
    uint32_t depth_max;
    /// A document (a message, or a line where messages are lines) of more bytes is rejected.
    size_t document_bytes_max;
    /// At most so many bytes go through the first stage at once; documents larger than this go
    /// alone.
    size_t chunk_bytes;
} weir_json_limits;

/// Messages to decode; 64 bytes behind the last payload must be readable.
typedef struct weir_json_messages {
    const uint8_t *bytes;
    /// Payload i is at `bytes + starts[i]`, `lengths[i]` bytes long.
    const intptr_t *starts;
    const intptr_t *lengths;
    size_t count;
    /// Whether each line of each payload is a document of its own, whatever it looks like;
    /// otherwise the form (one object, an array of objects, lines) is recognised message by
    /// message.
    bool are_lines;
    /// For each message whether to reject it unread (WEIR_JSON_REFUSED); NULL when there is none.
    const uint8_t *refused;
} weir_json_messages;

/// A document that was not decoded.
typedef struct weir_json_rejection {
    /// Where it starts in the messages' bytes, and how long it is.
    size_t start;
    size_t length;
    uint32_t message;
    /// The column at fault, or -1.
    int32_t column;
    weir_json_fault fault;
    weir_json_found found;
} weir_json_rejection;

/// Where a document lies in the messages' bytes.
typedef struct weir_json_extent {
    size_t start;
    size_t length;
} weir_json_extent;

/// A filled column; the memory is malloc's and belongs to whoever took it.
typedef struct weir_json_values {
    /// Int64, Int128, double, 0/1 bytes, or `count + 1` Int32 offsets; nothing of a row with parts.
    void *values;
    /// One byte a row (1 = a value), or NULL when no row is NULL.
    uint8_t *validity;
    /// The text of a string column, or NULL.
    uint8_t *bytes;
    size_t byte_count;
    size_t count;
} weir_json_values;

typedef struct weir_json_reader weir_json_reader;

/// Compiles `columns` into a reader; NULL when a pointer has no leading slash or more than one `*`.
weir_json_reader *weir_json_create(
    const weir_json_column *columns, size_t count, weir_json_limits limits
);
void weir_json_destroy(weir_json_reader *reader);

/// Begins with `messages`, whose bytes must stay as they are until `weir_json_next` has returned
/// false; the other arrays are copied.
void weir_json_begin(weir_json_reader *reader, const weir_json_messages *messages);

/// Decodes on until about `rows_max` rows (rejected ones included) or the end; whether it was not
/// the end. What an earlier call filled must have been taken; rejections and row messages are then
/// forgotten.
bool weir_json_next(weir_json_reader *reader, size_t rows_max);

/// Rows decoded by the last `weir_json_next`.
size_t weir_json_row_count(const weir_json_reader *reader);
/// Values of a wrong type that the last `weir_json_next` turned into NULL.
size_t weir_json_nulled_count(const weir_json_reader *reader);
/// For each of these rows its message; valid until the next call.
const uint32_t *weir_json_row_messages(const weir_json_reader *reader);
/// For each of these rows where its object lies in the messages' bytes; valid until the next call.
const weir_json_extent *weir_json_row_extents(const weir_json_reader *reader);
/// The rejections of the last `weir_json_next`; valid until the next call.
const weir_json_rejection *weir_json_rejections(const weir_json_reader *reader, size_t *count);

/// Gives away column `column` as filled by the last `weir_json_next`; `elements` is filled for
/// arrays.
void weir_json_take(
    weir_json_reader *reader, size_t column, weir_json_values *rows, weir_json_values *elements
);

/// Gives away a column with parts: `values` has room for as many as its description has parts, in their
/// order.
void weir_json_take_parts(weir_json_reader *reader, size_t column, weir_json_values *values);

// MARK: Writing rows

/// A growable run of bytes in malloc's memory.
typedef struct weir_text {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
} weir_text;

/// How a column's values are written.
typedef enum weir_text_kind {
    WEIR_TEXT_BOOL = 0,
    WEIR_TEXT_INT64 = 1,
    WEIR_TEXT_DOUBLE = 2,
    WEIR_TEXT_STRING = 3,
    /// Milliseconds since the epoch as `2026-11-21T13:00:00.000`.
    WEIR_TEXT_TIMESTAMP = 4,
    /// The same with a trailing `Z`.
    WEIR_TEXT_TIMESTAMP_UTC = 5,
    WEIR_TEXT_ARRAY = 6,
    /// A double that is a float, with a float's digits.
    WEIR_TEXT_FLOAT = 7,
    /// An Int64 with `scale` digits behind the point.
    WEIR_TEXT_DECIMAL = 8,
    /// An Int128 likewise.
    WEIR_TEXT_WIDE_DECIMAL = 9,
    /// Days since the epoch as `2026-11-21`.
    WEIR_TEXT_DATE = 10,
    /// Milliseconds since midnight as `13:00:00`, with `.25` where they are no whole second.
    WEIR_TEXT_TIME = 11,
    /// Bytes as base64.
    WEIR_TEXT_BYTES = 12,
    /// Entries as the members of an object.
    WEIR_TEXT_MAP = 13,
    WEIR_TEXT_ROW = 14,
} weir_text_kind;

/// A column to write.
typedef struct weir_text_column {
    weir_text_kind kind;
    const void *values;
    const uint8_t *validity;
    const uint8_t *bytes;
    /// The elements of an array column; the entries of a map column, rows of two fields.
    const struct weir_text_column *elements;
    /// The fields of a row column.
    const struct weir_text_column *fields;
    size_t field_count;
    /// Digits behind the point of a decimal.
    int32_t scale;
    /// What stands before each value: `,"name":` in JSON, a comma in CSV.
    const uint8_t *prefix;
    size_t prefix_length;
} weir_text_column;

/// Makes room for `more` bytes behind the text.
void weir_text_reserve(weir_text *text, size_t more);
/// Appends `length` bytes as the inside of a JSON string (without the quotes).
void weir_text_append_escaped(weir_text *text, const uint8_t *bytes, size_t length);
/// Appends rows `first ..< first + count` as JSON objects, one a line.
void weir_text_append_ndjson(
    weir_text *text, const weir_text_column *columns, size_t column_count, size_t first,
    size_t count
);
/// Appends rows `first ..< first + count` as RFC 4180 records.
void weir_text_append_csv(
    weir_text *text, const weir_text_column *columns, size_t column_count, size_t first,
    size_t count
);
/// Appends one text as a CSV field, quoted when it must be.
void weir_text_append_csv_field(weir_text *text, const uint8_t *bytes, size_t length);

#ifdef __cplusplus
}
#endif
